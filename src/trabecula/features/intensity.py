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
_U = np.uintp  # an index of this type is not looked at for being negative


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


_STRETCH = 256  # so many sums side by side, none of which waits for another; the same order on every processor


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sums(greys, shift):  # type: ignore[no-untyped-def]
    """Lowest, highest, sum, and sum of the squares after the shift."""
    low, high = np.full(_STRETCH, np.float64(greys[0])), np.full(_STRETCH, np.float64(greys[0]))
    total, energy = np.zeros(_STRETCH), np.zeros(_STRETCH)
    for start in range(0, greys.size, _STRETCH):
        part = greys[start : start + _STRETCH]
        _add_squares(total, energy, part, shift)
        _widen(low, high, part)
    return low.min(), high.max(), total.sum(), energy.sum()


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_squares(total, energy, part, shift):  # type: ignore[no-untyped-def]
    for k in range(part.size):
        x = np.float64(part[k])
        total[k] += x
        energy[k] += (x + shift) * (x + shift)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _widen(low, high, part):  # type: ignore[no-untyped-def]
    for k in range(part.size):
        x = np.float64(part[k])
        low[k] = min(low[k], x)
        high[k] = max(high[k], x)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _moments(greys, mean):  # type: ignore[no-untyped-def]
    """Sums of the magnitudes, squares, third and fourth powers of the distances to the mean."""
    absolute, second, third, fourth = np.zeros(_STRETCH), np.zeros(_STRETCH), np.zeros(_STRETCH), np.zeros(_STRETCH)
    for start in range(0, greys.size, _STRETCH):
        _add_powers(absolute, second, third, fourth, greys[start : start + _STRETCH], mean)
    return absolute.sum(), second.sum(), third.sum(), fourth.sum()


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_powers(absolute, second, third, fourth, part, mean):  # type: ignore[no-untyped-def]
    for k in range(part.size):
        d = part[k] - mean
        square = d * d
        absolute[k] += abs(d)
        second[k] += square
        third[k] += square * d
        fourth[k] += square * square


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _robust_deviation(greys, p10, p90):  # type: ignore[no-untyped-def]
    """Mean absolute deviation of the greys from the 10th to the 90th percentile."""
    kept, total, deviation = np.zeros(_STRETCH), np.zeros(_STRETCH), np.zeros(_STRETCH)
    for start in range(0, greys.size, _STRETCH):
        _add_between(kept, total, greys[start : start + _STRETCH], p10, p90)
    if kept.sum() == 0:
        return np.nan
    mean = total.sum() / kept.sum()
    for start in range(0, greys.size, _STRETCH):
        _add_distance(deviation, greys[start : start + _STRETCH], p10, p90, mean)
    return deviation.sum() / kept.sum()


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_between(kept, total, part, low, high):  # type: ignore[no-untyped-def]
    for k in range(part.size):
        x = np.float64(part[k])
        inside = (x >= low) & (x <= high)
        kept[k] += 1.0 if inside else 0.0
        total[k] += x if inside else 0.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_distance(deviation, part, low, high, mean):  # type: ignore[no-untyped-def]
    for k in range(part.size):
        x = np.float64(part[k])
        deviation[k] += abs(x - mean) if (x >= low) & (x <= high) else 0.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _percentiles(greys, low, high):  # type: ignore[no-untyped-def]
    """The five quantiles by linear interpolation: a histogram finds the few greys that need sorting."""
    n = greys.size
    out = np.full(5, low)
    if low == high:
        return out
    bins = np.empty(n, dtype=np.int32)
    _find_bins(bins, greys, low, (_BINS - 1) / (high - low))
    below = np.zeros(_BINS + 1, dtype=np.int32)  # greys in the bins below each
    for one in bins:
        below[_U(one) + _U(1)] += 1
    below = np.cumsum(below)
    few, left_out, alike = _of_bins(greys, bins, below)
    for q in range(5):
        place = (n - 1) * _QUANTILES[q]
        rank = int(place)
        a = _ranked(rank, few, left_out, alike, below)
        b = _ranked(min(rank + 1, n - 1), few, left_out, alike, below)
        t = place - rank
        out[q] = a + (b - a) * t if t < 0.5 else b - (b - a) * (1 - t)
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _find_bins(bins, greys, low, scale):  # type: ignore[no-untyped-def]
    for k in range(greys.size):
        bins[k] = np.int32((greys[k] - low) * scale)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _ranked(rank, few, left_out, alike, below):  # type: ignore[no-untyped-def]
    """The grey of a rank: that of its whole bin, or one of the few that were sorted."""
    one = _bin_of(below, rank)
    return few[rank - left_out[one]] if np.isnan(alike[one]) else alike[one]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _bin_of(below, rank):  # type: ignore[no-untyped-def]
    return np.searchsorted(below, rank, side="right") - 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _of_bins(greys, bins, below):  # type: ignore[no-untyped-def]
    """The greys of the bins that hold a wanted rank, sorted, and how many greys below each bin are not among them.

    For a bin whose greys are all alike that grey instead: they need no sorting, and an image of few greys has many.
    """
    n = greys.size
    wanted = np.zeros(_BINS, dtype=np.bool_)
    for quantile in _QUANTILES:
        rank = int((n - 1) * quantile)
        wanted[_bin_of(below, rank)] = wanted[_bin_of(below, min(rank + 1, n - 1))] = True
    low, high = np.full(_BINS, np.inf), np.full(_BINS, -np.inf)
    for k in range(n):
        own = _U(bins[k])
        if wanted[own]:
            low[own], high[own] = min(low[own], greys[k]), max(high[own], greys[k])
    alike, left_out = np.full(_BINS, np.nan), np.zeros(_BINS, dtype=np.int64)
    count = 0
    for one in range(_BINS):
        left_out[one] = below[one] - count
        if low[one] == high[one]:
            alike[one], wanted[one] = low[one], False
        count += below[one + 1] - below[one] if wanted[one] else 0
    few = np.empty(count)
    count = 0
    for k in range(n):
        if wanted[_U(bins[k])]:
            few[count] = greys[k]
            count += 1
    return np.sort(few), left_out, alike
