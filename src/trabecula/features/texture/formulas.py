"""Compiled formulas: counts -> texture features by PyRadiomics' names and definitions.

van Griethuysen et al. 2017, doi 10.1158/0008-5472.CAN-17-0339. GLCM and GLRLM are computed for each angle
and averaged over those that have a pair or run. Each function fills its features in the order of the
names beside it; ``greys`` are the levels present.
"""

import numba
import numpy as np
from jaxtyping import Float64, Int32

from .eigen import room, second_magnitude

Greys = Float64[np.ndarray, " n"]
_EPS = np.spacing(1.0)

GLCM = (
    "Autocorrelation", "ClusterProminence", "ClusterShade", "ClusterTendency", "Contrast", "Correlation",
    "DifferenceAverage", "DifferenceEntropy", "DifferenceVariance", "Id", "Idm", "Idmn", "Idn", "Imc1", "Imc2",
    "InverseVariance", "JointAverage", "JointEnergy", "JointEntropy", "MCC", "MaximumProbability", "SumAverage",
    "SumEntropy", "SumSquares",
)  # fmt: skip
GLRLM = (
    "GrayLevelNonUniformity", "GrayLevelNonUniformityNormalized", "GrayLevelVariance", "HighGrayLevelRunEmphasis",
    "LongRunEmphasis", "LongRunHighGrayLevelEmphasis", "LongRunLowGrayLevelEmphasis", "LowGrayLevelRunEmphasis",
    "RunEntropy", "RunLengthNonUniformity", "RunLengthNonUniformityNormalized", "RunPercentage", "RunVariance",
    "ShortRunEmphasis", "ShortRunHighGrayLevelEmphasis", "ShortRunLowGrayLevelEmphasis",
)  # fmt: skip
_GLSZM_OF_SIXTEEN = {
    "GrayLevelNonUniformity": 0, "GrayLevelNonUniformityNormalized": 1, "GrayLevelVariance": 2,
    "HighGrayLevelZoneEmphasis": 3, "LargeAreaEmphasis": 4, "LargeAreaHighGrayLevelEmphasis": 5,
    "LargeAreaLowGrayLevelEmphasis": 6, "LowGrayLevelZoneEmphasis": 7, "SizeZoneNonUniformity": 9,
    "SizeZoneNonUniformityNormalized": 10, "SmallAreaEmphasis": 13, "SmallAreaHighGrayLevelEmphasis": 14,
    "SmallAreaLowGrayLevelEmphasis": 15, "ZoneEntropy": 8, "ZonePercentage": 11, "ZoneVariance": 12,
}  # fmt: skip
_GLDM_OF_SIXTEEN = {
    "DependenceEntropy": 8, "DependenceNonUniformity": 9, "DependenceNonUniformityNormalized": 10,
    "DependenceVariance": 12, "GrayLevelNonUniformity": 0, "GrayLevelVariance": 2, "HighGrayLevelEmphasis": 3,
    "LargeDependenceEmphasis": 4, "LargeDependenceHighGrayLevelEmphasis": 5,
    "LargeDependenceLowGrayLevelEmphasis": 6, "LowGrayLevelEmphasis": 7, "SmallDependenceEmphasis": 13,
    "SmallDependenceHighGrayLevelEmphasis": 14, "SmallDependenceLowGrayLevelEmphasis": 15,
}  # fmt: skip
GLSZM, GLDM = tuple(_GLSZM_OF_SIXTEEN), tuple(_GLDM_OF_SIXTEEN)
GLSZM_PLACES, GLDM_PLACES = (np.array(list(part.values())) for part in (_GLSZM_OF_SIXTEEN, _GLDM_OF_SIXTEEN))
NGTDM = ("Busyness", "Coarseness", "Complexity", "Contrast", "Strength")


@numba.njit(cache=True, nogil=True, error_model="numpy")
def glcm(pairs: Int32[np.ndarray, "angles n n"], greys: Greys, symmetrical: bool) -> Float64[np.ndarray, "24"]:
    """GLCM features of pairs counted once (or weighted); NaN where no two pixels are neighbours."""
    angles, n = pairs.shape[0], pairs.shape[1]
    highest = int(greys[-1])
    total = np.zeros(24)
    used = 0
    p = np.empty((n, n))
    px = np.empty(n)
    for angle in range(angles):
        count = 0.0
        for i in range(n):
            for j in range(n):
                count += pairs[angle, i, j]
        if count == 0:
            continue
        used += 1
        for i in range(n):
            px[i] = 0.0
            for j in range(n):
                p[i, j] = (pairs[angle, i, j] + pairs[angle, j, i]) / (2.0 * count)
                px[i] += p[i, j]
        of_angle = _glcm_of(p, px, greys, highest)
        if symmetrical:
            of_angle[19] = _maximal_correlation(p, px)
        else:
            _of_directed(pairs[angle] / count, greys, of_angle)
        total += of_angle
    return total / used if used else np.full(24, np.nan)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _glcm_of(p, px, greys, highest):  # type: ignore[no-untyped-def]
    n = greys.size
    out = np.zeros(24)
    mean, entropy_x = 0.0, 0.0
    for i in range(n):
        mean += px[i] * greys[i]
        entropy_x -= px[i] * np.log2(px[i] + _EPS)
    variance = 0.0
    for i in range(n):
        variance += px[i] * (greys[i] - mean) ** 2
    by_sum, by_gap = np.zeros(2 * highest + 1), np.zeros(highest + 1)
    entropy, covariance = 0.0, 0.0
    for i in range(n):
        for j in range(i + 1):
            weight = 1.0 if i == j else 2.0  # the matrix is symmetric
            one = p[i, j]
            if one == 0:
                continue
            entropy -= weight * one * np.log2(one + _EPS)
            part = weight * one
            both = greys[i] + greys[j] - 2 * mean
            out[0] += part * greys[i] * greys[j]
            out[1] += part * both**4
            out[2] += part * both**3
            out[3] += part * both**2
            covariance += part * (greys[i] - mean) * (greys[j] - mean)
            out[17] += part * one
            out[20] = max(out[20], one)
            by_sum[int(greys[i] + greys[j])] += part
            by_gap[int(greys[i] - greys[j])] += part
    out[5] = covariance / variance if variance > 0 else 1.0
    _of_sums_and_gaps(by_sum, by_gap, highest, out)
    independent = 2 * entropy_x  # HXY1 and HXY2 both: the logarithm of a product is a sum
    out[13] = (entropy - independent) / entropy_x if entropy_x > 0 else 0.0
    out[14] = np.sqrt(max(0.0, 1 - np.exp(-2 * max(0.0, independent - entropy))))
    out[16] = mean
    out[18] = entropy
    out[23] = variance
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _of_directed(p, greys, out):  # type: ignore[no-untyped-def]
    """Put those features right that a matrix which is not symmetric changes."""
    n = greys.size
    px, py = p.sum(axis=1), p.sum(axis=0)
    mean_x, mean_y = (px * greys).sum(), (py * greys).sum()
    variance_x, variance_y = (px * (greys - mean_x) ** 2).sum(), (py * (greys - mean_y) ** 2).sum()
    covariance, entropy, cross1, cross2 = 0.0, 0.0, 0.0, 0.0
    a = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            product = px[i] * py[j]
            covariance += p[i, j] * (greys[i] - mean_x) * (greys[j] - mean_y)
            entropy -= p[i, j] * np.log2(p[i, j] + _EPS)
            cross1 -= p[i, j] * np.log2(product + _EPS)
            cross2 -= product * np.log2(product + _EPS)
            if product > 0:
                a[i, j] = p[i, j] / np.sqrt(product)
    entropy_x, entropy_y = -(px * np.log2(px + _EPS)).sum(), -(py * np.log2(py + _EPS)).sum()
    largest = max(entropy_x, entropy_y)
    out[5] = covariance / np.sqrt(variance_x * variance_y) if variance_x * variance_y > 0 else 1.0
    out[13] = (entropy - cross1) / largest if largest > 0 else 0.0
    out[14] = np.sqrt(max(0.0, 1 - np.exp(-2 * max(0.0, cross2 - entropy))))
    out[16], out[17], out[18], out[20], out[23] = mean_x, (p * p).sum(), entropy, p.max(), variance_x
    out[19] = np.sqrt(max(0.0, np.linalg.eigvalsh(a @ a.T)[n - 2])) if n > 1 else 1.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _of_sums_and_gaps(by_sum, by_gap, highest, out):  # type: ignore[no-untyped-def]
    """Features of the probabilities of each sum and each difference of two levels."""
    for k in range(highest + 1):
        one = by_gap[k]
        if one == 0:
            continue
        out[4] += one * k * k
        out[6] += one * k
        out[7] -= one * np.log2(one + _EPS)
        out[9] += one / (1 + k)
        out[10] += one / (1 + k * k)
        out[11] += one / (1 + (k / highest) ** 2)
        out[12] += one / (1 + k / highest)
        if k > 0:
            out[15] += one / (k * k)
    for k in range(highest + 1):
        out[8] += by_gap[k] * (k - out[6]) ** 2
    for k in range(2 * highest + 1):
        if by_sum[k] > 0:
            out[21] += by_sum[k] * k
            out[22] -= by_sum[k] * np.log2(by_sum[k] + _EPS)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _maximal_correlation(p, px):  # type: ignore[no-untyped-def]
    """Second singular value of p / sqrt(px py), the root of the second eigenvalue of PyRadiomics' Q."""
    kept = np.flatnonzero(px > 0)
    n = kept.size
    if n < 2:
        return 1.0 if px.size == 1 else 0.0
    root = 1 / np.sqrt(px[kept])
    a = room(n)
    for i in range(n):
        for j in range(n):
            a[i, j] = p[kept[i], kept[j]] * root[i] * root[j]
    return second_magnitude(a)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def runs_or_zones(
    counts: Int32[np.ndarray, "n lengths"], greys: Greys, lengths: Float64[np.ndarray, " lengths"], pixels: float
) -> Float64[np.ndarray, "16"]:
    """The sixteen features of runs, zones or dependences: counts by level and length."""
    out = np.zeros(16)
    n, columns = counts.shape
    by_length = np.zeros(columns)
    total = 0.0
    for i in range(n):
        for j in range(columns):
            total += counts[i, j]
    mean_grey, mean_length = 0.0, 0.0
    for i in range(n):
        of_grey = 0.0
        square = greys[i] * greys[i]
        for j in range(columns):
            if counts[i, j] == 0:
                continue
            p = counts[i, j] / total
            area = lengths[j] * lengths[j]
            of_grey += p
            by_length[j] += p
            out[5] += p * square * area
            out[6] += p / square * area
            out[8] -= p * np.log2(p + _EPS)
            out[14] += p * square / area
            out[15] += p / (square * area)
        out[1] += of_grey * of_grey
        out[3] += of_grey * square
        out[7] += of_grey / square
        mean_grey += of_grey * greys[i]
    for j in range(columns):
        p, area = by_length[j], lengths[j] * lengths[j]
        out[4] += p * area
        out[10] += p * p
        out[13] += p / area
        mean_length += p * lengths[j]
    for j in range(columns):
        out[12] += by_length[j] * (lengths[j] - mean_length) ** 2
    for i in range(n):
        of_grey = 0.0
        for j in range(columns):
            of_grey += counts[i, j]
        out[2] += of_grey / total * (greys[i] - mean_grey) ** 2
    out[0], out[9] = out[1] * total, out[10] * total
    out[11] = total / pixels
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def glrlm(runs: Int32[np.ndarray, "angles n lengths"], greys: Greys, pixels: float) -> Float64[np.ndarray, "16"]:
    """Mean over the angles."""
    total = np.zeros(16)
    lengths = np.arange(1.0, runs.shape[2] + 1)
    for angle in range(runs.shape[0]):
        total += runs_or_zones(runs[angle], greys, lengths, pixels)
    return total / runs.shape[0]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def ngtdm(pixels: Greys, differences: Greys, greys: Greys) -> Float64[np.ndarray, "5"]:
    """NGTDM features; NaN where no pixel has a neighbour."""
    total, rough, spread = 0.0, 0.0, 0.0
    levels = 0
    for i in range(greys.size):
        total += pixels[i]
        levels += pixels[i] > 0
        spread += differences[i]
    if total == 0:
        return np.full(5, np.nan)
    p = pixels / total
    rough = (p * differences).sum()
    busy, complexity, contrast, strength = 0.0, 0.0, 0.0, 0.0
    for i in range(greys.size):
        if p[i] == 0:
            continue
        for j in range(i):
            if p[j] == 0:
                continue
            gap = greys[i] - greys[j]
            busy += abs(p[i] * greys[i] - p[j] * greys[j])
            complexity += gap * (p[i] * differences[i] + p[j] * differences[j]) / (p[i] + p[j])
            contrast += p[i] * p[j] * gap * gap
            strength += (p[i] + p[j]) * gap * gap
    out = np.zeros(5)
    out[0] = rough / (2 * busy) if busy > 0 else 0.0
    out[1] = 1 / rough if rough > 0 else 1e6
    out[2] = 2 * complexity / total
    out[3] = 2 * contrast * spread / total / (levels * (levels - 1)) if levels > 1 else 0.0
    out[4] = 2 * strength / spread if spread > 0 else 0.0
    return out
