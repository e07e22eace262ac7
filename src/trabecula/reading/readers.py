"""Regions as readers drew them: masks/READER/CASE.png, and the table of cases without regions that waits for them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import Fault, InvalidInput
from ..records import Case, Inside, Study
from ..settings import Settings
from ..storage import write_atomically
from .cases import case_of, faults_of_ids, missing_columns, read_second_reader
from .cohorts import assign_cohorts
from .drawn import file_name, mask_path, reader_named, saved_of, write_reader_table
from .edit_table import open_table
from .outline import ORDER, Points
from .picture import is_file
from .sixteen import png

OWN = "study"  # in place of a reader: the column `region`


def cases_to_mark(folder: Path, settings: Settings) -> tuple[Case, ...]:
    """Every case of the table whose film is there; it needs neither region nor label yet."""
    if settings.data.cases is None:
        raise InvalidInput([Fault("data.cases", "absent", "a table of films", "Regions belong to films.")])
    table = open_table(folder, settings)
    name, rows = table.path.name, list(table.rows)
    missing = missing_columns(name, list(table.headings), ("case_id", "image"))
    if missing:
        raise InvalidInput(missing)
    faults = [*assign_cohorts(name, rows, settings.split)]
    cases = []
    for number, row in enumerate(rows, start=2):
        faults += _row_faults(f"{name}, row {number}", folder, row)
        drawn = {"patient_id": row.get("patient_id") or row["case_id"], "region": row.get("region") or _UNDRAWN}
        cases.append(case_of(folder, {"label": "", **row, **drawn}, {}))
    faults += faults_of_ids(name, cases)
    if faults:
        raise InvalidInput(faults)
    return tuple(cases)


def as_read(folder: Path, cases: Sequence[Case], reader: str) -> tuple[Case, ...]:
    """The cases that a reader has drawn: by name, by a table of case_id and region, or ``OWN``."""
    if reader == OWN:
        return tuple(case for case in cases if case.region.is_file())
    if (folder / reader).is_file():
        again, faults = read_second_reader(folder / reader, Study(folder, "", (), tuple(cases)))
        if faults:
            raise InvalidInput(faults)
        return again
    drawn = [replace(case, region=mask_path(folder, reader, case.case_id), region_value=None) for case in cases]
    return tuple(case for case in drawn if case.region.is_file())


def six_points(folder: Path, reader: str, case_id: str) -> Points | None:
    """The points that a reader clicked, where there are six."""
    if reader == OWN or (folder / reader).is_file():
        return None
    points = np.array((saved_of(folder, reader, case_id) or {}).get("points", []), dtype=np.float64)
    return points if points.shape == (len(ORDER), 2) else None


def check_reader(reader: str) -> None:
    """A name that can be a folder's, and none that stands for the study's own regions."""
    reader_named(reader)
    if reader == OWN:
        found, expected = f"{OWN!r}, which stands for the study's own regions", "a name such as R1"
        raise InvalidInput([Fault("reader", found, expected)])


def write_masks(
    folder: Path, reader: str, regions: Mapping[str, Inside], every: Sequence[str], *, replace_: bool
) -> list[Path]:
    """Write a reader's masks, 255 inside, and masks/READER.csv of ``every`` case that the reader has.

    Refused by name: what another mask lies at, unless ``replace_``, and always what was drawn in the app, where mask
    and strokes belong together.
    """
    made = {mask_path(folder, reader, name): png(inside.astype(np.uint8) * 255) for name, inside in regions.items()}
    new = {path: content for path, content in made.items() if not path.is_file() or path.read_bytes() != content}
    other = "Import under another reader's name"
    drawn = [name for name in regions if mask_path(folder, reader, name) in new and saved_of(folder, reader, name)]
    faults = [Fault(f"case {name}", f"drawn in the app by {reader}", "no drawing", f"{other}.") for name in drawn]
    if not replace_:
        there = [path.relative_to(folder).as_posix() for path in new if path.exists()]
        faults += [
            Fault(path, "another mask", "no file yet", f"{other}, or allow it with --replace.") for path in there
        ]
    if faults:
        raise InvalidInput(faults)
    for path, content in new.items():
        write_atomically(path, content)
    write_reader_table(folder, reader, every)
    return list(new)


def set_regions(folder: Path, settings: Settings, reader: str, names: Sequence[str], *, all_: bool) -> list[str]:
    """Name a reader's masks in the study's column region, where it is empty or, with ``all_``, everywhere.

    Returns the cases whose cell was changed. All other cells stay as they are.
    """
    table = open_table(folder, settings)
    empty = {row["case_id"] for row in table.rows if not row.get("region")}
    wanted = [name for name in names if all_ or name in empty]
    return table.set_regions({name: mask_path(folder, reader, name).relative_to(folder).as_posix() for name in wanted})


_UNDRAWN = ".no-region"  # no file is called so


def _row_faults(where: str, folder: Path, row: Mapping[str, str]) -> list[Fault]:
    faults: list[Fault] = []
    try:
        file_name(row["case_id"])
    except InvalidInput as error:
        faults += [replace(fault, where=f"{where}, {fault.where}") for fault in error.faults]
    if not row["image"] or not is_file(folder / row["image"]):
        faults.append(Fault(f"{where}, image", f"no file {row['image']!r}", "a film, relative to the study folder"))
    return faults
