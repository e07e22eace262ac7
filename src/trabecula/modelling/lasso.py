"""Logistic regression with an L1 penalty along a path of penalties: multinomial, or One-vs-Rest ("ovr").

Minimises (1/n) negative log-likelihood + penalty x sum of absolute coefficients; intercepts are free. One-vs-Rest
is one binomial problem a class, all at the same penalty, and its likelihood is their product. Cyclic coordinate
descent on the quadratic approximation, class by class, with warm starts. A working set grows by whatever violates
the conditions of optimality, looked for among what the sequential strong rule leaves, and then everywhere (Friedman,
Hastie and Tibshirani 2010, doi 10.18637/jss.v033.i01; Tibshirani et al. 2012, doi 10.1111/j.1467-9868.2011.01004.x).
"""

from dataclasses import dataclass

import numba
import numpy as np
from jaxtyping import Float64, Int64

X = Float64[np.ndarray, "rows features"]
Coefficients = Float64[np.ndarray, "classes features"]


@dataclass(frozen=True, eq=False)
class Path:
    """The solutions: ``coefficients[l]`` and ``intercepts[l]`` belong to ``penalties[l]``."""

    penalties: Float64[np.ndarray, " penalties"]
    coefficients: Float64[np.ndarray, "penalties classes features"]
    intercepts: Float64[np.ndarray, "penalties classes"]

    @property
    def sizes(self) -> Int64[np.ndarray, " penalties"]:
        """How many features have a coefficient in any class."""
        return (self.coefficients != 0).any(axis=1).sum(axis=1)


def penalty_grid(x: X, y: Int64[np.ndarray, " rows"], classes: int, *, count: int, ratio: float) -> np.ndarray:
    """From the smallest penalty that keeps nothing down to ``ratio`` of it, evenly on the log scale.

    A trifle is added to it, lest rounding let a coefficient in at the very first penalty.
    """
    indicator = np.eye(classes)[y]
    largest = np.abs(x.T @ (indicator - indicator.mean(axis=0))).max() / len(y)
    return largest * (1 + 1e-12) * np.geomspace(1, ratio, count)


def lasso_path(
    x: X,
    y: Int64[np.ndarray, " rows"],
    classes: int,
    penalties: Float64[np.ndarray, " penalties"],
    *,
    most: int | None = None,
    tolerance: float = 1e-9,
    family: str = "multinomial",
) -> Path:
    """Solve for every penalty, largest first; stop after the first solution with more than ``most`` features."""
    found, intercepts, solved = _solve(
        np.ascontiguousarray(x.T),
        np.eye(classes)[y],
        np.ascontiguousarray(penalties),
        x.shape[1] if most is None else most,
        tolerance,
        family == "multinomial",
    )
    return Path(penalties[:solved], found[:solved], intercepts[:solved])


def deviances(
    path: Path, x: X, y: Int64[np.ndarray, " rows"], family: str = "multinomial"
) -> Float64[np.ndarray, "penalties rows"]:
    """-2 log-likelihood of each row at each penalty."""
    scores = np.einsum("lkp,np->lnk", path.coefficients, x, optimize=True) + path.intercepts[:, None, :]
    if family == "ovr":
        sign = np.where(y[:, None] == np.arange(scores.shape[2]), -1.0, 1.0)
        return 2 * np.logaddexp(0, sign * scores).sum(axis=2)
    scores -= scores.max(axis=2, keepdims=True)
    logs = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
    return -2 * logs[:, np.arange(len(y)), y]


def objective(
    x: X,
    y: np.ndarray,
    coefficients: Coefficients,
    intercepts: np.ndarray,
    penalty: float,
    family: str = "multinomial",
) -> float:
    """The value that is minimised."""
    one = Path(np.array([penalty]), coefficients[None], intercepts[None])
    return float(deviances(one, x, y, family).mean() / 2 + penalty * np.abs(coefficients).sum())


@numba.njit(cache=True, nogil=True)
def _probabilities(scores, softmax):  # type: ignore[no-untyped-def]
    """Rows x classes: over all classes together, or of each class on its own."""
    out = np.empty_like(scores)
    if not softmax:
        for i in range(scores.shape[0]):
            for k in range(scores.shape[1]):
                out[i, k] = 1.0 / (1.0 + np.exp(-scores[i, k]))
        return out
    for i in range(scores.shape[0]):
        top = scores[i].max()
        total = 0.0
        for k in range(scores.shape[1]):
            out[i, k] = np.exp(scores[i, k] - top)
            total += out[i, k]
        out[i] /= total
    return out


@numba.njit(cache=True, nogil=True)
def _gradient(columns, target, scores, softmax, wanted):  # type: ignore[no-untyped-def]
    """Classes x features, 0 where not wanted; column by column, so that each is fetched from memory once."""
    features, n = columns.shape
    residual = (target - _probabilities(scores, softmax)).T.copy()
    out = np.zeros((residual.shape[0], features))
    for j in np.flatnonzero(wanted):
        for k in range(residual.shape[0]):
            out[k, j] = (columns[j] @ residual[k]) / n
    return out


@numba.njit(cache=True, nogil=True)
def _sweep(columns, active, w, total, r, beta, squares, penalty, n):  # type: ignore[no-untyped-def]
    """One pass of coordinate descent over some features of one class; the largest weighted step, the intercept's."""
    step = r.sum() / total
    for i in range(n):
        r[i] -= step * w[i]
    largest = total / n * step * step
    for a in range(active.size):
        j = active[a]
        if squares[j] <= 0.0:
            continue
        column = columns[j]
        old = beta[j]
        pull = (column @ r) / n + squares[j] * old
        new = np.sign(pull) * max(abs(pull) - penalty, 0.0) / squares[j]
        change = new - old
        if change != 0.0:
            beta[j] = new
            for i in range(n):
                r[i] -= change * w[i] * column[i]
            largest = max(largest, squares[j] * change * change)
    return largest, step


@numba.njit(cache=True, nogil=True)
def _fit_quadratic(columns, working, w, r, beta, squares, penalty, tolerance):  # type: ignore[no-untyped-def]
    """Minimise one class's quadratic approximation: passes over what is not 0, then one over the working set."""
    n = w.size
    total = w.sum()
    shift = 0.0
    for _ in range(100):
        active = working[beta[working] != 0]
        for _ in range(1000):
            largest, step = _sweep(columns, active, w, total, r, beta, squares, penalty, n)
            shift += step
            if largest < tolerance:
                break
        largest, step = _sweep(columns, working, w, total, r, beta, squares, penalty, n)
        shift += step
        if largest < tolerance:
            break
    return shift


@numba.njit(cache=True, nogil=True)
def _fit_working(  # type: ignore[no-untyped-def]
    columns, target, penalty, working, beta, intercept, scores, tolerance, softmax
):
    """Newton steps class by class until no coefficient of the working set moves."""
    n, classes = target.shape
    squares = np.zeros(columns.shape[0])
    weighted = np.empty(n)
    for _ in range(200):
        moved = 0.0
        for k in range(classes):
            p = _probabilities(scores, softmax)[:, k].copy()
            w = np.maximum(p * (1 - p), 1e-6)
            r = target[:, k] - p
            inside = np.flatnonzero(working[k])
            for j in inside:
                for i in range(n):
                    weighted[i] = columns[j, i] * w[i]
                squares[j] = (columns[j] @ weighted) / n
            before = beta[k].copy()
            shift = _fit_quadratic(columns, inside, w, r, beta[k], squares, penalty, tolerance)
            intercept[k] += shift
            eta = np.full(n, shift)
            for j in inside:
                change = beta[k, j] - before[j]
                if change != 0.0:
                    for i in range(n):
                        eta[i] += change * columns[j, i]
                    moved = max(moved, squares[j] * change * change)
            moved = max(moved, np.abs(eta).max() ** 2 * w.mean())
            scores[:, k] += eta
        if moved < tolerance:
            return


@numba.njit(cache=True, nogil=True)
def _solve(columns, target, penalties, most, tolerance, softmax):  # type: ignore[no-untyped-def]
    features, n = columns.shape
    classes = target.shape[1]
    beta = np.zeros((classes, features))
    intercept = np.zeros(classes)
    for k in range(classes):
        share = min(max(target[:, k].mean(), 1e-12), 1 - 1e-12)
        intercept[k] = np.log(share) if softmax else np.log(share / (1 - share))
    if softmax:
        intercept -= intercept.mean()
    scores = np.empty((n, classes))
    scores[:] = intercept
    found = np.zeros((penalties.size, classes, features))
    intercepts = np.zeros((penalties.size, classes))
    everything = np.ones(features, dtype=np.bool_)
    gradient = _gradient(columns, target, scores, softmax, everything)
    before = penalties[0]
    for step in range(penalties.size):
        penalty = penalties[step]
        likely = ((np.abs(gradient) >= 2 * penalty - before) | (beta != 0)).sum(axis=0) > 0
        working = beta != 0
        missed = working | (np.abs(gradient) > penalty)
        while missed.any():
            working |= missed
            _fit_working(columns, target, penalty, working, beta, intercept, scores, tolerance, softmax)
            for looked in (likely, everything):
                gradient = _gradient(columns, target, scores, softmax, looked)
                missed = (np.abs(gradient) > penalty * (1 + 1e-6)) & ~working
                if missed.any():
                    break
        found[step] = beta
        intercepts[step] = intercept
        before = penalty
        kept = 0
        for j in range(features):
            kept += (beta[:, j] != 0).any()
        if kept > most:
            return found, intercepts, step + 1
    return found, intercepts, penalties.size
