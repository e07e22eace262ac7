"""Columns of the table of cases as numbers that a model can learn from."""

import math
from collections.abc import Sequence

import pandas as pd

from ..errors import Fault
from ..records import Study

LABEL_ITEMS = ("morphology", "mri", "t_score", "tscore", "t-score", "bmd", "pain", "vas", "astlof")
_MOST_LEVELS = 10


def clinical_columns(
    study: Study, names: Sequence[str], *, allow_label_items: bool = False
) -> tuple[pd.DataFrame, tuple[Fault, ...]]:
    """One column a number; one a level but the first (``sex=M``) where the cells are words; empty cells are NaN.

    Columns that enter the label are refused: what defines the class cannot predict it.
    """
    faults = []
    made: dict[str, list[float]] = {}
    for name in names:
        if name.lower() in LABEL_ITEMS and not allow_label_items:
            expected = "columns that do not enter the label"
            action = "Take it out, or say --allow-label-items if the label was not made from it."
            faults.append(Fault(f"data.clinical, {name}", "an item of the label", expected, action))
            continue
        cells = [case.columns.get(name, "").strip() for case in study.cases]
        if not any(cells):
            faults.append(Fault(f"data.clinical, {name}", "no such column, or an empty one", "a column of the table"))
            continue
        encoded = _encoded(name, cells)
        if len(encoded) >= _MOST_LEVELS:
            found = f"{len(encoded) + 1} different words"
            faults.append(Fault(f"data.clinical, {name}", found, f"numbers, or at most {_MOST_LEVELS} words"))
            continue
        made |= encoded
    index = pd.Index([case.case_id for case in study.cases], name="case_id")
    return pd.DataFrame(made, index), tuple(faults)


def _encoded(name: str, cells: list[str]) -> dict[str, list[float]]:
    try:
        return {name: [float(cell) if cell else math.nan for cell in cells]}
    except ValueError:
        levels = sorted(set(cells) - {""})
        return {
            f"{name}={level}": [float(cell == level) if cell else math.nan for cell in cells] for level in levels[1:]
        }
