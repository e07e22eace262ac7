"""Two finished runs of a study side by side: settings, cases, AUCs; as tables and one offline page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ..errors import Fault, InvalidInput
from ..evaluation import compare_cases, compare_runs
from ..records import Predictions
from ..reporting import Compared, Recorded, comparison_page, read_table, recorded
from ..storage import write_atomically
from .extract import write_frame
from .finished import find_run

ABSENT = "–"


@dataclass(frozen=True, eq=False)
class Comparison:
    """What differs, and where it was written."""

    compared: Compared
    page: Path


def compare_study(folder: Path, first: str, second: str) -> Comparison:
    """Compare two finished runs of a study by name; writes compare/<first>_<second>/ in the study's folder."""
    if first == second:
        raise InvalidInput([Fault("--runs", f"{first} twice", "two different runs")])
    places = [find_run(folder, name) for name in (first, second)]
    a, b = (recorded(place) for place in places)
    rows = [_predictions(place, run) for place, run in zip(places, (a, b), strict=True)]
    if rows[0].classes != rows[1].classes:
        found = " and ".join(", ".join(one.classes) for one in rows)
        raise InvalidInput([Fault("classes", found, "the same classes in both runs", "Compare runs of one outcome.")])
    made = Compared((first, second), _settings(a, b), compare_cases(*rows), compare_runs(*rows))
    target = folder / "compare" / f"{first}_{second}"
    for name in ("settings", "cases", "auc"):
        write_frame(target / f"{name}.csv", getattr(made, name))
    write_atomically(target / "compare.html", comparison_page(made, a.facts.study, a.facts.versions["trabecula"]))
    return Comparison(made, target / "compare.html")


def _predictions(place: Path, run: Recorded) -> Predictions:
    """The rows of every protocol of the run."""
    return Predictions(read_table(place / "predictions.csv"), run.evaluation.classes)


def _settings(a: Recorded, b: Recorded) -> pd.DataFrame:
    """Settings, seed, versions and what training chose, where they differ."""
    first, second = (dict(_flat(_said(run))) for run in (a, b))
    keys = [key for key in dict.fromkeys([*first, *second]) if first.get(key) != second.get(key)]
    rows = [(key, first.get(key, ABSENT), second.get(key, ABSENT)) for key in keys]
    return pd.DataFrame(rows, columns=["setting", "a", "b"])


def _said(run: Recorded) -> dict[str, Any]:
    settings = yaml.safe_load(run.facts.settings)
    chosen = ", ".join(run.evaluation.chosen)
    return {**settings, "versions": dict(run.facts.versions), "chosen in training": chosen}


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
