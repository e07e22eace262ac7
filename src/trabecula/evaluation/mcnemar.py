"""Do two models name the class equally often right? Accuracy compared on the same cases.

McNemar 1947, doi:10.1007/BF02295996, exact; several cases a patient: Yang, Sun and Hardin 2010,
doi:10.1002/bimj.201000035.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int
from scipy import stats

from .comparisons import primary_pairs
from .multiplicity import holm
from .resampling import sum_by_patient
from .scores import CohortScores, Signed

COLUMNS = [
    "cohort", "protocol", "signature_a", "signature_b", "model", "accuracy_a", "accuracy_b", "difference", "only_a",
    "only_b", "p", "p_adjusted", "n", "method",
]  # fmt: skip


@dataclass(frozen=True)
class McNemar:
    """Cases that only the first or only the second has right, chi-squared with 1 degree of freedom, two-sided p."""

    only_first: int
    only_second: int
    chi: float
    p: float
    method: str


def mcnemar(
    first: Bool[np.ndarray, " cases"], second: Bool[np.ndarray, " cases"], patients: Int[np.ndarray, " cases"]
) -> McNemar:
    """Compare whether each case is right by both; p is exact (binomial) where each patient has one case.

    Otherwise the differences are summed by patient, d: chi-squared is (sum d)^2 / sum d^2, which for one case a patient
    is McNemar's without correction.
    """
    gap = first.astype(np.float64) - second.astype(np.float64)
    more, less = int((gap > 0).sum()), int((gap < 0).sum())
    sums = sum_by_patient(gap, patients, int(patients.max()) + 1)
    chi = float(sums.sum() ** 2 / max((sums**2).sum(), 1.0))
    if np.bincount(patients).max() > 1:
        return McNemar(more, less, chi, float(stats.chi2.sf(chi, 1)), "McNemar, clustered by patient (Yang)")
    p = float(stats.binomtest(more, more + less).pvalue) if more + less else 1.0
    return McNemar(more, less, chi, p, "McNemar, exact")


def accuracy_table(cohorts: list[CohortScores], chosen: Signed) -> pd.DataFrame:
    """The planned pairs of signatures, Holm within each cohort."""
    frames = [pd.DataFrame(list(_of_cohort(scores, chosen)), columns=COLUMNS) for scores in cohorts]
    for frame in frames:
        frame["p_adjusted"] = holm(frame["p"].to_numpy(np.float64))
    return pd.concat(frames, ignore_index=True)


def _of_cohort(scores: CohortScores, chosen: Signed) -> Iterator[dict[str, object]]:
    right = scores.predicted == scores.truth[:, None]
    for a, b in primary_pairs(scores.models, chosen):
        found = mcnemar(right[:, a], right[:, b], scores.patients)
        yield {
            **scores.key,
            "signature_a": scores.models[a][0],
            "signature_b": scores.models[b][0],
            "model": chosen[1],
            "accuracy_a": float(right[:, a].mean()),
            "accuracy_b": float(right[:, b].mean()),
            "difference": float(right[:, a].mean() - right[:, b].mean()),
            "only_a": found.only_first,
            "only_b": found.only_second,
            "p": found.p,
            "n": len(right),
            "method": f"{found.method}; Holm, primary family",
        }
