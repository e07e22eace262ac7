"""Exact intervals of proportions, widened where a patient has several cases."""

import numpy as np
from jaxtyping import Float
from scipy import stats

from .resampling import LEVEL


def proportion(
    successes: Float[np.ndarray, "patients *shape"], trials: Float[np.ndarray, "patients *shape"]
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Value, low and high of the share of successes; NaN without a trial.

    With one case a patient the interval is Clopper and Pearson's (1934, doi:10.1093/biomet/26.4.404).
    Otherwise it is theirs at the effective sample size: the cases divided by the design effect, the ratio of
    the between-patient variance of the proportion to the binomial one, and never more than the cases
    (Korn and Graubard, Survey Methodology 1998; 24: 193-201). At 0 or 1, where no variance can be seen,
    a patient counts once.
    """
    total, hits = trials.sum(axis=0), successes.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = hits / total
    size = _effective_size(successes, trials, value)
    tail = (1 - LEVEL) / 2
    hits = value * size
    low = np.where(hits > 0, stats.beta.ppf(tail, hits, size - hits + 1), 0.0)
    high = np.where(hits < size, stats.beta.ppf(1 - tail, hits + 1, size - hits), 1.0)
    undefined = np.isnan(value)
    return np.asarray(value), np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def _effective_size(
    successes: Float[np.ndarray, "patients *shape"],
    trials: Float[np.ndarray, "patients *shape"],
    value: Float[np.ndarray, "*shape"],
) -> Float[np.ndarray, "*shape"]:
    total, patients = trials.sum(axis=0), (trials > 0).sum(axis=0)
    residual = ((successes - value * trials) ** 2).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = patients / (patients - 1) * residual / total**2
        binomial = value * (1 - value) / (total - 1)
        half = (1 + LEVEL) / 2
        freedom = (stats.t.ppf(half, total - 1) / stats.t.ppf(half, patients - 1)) ** 2
        size = np.minimum(total * binomial / variance * freedom, total)
    unseen = (value == 0) | (value == 1) | (patients < 2)
    return np.where(unseen, patients, size)
