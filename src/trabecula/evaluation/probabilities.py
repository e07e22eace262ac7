"""Brier score, its parts, and the logarithmic loss: how good the probabilities are as a whole.

Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2; parts by isotonic regression: Dimitriadis 2021,
doi:10.1073/pnas.2016191118.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.isotonic import isotonic_regression

from ..records import Estimate
from .discrimination import bootstrapped
from .resampling import sum_by_patient

SMALLEST = float(np.finfo(np.float64).eps)  # a probability of 0 for the true class would be an infinite loss

Scores = Float[np.ndarray, " cases"]
Resamples = Float[np.ndarray, "resamples patients"]


def probability_measures(
    p: Float[np.ndarray, "cases classes"],
    truth: Int[np.ndarray, " cases"],
    patients: Int[np.ndarray, " cases"],
    resamples: Resamples,
) -> Iterator[Estimate]:
    """Brier score summed over the classes (0 to 2), and mean logarithmic loss."""
    is_class = truth[:, None] == np.arange(p.shape[1])
    of_truth = p[np.arange(len(truth)), truth]
    losses = {"brier": ((p - is_class) ** 2).sum(axis=1), "log_loss": -np.log(np.maximum(of_truth, SMALLEST))}
    for name, loss in losses.items():
        yield _mean(name, loss, patients, resamples)


def brier_parts(
    p: Scores, positive: Bool[np.ndarray, " cases"], patients: Int[np.ndarray, " cases"], resamples: Resamples
) -> Iterator[Estimate]:
    """Of one class: Brier = miscalibration - discrimination + uncertainty; scaled is 1 - Brier / uncertainty."""
    y = positive.astype(np.float64)
    score = _mean("brier", (p - y) ** 2, patients, resamples)
    yield score
    uncertainty = float(y.mean() * (1 - y.mean()))
    refit = float(((_isotonic(p, y) - y) ** 2).mean())
    parts = {
        "brier_miscalibration": score.value - refit,
        "brier_discrimination": uncertainty - refit,
        "brier_uncertainty": uncertainty,
        "brier_scaled": 1 - score.value / uncertainty if uncertainty > 0 else np.nan,
    }
    for name, value in parts.items():
        how = "isotonic regression (CORP)" if np.isfinite(value) else "not computed: one class alone"
        yield Estimate(name, value, np.nan, np.nan, len(p), how)


def _mean(name: str, loss: Scores, patients: Int[np.ndarray, " cases"], resamples: Resamples) -> Estimate:
    sums = sum_by_patient(np.column_stack([loss, np.ones(len(loss))]), patients, int(patients.max()) + 1)
    return bootstrapped(name, _ratio, sums, resamples, len(loss))


def _ratio(sums: Float[np.ndarray, "*samples 2"]) -> Float[np.ndarray, "*samples"]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def _isotonic(p: Scores, y: Scores) -> Scores:
    """The increasing function of p closest to y; equal p share a value."""
    _, place, count = np.unique(p, return_inverse=True, return_counts=True)
    means = np.bincount(place, y) / count
    return np.asarray(isotonic_regression(means, sample_weight=count.astype(np.float64)))[place]
