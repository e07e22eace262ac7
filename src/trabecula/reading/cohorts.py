"""Cohorts by site and by date, where the table of cases has no column of its own for them."""

import datetime
from collections.abc import Sequence

from ..errors import Fault
from ..settings import SplitSettings

Rows = Sequence[dict[str, str]]


def assign_cohorts(file: str, rows: Rows, rule: SplitSettings) -> list[Fault]:
    """Write ``cohort`` into the rows by site, then by each patient's first date; give every fault.

    Sites that are to be drawn by seed are drawn where the split is made, and a row that no rule names is left as it is.
    """
    named = rule.external if isinstance(rule.external, tuple) else ()
    wanted = [rule.site] * bool(rule.external) + [rule.date] * (rule.prospective is not None)
    faults = [
        Fault(f"{file}, column {name}", "absent", "the column that split: names")
        for name in wanted
        if rows and name not in rows[0]
    ]
    if wanted and any(row.get("cohort") for row in rows):
        action = "Empty the column cohort, or take external and prospective out of split:."
        faults.append(
            Fault(f"{file}, column cohort", "cohorts, and rules for cohorts in split:", "one of them", action)
        )
    if faults or not wanted:
        return faults
    faults += _by_site(file, rows, rule.site, named)
    if rule.prospective is not None:
        faults += _by_date(file, rows, rule.date, rule.prospective)
    return faults


def _by_site(file: str, rows: Rows, column: str, named: Sequence[str]) -> list[Fault]:
    present = dict.fromkeys(row[column] for row in rows)
    for row in rows:
        if row[column] in named:
            row["cohort"] = "external"
    expected = "one of " + ", ".join(present)
    return [
        Fault(f"{file}, {column}", f"no case of the site {name!r}", expected) for name in named if name not in present
    ]


def _by_date(file: str, rows: Rows, column: str, start: datetime.date) -> list[Fault]:
    first: dict[str, datetime.date] = {}
    faults = []
    for number, row in enumerate(rows, start=2):
        try:
            day = datetime.date.fromisoformat(row[column])
        except ValueError:
            faults.append(Fault(f"{file}, row {number}, {column}", repr(row[column]), "a date such as 2023-05-31"))
            continue
        patient = row.get("patient_id", "")
        first[patient] = min(day, first.get(patient, day))
    for row in rows:
        if not row.get("cohort") and first.get(row.get("patient_id", ""), start) >= start:
            row["cohort"] = "prospective"
    return faults
