"""A slow and readable reference: counts by plain loops, features by whole-array formulas.

PyRadiomics' definitions (doi 10.1158/0008-5472.CAN-17-0339), written without a thought for speed; the compiled
engine is compared with it on random regions.
"""

from collections import Counter

import numpy as np
from scipy import ndimage

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
_EPS = np.spacing(1.0)


def texture(levels, alpha=0, distances=(1,), isolated=False):
    """All five classes as dicts; ``levels`` from 1 inside the region, 0 outside."""
    greys = np.unique(levels[levels > 0]).astype(float)
    pixels = int((levels > 0).sum())
    around = [(dr, dc) for dr in range(-9, 10) for dc in range(-9, 10) if max(abs(dr), abs(dc)) in distances]
    dependence, counted, differences = neighbourhoods(levels, greys, alpha, around, isolated)
    return {
        "glcm": _glcm(pairs(levels, greys, [step for step in around if step > (0, 0)]), greys),
        "glrlm": _mean_over_directions(runs(levels, greys), greys, pixels),
        "glszm": _renamed(_lengths(zones(levels, greys), greys, pixels), _ZONE_WORDS),
        "gldm": _gldm(dependence, greys, pixels),
        "ngtdm": _ngtdm(counted, differences, greys),
    }


def pairs(levels, greys, steps):
    """Symmetric counts of the levels of two pixels a step apart."""
    rank = {grey: k for k, grey in enumerate(greys)}
    counts = np.zeros((len(steps), len(greys), len(greys)))
    for k, (dr, dc) in enumerate(steps):
        for r, c in np.argwhere(levels > 0):
            if _in_region(levels, r + dr, c + dc):
                i, j = rank[levels[r, c]], rank[levels[r + dr, c + dc]]
                counts[k, i, j] += 1
                counts[k, j, i] += 1
    return counts


def runs(levels, greys):
    """Counts of runs by level and length (column k: length k) in the four directions."""
    rank = {grey: k for k, grey in enumerate(greys)}
    counts = np.zeros((4, len(greys), max(levels.shape) + 1))
    for k, (dr, dc) in enumerate(DIRECTIONS):
        for r, c in np.argwhere(levels > 0):
            level = levels[r, c]
            if _in_region(levels, r - dr, c - dc) and levels[r - dr, c - dc] == level:
                continue
            length = 1
            while _in_region(levels, r + dr * length, c + dc * length) and (
                levels[r + dr * length, c + dc * length] == level
            ):
                length += 1
            counts[k, rank[level], length] += 1
    return counts


def zones(levels, greys):
    """Counts of 8-connected zones by level and size (column k: size k)."""
    counts = np.zeros((len(greys), levels.size + 1))
    for k, grey in enumerate(greys):
        labelled, _ = ndimage.label(levels == grey, structure=np.ones((3, 3)))
        for size in Counter(labelled[labelled > 0].tolist()).values():
            counts[k, size] += 1
    return counts


def neighbourhoods(levels, greys, alpha, steps, isolated):
    """Counts by level and dependence; per level the pixels with a neighbour and their differences to its mean."""
    rank = {grey: k for k, grey in enumerate(greys)}
    pixels, differences = np.zeros(len(greys)), np.zeros(len(greys))
    dependence = np.zeros((len(greys), 2 + len(steps)))
    some = False
    for r, c in np.argwhere(levels > 0):
        around = [(r + dr, c + dc) for dr, dc in steps]
        near = [float(levels[place]) for place in around if _in_region(levels, *place)]
        level = float(levels[r, c])
        dependence[rank[level], 1 + sum(abs(other - level) <= alpha for other in near)] += 1
        some = some or bool(near)
        if near or isolated:
            pixels[rank[level]] += 1
            differences[rank[level]] += abs(level - np.mean(near)) if near else 0
    return dependence, pixels if some else np.zeros(len(greys)), differences


def _in_region(levels, r, c):
    return 0 <= r < levels.shape[0] and 0 <= c < levels.shape[1] and levels[r, c] > 0


def _glcm(counts, greys):
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


def _gather(p, index):
    flat = index.ravel()
    return np.stack([np.bincount(flat, weights=one.ravel(), minlength=int(flat.max()) + 1) for one in p])


def _entropy(p, axis=-1):
    return -(p * np.log2(p + _EPS)).sum(axis=axis)


def _maximal_correlation(p, px):
    """Second singular value of p / sqrt(px py), which is the root of Q's second eigenvalue."""
    if p.shape[1] == 1:
        return np.ones(p.shape[0])
    root = np.sqrt(np.where(px > 0, px, 1))
    eigenvalues = np.linalg.eigvalsh(p / (root[:, :, None] * root[:, None, :]))
    return np.sort(np.abs(eigenvalues), axis=1)[:, -2]


def _mean_over_directions(counts, greys, pixels):
    each = [_lengths(one, greys, pixels) for one in counts]
    return {name: float(np.mean([values[name] for values in each])) for name in each[0]}


def _lengths(counts, greys, pixels):
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


def _renamed(values, words):
    return {theirs: values[ours] for ours, theirs in words.items()}


def _gldm(dependence, greys, pixels):
    return _renamed(_lengths(dependence, greys, pixels), _DEPENDENCE_WORDS)


def _ngtdm(pixels, differences, greys):
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


def first_order(greys, levels, pixel_area, shift):
    """Statistics of the region's greys; entropy and uniformity are of the levels."""
    x = greys.astype(np.float64)
    p = np.unique(levels, return_counts=True)[1] / levels.size
    p10, q1, median, q3, p90 = np.percentile(x, (10, 25, 50, 75, 90))
    mean = x.mean()
    deviation = x - mean
    variance = float((deviation**2).mean())
    robust = x[(x >= p10) & (x <= p90)]
    spread = float(np.abs(robust - robust.mean()).mean()) if robust.size else np.nan
    energy = float(((x + shift) ** 2).sum())
    return {
        "10Percentile": float(p10),
        "90Percentile": float(p90),
        "Energy": energy,
        "Entropy": float(-(p * np.log2(p + np.spacing(1.0))).sum()),
        "InterquartileRange": float(q3 - q1),
        "Kurtosis": float((deviation**4).mean() / variance**2) if variance > 0 else 0.0,
        "Maximum": float(x.max()),
        "MeanAbsoluteDeviation": float(np.abs(deviation).mean()),
        "Mean": float(mean),
        "Median": float(median),
        "Minimum": float(x.min()),
        "Range": float(x.max() - x.min()),
        "RobustMeanAbsoluteDeviation": spread,
        "RootMeanSquared": float(np.sqrt(energy / x.size)),
        "Skewness": float((deviation**3).mean() / variance**1.5) if variance > 0 else 0.0,
        "TotalEnergy": energy * pixel_area,
        "Uniformity": float((p**2).sum()),
        "Variance": variance,
    }
