"""Minimum redundancy, maximum relevance: columns that tell of the classes and little of one another.

Ding and Peng 2005, doi 10.1142/S0219720005001004; Peng, Long and Ding 2005, doi 10.1109/TPAMI.2005.159.
"""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from jaxtyping import Float32, Float64

from .filters import Filter, anova, unit_columns

Measure = Callable[[int], Float64[np.ndarray, " features"]]  # of one column with all of them
_LEAST = 1e-3  # redundancy below it counts as this much, lest a quotient be decided by chance


class MrmrFilter(Filter):
    """Keeps ``count`` columns, each next one the most relevant for its mean redundancy with those chosen.

    ``relevance`` "f": F of a one-way analysis of variance, and |r| for redundancy; "mutual_information": of the classes
    and of other columns, each column cut into three states at its mean -+ SD / 2, as Ding and Peng do. ``scheme``:
    relevance over redundancy ("quotient"; FCQ, MIQ) or less redundancy ("difference"; FCD, MID). Equal ones go by the
    order of the columns.
    """

    def __init__(self, count: int = 50, relevance: str = "f", scheme: str = "quotient"):
        self.count = count
        self.relevance = relevance
        self.scheme = scheme

    def fit(self, X: Any, y: Any) -> Self:
        """Choose one column after the other; ``order_`` is the sequence, ``relevance_`` every column's relevance."""
        X, y = self._with_classes(X, y)
        self.relevance_, measure = (_by_f if self.relevance == "f" else _by_information)(X, y)
        self.order_ = self._greedy(measure)
        self._keep(
            np.isin(np.arange(X.shape[1]), self.order_),
            [f"not among the {self.count} of least redundancy and most relevance"] * X.shape[1],
        )
        return self

    def _greedy(self, measure: Measure) -> np.ndarray:
        redundancy, free = np.zeros(len(self.relevance_)), np.ones(len(self.relevance_), dtype=bool)
        chosen: list[int] = []
        while free.any() and len(chosen) < self.count:
            gain = self._gain(redundancy / len(chosen)) if chosen else self.relevance_
            best = int(np.argmax(np.where(free, gain, -np.inf)))
            chosen.append(best)
            free[best] = False
            redundancy += measure(best)
        return np.array(chosen, dtype=np.int64)

    def _gain(self, redundancy: np.ndarray) -> np.ndarray:
        if self.scheme == "difference":
            return self.relevance_ - redundancy
        return self.relevance_ / np.maximum(redundancy, _LEAST)


def _by_f(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, Measure]:
    units = unit_columns(X)
    relevance = np.nan_to_num(anova(X, y)[0], nan=0.0, posinf=np.finfo(float).max)
    return relevance, lambda column: np.abs(units.T @ units[:, column])


def _by_information(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, Measure]:
    states = _states(X)
    classes = (y[:, None] == np.unique(y)).astype(np.float32)
    return _information(states, classes), lambda column: _information(states, states[:, :, column].T)


def _states(X: np.ndarray) -> Float32[np.ndarray, "3 rows features"]:
    """Whether a value is below, within or above mean -+ SD / 2."""
    half, mean = X.std(axis=0) / 2, X.mean(axis=0)
    low, high = mean - half > X, mean + half < X
    return np.stack([low, ~low & ~high, high]).astype(np.float32)


def _information(
    states: Float32[np.ndarray, "3 rows features"], other: Float32[np.ndarray, "rows values"]
) -> Float64[np.ndarray, " features"]:
    """Mutual information, in nats, of every column with one variable, given as 0 or 1 of each of its values.

    Counts in float32 are exact.
    """
    joint = (other.T @ states).astype(np.float64) / len(other)  # states x values x features
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    ratio = np.divide(joint, apart, out=np.ones_like(joint), where=joint > 0)
    return (joint * np.log(ratio)).sum(axis=(0, 1))
