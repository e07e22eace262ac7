"""First-order features by PyRadiomics' names and definitions (doi 10.1158/0008-5472.CAN-17-0339)."""

import numba
import numpy as np
from jaxtyping import Float, Float64, Int32

NAMES = (
    "10Percentile", "90Percentile", "Energy", "Entropy", "InterquartileRange", "Kurtosis", "Maximum",
    "MeanAbsoluteDeviation", "Mean", "Median", "Minimum", "Range", "RobustMeanAbsoluteDeviation",
    "RootMeanSquared", "Skewness", "TotalEnergy", "Uniformity", "Variance",
)  # fmt: skip
_QUANTILES = np.array([0.10, 0.25, 0.50, 0.75, 0.90])
_BINS = 2048


@numba.njit(cache=True, nogil=True, error_model="numpy")
def first_order(
    greys: Float[np.ndarray, " pixels"], counts: Int32[np.ndarray, " levels"], pixel_area: float, shift: float
) -> Float64[np.ndarray, "18"]:
    """Statistics of the region's greys, in the order of NAMES; ``counts`` are pixels by discretised level.

    A flat region has skewness and kurtosis 0, as both PyRadiomics and IBSI define it. ``pixel_area`` in mm2
    (1 where spacing is unknown) scales TotalEnergy; ``shift`` is added before Energy and RootMeanSquared.
    """
    n = greys.size
    low, high, total, energy = _sums(greys, shift)
    mean = total / n
    absolute, second, third, fourth = _moments(greys, mean)
    variance = second / n
    p10, q1, median, q3, p90 = _percentiles(greys, low, high)
    robust = _robust_deviation(greys, p10, p90)
    entropy, uniformity = 0.0, 0.0
    for count in counts:
        p = count / n
        if p > 0:
            entropy -= p * np.log2(p + np.spacing(1.0))
            uniformity += p * p
    return np.array(
        [
            p10, p90, energy, entropy, q3 - q1, fourth / n / variance**2 if variance > 0 else 0.0, high,
            absolute / n, mean, median, low, high - low, robust,
            np.sqrt(energy / n), third / n / variance**1.5 if variance > 0 else 0.0,
            energy * pixel_area, uniformity, variance,
        ]
    )  # fmt: skip


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sums(greys, shift):  # type: ignore[no-untyped-def]
    low, high = greys[0], greys[0]
    total, energy = 0.0, 0.0
    for k in range(greys.size):
        x = np.float64(greys[k])
        low, high = min(low, greys[k]), max(high, greys[k])
        total += x
        energy += (x + shift) * (x + shift)
    return np.float64(low), np.float64(high), total, energy


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _moments(greys, mean):  # type: ignore[no-untyped-def]
    absolute, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    for k in range(greys.size):
        d = greys[k] - mean
        square = d * d
        absolute += abs(d)
        second += square
        third += square * d
        fourth += square * square
    return absolute, second, third, fourth


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _robust_deviation(greys, p10, p90):  # type: ignore[no-untyped-def]
    """Mean absolute deviation of the greys from the 10th to the 90th percentile."""
    kept, total, deviation = 0, 0.0, 0.0
    for k in range(greys.size):
        x = np.float64(greys[k])
        inside = (x >= p10) & (x <= p90)
        kept += inside
        total += x if inside else 0.0
    if kept == 0:
        return np.nan
    mean = total / kept
    for k in range(greys.size):
        x = np.float64(greys[k])
        deviation += abs(x - mean) if (x >= p10) & (x <= p90) else 0.0
    return deviation / kept


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _percentiles(greys, low, high):  # type: ignore[no-untyped-def]
    """The five quantiles by linear interpolation: a histogram finds the few greys that need sorting."""
    n = greys.size
    out = np.full(5, low)
    if low == high:
        return out
    scale = (_BINS - 1) / (high - low)
    bins = np.empty(n, dtype=np.int32)
    below = np.zeros(_BINS + 1, dtype=np.int64)  # greys in the bins below each
    for k in range(n):
        bins[k] = int((greys[k] - low) * scale)
        below[bins[k] + 1] += 1
    below = np.cumsum(below)
    few, left_out = _of_bins(greys, bins, below)
    for q in range(5):
        place = (n - 1) * _QUANTILES[q]
        rank = int(place)
        upper = min(rank + 1, n - 1)
        a = few[rank - left_out[_bin_of(below, rank)]]
        b = few[upper - left_out[_bin_of(below, upper)]]
        t = place - rank
        out[q] = a + (b - a) * t if t < 0.5 else b - (b - a) * (1 - t)
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _bin_of(below, rank):  # type: ignore[no-untyped-def]
    return np.searchsorted(below, rank, side="right") - 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _of_bins(greys, bins, below):  # type: ignore[no-untyped-def]
    """The greys of the bins that hold a wanted rank, sorted; and how many greys below each bin are not among them."""
    n = greys.size
    wanted = np.zeros(_BINS, dtype=np.bool_)
    for quantile in _QUANTILES:
        rank = int((n - 1) * quantile)
        wanted[_bin_of(below, rank)] = wanted[_bin_of(below, min(rank + 1, n - 1))] = True
    left_out = np.zeros(_BINS, dtype=np.int64)
    for b in range(1, _BINS):
        left_out[b] = left_out[b - 1] + (0 if wanted[b - 1] else below[b] - below[b - 1])
    few = np.empty(n)
    count = 0
    for k in range(n):
        if wanted[bins[k]]:
            few[count] = greys[k]
            count += 1
    return np.sort(few[:count]), left_out
