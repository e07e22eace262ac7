"""ASTLOF items in the table of cases: scored for a table, and compared with the labels of a study."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ..astlof import CLASSES, ITEMS, Reading, read_items
from ..errors import Fault, InvalidInput
from ..reading import read_table
from ..records import Study
from ..storage import write_atomically

_NAMED = 5  # cases a note names


def notes_on_items(study: Study) -> tuple[str, ...]:
    """What the items of the cases say of their labels; nothing where classes or columns are not those of ASTLOF."""
    present = [name for name in ITEMS if any(case.columns.get(name, "") for case in study.cases)]
    if set(study.classes) != set(CLASSES) or not present:
        return ()
    contrary, unreadable, incomplete = [], [], 0
    for case in study.cases:
        try:
            reading = read_items(case.columns)
        except InvalidInput as error:
            unreadable.append(f"{case.case_id} ({'; '.join(f'{f.where} {f.found}' for f in error.faults)})")
            continue
        incomplete += bool(reading.missing)
        if case.label in CLASSES and case.label not in reading.classes:
            contrary.append(f"{case.case_id} (label {case.label}, {in_words(reading)})")
    notes = []
    if contrary:
        notes.append(f"labels that contradict their ASTLOF items: {_listed(contrary)}")
    if unreadable:
        notes.append(f"ASTLOF items that cannot be read: {_listed(unreadable)}")
    if incomplete:
        notes.append(
            f"ASTLOF items are incomplete in {incomplete} of {len(study.cases)} cases; those known were compared"
        )
    return tuple(notes)


def score_table(table: Path, output: Path) -> tuple[int, int]:
    """Write the table with score, class and missing items beside its columns; count all rows and incomplete ones."""
    if output.suffix != ".csv":
        raise InvalidInput([Fault(str(output), f"suffix {output.suffix!r}", ".csv")])
    if output.resolve() == table.resolve():
        raise InvalidInput([Fault(str(output), "the table itself", "another file, lest yours be written over")])
    headings, rows = read_table(table)
    if not set(ITEMS) & set(headings):
        raise InvalidInput([Fault(table.name, "the columns " + ", ".join(headings), "a column of " + ", ".join(ITEMS))])
    faults, scored = [], []
    for number, row in enumerate(rows, start=2):
        try:
            reading = read_items(row)
        except InvalidInput as error:
            faults += [Fault(f"{table.name}, row {number}, {f.where}", f.found, f.expected) for f in error.faults]
            continue
        total = str(reading.low) if reading.low == reading.high else f"{reading.low}-{reading.high}"
        found = {"astlof_score": total, "astlof_class": " or ".join(reading.classes)}
        scored.append(row | found | {"astlof_missing": " ".join(reading.missing)})
    if faults:
        raise InvalidInput(faults)
    write_atomically(output, pd.DataFrame(scored).to_csv(index=False, lineterminator="\n"))
    return len(scored), sum(bool(row["astlof_missing"]) for row in scored)


def in_words(reading: Reading) -> str:
    """The score and the class, or what they can be."""
    total = f"{reading.low}" if reading.low == reading.high else f"{reading.low} to {reading.high}"
    return f"score {total}, class {' or '.join(reading.classes)}"


def _listed(found: Iterable[str]) -> str:
    named = list(found)
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"{len(named)}: " + ", ".join(named[:_NAMED]) + more
