"""Two runs of a study side by side: who is in both, and the AUCs, tested where the cases are the same.

DeLong's paired test, in Obuchowski's form where patients have several cases (see ``delong``); equal numbers are
not enough: the cases, their classes, patients and folds must be the same.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..records import Predictions
from .delong import interval_of_difference, structural_components, z_test
from .scores import MACRO, CohortScores, align

COLUMNS = [
    "cohort", "protocol", "class", "signature", "model", "auc_a", "auc_b", "difference", "low", "high", "z", "p", "n_a",
    "n_b", "method",
]  # fmt: skip


def compare_runs(first: Predictions, second: Predictions) -> pd.DataFrame:
    """AUC of each class and macro, for every signature and model that both runs have; a minus b.

    Where there is no test, ``method`` says why, and the AUCs are still those of each run.
    """
    there = {(s.protocol, s.cohort): s for s in align(second)}
    pairs = ((a, there[(a.protocol, a.cohort)]) for a in align(first) if (a.protocol, a.cohort) in there)
    rows = [row for a, b in pairs for row in _of_cohort(a, b, first.classes, second.classes)]
    return pd.DataFrame(rows, columns=COLUMNS)


def compare_cases(first: Predictions, second: Predictions) -> pd.DataFrame:
    """A row a protocol and cohort: how many cases each run has, shares, or has under another class or fold."""
    key = ["protocol", "cohort", "case_id"]
    kept = [*key, "truth", "fold"]
    a, b = (run.rows.drop_duplicates(key)[kept].astype({"truth": str}) for run in (first, second))
    both = a.merge(b, on=key, how="outer", suffixes=("_a", "_b"), indicator="found")
    both["relabelled"] = (both["found"] == "both") & (both["truth_a"] != both["truth_b"])
    both["other_fold"] = (both["found"] == "both") & (both["fold_a"] != both["fold_b"])
    counts = both.groupby(["protocol", "cohort"], sort=False).agg(
        both=("found", lambda where: int((where == "both").sum())),
        only_a=("found", lambda where: int((where == "left_only").sum())),
        only_b=("found", lambda where: int((where == "right_only").sum())),
        relabelled=("relabelled", "sum"),
        other_fold=("other_fold", "sum"),
    )
    seen = pd.concat([run.rows[["protocol", "cohort"]] for run in (first, second)]).drop_duplicates()
    return counts.loc[list(seen.itertuples(index=False, name=None))].reset_index()


def _of_cohort(
    a: CohortScores, b: CohortScores, classes: tuple[str, ...], others: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    models = [model for model in a.models if model in b.models]
    if classes != others or not models:
        return
    at, bt = ([run.models.index(model) for model in models] for run in (a, b))
    parts = [structural_components(r.probabilities, r.positive, r.patients, r.sample_folds) for r in (a, b)]
    (auc_a, auc_b) = (np.column_stack([p.auc, p.mean()[0]])[places] for p, places in zip(parts, (at, bt), strict=True))
    why = _untested(a, b)
    gap, low, high, z, p = _tested(a, b, at, bt) if not why else (auc_a - auc_b, *_nothing(auc_a.shape))
    named = "DeLong, paired, clustered by patient (Obuchowski), t" if a.clustered else "DeLong, paired"
    folds = "" if a.sample_folds is None else f"mean over {len(np.unique(a.folds))} folds, "
    for m, (signature, model) in enumerate(models):
        for k, label in enumerate((*classes, MACRO)):
            values = (auc_a[m, k], auc_b[m, k], gap[m, k], low[m, k], high[m, k], z[m, k], p[m, k])
            sizes = (len(a.truth), len(b.truth), why or folds + named)
            row = (a.cohort, a.protocol, label, signature, model, *values, *sizes)
            yield dict(zip(COLUMNS, row, strict=True))


def _untested(a: CohortScores, b: CohortScores) -> str:
    if a.case_ids != b.case_ids:
        return "not tested: the cases are not the same"
    if not np.array_equal(a.truth, b.truth):
        return "not tested: a case has another class"
    if not np.array_equal(a.patients, b.patients):
        return "not tested: cases belong to other patients"
    if not np.array_equal(a.folds, b.folds):
        return "not tested: the folds are not the same"
    return ""


def _tested(a: CohortScores, b: CohortScores, at: list[int], bt: list[int]) -> tuple[np.ndarray, ...]:
    scores = np.concatenate([a.probabilities[:, at], b.probabilities[:, bt]], axis=1)
    parts = structural_components(scores, a.positive, a.patients, a.sample_folds)
    gap = parts.difference(np.arange(len(at)), np.arange(len(at), 2 * len(at)))
    mean, variance = gap.mean()
    difference, variances = np.column_stack([gap.auc, mean]), np.column_stack([gap.variance, variance])
    patients = np.broadcast_to([*gap.patients, gap.patients.min()], difference.shape)
    freedom = patients if a.clustered else None
    z, p = z_test(difference, variances, freedom)
    limits = interval_of_difference(difference, variances, freedom=freedom)
    low, high = (np.where(np.isnan(p), np.nan, limit) for limit in limits)
    return difference, low, high, z, p


def _nothing(shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    return tuple(np.full(shape, np.nan) for _ in range(4))
