"""Filters of columns, each a scikit-learn step that says of every column it drops why."""

from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Float64
from scipy.stats import false_discovery_control, kruskal, rankdata
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin, f_classif
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ..agreement import Form, icc


class Filter(SelectorMixin, BaseEstimator):
    """A step that keeps columns; unlike its parent it may keep none, and says so by an empty matrix.

    ``support_``: whether each column stays. ``reasons_``: why each column left, "" where it stayed.
    """

    support_: Bool[np.ndarray, " features"]
    reasons_: list[str]
    allows_nan = False

    def transform(self, X: Any) -> Any:
        """Keep the chosen columns."""
        check_is_fitted(self)
        return self._validated(X, reset=False)[:, self.support_]

    def _get_support_mask(self) -> Bool[np.ndarray, " features"]:
        check_is_fitted(self)
        return self.support_

    def _validated(self, X: Any, **more: Any) -> Any:
        finite = "allow-nan" if self.allows_nan else True
        return validate_data(
            self, plain_if_empty(X), ensure_min_features=0, dtype=np.float64, ensure_all_finite=finite, **more
        )

    def _with_classes(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        X, y = self._validated(X, y=y)
        self.classes_, y = np.unique(y, return_inverse=True)
        return X, y

    def _names(self) -> list[str]:
        """The columns' names where they have any, else their numbers."""
        return [str(name) for name in getattr(self, "feature_names_in_", range(self.n_features_in_))]

    def _keep(self, support: np.ndarray, reasons: list[str]) -> None:
        self.support_ = np.asarray(support, dtype=bool)
        self.reasons_ = ["" if kept else reason for kept, reason in zip(self.support_, reasons, strict=True)]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.allows_nan
        return tags


class StabilityFilter(Filter):
    """Keeps columns whose intraclass correlation between drawings of the same region reaches ``minimum``.

    ``form`` "one-way" is ICC(1,1), "agreement" ICC(2,1), "consistency" ICC(3,1); ``bound`` "lower" asks it of the lower
    end of the 95 % interval. Columns for which it is undefined leave.
    """

    allows_nan = True

    def __init__(self, minimum: float = 0.75, form: Form = "agreement", bound: str = "estimate"):
        self.minimum = minimum
        self.form = form
        self.bound = bound

    def fit(self, X: Any, y: Any = None, readings: Any = None) -> Self:  # noqa: ARG002 scikit-learn's signature
        """``readings``: the columns of X in every drawing (rows x drawings x columns); NaN where none."""
        X = self._validated(X)
        if readings is None:
            self._keep(np.ones(X.shape[1]), [""] * X.shape[1])
            return self
        self.icc_ = icc(np.asarray(readings, dtype=np.float64), self.form)
        judged = self.icc_.low if self.bound == "lower" else self.icc_.value
        self._keep(
            np.nan_to_num(judged, nan=-1.0) >= self.minimum,
            [f"changes when the region is drawn again: intraclass correlation {value:.2f}" for value in judged],
        )
        return self


class MissingFilter(Filter):
    """Keeps columns of which at most the share ``most`` of the rows is missing."""

    allows_nan = True

    def __init__(self, most: float = 0.5):
        self.most = most

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 scikit-learn's signature
        """Count the missing values of every column."""
        share = np.isnan(self._validated(X)).mean(axis=0)
        self._keep(share <= self.most, [f"missing in {one:.0%} of the rows" for one in share])
        return self


class VarianceFilter(Filter):
    """Keeps columns whose variance exceeds ``minimum``, missing values left out; at 0 the constant ones leave."""

    allows_nan = True

    def __init__(self, minimum: float = 0.0):
        self.minimum = minimum

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 scikit-learn's signature
        """Compute the variance of every column; the range decides of constants, whose variance may be rounding."""
        X = self._validated(X)
        filled = np.where(np.isnan(X), medians(X), X)
        self.variances_ = np.where(filled.max(axis=0) > filled.min(axis=0), np.var(filled, axis=0), 0.0)
        self._keep(self.variances_ > self.minimum, [f"variance {value:.3g}" for value in self.variances_])
        return self


class UnivariateFilter(Filter):
    """Keeps columns that differ between the classes with p < ``alpha``; constants leave.

    ``test`` "anova" is the one-way analysis of variance, "kruskal" Kruskal and Wallis' on ranks (1952, doi
    10.1080/01621459.1952.10483441). ``correction`` "fdr" adjusts p by Benjamini and Hochberg (1995, doi
    10.1111/j.2517-6161.1995.tb02031.x), so that ``alpha`` bounds the share of false discoveries.
    """

    def __init__(self, alpha: float = 0.05, test: str = "anova", correction: str = "none"):
        self.alpha = alpha
        self.test = test
        self.correction = correction

    def fit(self, X: Any, y: Any) -> Self:
        """Test every column."""
        X, y = self._with_classes(X, y)
        self.statistics_, p = (anova if self.test == "anova" else _kruskal)(X, y)
        self.pvalues_ = false_discovery_control(p) if self.correction == "fdr" and p.size else p
        word = "adjusted p" if self.correction == "fdr" else "p"
        name = "analysis of variance" if self.test == "anova" else "Kruskal-Wallis"
        self._keep(
            self.pvalues_ < self.alpha,
            [f"no difference between the classes: {word} {p:.3g}, {name}" for p in self.pvalues_],
        )
        return self


class RedundancyFilter(Filter):
    """Of columns whose correlation exceeds ``threshold``, keeps the one most related to the classes.

    Relation is the F of a one-way analysis of variance, to ten digits; equal ones are settled by the columns' names, so
    that the choice does not depend on the order of the columns (by their order where they have no names).
    """

    def __init__(self, threshold: float = 0.9, kind: str = "spearman"):
        self.threshold = threshold
        self.kind = kind

    def fit(self, X: Any, y: Any) -> Self:
        """Rank the columns by relation, then let each one kept push out its likes."""
        X, y = self._with_classes(X, y)
        support, by = np.zeros(X.shape[1], dtype=bool), np.full(X.shape[1], -1)
        correlation = np.abs(correlations(rankdata(X, axis=0) if self.kind == "spearman" else X))
        for column in _by_relation(X, y, self._names()):
            if by[column] < 0:
                support[column] = True
                by[(correlation[column] > self.threshold) & (by < 0)] = column
        names = self._names()
        self._keep(
            support,
            [f"|r| {correlation[by[k], k]:.2f} with {names[by[k]]}, which is more related" for k in range(len(names))],
        )
        return self


def correlations(X: Float64[np.ndarray, "rows features"]) -> Float64[np.ndarray, "features features"]:
    """Pearson's r of all pairs of columns; 0 with a constant."""
    units = unit_columns(X)
    return units.T @ units


def unit_columns(X: np.ndarray) -> np.ndarray:
    """Columns centred and of length 1, so that their product is r; constants are 0."""
    centred = X - X.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    return centred / np.where(norms > 0, norms, 1.0)


def _by_relation(X: np.ndarray, y: np.ndarray, names: list[str]) -> np.ndarray:
    """Columns from the most related to the classes to the least."""
    relation = np.nan_to_num(anova(X, y)[0], nan=-1.0, posinf=np.finfo(float).max)
    digits = [float(f"{value:.9e}") for value in relation]
    return np.array(sorted(range(len(names)), key=lambda k: (-digits[k], names[k])), dtype=np.int64)


def anova(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F and p of the one-way analysis of variance of every column; NaN and 1 where there is none.

    Infinite and 0 where classes are apart and do not vary within: rounding makes that variance, the difference of two
    sums of squares, a little less than 0, and F far less.
    """
    statistic, p = _of_varied(X, lambda varied: f_classif(varied, y))
    apart = statistic < -1
    return np.where(apart, np.inf, statistic), np.where(apart, 0.0, p)


def _kruskal(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _of_varied(X, lambda varied: kruskal(*(varied[y == label] for label in np.unique(y)), axis=0))


def _of_varied(X: np.ndarray, test: Any) -> tuple[np.ndarray, np.ndarray]:
    """Statistic and p of every column that is not constant; NaN and 1 of the others, and of all in a single class."""
    statistic, p = np.full(X.shape[1], np.nan), np.ones(X.shape[1])
    varied = X.max(axis=0) > X.min(axis=0) if len(X) else np.zeros(X.shape[1], dtype=bool)
    if varied.any():
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic[varied], p[varied] = test(X[:, varied])
    return statistic, np.nan_to_num(p, nan=1.0)


def plain_if_empty(X: Any) -> Any:
    """A table without columns as an array, since scikit-learn finds no type in the table."""
    return X.to_numpy(np.float64) if hasattr(X, "columns") and X.shape[1] == 0 else X


def medians(X: np.ndarray) -> np.ndarray:
    """Each column's median; 0 where all of it is missing."""
    filled = np.zeros(X.shape[1])
    some = ~np.isnan(X).all(axis=0)
    filled[some] = np.nanmedian(X[:, some], axis=0)
    return filled
