"""Feature selection as scikit-learn steps, so that it is fitted where the learner is fitted and nowhere else."""

from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Float64
from scipy.stats import rankdata
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin, f_classif
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from ..agreement import icc
from ..settings import SelectionSettings
from .lasso import Path, deviances, lasso_path, penalty_grid
from .split import grouped_folds


def selection_steps(settings: SelectionSettings, seed: int) -> Pipeline:
    """Impute, scale, stability filter (if wanted), univariate filter, redundancy filter, LASSO.

    All is fitted on the rows that it is given alone.
    """
    lasso, stability = settings.lasso, settings.stability
    filters: list[tuple[str, Any]] = [
        ("univariate", UnivariateFilter(settings.univariate_p)),
        ("redundancy", RedundancyFilter(settings.correlation)),
        ("lasso", LassoFilter(lasso.rule, lasso.folds, lasso.max_features, seed).set_fit_request(groups=True)),
    ]
    if stability is not None:
        step = StabilityFilter(stability.minimum, stability.icc, stability.bound)
        filters.insert(0, ("stability", step.set_fit_request(readings=True)))
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    return Pipeline([("impute", imputer), ("scale", StandardScaler()), *filters])


class _Filter(SelectorMixin, BaseEstimator):
    """A step that keeps columns; unlike its parent it may keep none, and says so by an empty matrix."""

    support_: Bool[np.ndarray, " features"]

    def transform(self, X: Any) -> Any:
        """Keep the chosen columns."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, ensure_min_features=0, dtype=np.float64)
        return X[:, self.support_]

    def _get_support_mask(self) -> Bool[np.ndarray, " features"]:
        check_is_fitted(self)
        return self.support_

    def _checked(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y, ensure_min_features=0, dtype=np.float64)
        self.classes_, y = np.unique(y, return_inverse=True)
        return X, y


class StabilityFilter(_Filter):
    """Keeps columns whose intraclass correlation between drawings of the same region reaches ``minimum``.

    ``form`` "agreement" is ICC(2,1), "consistency" ICC(3,1); ``bound`` "lower" asks it of the lower end of the 95 %
    interval. Columns for which it is undefined leave.
    """

    def __init__(self, minimum: float = 0.75, form: str = "agreement", bound: str = "estimate"):
        self.minimum = minimum
        self.form = form
        self.bound = bound

    def fit(self, X: Any, y: Any = None, readings: Any = None) -> Self:  # noqa: ARG002 scikit-learn's signature
        """``readings``: the columns of X, unscaled, in every drawing (rows x drawings x columns); NaN where none."""
        X = validate_data(self, X, ensure_min_features=0, dtype=np.float64)
        if readings is None:
            self.support_ = np.ones(X.shape[1], dtype=bool)
            return self
        self.icc_ = icc(np.asarray(readings, dtype=np.float64), agreement=self.form == "agreement")
        judged = self.icc_.low if self.bound == "lower" else self.icc_.value
        self.support_ = np.nan_to_num(judged, nan=-1.0) >= self.minimum
        return self


class UnivariateFilter(_Filter):
    """Keeps columns whose one-way analysis of variance over the classes has p < ``alpha``; constants leave."""

    def __init__(self, alpha: float = 0.05):
        self.alpha = alpha

    def fit(self, X: Any, y: Any) -> Self:
        """Test every column."""
        X, y = self._checked(X, y)
        self.pvalues_ = _anova(X, y)[1]
        self.support_ = self.pvalues_ < self.alpha
        return self


class RedundancyFilter(_Filter):
    """Of columns whose Spearman correlation exceeds ``threshold``, keeps the one most related to the classes.

    Relation is the F of a one-way analysis of variance; equal F are settled by the columns' own values, so
    that the choice does not depend on the order of the columns.
    """

    def __init__(self, threshold: float = 0.9):
        self.threshold = threshold

    def fit(self, X: Any, y: Any) -> Self:
        """Rank the columns by relation, then let each one kept push out its likes."""
        X, y = self._checked(X, y)
        self.support_ = np.zeros(X.shape[1], dtype=bool)
        if X.shape[1] == 0:
            return self
        relation = np.nan_to_num(_anova(X, y)[0], nan=-1.0, posinf=np.finfo(float).max)
        order = np.lexsort((*X[: min(len(X), 8)], -relation))
        correlation = np.abs(_spearman(X))
        alive = np.ones(X.shape[1], dtype=bool)
        for column in order:
            if alive[column]:
                self.support_[column] = True
                alive &= correlation[column] <= self.threshold
        return self


class LassoFilter(_Filter):
    """Keeps the columns of a multinomial LASSO, its penalty chosen by patient-grouped cross-validation.

    ``rule`` "min" takes the penalty of least deviance, "1se" the largest within one standard error of it, among
    the penalties that keep at most ``max_features`` columns.

    Attributes: ``path_`` (penalties and coefficients on all rows), ``deviance_`` and ``deviance_se_`` (mean over
    folds, per row), ``chosen_`` (index on the path), ``coefficients_`` (classes x kept columns).
    """

    def __init__(self, rule: str = "min", folds: int = 5, max_features: int = 24, seed: int = 0):
        self.rule = rule
        self.folds = folds
        self.max_features = max_features
        self.seed = seed

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Solve the path on all rows and on each fold's, and choose the penalty."""
        X, y = self._checked(X, y)
        self.support_ = np.zeros(X.shape[1], dtype=bool)
        classes = len(self.classes_)
        penalties = penalty_grid(X, y, classes, count=60, ratio=0.02) if X.shape[1] else np.zeros(0)
        if not penalties.size or penalties[0] <= 0:
            self.path_ = Path(np.zeros(0), np.zeros((0, classes, X.shape[1])), np.zeros((0, classes)))
            self.deviance_ = self.deviance_se_ = np.zeros(0)
            self.chosen_ = 0
            self.coefficients_ = np.zeros((classes, 0))
            return self
        path = lasso_path(X, y, classes, penalties, most=self.max_features)
        allowed = path.sizes <= self.max_features
        self.path_ = Path(path.penalties[allowed], path.coefficients[allowed], path.intercepts[allowed])
        self._score(X, y, groups)
        best = int(np.argmin(self.deviance_))
        if self.rule == "1se":
            best = int(np.argmax(self.deviance_ <= self.deviance_[best] + self.deviance_se_[best]))
        self.chosen_ = best
        self.support_ = (self.path_.coefficients[best] != 0).any(axis=0)
        self.coefficients_ = self.path_.coefficients[best][:, self.support_]
        return self

    def _score(self, X: np.ndarray, y: np.ndarray, groups: Any) -> None:
        per_fold = []
        for test in self._folds(y, groups):
            train = np.setdiff1d(np.arange(len(y)), test)
            path = lasso_path(X[train], y[train], len(self.classes_), self.path_.penalties, tolerance=1e-6)
            per_fold.append(deviances(path, X[test], y[test]).mean(axis=1))
        self.deviance_ = np.mean(per_fold, axis=0)
        self.deviance_se_ = np.std(per_fold, axis=0, ddof=1) / np.sqrt(len(per_fold))

    def _folds(self, y: np.ndarray, groups: Any) -> list[np.ndarray]:
        if groups is not None:
            return grouped_folds(y, np.asarray(groups), self.folds, self.seed)
        splitter = StratifiedKFold(self.folds, shuffle=True, random_state=self.seed)
        return [test for _, test in splitter.split(X=np.zeros(len(y)), y=y)]


def _anova(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        varied = X.max(axis=0) > X.min(axis=0) if len(X) else np.zeros(X.shape[1], dtype=bool)
        f, p = np.full(X.shape[1], np.nan), np.ones(X.shape[1])
        if varied.any():
            f[varied], p[varied] = f_classif(X[:, varied], y)
    return f, np.nan_to_num(p, nan=1.0)


def _spearman(X: Float64[np.ndarray, "rows features"]) -> Float64[np.ndarray, "features features"]:
    """Rank correlation of all pairs of columns; 0 with a constant."""
    ranks = rankdata(X, axis=0)
    ranks -= ranks.mean(axis=0)
    norms = np.sqrt((ranks**2).sum(axis=0))
    ranks /= np.where(norms > 0, norms, 1.0)
    return ranks.T @ ranks
