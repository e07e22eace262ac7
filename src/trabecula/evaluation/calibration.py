"""Do the probabilities mean what they say? Measured as they are; nothing is mapped anew.

Intercept, slope and calibration-in-the-large: Cox 1958, doi:10.1093/biomet/45.3-4.562. ICI, E50, E90: Austin and
Steyerberg 2019, doi:10.1002/sim.8281.
Hosmer and Lemeshow 1980, doi:10.1080/03610928008827941. Spiegelhalter 1986, doi:10.1002/sim.4780050506.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import special, stats

from ..records import Estimate
from .proportions import proportion
from .resampling import LEVEL, sum_by_patient

SMALLEST = 1e-6  # probabilities of 0 and 1 have no logit; they count as this far from it
WIDTH_BINS = 10
SPAN = 0.75  # of the loess curve, R's default
_STEPS = 50
_CELLS = 2_000_000

Scores = Float[np.ndarray, " cases"]
Truths = Bool[np.ndarray, " cases"]
Patients = Int[np.ndarray, " cases"]


def calibration_measures(p: Scores, positive: Truths, patients: Patients) -> Iterator[Estimate]:
    """Every measure of how the probability of one class agrees with its cases, or the reason for its absence."""
    n, clustered = len(p), bool(np.bincount(patients).max() > 1)
    fewest = min(len(np.unique(patients[positive])), len(np.unique(patients[~positive])))
    if fewest < 2:  # one patient would be the whole curve
        absent = "the class, or every other, is absent"
        why = f"not computed: {'fewer than two patients of the class, or of the others' if fewest else absent}"
        yield from (Estimate(name, np.nan, np.nan, np.nan, n, why) for name in _NAMES)
        return
    yield from _recalibration(p, positive, patients, clustered)
    yield Estimate("r2", explained(p, positive)[1], np.nan, np.nan, n, "Nagelkerke, of the probabilities as they are")
    yield Estimate("observed_to_expected", positive.mean() / p.mean(), np.nan, np.nan, n, "ratio of means")
    curve = np.abs(loess(p, p, positive.astype(np.float64)) - p)
    for name, value in zip(("ici", "e50", "e90", "emax"), _distances(curve), strict=True):
        missing = "not computed: too few different probabilities for a loess curve"
        how = f"loess, span {SPAN}" if np.isfinite(value) else missing
        yield Estimate(name, value, np.nan, np.nan, n, how)
    for name, value in zip(("ece", "mce"), binned_errors(p, positive), strict=True):
        yield Estimate(name, value, np.nan, np.nan, n, f"{WIDTH_BINS} bins of equal width")
    yield from _tests(p, positive, clustered)


@dataclass(frozen=True, eq=False)
class Fit:
    """A logistic regression: coefficients and their standard errors; NaN with a ``reason`` where none exists."""

    beta: Float[np.ndarray, " terms"]
    error: Float[np.ndarray, " terms"]
    deviance: float
    reason: str = ""


def logistic(x: Float[np.ndarray, "cases terms"], y: Truths, offset: Scores, clusters: Patients | None = None) -> Fit:
    """Maximum likelihood by Newton's steps.

    Errors are the model's, or with ``clusters`` the sandwich over patients with the factor I / (I - 1)
    (Liang and Zeger 1986, doi:10.1093/biomet/73.1.13).
    """
    beta, worst = np.zeros(x.shape[1]), _deviance(x @ np.zeros(x.shape[1]) + offset, y)
    for _ in range(_STEPS):
        mean = special.expit(x @ beta + offset)
        information = (x * (mean * (1 - mean))[:, None]).T @ x
        if not np.isfinite(information).all() or np.linalg.cond(information) > 1e14:
            break
        step = np.linalg.solve(information, x.T @ (y - mean))
        while (now := _deviance(x @ (beta + step) + offset, y)) > worst + 1e-9 and np.abs(step).max() > 1e-9:
            step = step / 2
        beta, worst = beta + step, now
        if np.abs(step).max() < 1e-10 * (1 + np.abs(beta).max()):
            return Fit(beta, _errors(x, y, special.expit(x @ beta + offset), clusters), worst)
    missing = np.full(x.shape[1], np.nan)
    return Fit(missing, missing, np.nan, "not computed: the scores separate the class perfectly, no estimate exists")


def _deviance(predictor: Scores, y: Truths) -> float:
    return 2 * float(np.logaddexp(0, np.where(y, -predictor, predictor)).sum())


def _errors(
    x: Float[np.ndarray, "cases terms"], y: Truths, mean: Scores, clusters: Patients | None
) -> Float[np.ndarray, " terms"]:
    inverse = np.linalg.inv((x * (mean * (1 - mean))[:, None]).T @ x)
    if clusters is not None:
        count = int(clusters.max()) + 1
        if count <= x.shape[1]:  # as many directions as patients: no error can be seen
            return np.full(x.shape[1], np.nan)
        pull = sum_by_patient(x * (y - mean)[:, None], clusters, count)
        inverse = inverse @ (pull.T @ pull) @ inverse * count / (count - 1)
    return np.sqrt(np.diag(inverse))


def loess(at: Float[np.ndarray, " points"], x: Scores, y: Scores, span: float = SPAN) -> Float[np.ndarray, " points"]:
    """Local quadratic regression with tricube weights, computed at every point, not interpolated.

    Cleveland 1979, doi:10.1080/01621459.1979.10481038. NaN where the neighbourhood has fewer than three
    different values.
    """
    nearest = max(int(span * len(x) + 1e-5), 1)
    parts = np.array_split(at, max(1, len(at) * len(x) // _CELLS))  # a table of all distances may not fit in memory
    return np.concatenate([_local_quadratic(part, x, y, nearest) for part in parts])


def _local_quadratic(
    at: Float[np.ndarray, " points"], x: Scores, y: Scores, nearest: int
) -> Float[np.ndarray, " points"]:
    gap = x[None, :] - at[:, None]
    width = np.partition(np.abs(gap), nearest - 1, axis=1)[:, nearest - 1, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.where(width > 0, gap / width, np.nan)
        away = 1 - np.abs(scaled) * scaled * scaled
        term = np.where(away > 0, away * away * away, 0.0)  # the weight, then times each power of the distance
    powers, right = np.empty((len(at), 5)), np.empty((len(at), 3))
    for k in range(5):
        powers[:, k] = term.sum(axis=1)
        if k < 3:
            right[:, k] = term @ y
        term = term * scaled
    left = powers[:, np.add.outer(np.arange(3), np.arange(3))]
    solvable = np.asarray(np.isfinite(left).all(axis=(1, 2)))
    solvable[solvable] = np.linalg.cond(left[solvable]) < 1e10
    fitted = np.full(len(at), np.nan)
    fitted[solvable] = np.linalg.solve(left[solvable], right[solvable][:, :, None])[:, 0, 0]
    return fitted


def binned_errors(p: Scores, positive: Truths, bins: int = WIDTH_BINS) -> tuple[float, float]:
    """Mean, weighted by cases, and largest gap between mean probability and observed share over equal bins."""
    limits = np.round(np.arange(1, bins) / bins, 12)
    place = np.searchsorted(limits, p, side="left")  # (a, b], as R cuts
    count = np.bincount(place, minlength=bins)
    gap = np.abs(np.bincount(place, p, bins) - np.bincount(place, positive.astype(np.float64), bins))
    used = count > 0
    return float(gap.sum() / len(p)), float((gap[used] / count[used]).max())


@dataclass(frozen=True, eq=False)
class Group:
    """Neighbouring probabilities: how many, their mean, and the observed share with its interval."""

    n: int
    predicted: float
    observed: float
    low: float
    high: float


def reliability(p: Scores, positive: Truths, patients: Patients, groups: int) -> list[Group]:
    """The reliability curve in groups of equal size; equal probabilities stay together."""
    place = _quantile_groups(p, groups)
    rows = []
    count = int(patients.max()) + 1
    for group in np.unique(place):
        inside = place == group
        trials = sum_by_patient(inside.astype(np.float64), patients, count)
        hits = sum_by_patient((inside & positive).astype(np.float64), patients, count)
        value, low, high = (float(number) for number in proportion(hits, trials))
        rows.append(Group(int(inside.sum()), float(p[inside].mean()), value, low, high))
    return rows


def hosmer_lemeshow(
    p: Scores, positive: Truths, groups: int = 10, *, development: bool = False
) -> tuple[float, int, float]:
    """Chi-squared, degrees of freedom and p: as many as groups for cases that the model did not see, else two less."""
    place = _quantile_groups(p, groups)
    _, place = np.unique(place, return_inverse=True)
    n, expected = np.bincount(place), np.bincount(place, p)
    observed = np.bincount(place, positive.astype(np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        chi = float(((observed - expected) ** 2 / (expected * (1 - expected / n))).sum())
    freedom = len(n) - 2 if development else len(n)
    return chi, freedom, float(stats.chi2.sf(chi, freedom))


def spiegelhalter(p: Scores, positive: Truths) -> tuple[float, float]:
    """Z and two-sided p of the Brier score against its expectation if every probability were right."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = float(((positive - p) * (1 - 2 * p)).sum() / np.sqrt(((1 - 2 * p) ** 2 * p * (1 - p)).sum()))
    return z, float(2 * stats.norm.sf(abs(z)))


_NAMES = (
    "slope", "intercept", "calibration_in_the_large", "observed_to_expected", "ici", "e50", "e90", "emax", "ece", "mce",
    "r2", "hosmer_lemeshow_p", "spiegelhalter_p", "unreliability_p",
)  # fmt: skip


def _recalibration(p: Scores, positive: Truths, patients: Patients, clustered: bool) -> Iterator[Estimate]:
    logit, nothing = _logit(p), np.zeros(len(p))
    ones, clusters = np.ones((len(p), 1)), patients if clustered else None
    both = Fit(np.full(2, np.nan), np.full(2, np.nan), np.nan, "not computed: all probabilities are equal")
    if np.ptp(logit) > 0:
        both = logistic(np.column_stack([ones, logit]), positive, nothing, clusters)
    alone = logistic(ones, positive, logit, clusters)
    freedom = len(np.unique(patients)) - 1 if clustered else None
    moved = int(((p < SMALLEST) | (p > 1 - SMALLEST)).sum())
    how = "sandwich over patients, t" if clustered else "Wald"
    how += f"; {moved} probabilities of 0 or 1 taken as {SMALLEST:g} from it" if moved else ""
    for name, fit, term in (("slope", both, 1), ("intercept", both, 0), ("calibration_in_the_large", alone, 0)):
        low, high = _wald(fit.beta[term], fit.error[term], freedom)
        seen = how if np.isfinite(fit.error[term]) else "no interval: too few patients"
        yield Estimate(name, float(fit.beta[term]), low, high, len(p), fit.reason or seen)


def _wald(value: float, error: float, freedom: int | None) -> tuple[float, float]:
    upper = (1 + LEVEL) / 2
    half = (stats.norm.ppf(upper) if freedom is None else stats.t.ppf(upper, freedom)) * error
    return float(value - half), float(value + half)


def _tests(p: Scores, positive: Truths, clustered: bool) -> Iterator[Estimate]:
    """P-values that suppose independent cases; n/a where patients have several."""
    found = {
        "hosmer_lemeshow_p": (hosmer_lemeshow(p, positive)[2], "groups by tenths, as many degrees of freedom"),
        "spiegelhalter_p": (spiegelhalter(p, positive)[1], "normal"),
        "unreliability_p": (unreliability(p, positive)[1], "likelihood ratio of slope 1 and intercept 0, 2 degrees"),
    }
    for name, (value, how) in found.items():
        if clustered:
            value, how = np.nan, "not computed: it supposes one case a patient"
        elif np.isnan(value):
            how = "not computed: probabilities of 0 or 1, all equal, or perfect separation"
        yield Estimate(name, value, np.nan, np.nan, len(p), how)


def unreliability(p: Scores, positive: Truths) -> tuple[float, float]:
    """Chi-squared with 2 degrees of freedom, and p, for slope 1 and intercept 0.

    Miller 1993, doi:10.1177/0272989X9301300107.
    """
    logit = _logit(p)
    if np.ptp(logit) == 0:
        return np.nan, np.nan
    fit = logistic(np.column_stack([np.ones(len(p)), logit]), positive, np.zeros(len(p)))
    chi = _deviance(logit, positive) - fit.deviance
    return chi, float(stats.chi2.sf(chi, 2))


def explained(p: Scores, positive: Truths) -> tuple[float, float]:
    """Chi-squared of the probabilities, as they are, against one for all, and R2: Nagelkerke 1991.

    doi:10.1093/biomet/78.3.691. Negative where the share of the class would have been the better prediction.
    """
    n, share = len(p), positive.mean()
    alone = -2 * n * float(special.xlogy(share, share) + special.xlogy(1 - share, 1 - share))
    chi = alone - _deviance(_logit(p), positive)
    return chi, float(np.expm1(-chi / n) / np.expm1(-alone / n))


def _logit(p: Scores) -> Scores:
    return np.asarray(special.logit(np.clip(p, SMALLEST, 1 - SMALLEST)))


def _distances(gap: Scores) -> tuple[float, float, float, float]:
    return float(gap.mean()), float(np.median(gap)), float(np.quantile(gap, 0.9)), float(gap.max())


def _quantile_groups(p: Scores, groups: int) -> Int[np.ndarray, " cases"]:
    """Intervals (a, b] between quantiles (type 7), the lowest value included, equal limits once."""
    limits = np.unique(np.quantile(p, np.linspace(0, 1, groups + 1)))
    return np.clip(np.searchsorted(limits, p, side="left"), 1, max(len(limits) - 1, 1))
