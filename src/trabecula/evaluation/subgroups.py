"""The chosen model in groups of cases: one hospital, one sex, one level, a third of the ages."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Bool

from .delong import Components, logit_interval, structural_components
from .scores import MACRO, CohortScores, Signed

USUAL = ("site", "sex", "age", "level")
MISSING, OTHER = "not given", "other"
COLUMNS = [
    "cohort", "protocol", "signature", "model", "column", "group", "class", "auc", "low", "high", "n", "n_positive",
    "method",
]  # fmt: skip
_MOST = 12  # groups of a column; the rarer ones are put together


def subgroup_table(
    cohorts: list[CohortScores], cases: pd.DataFrame, columns: tuple[str, ...], classes: tuple[str, ...], chosen: Signed
) -> pd.DataFrame:
    """AUC of the chosen model in every group; ``cases`` are texts, indexed by case id, one column a free column.

    Numbers of many values are cut at the thirds of the whole study.
    """
    rows = []
    for column in columns:
        groups, order = _groups(cases[column])
        for scores in cohorts:
            of_case = groups.reindex(list(scores.case_ids)).fillna(MISSING).to_numpy(object)
            for group in [name for name in order if name in set(of_case)]:
                about = {**scores.key, "signature": chosen[0], "model": chosen[1], "column": column, "group": group}
                rows += [about | row for row in _of_group(scores, of_case == group, classes, chosen)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_group(
    scores: CohortScores, inside: Bool[np.ndarray, " cases"], classes: tuple[str, ...], chosen: Signed
) -> Iterator[dict[str, object]]:
    model = scores.models.index(chosen)
    positive = scores.positive[inside]
    folds = None if scores.sample_folds is None else scores.sample_folds[inside]
    patients = np.unique(scores.patients[inside], return_inverse=True)[1]
    parts = structural_components(scores.probabilities[inside][:, [model]], positive, patients, folds)
    clustered = bool(np.bincount(patients).max() > 1)
    for name, value, variance, freedom, count in _curves(parts, positive, classes):
        low, high = logit_interval(np.array(value), np.array(variance), np.array(freedom) if clustered else None)
        yield {
            "class": name,
            "auc": value,
            "low": float(low),
            "high": float(high),
            "n": int(inside.sum()),
            "n_positive": count,
            "method": _method(value, variance, clustered),
        }


def _curves(
    parts: Components, positive: Bool[np.ndarray, "cases classes"], classes: tuple[str, ...]
) -> Iterator[tuple[str, float, float, int, int]]:
    for k, name in enumerate(classes):
        count = int(positive[:, k].sum())
        yield name, float(parts.auc[0, k]), float(parts.variance[0, k]), int(parts.freedom[k]), count
    value, variance = parts.mean()
    yield MACRO, float(value[0]), float(variance[0]), int(parts.freedom.min()), len(positive)


def _method(value: float, variance: float, clustered: bool) -> str:
    if np.isnan(value):
        return "not computed: a class is absent in the group"
    if not variance > 0:
        return "no interval: too few cases in the group to see a variance"
    return "DeLong, clustered by patient (Obuchowski), logit scale, t" if clustered else "DeLong, logit scale"


def _groups(cells: pd.Series) -> tuple[pd.Series, list[str]]:
    """The group of every case, and all groups in order."""
    text = cells.fillna("").astype(str).str.strip()
    numbers = pd.to_numeric(text.where(text != ""), errors="coerce")
    if numbers.notna().sum() == (text != "").sum() and numbers.nunique() > 6:
        low, high = np.nanquantile(numbers, [1 / 3, 2 / 3])
        thirds = [f"up to {low:g}", f"{low:g} to {high:g}", f"above {high:g}"]
        names = np.select([numbers.isna(), numbers <= low, numbers <= high], [MISSING, *thirds[:2]], thirds[2])
        return pd.Series(names, index=cells.index, dtype=object), [*thirds, MISSING]
    kept = sorted(text[text != ""].value_counts().index[:_MOST])
    return text.where(text.isin(kept), OTHER).where(text != "", MISSING).astype(object), [*kept, OTHER, MISSING]
