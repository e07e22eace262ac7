"""Cases of one patient stay together: sums by patient, and bootstrap resamples that draw patients."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from scipy import special

LEVEL = 0.95
Statistic = Callable[[Float[np.ndarray, "*samples_and_shape"]], Float[np.ndarray, "*samples"]]


def sum_by_patient(
    values: Float[np.ndarray, "cases *shape"], patients: Int[np.ndarray, " cases"], count: int
) -> Float[np.ndarray, "patients *shape"]:
    """Add up the cases of each patient; ``patients`` counts from 0 to ``count`` - 1."""
    sums = np.zeros((count, *values.shape[1:]))
    np.add.at(sums, patients, values)
    return sums


def draw_resamples(patients: int, resamples: int, seed: int) -> Float[np.ndarray, "resamples patients"]:
    """How often each resample draws each patient: as many patients as there are, with replacement."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(patients, np.full(patients, 1 / patients), size=resamples).astype(np.float64)


def bca_interval(
    statistic: Statistic,
    sums: Float[np.ndarray, "patients *shape"],
    resamples: Float[np.ndarray, "resamples patients"],
    level: float = LEVEL,
) -> tuple[float, float, float, int]:
    """The statistic of the total of ``sums``, low, high, and the number of resamples in which it is defined.

    Bias-corrected and accelerated, the acceleration from leaving out each patient in turn: Efron 1987,
    doi:10.1080/01621459.1987.10478410. Low and high are NaN where all resamples agree or the statistic is undefined.
    """
    total = sums.sum(axis=0)
    value = float(statistic(total))
    flat = sums.reshape(len(sums), -1)
    drawn = statistic((resamples @ flat).reshape(len(resamples), *sums.shape[1:]))
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(drawn) < 2 or np.ptp(drawn) == 0:
        return value, np.nan, np.nan, len(drawn)
    skew = acceleration(statistic(total - sums))
    below = ((drawn < value).sum() + (drawn == value).sum() / 2) / len(drawn)
    bias = special.ndtri(np.clip(below, 0.5 / len(drawn), 1 - 0.5 / len(drawn)))
    ends = bias + special.ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    low, high = np.quantile(drawn, special.ndtr(bias + ends / (1 - skew * ends)))
    return value, float(low), float(high), len(drawn)


def acceleration(left_out: Float[np.ndarray, " patients"]) -> float:
    """How fast the error of a statistic changes with it, from its values without each patient (Efron's a)."""
    gap = left_out[np.isfinite(left_out)]
    gap = gap.mean() - gap
    squares = float((gap**2).sum())
    return float((gap**3).sum()) / (6 * squares**1.5) if squares > 0 else 0.0
