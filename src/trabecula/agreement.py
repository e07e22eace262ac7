"""Agreement of readings of the same cases: intraclass correlation, for every feature at once; two regions' overlap.

Shrout and Fleiss 1979, doi 10.1037/0033-2909.86.2.420; intervals of McGraw and Wong 1996, doi
10.1037/1082-989X.1.1.30.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64
from scipy import ndimage
from scipy.special import fdtri

FEWEST = 3  # cases


@dataclass(frozen=True, eq=False)
class Icc:
    """One coefficient a feature with its interval; NaN where it is undefined (constant, or too few cases)."""

    value: Float64[np.ndarray, " features"]
    low: Float64[np.ndarray, " features"]
    high: Float64[np.ndarray, " features"]
    cases: Float64[np.ndarray, " features"]


Form = Literal["one-way", "agreement", "consistency"]


def icc(readings: Float64[np.ndarray, "cases readings features"], form: Form, *, level: float = 0.95) -> Icc:
    """Of single readings: ICC(1,1), (2,1) or (3,1).

    "one-way" is ICC(1,1), where each case has readings of its own, "agreement" ICC(2,1), absolute and with readers
    drawn at random, "consistency" ICC(3,1), of just these readers. For each feature, cases with a missing reading are
    left out.
    """
    complete = np.isfinite(readings).all(axis=1)
    out = np.full((3, readings.shape[2]), np.nan)
    for pattern, columns in _by_pattern(complete):
        if pattern.sum() >= FEWEST and readings.shape[1] > 1:
            out[:, columns] = _of_complete(readings[pattern][:, :, columns], form, level)
    return Icc(out[0], out[1], out[2], complete.sum(axis=0).astype(np.float64))


def dice(first: Bool[np.ndarray, "rows cols"], second: Bool[np.ndarray, "rows cols"]) -> float:
    """Twice the shared pixels over the pixels of both, 0 to 1; NaN where both are empty.

    Dice 1945, doi 10.2307/1932409.
    """
    both = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / both if both else np.nan


def surface_distance(
    first: Bool[np.ndarray, "rows cols"],
    second: Bool[np.ndarray, "rows cols"],
    spacing: tuple[float, float] = (1.0, 1.0),
) -> float:
    """Average symmetric surface distance, in the unit of ``spacing``; NaN where either region is empty.

    Of every border pixel of each region (one with a neighbour outside, up, down, left or right) the distance to the
    nearest of the other, the mean of all: Heimann et al. 2009, doi 10.1109/TMI.2009.2013851.
    """
    if not first.any() or not second.any():
        return np.nan
    either = first | second
    rows, columns = (np.flatnonzero(either.any(axis=axis)) for axis in (1, 0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    borders = [_border(np.pad(region[box], 1)) for region in (first, second)]
    away = [ndimage.distance_transform_edt(~border, sampling=spacing) for border in borders]
    return float(np.concatenate([away[1][borders[0]], away[0][borders[1]]]).mean())


def _border(inside: np.ndarray) -> np.ndarray:
    return inside & ~ndimage.binary_erosion(inside)


def _by_pattern(complete: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Features with the same complete cases, together."""
    patterns, which = np.unique(complete, axis=1, return_inverse=True)
    return [(patterns[:, k], np.flatnonzero(which.ravel() == k)) for k in range(patterns.shape[1])]


def _of_complete(readings: np.ndarray, form: Form, level: float) -> np.ndarray:
    n, k, _ = readings.shape
    whole, by_case, by_reading = readings.mean(axis=(0, 1)), readings.mean(axis=1), readings.mean(axis=0)
    rows = k * ((by_case - whole) ** 2).sum(axis=0) / (n - 1)
    columns = n * ((by_reading - whole) ** 2).sum(axis=0) / (k - 1)
    rest = ((readings - by_case[:, None] - by_reading[None] + whole) ** 2).sum(axis=(0, 1)) / ((n - 1) * (k - 1))
    constant = np.ptp(readings, axis=(0, 1)) == 0
    same = ~constant & (np.ptp(readings, axis=1) == 0).all(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        out = _FORMS[form](rows, columns, rest, n, k, (1 + level) / 2)
    out[:, same], out[:, constant] = 1.0, np.nan
    return out


def _agreement(rows: np.ndarray, columns: np.ndarray, rest: np.ndarray, n: int, k: int, upper: float) -> np.ndarray:
    value = (rows - rest) / (rows + (k - 1) * rest + k * (columns - rest) / n)
    ratio = columns / rest
    share = n * (1 + (k - 1) * value) - k * value
    freedom = (k - 1) * (n - 1) * (k * value * ratio + share) ** 2
    freedom /= (n - 1) * (k * value * ratio) ** 2 + share**2
    above, below = fdtri(n - 1, freedom, upper), fdtri(freedom, n - 1, upper)
    spread = k * columns + (k * n - k - n) * rest
    low = n * (rows - above * rest) / (above * spread + n * rows)
    high = n * (below * rows - rest) / (spread + n * below * rows)
    return np.stack([value, low, high])


def _consistency(rows: np.ndarray, _columns: np.ndarray, rest: np.ndarray, n: int, k: int, upper: float) -> np.ndarray:
    return _of_ratio(rows / rest, n - 1, (n - 1) * (k - 1), k, upper)


def _one_way(rows: np.ndarray, columns: np.ndarray, rest: np.ndarray, n: int, k: int, upper: float) -> np.ndarray:
    within = ((k - 1) * columns + (n - 1) * (k - 1) * rest) / (n * (k - 1))
    return _of_ratio(rows / within, n - 1, n * (k - 1), k, upper)


def _of_ratio(ratio: np.ndarray, above: int, below: int, k: int, upper: float) -> np.ndarray:
    ends = np.stack([ratio, ratio / fdtri(above, below, upper), ratio * fdtri(below, above, upper)])
    return (ends - 1) / (ends + k - 1)


_FORMS: dict[Form, Callable[..., np.ndarray]] = {
    "one-way": _one_way,
    "agreement": _agreement,
    "consistency": _consistency,
}
