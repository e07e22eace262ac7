"""Cohorts frozen to a file: for one table of cases and one rule of splitting, with every drawing that they replaced."""

import datetime
import hashlib
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import Fault, InvalidInput
from ..settings import Settings
from ..storage import write_atomically

_NAMED = 5  # cases, in a refusal


def frozen_cohorts(frozen: Path, rows: pd.DataFrame, settings: Settings) -> pd.Series | None:
    """The cohorts of an earlier run of these cases and this split, by case; None where none were frozen.

    ``rows``: patient_id, cohort and truth as the table of cases gives them, by case. InvalidInput where the cohorts
    were frozen for others.
    """
    known = _read(frozen)
    if known is None:
        return None
    asked = _asked(rows, settings)
    faults = []
    for key, what, changes in (("table", "table of cases", _changed_rows), ("split", "split", _changed_rules)):
        if known.get(key) != asked[key]:
            action = (
                f"Put it back, or run with --redraw, which the report will say. {frozen.name} keeps the old cohorts."
            )
            found = f"the cohorts were frozen for another {what}: {changes(known, asked)}"
            faults.append(Fault(frozen.name, found, f"the {what} that they were drawn for", action))
    if known.get("digest") != _digest(known.get("cohorts", {})):
        found = "cohorts that are not the ones that were frozen"
        faults.append(Fault(frozen.name, found, "the file as it was written", "Put it back, or run with --redraw."))
    if faults:
        raise InvalidInput(faults)
    return pd.Series(known["cohorts"]).loc[rows.index]


def freeze(frozen: Path, rows: pd.DataFrame, cohorts: pd.Series, settings: Settings) -> None:
    """Write the cohorts that were drawn of ``rows``, and below them every drawing that they replace."""
    drawn = {str(case): str(cohort) for case, cohort in cohorts.items()}
    content: dict[str, Any] = {
        **_asked(rows, settings),
        "seed": settings.seed,
        "drawn": datetime.date.today().isoformat(),
        "digest": _digest(drawn),
        "cohorts": drawn,
    }
    before = _read(frozen)
    if before is not None:
        content["replaced"] = [*before.pop("replaced", []), before]
    write_atomically(frozen, json.dumps(content, indent=1))


def redraws(frozen: Path) -> tuple[str, ...]:
    """A sentence for each time that cohorts were drawn again."""
    now = _read(frozen)
    drawings = [] if now is None else [*now.get("replaced", []), now]
    said = []
    for before, after in pairwise(drawings):
        moved = sum(after["cohorts"].get(case) != cohort for case, cohort in before["cohorts"].items())
        said.append(
            f"The cohorts were drawn again on {after.get('drawn')} (seed {before.get('seed')}, then {after['seed']}): "
            f"{moved} of {len(before['cohorts'])} cases moved or left"
        )
    return tuple(said)


def _read(frozen: Path) -> dict[str, Any] | None:
    if not frozen.exists():
        return None
    try:
        known: dict[str, Any] = json.loads(frozen.read_text(encoding="utf-8"))
    except ValueError:
        found = "no JSON, so that nobody knows who was in which cohort"
        raise InvalidInput([Fault(frozen.name, found, "the file as it was written", "Put it back.")]) from None
    return known


def _asked(rows: pd.DataFrame, settings: Settings) -> dict[str, Any]:
    """What cohorts are frozen for."""
    table = rows[["patient_id", "cohort", "truth"]]
    return {
        "table": _digest_of_text(table.to_csv(lineterminator="\n")),
        "split": settings.split.model_dump(mode="json"),
        "rows": {str(row[0]): _digest_of_text(json.dumps(row[1:]))[:16] for row in table.itertuples(name=None)},
    }


def _changed_rows(known: dict[str, Any], asked: dict[str, Any]) -> str:
    """Which cases are not the ones of ``known``; an older file has their names alone."""
    now, before = asked["rows"], known.get("rows", known.get("cohorts", {}))
    both = [case for case in now if case in before]
    found = (
        (
            "{} with another patient, cohort or label",
            [case for case in both if "rows" in known and before[case] != now[case]],
        ),
        ("{} added", [case for case in now if case not in before]),
        ("{} gone", [case for case in before if case not in now]),
    )
    said = [words.format(_counted(cases)) for words, cases in found if cases]
    other = (
        "the same cases in another order"
        if "rows" in known
        else "a patient, cohort or label, or the order of the cases"
    )
    return "; ".join(said) or other


def _counted(cases: Sequence[str]) -> str:
    names = ", ".join(cases[:_NAMED]) + (f" and {len(cases) - _NAMED} more" if len(cases) > _NAMED else "")
    return f"{len(cases)} case{'s' * (len(cases) != 1)} ({names})"


def _changed_rules(known: dict[str, Any], asked: dict[str, Any]) -> str:
    before, now = known.get("split", {}), asked["split"]
    return "; ".join(f"{key} is {now[key]}, was {before.get(key)}" for key in now if before.get(key) != now[key])


def _digest(cohorts: dict[str, str]) -> str:
    return _digest_of_text(json.dumps(cohorts, sort_keys=True))


def _digest_of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
