"""Intervals of proportions, exact or Wilson's, widened where a patient has several cases."""

from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import stats

from .resampling import LEVEL

Kind = Literal["exact", "wilson"]


def proportion(
    successes: Float[np.ndarray, "patients *shape"], trials: Float[np.ndarray, "patients *shape"], kind: Kind = "exact"
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Value, low and high of the share of successes; NaN without a trial.

    With one case a patient the interval is Clopper and Pearson's (1934, doi:10.1093/biomet/26.4.404), or Wilson's score
    interval (1927, doi:10.1080/01621459.1927.10502953), which is narrower and covers 95 % on average, not at least.
    Otherwise it is theirs at the effective sample size: the cases divided by the design effect, the ratio of
    the between-patient variance of the proportion to the binomial one, and never more than the cases
    (Korn and Graubard, Survey Methodology 1998; 24: 193-201). At 0 or 1, where no variance can be seen,
    a patient counts once.
    """
    total, hits = trials.sum(axis=0), successes.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = hits / total
    size = _effective_size(successes, trials, value)
    low, high = (_wilson if kind == "wilson" else _exact)(value, size)
    undefined = np.isnan(value)
    return np.asarray(value), np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def _exact(
    value: Float[np.ndarray, "*shape"], size: Float[np.ndarray, "*shape"]
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    tail, hits = (1 - LEVEL) / 2, value * size
    low = np.where(hits > 0, stats.beta.ppf(tail, hits, size - hits + 1), 0.0)
    return low, np.where(hits < size, stats.beta.ppf(1 - tail, hits + 1, size - hits), 1.0)


def _wilson(
    value: Float[np.ndarray, "*shape"], size: Float[np.ndarray, "*shape"]
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    z = stats.norm.ppf((1 + LEVEL) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (value + z**2 / (2 * size)) / (1 + z**2 / size)
        half = z / (1 + z**2 / size) * np.sqrt(value * (1 - value) / size + z**2 / (4 * size**2))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


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
