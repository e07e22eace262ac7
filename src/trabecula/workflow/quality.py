"""Table 1 and the quality of the data, as files of the run folder."""

import json
from pathlib import Path

import pandas as pd

from ..evaluation.cohort_table import cohort_table, left_out
from ..reading import case_table, film_table, film_warnings, region_table
from ..records import TRAINING
from ..storage import write_atomically
from .extract import write_frame
from .prepare import Ready, free_columns

TABLE1, QUALITY = "metrics/table1.csv", "quality"
_USUAL_ORDER = (TRAINING, "internal", "external", "prospective")


def write_quality(run: Path, ready: Ready) -> None:
    """Write Table 1 and, of a study with films, what its films and regions are like.

    ``quality/`` has cases.csv (a row a case), films.csv and regions.csv (by cohort), duplicates.csv and notes.json,
    which says what Table 1 leaves out and what is to be doubted in the films. No file is named in them.
    """
    cases = ready.split.table.reset_index()[["case_id", "patient_id", "cohort", "truth"]]
    cases = cases.sort_values("cohort", key=lambda cohorts: cohorts.map(_place), kind="stable", ignore_index=True)
    free, date = free_columns(ready.study), ready.settings.split.date
    write_frame(run / TABLE1, cohort_table(cases, free, ready.study.classes, date=date))
    notes = {"table1_left_out": left_out(cases, free, date=date), "films": list(_write_films(run, ready, cases))}
    write_atomically(run / QUALITY / "notes.json", json.dumps(notes, ensure_ascii=False, indent=1))


def quality_notes(run: Path) -> tuple[str, ...]:
    """What is to be doubted in the films of a run, and what its Table 1 leaves out, in sentences."""
    notes = json.loads((run / QUALITY / "notes.json").read_text(encoding="utf-8"))
    absent = ", ".join(notes["table1_left_out"])
    return (
        *notes["films"],
        *((f"Table 1 leaves out days, names, remarks and empty columns: {absent}",) if absent else ()),
    )


def _write_films(run: Path, ready: Ready, cases: pd.DataFrame) -> list[str]:
    """Write the tables of films and regions, and return what is to be doubted."""
    facts = [film.facts for film in ready.checked.films if film.facts is not None]
    if not facts:
        return []
    table = case_table(facts, dict(zip(cases["case_id"], cases["cohort"], strict=True)))
    films = film_table(table)
    rows = [
        (pair.what, *pair.cases, *(ready.split.table.loc[case, "cohort"] for case in pair.cases))
        for pair in ready.checked.alike
    ]
    pairs = pd.DataFrame(rows, columns=["finding", "case_a", "case_b", "cohort_a", "cohort_b"])
    for name, frame in {"films": films, "regions": region_table(table), "duplicates": pairs}.items():
        write_frame(run / QUALITY / f"{name}.csv", frame)
    write_frame(run / QUALITY / "cases.csv", table)
    return list(film_warnings(films))


def _place(cohort: str) -> int:
    return _USUAL_ORDER.index(cohort) if cohort in _USUAL_ORDER else len(_USUAL_ORDER)
