"""A logistic model as points to add up by hand.

Lubsen, Pool and van der Does 1978; the conventions are those of R's rms (Harrell 2015, doi:10.1007/978-3-319-19425-7):
a predictor's points rise with its part of the linear predictor, from 0 where that is least within the range; the
predictor of widest range has 100.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import expit

WIDEST = 100.0
COLUMNS = ["class", "against", "predictor", "value", "points", "linear_predictor", "probability"]
TOTAL = "total points"
_FEW = 4


@dataclass(frozen=True, eq=False)
class Nomogram:
    """``unit`` of the linear predictor is one point; a predictor has ``(value - start) x slope / unit`` points.

    ``start`` is the end of the range at which its part of the linear predictor is least, ``zero`` the linear predictor
    at no points.
    """

    slopes: Float[np.ndarray, " predictors"]
    start: Float[np.ndarray, " predictors"]
    low: Float[np.ndarray, " predictors"]
    high: Float[np.ndarray, " predictors"]
    unit: float
    zero: float

    def points(self, values: Float[np.ndarray, "cases predictors"]) -> Float[np.ndarray, "cases predictors"]:
        """Points of each predictor; below 0 or above its most where a value is beyond the range."""
        return (values - self.start) * self.slopes / self.unit + 0.0  # no minus zero

    def linear_predictor(self, total: Float[np.ndarray, " cases"]) -> Float[np.ndarray, " cases"]:
        """Log odds at a sum of points."""
        return self.zero + total * self.unit

    @property
    def most(self) -> float:
        """The largest sum of points within the ranges."""
        return float((np.abs(self.slopes) * (self.high - self.low)).sum() / self.unit)


def make_nomogram(
    slopes: Float[np.ndarray, " predictors"],
    intercept: float,
    low: Float[np.ndarray, " predictors"],
    high: Float[np.ndarray, " predictors"],
) -> Nomogram | None:
    """The nomogram of ``intercept + slopes x values`` between ``low`` and ``high``; None where nothing changes it."""
    widths = np.abs(slopes) * (high - low)
    if not len(widths) or widths.max() <= 0:
        return None
    start = np.where(slopes >= 0, low, high)
    return Nomogram(slopes, start, low, high, float(widths.max() / WIDEST), float(intercept + slopes @ start))


def axis_marks(values: Float[np.ndarray, " cases"]) -> Float[np.ndarray, " marks"]:
    """The values themselves where they are few, else round ones between their ends, and the ends."""
    few = np.unique(values)
    return few if len(few) <= _FEW else _round_values(float(few[0]), float(few[-1]))


def nomogram_table(
    nomogram: Nomogram, names: Sequence[str], marks: Sequence[Float[np.ndarray, " marks"]], label: str, against: str
) -> pd.DataFrame:
    """Marks of every axis: a predictor's ``value`` and its ``points``; of the total the log odds and the probability.

    ``probability`` is that of class ``label`` among cases of it and of ``against``; the odds of several classes against
    the same one give every class's: odds / (1 + sum of odds).
    """
    parts = []
    for j, (name, values) in enumerate(zip(names, marks, strict=True)):
        grid = np.tile(nomogram.start, (len(values), 1))
        grid[:, j] = values
        parts.append({"predictor": name, "value": values, "points": nomogram.points(grid)[:, j]})
    totals = _round_values(0.0, nomogram.most)
    scores = nomogram.linear_predictor(totals)
    whole = {"predictor": TOTAL, "value": totals, "points": totals}
    parts.append({**whole, "linear_predictor": scores, "probability": expit(scores)})
    found = pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)
    return found.assign(**{"class": label, "against": against})[COLUMNS]


def _round_values(low: float, high: float) -> np.ndarray:
    """Round values between the ends, and the ends."""
    power = 10.0 ** np.floor(np.log10((high - low) / 5))
    step = power * next(size for size in (1, 2, 5, 10) if (high - low) / (power * size) <= 8)
    inner = np.round(np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step, 12)
    near = 0.3 * step  # an end so near to a round value would be written over it
    inner = inner[(inner > low + near) & (inner < high - near)]
    return np.array([low, *inner.tolist(), high])
