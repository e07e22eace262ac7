"""Cut-offs, ROC curves and the measures that come from counts, each with its interval."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from ..records import Estimate
from .proportions import Kind, proportion
from .resampling import Statistic, bca_interval, sum_by_patient


def roc_points(
    scores: Float[np.ndarray, " cases"], positive: Bool[np.ndarray, " cases"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False-positive rate, true-positive rate and threshold at every corner of the empirical curve.

    Predicted positive is a score of at least the threshold; the first threshold is infinite. Empty where a
    side is missing.
    """
    if positive.all() or not positive.any():
        return np.zeros(0), np.zeros(0), np.zeros(0)
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    tpr = np.append(0.0, np.cumsum(positive[order])[ends] / positive.sum())
    fpr = np.append(0.0, np.cumsum(~positive[order])[ends] / (~positive).sum())
    thresholds = np.append(np.inf, scores[order][ends])
    corner = np.ones(len(tpr), dtype=bool)
    turns = np.diff(tpr)[:-1] * np.diff(fpr)[1:] != np.diff(tpr)[1:] * np.diff(fpr)[:-1]
    corner[1:-1] = turns
    return fpr[corner], tpr[corner], thresholds[corner]


def youden_cutoff(scores: Float[np.ndarray, " cases"], positive: Bool[np.ndarray, " cases"]) -> float:
    """The cut-off of largest sensitivity + specificity - 1, midway between neighbouring scores.

    Youden 1950, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3. The higher of equal ones;
    NaN where a side is missing.
    """
    if positive.all() or not positive.any():
        return float("nan")
    levels = np.unique(scores)
    cutoffs = np.concatenate([[-np.inf], (levels[1:] + levels[:-1]) / 2, [np.inf]])
    hits = positive.sum() - np.searchsorted(np.sort(scores[positive]), cutoffs)
    false = (~positive).sum() - np.searchsorted(np.sort(scores[~positive]), cutoffs)
    gain = hits / positive.sum() - false / (~positive).sum()
    return float(cutoffs[len(gain) - 1 - int(np.argmax(gain[::-1]))])


def class_measures(
    called: Bool[np.ndarray, " cases"],
    positive: Bool[np.ndarray, " cases"],
    patients: Int[np.ndarray, " cases"],
    resamples: Float[np.ndarray, "resamples patients"],
    kind: Kind = "exact",
) -> Iterator[Estimate]:
    """The One-vs-Rest measures at a cut-off; ``kind`` of the intervals of proportions."""
    count = int(patients.max()) + 1
    tp, fp = called & positive, called & ~positive
    fn, tn = ~called & positive, ~called & ~positive
    shares = {
        "accuracy": (tp | tn, np.ones_like(tp)),
        "sensitivity": (tp, positive),
        "specificity": (tn, ~positive),
        "ppv": (tp, called),
        "npv": (tn, ~called),
    }
    hits = sum_by_patient(np.stack([h for h, _ in shares.values()], 1).astype(np.float64), patients, count)
    trials = sum_by_patient(np.stack([t for _, t in shares.values()], 1).astype(np.float64), patients, count)
    for (name, (_, of)), value, low, high in zip(shares.items(), *proportion(hits, trials, kind), strict=True):
        how = proportion_method(patients, kind) if of.any() else f"not computed: no case to take the {name} of"
        yield Estimate(name, float(value), float(low), float(high), int(of.sum()), how)
    cells = sum_by_patient(np.stack([tp, fp, fn], 1).astype(np.float64), patients, count)
    yield bootstrapped("f1", _f1, cells, resamples, len(called))


def overall_measures(
    truth: Int[np.ndarray, " cases"],
    predicted: Int[np.ndarray, " cases"],
    patients: Int[np.ndarray, " cases"],
    classes: int,
    resamples: Float[np.ndarray, "resamples patients"],
    kind: Kind = "exact",
) -> Iterator[Estimate]:
    """The measures of the class of largest probability; ``kind`` of the interval of accuracy."""
    count = int(patients.max()) + 1
    right = sum_by_patient((truth == predicted).astype(np.float64), patients, count)
    ones = sum_by_patient(np.ones(len(truth)), patients, count)
    value, low, high = proportion(right, ones, kind)
    yield Estimate("accuracy", float(value), float(low), float(high), len(truth), proportion_method(patients, kind))
    cells = np.zeros((len(truth), classes, classes))
    cells[np.arange(len(truth)), truth, predicted] = 1
    sums = sum_by_patient(cells, patients, count)
    for name, measure in _OF_CONFUSION.items():
        yield bootstrapped(name, measure, sums, resamples, len(truth))


def bootstrapped(
    name: str,
    statistic: Statistic,
    sums: Float[np.ndarray, "patients *shape"],
    resamples: Float[np.ndarray, "resamples patients"],
    n: int,
) -> Estimate:
    """A statistic of sums by patient with its BCa interval, or the reason why there is none."""
    value, low, high, defined = bca_interval(statistic, sums, resamples)
    how = f"BCa bootstrap of patients, {defined} of {len(resamples)} resamples defined"
    if np.isnan(value):
        how = "not computed: a class that it needs is absent"
    elif np.isnan(low):
        how = "no interval: every resample gives the same value"
    return Estimate(name, value, low, high, n, how)


def proportion_method(patients: Int[np.ndarray, " cases"], kind: Kind = "exact") -> str:
    """How ``proportion`` makes the interval for these cases."""
    name = "Wilson" if kind == "wilson" else "Clopper-Pearson"
    alone = np.bincount(patients).max() == 1
    return name if alone else f"{name} at the effective sample size (patients as clusters)"


def balanced_accuracy(
    confusion: Float[np.ndarray, "*samples classes classes"],
) -> Float[np.ndarray, "*samples"]:
    """Mean sensitivity over the classes; NaN where one is absent."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((_diagonal(confusion) / confusion.sum(axis=-1)).mean(axis=-1))


def macro_f1(confusion: Float[np.ndarray, "*samples classes classes"]) -> Float[np.ndarray, "*samples"]:
    """Mean over classes of 2 TP / (2 TP + FP + FN); 0 for a class neither present nor predicted."""
    both = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    return np.asarray((2 * _diagonal(confusion) / np.maximum(both, 1)).mean(axis=-1))


def kappa(
    confusion: Float[np.ndarray, "*samples classes classes"], *, quadratic: bool = False
) -> Float[np.ndarray, "*samples"]:
    """Cohen's kappa (1960, doi:10.1177/001316446002000104), or with quadratic weights (1968, doi:10.1037/h0026256)."""
    place = np.arange(confusion.shape[-1])
    gap = place[:, None] - place[None, :]
    weight = gap.astype(np.float64) ** 2 if quadratic else (gap != 0).astype(np.float64)
    total = confusion.sum(axis=(-1, -2))
    chance = confusion.sum(axis=-1)[..., :, None] * confusion.sum(axis=-2)[..., None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = (chance * weight).sum(axis=(-1, -2)) / total
        return np.asarray(1 - (confusion * weight).sum(axis=(-1, -2)) / expected)


def matthews(confusion: Float[np.ndarray, "*samples classes classes"]) -> Float[np.ndarray, "*samples"]:
    """Correlation of truth and prediction: Matthews 1975, doi:10.1016/0005-2795(75)90109-9.

    For several classes Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006. NaN where either never varies.
    """
    total = confusion.sum(axis=(-1, -2))
    truth, called = confusion.sum(axis=-1), confusion.sum(axis=-2)
    together = total * _diagonal(confusion).sum(axis=-1) - (truth * called).sum(axis=-1)
    alone = (total**2 - (truth**2).sum(axis=-1)) * (total**2 - (called**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(alone > 0, together / np.sqrt(alone), np.nan))


def _f1(cells: Float[np.ndarray, "*samples 3"]) -> Float[np.ndarray, "*samples"]:
    tp, fp, fn = np.moveaxis(cells, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(2 * tp / (2 * tp + fp + fn))


def _weighted_kappa(
    confusion: Float[np.ndarray, "*samples classes classes"],
) -> Float[np.ndarray, "*samples"]:
    return kappa(confusion, quadratic=True)


_OF_CONFUSION: dict[str, Statistic] = {
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "kappa": kappa,
    "quadratic_weighted_kappa": _weighted_kappa,
    "mcc": matthews,
}


def _diagonal(
    confusion: Float[np.ndarray, "*samples classes classes"],
) -> Float[np.ndarray, "*samples classes"]:
    return np.diagonal(confusion, axis1=-2, axis2=-1)
