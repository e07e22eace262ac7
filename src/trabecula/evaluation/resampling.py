"""Cases of one patient stay together: sums by patient, and resamples that draw patients."""

import numpy as np
from jaxtyping import Float, Int

LEVEL = 0.95


def sum_by_patient(
    values: Float[np.ndarray, "cases *shape"], patients: Int[np.ndarray, " cases"], count: int
) -> Float[np.ndarray, "patients *shape"]:
    """Add up the cases of each patient; ``patients`` counts from 0 to ``count`` - 1."""
    sums = np.zeros((count, *values.shape[1:]))
    np.add.at(sums, patients, values)
    return sums


def resample_patients(
    counts: Float[np.ndarray, "patients *shape"], resamples: int, seed: int
) -> Float[np.ndarray, "resamples *shape"]:
    """Total counts of each resample, which draws as many patients as there are, with replacement."""
    patients = counts.shape[0]
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(patients, np.full(patients, 1 / patients), size=resamples).astype(np.float64)
    return (weights @ counts.reshape(patients, -1)).reshape(resamples, *counts.shape[1:])


def percentile_interval(
    values: Float[np.ndarray, "resamples *shape"],
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"], Int[np.ndarray, "*shape"]]:
    """Low, high and the number of resamples in which the value is defined; the others are left out.

    Percentiles are interpolated as R's type 7. Efron 1979, doi:10.1214/aos/1176344552.
    """
    ordered = np.sort(values, axis=0)
    defined = np.asarray(np.isfinite(values).sum(axis=0))
    tail = (1 - LEVEL) / 2
    return _quantile(ordered, defined, tail), _quantile(ordered, defined, 1 - tail), defined


def _quantile(
    ordered: Float[np.ndarray, "resamples *shape"], defined: Int[np.ndarray, "*shape"], share: float
) -> Float[np.ndarray, "*shape"]:
    place = share * np.maximum(defined - 1, 0)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(defined - 1, 0))
    low, high = (np.take_along_axis(ordered, place[None], axis=0)[0] for place in (below, above))
    return np.asarray(low + (place - below) * (high - low))
