"""Decision curves: whether it is better to act on the model than to treat every patient, or none.

Vickers and Elkin 2006, doi:10.1177/0272989X06295361.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from .resampling import LEVEL, sum_by_patient

THRESHOLDS = tuple(round(k / 100, 2) for k in range(1, 100))


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit at each threshold, per case: of the model with its interval, and of treating all.

    Treating none has 0. ``avoided``: interventions avoided per case against treating all, none missed more.
    """

    thresholds: Float[np.ndarray, " thresholds"]
    model: Float[np.ndarray, " thresholds"]
    low: Float[np.ndarray, " thresholds"]
    high: Float[np.ndarray, " thresholds"]
    treat_all: Float[np.ndarray, " thresholds"]

    @property
    def avoided(self) -> Float[np.ndarray, " thresholds"]:
        """Net reduction of interventions."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return (self.model - self.treat_all) / odds(self.thresholds)


def odds(thresholds: Float[np.ndarray, " thresholds"]) -> Float[np.ndarray, " thresholds"]:
    """What one false alarm costs in true ones: t / (1 - t)."""
    return thresholds / (1 - thresholds)


def decision_curve(
    p: Float[np.ndarray, " cases"],
    positive: Bool[np.ndarray, " cases"],
    patients: Int[np.ndarray, " cases"],
    thresholds: tuple[float, ...] = THRESHOLDS,
    prevalence: float | None = None,
) -> DecisionCurve:
    """Net benefit = share of true positives - odds of the threshold x share of false positives.

    Positive is a probability of at least the threshold; thresholds are rounded to two decimals. The interval is
    that of a mean over cases, clustered by patient, normal. ``prevalence`` takes the place of the cohort's own,
    without an interval.
    """
    at = np.round(np.asarray(thresholds, np.float64), 2)
    called = p[:, None] >= np.maximum(at, np.finfo(np.float64).eps)  # a probability of 0 never calls for action
    share = float(positive.mean()) if prevalence is None else prevalence
    with np.errstate(divide="ignore", invalid="ignore"):
        sensitivity = called[positive].mean(axis=0) if positive.any() else np.zeros(len(at))
        false_alarms = called[~positive].mean(axis=0) if (~positive).any() else np.zeros(len(at))
    value = sensitivity * share - false_alarms * (1 - share) * odds(at)
    gain = called * np.where(positive[:, None], 1.0, -odds(at))
    half = stats.norm.ppf((1 + LEVEL) / 2) * _error_of_mean(gain, patients) if prevalence is None else np.nan
    return DecisionCurve(at, value, value - half, value + half, share - (1 - share) * odds(at))


def _error_of_mean(
    values: Float[np.ndarray, "cases thresholds"], patients: Int[np.ndarray, " cases"]
) -> Float[np.ndarray, " thresholds"]:
    count = len(np.unique(patients))
    if count < 2:
        return np.full(values.shape[1], np.nan)
    sums = sum_by_patient(values - values.mean(axis=0), patients, int(patients.max()) + 1)
    return np.sqrt((sums**2).sum(axis=0) * count / (count - 1)) / len(values)
