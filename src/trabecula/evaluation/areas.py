"""Areas beside that of the whole ROC curve: of its part at high specificity, and under precision against recall.

Partial area: McClish 1989, doi:10.1177/0272989X8900900307. Average precision: the sum over cut-offs of precision times
the gain in recall, without interpolation (Davis and Goadrich 2006, doi:10.1145/1143844.1143874, show why not to).
"""

from collections.abc import Callable, Iterator

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


def area_measures(
    scores: Scores,
    positive: Truths,
    patients: Int[np.ndarray, " cases"],
    folds: Int[np.ndarray, " cases"] | None = None,
) -> Iterator[Estimate]:
    """Both areas of one class; intervals on the logit scale, their errors from leaving out each patient in turn.

    With several ``folds``, whose scores come from different models, each area is the mean over those that have both
    sides.
    """
    samples = _samples(positive, folds)
    if not samples:
        for name in _AREAS:
            words = "not computed: the class, or every other, is absent"
            yield Estimate(name, np.nan, np.nan, np.nan, len(scores), words)
        return
    codes = np.unique(patients, return_inverse=True)[1]
    left_out = (codes[None, :] != np.arange(int(codes.max()) + 1)[:, None]).astype(np.float64)
    weights = np.vstack([np.ones(len(scores)), left_out])
    curves = [weighted_curve(scores[rows], positive[rows], weights[:, rows]) for rows in samples]
    freedom = sum(min(len(np.unique(codes[rows & side])) for side in (positive, ~positive)) - 1 for rows in samples)
    mean = "" if folds is None else f"mean over {len(curves)} folds"
    for name, (of, part) in _AREAS.items():
        value, *without = np.mean([of(curve) for curve in curves], axis=0)
        low, high = _interval(float(value), np.array(without), freedom)
        how = _HOW if np.isfinite(low) else "no interval: too few patients, or no variance to be seen"
        yield Estimate(name, float(value), low, high, len(scores), "; ".join(filter(None, (part, mean, how))))


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


def _samples(positive: Truths, folds: Int[np.ndarray, " cases"] | None) -> list[Truths]:
    """The rows of each fold that has both sides."""
    folds = np.zeros(len(positive), np.int64) if folds is None else folds
    inside = [folds == fold for fold in np.unique(folds)]
    return [rows for rows in inside if positive[rows].any() and not positive[rows].all()]


def _standardised(curve: Curve) -> Float[np.ndarray, " samples"]:
    return standardised(partial_auc(curve), FALSE_ALARMS)


_HOW = "jackknife of patients, logit scale, t"
_AREAS: dict[str, tuple[Callable[[Curve], Float[np.ndarray, " samples"]], str]] = {
    "partial_auc": (_standardised, f"specificity {1 - FALSE_ALARMS:g} to 1, standardised (McClish)"),
    "average_precision": (average_precision, ""),
}


def _interval(value: float, without: Float[np.ndarray, " patients"], freedom: int) -> tuple[float, float]:
    if freedom < 1 or not 0 < value < 1 or not np.isfinite(without).all():
        return np.nan, np.nan
    count = len(without)
    error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    half = stats.t.ppf((1 + LEVEL) / 2, freedom) * error / (value * (1 - value))
    if half < 1e-9:  # rounding, where every patient left out gives the same
        return np.nan, np.nan
    return float(special.expit(special.logit(value) - half)), float(special.expit(special.logit(value) + half))
