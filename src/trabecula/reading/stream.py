"""A table of any length -> films, some at a time: of its rows nothing is held but those at hand."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import Fault, InvalidInput
from ..records import TRAINING, Case
from .cases import batch_columns, case_of, cell_faults, grid_of, missing_columns, read_table

FILMS = 100  # of a part: an engine's work for each is lost in theirs, and a stopped one is soon done again
_NAMED = 20  # ids that come twice


@dataclass(frozen=True)
class Part:
    """Films that follow one another in the table, each with its cases; ``faults`` are of rows that cannot be used."""

    number: int
    rows: int
    films: tuple[tuple[Case, ...], ...]
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Survey:
    """How long a table is, and what its headings are called here."""

    table: Path
    columns: Mapping[str, str]
    rows: int
    parts: int


def survey_table(table: Path, columns: Mapping[str, str] | None = None) -> Survey:
    """Count rows and parts; InvalidInput where the whole table cannot be used: a column is absent, an id comes twice.

    ``columns`` maps headings to our names; without it they are those of read_batch.
    """
    try:
        headings = _headings(table)
    except Exception:  # a spreadsheet reader may fail in any way on a damaged file
        read_table(table)  # says in words what is wrong
        raise
    names = batch_columns(headings) if columns is None else columns
    if missing := missing_columns(table.name, [names.get(one, one) for one in headings], ("image", "region")):
        raise InvalidInput(missing)
    ids, parts = array("q"), 0
    try:
        for parts, rows in enumerate(_grouped(table, names), start=1):  # noqa: B007 the last one is their number
            ids.extend(hash(row["case_id"]) for _, row in rows)
    except Exception as error:  # noqa: BLE001 a spreadsheet reader may fail in any way on a damaged file
        words = " ".join(str(error).split())[:120]
        raise InvalidInput([Fault(table.name, f"cannot be read ({words})", "a CSV or .xlsx table")]) from None
    if not ids:
        raise InvalidInput([Fault(table.name, "no rows", "a heading and one row a case")])
    found, counts = np.unique(np.frombuffer(ids, np.int64), return_counts=True)
    if (twice := set(found[counts > 1].tolist())) and (faults := _repeated(table, names, twice)):
        raise InvalidInput(faults)
    return Survey(table, names, len(ids), parts)


def stream_parts(survey: Survey, wanted: Callable[[int], bool] = lambda _number: True) -> Iterator[Part]:
    """The parts of the table in order; those with a wanted number alone, where it is said which are."""
    folder, file = survey.table.parent, survey.table.name
    for number, rows in enumerate(_grouped(survey.table, survey.columns)):
        if not wanted(number):
            continue
        films: dict[Path, list[Case]] = {}
        faults: list[Fault] = []
        for line, row in rows:
            where = f"{file}, row {line}, case {row['case_id']}"
            wrong = cell_faults(where, row)
            wrong += [Fault(f"{where}, {name}", "empty", "a file") for name in ("image", "region") if not row[name]]
            if wrong:
                faults += wrong
            else:
                case = case_of(folder, row, {})
                films.setdefault(case.image, []).append(case)
        yield Part(number, len(rows), tuple(map(tuple, films.values())), tuple(faults))


def _grouped(table: Path, names: Mapping[str, str]) -> Iterator[list[tuple[int, dict[str, str]]]]:
    """Rows, with their lines, of ``FILMS`` films at a time; a film's rows stay together where they follow closely."""
    gathered: list[tuple[int, dict[str, str]]] = []
    films: set[str] = set()
    for line, row in _rows(table, names):
        if row["image"] not in films and len(films) == FILMS:
            yield gathered
            gathered, films = [], set()
        gathered.append((line, row))
        films.add(row["image"])
    if gathered:
        yield gathered


def _rows(table: Path, names: Mapping[str, str]) -> Iterator[tuple[int, dict[str, str]]]:
    headings = [names.get(one, one) for one in _headings(table)]
    grid = (row for row in grid_of(table) if any(map(str.strip, row)))
    next(grid)
    for number, cells in enumerate(grid, start=1):
        row = dict(zip(headings, map(str.strip, cells), strict=False))
        if len(cells) < len(headings):
            row = dict.fromkeys(headings, "") | row
        row["case_id"] = row.get("case_id") or f"row_{number:05d}"
        row["patient_id"] = row.get("patient_id") or row["case_id"]
        row["label"], row["cohort"] = "", TRAINING
        yield number + 1, row


def _headings(table: Path) -> list[str]:
    return [cell.strip() for cell in next(row for row in grid_of(table) if any(map(str.strip, row)))]


def _repeated(table: Path, names: Mapping[str, str], hashes: set[int]) -> list[Fault]:
    """Ids that do come twice, among those whose hash does."""
    counts = Counter(row["case_id"] for _, row in _rows(table, names) if hash(row["case_id"]) in hashes)
    twice = [(name, n) for name, n in counts.items() if n > 1]
    return [Fault(f"{table.name}, case {name}", f"{n} rows", "one row a case") for name, n in twice[:_NAMED]]
