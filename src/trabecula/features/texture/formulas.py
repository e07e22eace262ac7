"""Texture features by PyRadiomics' names and definitions (doi 10.1158/0008-5472.CAN-17-0339).

Each is computed on the sparse set of grey levels that the region has. GLCM and GLRLM are computed for each of
the four directions and averaged over those that have a pair or run.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64, Int32

from .matrices import cooccurrence, neighbourhoods, run_lengths, zone_sizes

Greys = Float64[np.ndarray, " n"]
Values = dict[str, float]
_EPS = np.spacing(1.0)


def texture_features(
    levels: Int32[np.ndarray, "height width"],
    classes: Mapping[str, object],
    *,
    distances: tuple[int, ...],
    alpha: float,
) -> dict[str, Values]:
    """The wanted classes of one patch; ``levels`` are grey levels from 1 inside the region and 0 outside.

    A class that the region has no pair, run or neighbour for is an empty dict.
    """
    present = np.unique(levels[levels > 0])
    ranks = np.full(int(present[-1]) + 1, -1, dtype=np.int32)
    ranks[present] = np.arange(present.size, dtype=np.int32)
    compact = ranks[levels]
    greys = present.astype(np.float64)
    n, count = int(present.size), int((levels > 0).sum())
    found: dict[str, Values] = {}
    if "glcm" in classes:
        counts = np.concatenate([cooccurrence(compact, n, d) for d in distances])
        found["glcm"] = _glcm(counts, greys)
    if "glrlm" in classes:
        found["glrlm"] = _mean_over_directions(run_lengths(compact, n), greys, count)
    if "glszm" in classes:
        found["glszm"] = _renamed(_lengths(zone_sizes(compact, n), greys, count), _ZONE_WORDS)
    if {"gldm", "ngtdm"} & set(classes):
        dependence, pixels, differences = neighbourhoods(compact, greys, float(alpha))
        if "gldm" in classes:
            found["gldm"] = _gldm(dependence, greys, count)
        if "ngtdm" in classes:
            found["ngtdm"] = _ngtdm(pixels, differences, greys)
    return found


def _glcm(counts: Float64[np.ndarray, "angles n n"], greys: Greys) -> Values:
    totals = counts.sum(axis=(1, 2))
    if not totals.any():
        return {}
    p = counts[totals > 0] / totals[totals > 0, None, None]
    i, j = greys[:, None], greys[None, :]
    px = p.sum(axis=2)
    ux = (px * greys).sum(axis=1)
    dev_x, dev_y = i - ux[:, None, None], j - ux[:, None, None]
    variance = (px * (greys - ux[:, None]) ** 2).sum(axis=1)
    p_sum = _gather(p, (i + j).astype(np.int64))
    p_diff = _gather(p, np.abs(i - j).astype(np.int64))
    k_sum, k = np.arange(p_sum.shape[1]), np.arange(p_diff.shape[1])
    ng = greys[-1]
    hx, hxy = _entropy(px), _entropy(p, axis=(1, 2))
    product = px[:, :, None] * px[:, None, :]
    logs = np.log2(product + _EPS)
    hxy1, hxy2 = -(p * logs).sum(axis=(1, 2)), -(product * logs).sum(axis=(1, 2))
    diff_mean = p_diff @ k
    both = i + j - 2 * ux[:, None, None]
    covariance = (p * dev_x * dev_y).sum(axis=(1, 2))
    values = {
        "Autocorrelation": (p * i * j).sum(axis=(1, 2)),
        "ClusterProminence": (p * both**4).sum(axis=(1, 2)),
        "ClusterShade": (p * both**3).sum(axis=(1, 2)),
        "ClusterTendency": (p * both**2).sum(axis=(1, 2)),
        "Contrast": p_diff @ k**2,
        "Correlation": np.where(variance > 0, covariance / np.where(variance > 0, variance, 1), 1.0),
        "DifferenceAverage": diff_mean,
        "DifferenceEntropy": _entropy(p_diff),
        "DifferenceVariance": (p_diff * (k - diff_mean[:, None]) ** 2).sum(axis=1),
        "Id": p_diff @ (1 / (1 + k)),
        "Idm": p_diff @ (1 / (1 + k**2)),
        "Idmn": p_diff @ (1 / (1 + k**2 / ng**2)),
        "Idn": p_diff @ (1 / (1 + k / ng)),
        "Imc1": np.where(hx > 0, (hxy - hxy1) / np.where(hx > 0, hx, 1), 0.0),
        "Imc2": np.sqrt(np.maximum(0, 1 - np.exp(-2 * np.maximum(0, hxy2 - hxy)))),
        "InverseVariance": p_diff[:, 1:] @ (1 / k[1:] ** 2),
        "JointAverage": ux,
        "JointEnergy": (p**2).sum(axis=(1, 2)),
        "JointEntropy": hxy,
        "MCC": _maximal_correlation(p, px),
        "MaximumProbability": p.max(axis=(1, 2)),
        "SumAverage": p_sum @ k_sum,
        "SumEntropy": _entropy(p_sum),
        "SumSquares": (p * dev_x**2).sum(axis=(1, 2)),
    }
    return {name: float(value.mean()) for name, value in values.items()}


def _gather(p: Float64[np.ndarray, "angles n n"], index: np.ndarray) -> Float64[np.ndarray, "angles sums"]:
    flat = index.ravel()
    return np.stack([np.bincount(flat, weights=one.ravel(), minlength=int(flat.max()) + 1) for one in p])


def _entropy(p: np.ndarray, axis: int | tuple[int, ...] = -1) -> np.ndarray:
    return -(p * np.log2(p + _EPS)).sum(axis=axis)


def _maximal_correlation(p: Float64[np.ndarray, "angles n n"], px: Float64[np.ndarray, "angles n"]) -> np.ndarray:
    """Second singular value of p / sqrt(px py), which is the root of Q's second eigenvalue."""
    if p.shape[1] == 1:
        return np.ones(p.shape[0])
    root = np.sqrt(np.where(px > 0, px, 1))
    eigenvalues = np.linalg.eigvalsh(p / (root[:, :, None] * root[:, None, :]))
    return np.sort(np.abs(eigenvalues), axis=1)[:, -2]


def _mean_over_directions(counts: Float64[np.ndarray, "angles n lengths"], greys: Greys, pixels: int) -> Values:
    each = [_lengths(one, greys, pixels) for one in counts]
    return {name: float(np.mean([values[name] for values in each])) for name in each[0]}


def _lengths(counts: Float64[np.ndarray, "n lengths"], greys: Greys, pixels: int) -> Values:
    """The sixteen features of runs (and, renamed, of zones); column k counts length k."""
    total = counts.sum()
    p = counts / total
    length = np.arange(counts.shape[1], dtype=np.float64)
    by_grey, by_length = p.sum(axis=1), p.sum(axis=0)
    inverse2 = np.divide(1.0, length**2, out=np.zeros_like(length), where=length > 0)
    mean_grey, mean_length = by_grey @ greys, by_length @ length
    return {
        "GrayLevelNonUniformity": float((by_grey**2).sum() * total),
        "GrayLevelNonUniformityNormalized": float((by_grey**2).sum()),
        "GrayLevelVariance": float(by_grey @ (greys - mean_grey) ** 2),
        "HighGrayLevelRunEmphasis": float(by_grey @ greys**2),
        "LongRunEmphasis": float(by_length @ length**2),
        "LongRunHighGrayLevelEmphasis": float(greys**2 @ p @ length**2),
        "LongRunLowGrayLevelEmphasis": float(1 / greys**2 @ p @ length**2),
        "LowGrayLevelRunEmphasis": float(by_grey @ (1 / greys**2)),
        "RunEntropy": float(_entropy(p, axis=(0, 1))),
        "RunLengthNonUniformity": float((by_length**2).sum() * total),
        "RunLengthNonUniformityNormalized": float((by_length**2).sum()),
        "RunPercentage": float(total / pixels),
        "RunVariance": float(by_length @ (length - mean_length) ** 2),
        "ShortRunEmphasis": float(by_length @ inverse2),
        "ShortRunHighGrayLevelEmphasis": float(greys**2 @ p @ inverse2),
        "ShortRunLowGrayLevelEmphasis": float(1 / greys**2 @ p @ inverse2),
    }


_ZONE_WORDS = {
    "GrayLevelNonUniformity": "GrayLevelNonUniformity",
    "GrayLevelNonUniformityNormalized": "GrayLevelNonUniformityNormalized",
    "GrayLevelVariance": "GrayLevelVariance",
    "HighGrayLevelRunEmphasis": "HighGrayLevelZoneEmphasis",
    "LongRunEmphasis": "LargeAreaEmphasis",
    "LongRunHighGrayLevelEmphasis": "LargeAreaHighGrayLevelEmphasis",
    "LongRunLowGrayLevelEmphasis": "LargeAreaLowGrayLevelEmphasis",
    "LowGrayLevelRunEmphasis": "LowGrayLevelZoneEmphasis",
    "RunLengthNonUniformity": "SizeZoneNonUniformity",
    "RunLengthNonUniformityNormalized": "SizeZoneNonUniformityNormalized",
    "ShortRunEmphasis": "SmallAreaEmphasis",
    "ShortRunHighGrayLevelEmphasis": "SmallAreaHighGrayLevelEmphasis",
    "ShortRunLowGrayLevelEmphasis": "SmallAreaLowGrayLevelEmphasis",
    "RunEntropy": "ZoneEntropy",
    "RunPercentage": "ZonePercentage",
    "RunVariance": "ZoneVariance",
}
_DEPENDENCE_WORDS = {
    "RunEntropy": "DependenceEntropy",
    "RunLengthNonUniformity": "DependenceNonUniformity",
    "RunLengthNonUniformityNormalized": "DependenceNonUniformityNormalized",
    "RunVariance": "DependenceVariance",
    "GrayLevelNonUniformity": "GrayLevelNonUniformity",
    "GrayLevelVariance": "GrayLevelVariance",
    "HighGrayLevelRunEmphasis": "HighGrayLevelEmphasis",
    "LongRunEmphasis": "LargeDependenceEmphasis",
    "LongRunHighGrayLevelEmphasis": "LargeDependenceHighGrayLevelEmphasis",
    "LongRunLowGrayLevelEmphasis": "LargeDependenceLowGrayLevelEmphasis",
    "LowGrayLevelRunEmphasis": "LowGrayLevelEmphasis",
    "ShortRunEmphasis": "SmallDependenceEmphasis",
    "ShortRunHighGrayLevelEmphasis": "SmallDependenceHighGrayLevelEmphasis",
    "ShortRunLowGrayLevelEmphasis": "SmallDependenceLowGrayLevelEmphasis",
}


def _renamed(values: Values, words: Mapping[str, str]) -> Values:
    return {theirs: values[ours] for ours, theirs in words.items()}


def _gldm(dependence: Float64[np.ndarray, "n dependences"], greys: Greys, pixels: int) -> Values:
    return _renamed(_lengths(dependence, greys, pixels), _DEPENDENCE_WORDS)


def _ngtdm(pixels: Greys, differences: Greys, greys: Greys) -> Values:
    kept = pixels > 0
    total = pixels.sum()
    if total == 0:
        return {}
    p, s, i = pixels[kept] / total, differences[kept], greys[kept]
    pairs = p[:, None] * p[None, :]
    gap = i[:, None] - i[None, :]
    ratio = (p * s)[:, None] + (p * s)[None, :]
    levels = p.size
    rough, busy = float(p @ s), float(np.abs((p * i)[:, None] - (p * i)[None, :]).sum())
    return {
        "Busyness": rough / busy if busy > 0 else 0.0,
        "Coarseness": 1 / rough if rough > 0 else 1e6,
        "Complexity": float((np.abs(gap) * ratio / (p[:, None] + p[None, :])).sum() / total),
        "Contrast": float((pairs * gap**2).sum() * s.sum() / total / (levels * (levels - 1))) if levels > 1 else 0.0,
        "Strength": float(((p[:, None] + p[None, :]) * gap**2).sum() / s.sum()) if s.sum() > 0 else 0.0,
    }


TEXTURE_CLASSES: dict[str, tuple[str, ...]] = {
    "glcm": tuple(_glcm(np.ones((4, 2, 2)), np.array([1.0, 2.0]))),
    "glrlm": tuple(_lengths(np.ones((2, 2)), np.array([1.0, 2.0]), 4)),
    "glszm": tuple(_ZONE_WORDS.values()),
    "gldm": tuple(_DEPENDENCE_WORDS.values()),
    "ngtdm": ("Busyness", "Coarseness", "Complexity", "Contrast", "Strength"),
}
