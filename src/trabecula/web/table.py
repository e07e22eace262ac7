"""The table of cases as the app shows and edits it: films may be absent, regions undrawn, classes not yet given."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import Fault, InvalidInput
from ..reading import OpenTable, open_table
from ..settings import FILE_NAME, ImageSettings, Settings, read_settings

EDITABLE = ("label", "patient_id")


@dataclass(frozen=True)
class Row:
    """One case by our names of columns; ``amiss`` are keys of words, each with what it is about."""

    case_id: str
    patient_id: str
    image: Path
    region: str
    label: str
    cohort: str
    amiss: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Table:
    """The settings that could be read, and the rows in the order of the file."""

    folder: Path
    file: OpenTable
    settings: Settings
    rows: tuple[Row, ...]

    def row(self, case_id: str) -> Row | None:
        """The case of this name."""
        return next((row for row in self.rows if row.case_id == case_id), None)


def read_cases(folder: Path) -> Table:
    """The cases of a study; InvalidInput only where there is no study or no table."""
    settings, file, rows = _read(folder)
    counts = Counter(row.case_id for row in rows)
    cohorts: dict[str, set[str]] = {}
    for row in rows:
        cohorts.setdefault(row.patient_id, set()).add(row.cohort)

    def amiss(row: Row) -> Iterator[tuple[str, str]]:
        wrong = {
            ("amiss_no_id", ""): not row.case_id,
            ("amiss_twice", ""): counts[row.case_id] > 1,
            ("amiss_film", row.image.name): not row.image.is_file(),
            ("amiss_region", row.region): row.region != "" and not (folder / row.region).is_file(),
            ("amiss_label", row.label): row.label not in ("", *settings.classes),
            ("amiss_cohorts", ""): row.patient_id != "" and len(cohorts[row.patient_id]) > 1,
        }
        yield from (key for key, found in wrong.items() if found)

    return Table(folder, file, settings, tuple(replace(row, amiss=tuple(amiss(row))) for row in rows))


def film_of(folder: Path, case_id: str) -> tuple[Path, ImageSettings] | None:
    """The film of a case, and how it is to be read; None where there is no such case."""
    settings, _, rows = _read(folder)
    return next(((row.image, settings.image) for row in rows if row.case_id == case_id), None)


def edit_case(table: Table, case_id: str, cells: Mapping[str, str]) -> None:
    """Set what the screen may set: a class that the study has, or none; a patient's id."""
    faults = [
        Fault(f"case {case_id}, {name}", "a column that is not edited here", "label or patient_id")
        for name in cells
        if name not in EDITABLE
    ]
    label, patient = cells.get("label", ""), cells.get("patient_id", "p")
    if label and label not in table.settings.classes:
        faults.append(Fault(f"case {case_id}, label", repr(label), "one of " + ", ".join(table.settings.classes)))
    if not patient.strip() or not patient.isprintable() or len(patient) > 100:
        faults.append(Fault(f"case {case_id}, patient_id", repr(patient[:40]), "1 to 100 signs on one line"))
    if faults:
        raise InvalidInput(faults)
    table.file.set(case_id, {name: cell.strip() for name, cell in cells.items()})


def _read(folder: Path) -> tuple[Settings, OpenTable, list[Row]]:
    settings, faults = read_settings(folder / FILE_NAME)
    if settings is None:
        raise InvalidInput(faults)
    if settings.data.cases is None:
        raise InvalidInput([Fault(f"{FILE_NAME}, data.cases", "a study of features alone", "a table of films")])
    file = open_table(folder, settings)
    return settings, file, [_row(folder, cells) for cells in file.rows]


def _row(folder: Path, cells: Mapping[str, str]) -> Row:
    names = ("case_id", "patient_id", "image", "region", "label", "cohort")
    case_id, patient, image, region, label, cohort = (cells.get(name, "") for name in names)
    return Row(case_id, patient, folder / image, region, label, cohort)
