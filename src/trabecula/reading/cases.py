"""The table of cases: columns, ids, classes, cohorts; one patient on one side. All faults of a table at once."""

import csv
import difflib
import itertools
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import Fault, InvalidInput
from ..records import TRAINING, Case, Study
from ..settings import Settings
from .cohorts import assign_cohorts
from .picture import is_file
from .remote import address_faults, is_address, placed

NEEDED = ("case_id", "patient_id", "image", "region", "label")
KNOWN = (*NEEDED, "region_value", "cohort")
_WORDS = (*NEEDED, "cohort")  # a comma may be part of these; in any other cell 2,5 is a number
_SWELLING = 100  # times: no table is packed as well as that
_SMALL = 100 << 20  # bytes of a table, unpacked
_BESIDE = 2000  # names among which the nearest is looked for
_EMPTY = 10**7  # cells on end
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_WHOLE = re.compile(r"[0-9]{1,15}(\.0*)?")

Row = Mapping[str, str]


def read_study(folder: Path, settings: Settings) -> tuple[Study | None, tuple[Fault, ...]]:
    """Join the table of cases with the settings; the study holds the rows that could be read."""
    assert settings.data.cases is not None
    path = folder / settings.data.cases
    try:
        headings, rows = read_table(path)
    except InvalidInput as error:
        return None, error.faults
    names = {heading: settings.data.columns.get(heading, heading) for heading in headings}
    missing = missing_columns(path.name, list(names.values()), NEEDED)
    if missing:
        return None, missing
    renamed = [{names[heading]: value for heading, value in row.items()} for row in rows]
    amiss = assign_cohorts(path.name, renamed, settings.split)
    cases, usable, faults = _cases(path.name, folder, renamed, rows)
    faults += amiss
    faults += faults_of_classes(cases, settings.classes)
    faults += faults_of_ids(path.name, cases)
    return Study(folder, settings.name or folder.resolve().name, settings.classes, tuple(usable)), tuple(faults)


def read_batch(path: Path) -> tuple[Study | None, tuple[Fault, ...]]:
    """Read a table for feature extraction alone: image and region, or PyRadiomics' Image, Mask and Label.

    Names that are absent are made from the row's number; there are no classes and one cohort.
    """
    try:
        headings, rows = read_table(path)
    except InvalidInput as error:
        return None, error.faults
    names = batch_columns(headings)
    renamed = [{names.get(heading, heading): value for heading, value in row.items()} for row in rows]
    missing = missing_columns(path.name, [names.get(heading, heading) for heading in headings], ("image", "region"))
    if missing:
        return None, missing
    for number, row in enumerate(renamed, start=1):
        row.setdefault("case_id", f"row_{number:05d}")
        row.setdefault("patient_id", row["case_id"])
        row["label"] = ""
        row["cohort"] = TRAINING
    cases, usable, faults = _cases(path.name, path.parent, renamed, rows)
    faults += _repeated(path.name, cases)
    return Study(path.parent, path.stem, (), tuple(usable)), tuple(faults)


def batch_columns(headings: Sequence[str]) -> Mapping[str, str]:
    """What the headings of a table for extraction are called here, where that is something else."""
    of_pyradiomics = {"Image": "image", "Mask": "region", "Label": "region_value"}
    return of_pyradiomics if {"Image", "Mask"} <= set(headings) else {"mask": "region", "mask_value": "region_value"}


def read_second_reader(path: Path, study: Study) -> tuple[tuple[Case, ...], tuple[Fault, ...]]:
    """The study's cases as another reader drew them: a table of case_id, region and, if masks need it, region_value."""
    try:
        headings, rows = read_table(path)
    except InvalidInput as error:
        return (), error.faults
    missing = missing_columns(path.name, headings, ("case_id", "region"))
    if missing:
        return (), missing
    known = {case.case_id: case for case in study.cases}
    again, faults = [], []
    for number, row in enumerate(rows, start=2):
        where = f"{path.name}, row {number}"
        case = known.get(row["case_id"])
        if case is None:
            faults.append(Fault(where, f"the case {row['case_id']!r}", "a case_id of the study"))
            continue
        value = row.get("region_value", "")
        region = study.folder / row["region"]
        if not row["region"] or not is_file(region):
            faults.append(
                Fault(f"{where}, region", f"no file {row['region']!r}", "a mask, relative to the study folder")
            )
        elif value and not _WHOLE.fullmatch(value):
            faults.append(Fault(f"{where}, region_value", value, "a whole number"))
        else:
            again.append(replace(case, region=region, region_value=int(float(value)) if value else None))
    return tuple(again), (*faults, *_repeated(path.name, again))


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Headings and rows of a CSV (UTF-8 or GB18030; comma, semicolon or tab) or .xlsx file, all cells as text."""
    try:
        grid = [row for row in grid_of(path) if any(cell.strip() for cell in row)]
    except FileNotFoundError:
        action = "Check its name; in a study, data.cases or data.features of study.yaml."
        raise InvalidInput([Fault(path.name, "no such file", "a table", action)]) from None
    except Exception as error:  # noqa: BLE001 a spreadsheet reader may fail in any way on a damaged file
        words = " ".join(str(error).split())[:120]
        raise InvalidInput([Fault(path.name, f"cannot be read ({words})", "a CSV or .xlsx table")]) from None
    if len(grid) < 2:
        raise InvalidInput([Fault(path.name, "no rows", "a heading and one row a case")])
    headings = [cell.strip() for cell in grid[0]]
    width = len(headings)
    wrong = [number for number, row in enumerate(grid[1:], start=2) if len(row) > width and any(row[width:])]
    if wrong:
        action = "A comma inside a cell, as in 2,5, needs a point or quotes."
        raise InvalidInput(
            [Fault(f"{path.name}, row {n}", f"{len(grid[n - 1])} cells", f"{width} cells", action) for n in wrong]
        )
    return headings, [
        dict(zip(headings, [cell.strip() for cell in row] + [""] * (width - len(row)), strict=False))
        for row in grid[1:]
    ]


def missing_columns(file: str, headings: Sequence[str], needed: Sequence[str]) -> tuple[Fault, ...]:
    """Each column that is needed and absent, with the nearest heading."""
    faults = []
    for name in needed:
        if name not in headings:
            near = difflib.get_close_matches(name, headings, n=1, cutoff=0.6)
            advice = f"Rename {near[0]!r}, or map it" if near else "Add it, or map yours"
            action = f"{advice} in study.yaml: data: {{columns: {{{near[0] if near else 'yours'}: {name}}}}}."
            faults.append(Fault(f"{file}, column {name}", "absent; found " + ", ".join(headings), "present", action))
    return tuple(faults)


def faults_of_ids(file: str, cases: Sequence[Case]) -> list[Fault]:
    """Ids that come twice, and patients in two cohorts."""
    faults = _repeated(file, cases)
    sides: dict[str, dict[str, str]] = {}
    for case in cases:
        if case.patient_id:
            sides.setdefault(case.patient_id, {}).setdefault(case.cohort, case.case_id)
    for patient, cohorts in sides.items():
        if len(cohorts) > 1:
            found = "in " + " and ".join(f"{cohort} (case {case})" for cohort, case in cohorts.items())
            action = "Put all vertebrae of a patient into one cohort."
            faults.append(Fault(f"patient {patient}", found, "one cohort", action))
    return faults


def faults_of_classes(cases: Sequence[Case], classes: tuple[str, ...]) -> list[Fault]:
    """Unknown and absent classes, and a study without training cases."""
    expected = "one of " + ", ".join(classes)
    faults = [
        Fault(
            f"case {case.case_id}, label",
            f"unknown class {case.label!r}",
            expected,
            "Correct it, or add the class.",
        )
        for case in cases
        if case.label and case.label not in classes
    ]
    without = [case.case_id for case in cases if not case.label]
    if without:
        found = f"{len(without)} cases have none: {', '.join(without[:3])}{' ...' if len(without) > 3 else ''}"
        faults.append(Fault("label", found, expected, "Fill the column in."))
    if all(case.cohort != TRAINING for case in cases):
        faults.append(Fault("cohort", "no row is in the cohort 'training'", "training cases"))
    return faults


def case_of(folder: Path, row: Row, cells: Row) -> Case:
    """One row of the table as a case; ``cells`` is the row under the table's own headings."""
    value = row.get("region_value", "")
    (image, region), addresses = placed(folder, row["image"], row["region"])
    return Case(
        row["case_id"],
        row["patient_id"],
        image,
        region,
        int(float(value)) if _WHOLE.fullmatch(value) else None,
        row["label"],
        row.get("cohort") or TRAINING,
        {name: text for name, text in row.items() if name not in KNOWN},
        cells,
        addresses,
    )


def grid_of(path: Path) -> Iterator[list[str]]:
    """The rows of a CSV or .xlsx file as they stand, one after another."""
    yield from _xlsx(path) if path.suffix.lower() == ".xlsx" else _csv(path)


def _csv(path: Path) -> Iterator[list[str]]:
    encoding = "utf-8-sig"
    try:
        with path.open(encoding=encoding) as file:
            while file.read(1 << 20):
                pass
    except UnicodeDecodeError:
        encoding = "gb18030"
    with path.open(encoding=encoding, newline="") as file:
        first = file.readline()
        file.seek(0)
        delimiter = max(",;\t", key=first.count)
        yield from csv.reader(file, delimiter=delimiter, strict=True)


def _xlsx(path: Path) -> Iterator[list[str]]:
    import openpyxl

    _refuse_swelling(path)
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    empty = 0
    try:
        for row in book.worksheets[0].iter_rows(values_only=True):
            if all(cell is None for cell in row):
                empty += len(row)
                if empty > _EMPTY:
                    raise ValueError(f"more than {_EMPTY:,} empty cells on end")
            else:
                empty = 0
                yield [_text(cell) for cell in row]
    finally:
        book.close()


def _refuse_swelling(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > max(_SMALL, _SWELLING * path.stat().st_size):
        raise ValueError(f"{size >> 20} MiB when unpacked")


def _text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell)


def _cases(
    file: str, folder: Path, rows: Sequence[Row], as_written: Sequence[Row]
) -> tuple[list[Case], list[Case], list[Fault]]:
    """Every row as a case, those whose cells and files can be used, and what is wrong with the others."""
    cases, usable, faults = [], [], []
    for number, (row, cells) in enumerate(zip(rows, as_written, strict=True), start=2):
        where = f"{file}, row {number}" + (f", case {row['case_id']}" if row["case_id"] else "")
        case = case_of(folder, row, cells)
        wrong = [*cell_faults(where, row), *_file_faults(where, folder, row)]
        faults += wrong
        cases.append(case)
        if not wrong:
            usable.append(case)
    return cases, usable, faults


def cell_faults(where: str, row: Row) -> list[Fault]:
    """What cannot be used in the cells of one row."""
    faults = [Fault(f"{where}, {name}", "empty", "a value") for name in ("case_id", "patient_id") if not row[name]]
    for name, cell in row.items():
        if name not in _WORDS and _DECIMAL_COMMA.fullmatch(cell):
            action = f"Write {cell.replace(',', '.')}."
            faults.append(Fault(f"{where}, {name}", f"a decimal comma in {cell!r}", "a decimal point", action))
    for name in ("image", "region"):
        faults += address_faults(f"{where}, {name}", row[name])
    value = row.get("region_value", "")
    if value and not _DECIMAL_COMMA.fullmatch(value) and not _WHOLE.fullmatch(value):
        faults.append(Fault(f"{where}, region_value", repr(value), "a whole number, or nothing"))
    return faults


def _file_faults(where: str, folder: Path, row: Row) -> list[Fault]:
    faults = []
    for name in ("image", "region"):
        if not row[name]:
            faults.append(Fault(f"{where}, {name}", "empty", "a file"))
        elif not is_address(row[name]) and not is_file(folder / row[name]):
            there = _names_beside(folder / row[name])
            near = difflib.get_close_matches(Path(row[name]).name, there, n=1, cutoff=0.7)
            action = f"Did you mean {near[0]}?" if near else ""
            faults.append(Fault(f"{where}, {name}", f"no file {row[name]}", "a file that exists", action))
    return faults


def _names_beside(path: Path) -> list[str]:
    try:
        return [other.name for other in itertools.islice(path.parent.glob("*"), _BESIDE)]
    except (OSError, ValueError):
        return []


def _repeated(file: str, cases: Sequence[Case]) -> list[Fault]:
    counts: dict[str, int] = {}
    for case in cases:
        if case.case_id:
            counts[case.case_id] = counts.get(case.case_id, 0) + 1
    return [Fault(f"{file}, case {name}", f"{n} rows", "one row a case") for name, n in counts.items() if n > 1]
