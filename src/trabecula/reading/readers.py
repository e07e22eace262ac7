"""Regions as readers drew them: masks/READER/CASE.png, and the table of cases without regions that waits for them."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import Fault, InvalidInput
from ..records import TRAINING, Case, Inside, Study
from ..settings import Settings
from ..storage import write_atomically
from .cases import KNOWN, faults_of_ids, missing_columns, read_second_reader, read_table
from .cohorts import assign_cohorts
from .sixteen import png

MASKS = "masks"
OWN = "study"  # in place of a reader: the column `region`


def cases_to_mark(folder: Path, settings: Settings) -> tuple[Case, ...]:
    """Every case of the table whose film is there; it needs neither region nor label yet."""
    if settings.data.cases is None:
        raise InvalidInput([Fault("data.cases", "absent", "a table of films", "Regions belong to films.")])
    path = folder / settings.data.cases
    headings, rows = read_table(path)
    names = {heading: settings.data.columns.get(heading, heading) for heading in headings}
    missing = missing_columns(path.name, list(names.values()), ("case_id", "image"))
    if missing:
        raise InvalidInput(missing)
    renamed = [{names[heading]: value for heading, value in row.items()} for row in rows]
    faults = [*assign_cohorts(path.name, renamed, settings.split)]
    cases = []
    for number, row in enumerate(renamed, start=2):
        faults += _row_faults(f"{path.name}, row {number}", folder, row)
        cases.append(_case(folder, row))
    faults += faults_of_ids(path.name, cases)
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
    check_reader(reader)
    drawn = [replace(case, region=mask_of(folder, reader, case.case_id), region_value=None) for case in cases]
    return tuple(case for case in drawn if case.region.is_file())


def mask_of(folder: Path, reader: str, case_id: str) -> Path:
    """Where a reader's mask of a case lies."""
    return folder / MASKS / reader / f"{case_id}.png"


def check_reader(reader: str) -> None:
    """A reader's name is that of a folder."""
    if not _is_file_name(reader) or reader == OWN:
        expected = f"a short name without / and \\, other than {OWN!r}"
        raise InvalidInput([Fault("reader", repr(reader), expected, "Name readers as R1, R2.")])


def write_masks(folder: Path, reader: str, regions: Mapping[str, Inside], *, replace_: bool) -> list[Path]:
    """Write a reader's masks, 255 inside, and masks/READER.csv; what another mask lies at is refused by name."""
    check_reader(reader)
    made = {mask_of(folder, reader, name): png(inside.astype(np.uint8) * 255) for name, inside in regions.items()}
    new = {path: content for path, content in made.items() if not path.is_file() or path.read_bytes() != content}
    there = [path for path in new if path.exists()]
    if there and not replace_:
        action = "Import under another reader's name, or allow it with --replace."
        raise InvalidInput([Fault(f"{MASKS}/{reader}/{p.name}", "another mask", "no file yet", action) for p in there])
    for path, content in new.items():
        write_atomically(path, content)
    _write_table(folder, reader)
    return list(new)


def set_regions(folder: Path, settings: Settings, reader: str, names: Sequence[str], *, all_: bool) -> list[str]:
    """Name a reader's masks in the study's column region, where it is empty or, with ``all_``, everywhere.

    Returns the cases whose cell was changed. All other cells stay as they are.
    """
    assert settings.data.cases is not None
    path = folder / settings.data.cases
    if path.suffix.lower() == ".xlsx":
        return []
    headings, rows = read_table(path)
    ours = {settings.data.columns.get(heading, heading): heading for heading in headings}
    region, value = ours.get("region", "region"), ours.get("region_value", "")
    wanted = {name: mask_of(Path(), reader, name).as_posix() for name in names}
    changed = []
    for row in rows:
        new = wanted.get(row[ours["case_id"]])
        if new is None or row.get(region) == new or (row.get(region) and not all_):
            continue
        row[region] = new
        if value:
            row[value] = ""
        changed.append(row[ours["case_id"]])
    if changed:
        _write_rows(path, [*headings, *([] if region in headings else [region])], rows)
    return changed


def _case(folder: Path, row: Mapping[str, str]) -> Case:
    value = row.get("region_value", "")
    return Case(
        row["case_id"],
        row.get("patient_id") or row["case_id"],
        folder / row["image"],
        folder / row["region"] if row.get("region") else folder / MASKS / "none",
        int(float(value)) if value.replace(".0", "").isdigit() else None,
        row.get("label", ""),
        row.get("cohort") or TRAINING,
        {name: text for name, text in row.items() if name not in KNOWN},
    )


def _row_faults(where: str, folder: Path, row: Mapping[str, str]) -> list[Fault]:
    faults = []
    if not _is_file_name(row["case_id"]):
        found = repr(row["case_id"]) if row["case_id"] else "empty"
        faults.append(Fault(f"{where}, case_id", found, "an id that can be a file's name, without / and \\"))
    if not row["image"] or not (folder / row["image"]).is_file():
        faults.append(Fault(f"{where}, image", f"no file {row['image']!r}", "a film, relative to the study folder"))
    return faults


def _is_file_name(text: str) -> bool:
    return bool(text) and text[0] != "." and not set(text) & set('/\\:*?"<>|\0\n\r') and len(text) <= 100


def _write_table(folder: Path, reader: str) -> None:
    """All masks of a reader, as the setting selection.stability.second_reader takes them."""
    masks = sorted((folder / MASKS / reader).glob("*.png"))
    rows = [{"case_id": path.stem, "region": path.relative_to(folder).as_posix()} for path in masks]
    _write_rows(folder / MASKS / f"{reader}.csv", ["case_id", "region"], rows)


def _write_rows(path: Path, headings: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    """With the delimiter that the file had; where it was not UTF-8, a mark now says that it is."""
    before = path.read_bytes() if path.is_file() else b""
    first = before.partition(b"\n")[0]
    delimiter = max(",;\t", key=lambda one: first.count(one.encode()))
    try:
        mark = "\ufeff" if before.decode("utf-8").startswith("\ufeff") else ""
    except UnicodeDecodeError:  # GB18030, as read_table takes it
        mark = "\ufeff"
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, headings, delimiter=delimiter, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, mark + text.getvalue())
