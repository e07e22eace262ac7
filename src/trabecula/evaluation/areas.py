"""Areas beside that of the whole ROC curve: of its part at high specificity, and under precision against recall.

Partial area: McClish 1989, doi:10.1177/0272989X8900900307. Average precision: the sum over cut-offs of precision times
the gain in recall, without interpolation (Davis and Goadrich 2006, doi:10.1145/1143844.1143874, show why not to).
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import special, stats

from ..records import Estimate
from .resampling import LEVEL

FALSE_ALARMS = 0.2  # the most in the part

Scores = Float[np.ndarray, " cases"]
Truths = Bool[np.ndarray, " cases"]
Weights = Float[np.ndarray, "samples cases"]
Curve = tuple[Float[np.ndarray, "samples levels"], Float[np.ndarray, "samples levels"]]


def area_measures(scores: Scores, positive: Truths, patients: Int[np.ndarray, " cases"]) -> Iterator[Estimate]:
    """Both areas of one class; intervals on the logit scale, their errors from leaving out each patient in turn."""
    names = {"partial_auc": f"specificity {1 - FALSE_ALARMS:g} to 1, standardised (McClish)", "average_precision": ""}
    if positive.all() or not positive.any():
        for name in names:
            yield Estimate(
                name, np.nan, np.nan, np.nan, len(scores), "not computed: the class, or every other, is absent"
            )
        return
    codes = np.unique(patients, return_inverse=True)[1]
    count, sides = int(codes.max()) + 1, (codes[positive], codes[~positive])
    left_out = (codes[None, :] != np.arange(count)[:, None]).astype(np.float64)
    freedom = min(len(np.unique(side)) for side in sides) - 1
    curves = [weighted_curve(scores, positive, weights) for weights in (np.ones((1, len(scores))), left_out)]
    of = {"partial_auc": _standardised, "average_precision": average_precision}
    for name, part in names.items():
        value, without = (of[name](curve) for curve in curves)
        low, high = _interval(float(value[0]), without, freedom)
        how = (
            "jackknife of patients, logit scale, t"
            if np.isfinite(low)
            else "no interval: too few patients, or no variance to be seen"
        )
        yield Estimate(name, float(value[0]), low, high, len(scores), "; ".join([text for text in (part, how) if text]))


def weighted_curve(scores: Scores, positive: Truths, weights: Weights) -> Curve:
    """Cases of the class and others, by weight, that reach each score, from the highest score down, after nothing."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits, false = (
        np.pad(np.cumsum(weights[:, order] * side[order], axis=1)[:, ends], ((0, 0), (1, 0)))
        for side in (positive, ~positive)
    )
    return hits, false


def average_precision(curve: Curve) -> Float[np.ndarray, " samples"]:
    """Mean precision at the cases of the class, all cases of one score at once."""
    hits, false = curve
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = hits / (hits + false)
        gained = np.diff(hits, axis=1)
        return np.asarray(np.where(gained > 0, gained * precision[:, 1:], 0.0).sum(axis=1) / hits[:, -1])


def partial_auc(curve: Curve, most: float = FALSE_ALARMS) -> Float[np.ndarray, " samples"]:
    """The area over false-positive rates of 0 to ``most``, not standardised."""
    hits, false = curve
    with np.errstate(divide="ignore", invalid="ignore"):
        tpr, fpr = hits / hits[:, -1:], false / false[:, -1:]
        width = np.clip(most - fpr[:, :-1], 0, np.diff(fpr, axis=1))
        slope = np.where(width > 0, np.diff(tpr, axis=1) / np.diff(fpr, axis=1), 0.0)
    return np.asarray((width * (tpr[:, :-1] + slope * width / 2)).sum(axis=1))


def standardised(area: Float[np.ndarray, " samples"], most: float) -> Float[np.ndarray, " samples"]:
    """0.5 where the curve is the diagonal and 1 where it is perfect."""
    return np.asarray((1 + (area - most**2 / 2) / (most - most**2 / 2)) / 2)


def _standardised(curve: Curve) -> Float[np.ndarray, " samples"]:
    return standardised(partial_auc(curve), FALSE_ALARMS)


def _interval(value: float, without: Float[np.ndarray, " patients"], freedom: int) -> tuple[float, float]:
    if freedom < 1 or not 0 < value < 1 or not np.isfinite(without).all():
        return np.nan, np.nan
    count = len(without)
    error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    half = stats.t.ppf((1 + LEVEL) / 2, freedom) * error / (value * (1 - value))
    if half < 1e-9:  # rounding, where every patient left out gives the same
        return np.nan, np.nan
    return float(special.expit(special.logit(value) - half)), float(special.expit(special.logit(value) + half))
