"""Feature selection as scikit-learn steps, so that it is fitted where the learner is fitted and nowhere else."""

from collections.abc import Collection
from typing import Any, Self

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline

from ..settings import SelectionSettings
from .filters import (
    Filter,
    MissingFilter,
    RedundancyFilter,
    StabilityFilter,
    UnivariateFilter,
    VarianceFilter,
)
from .lasso import Path, deviances, lasso_path, penalty_grid
from .mrmr import MrmrFilter
from .scaling import CompressColumns, Standardise
from .split import grouped_folds


def selection_steps(settings: SelectionSettings, seed: int, deep: Collection[str] = ()) -> Pipeline:
    """From all columns to those of the LASSO; every step is fitted on the rows that it is given alone.

    ``deep``: the columns that principal components stand in for, where the study asks for them.
    """
    lasso, stability = settings.lasso, settings.stability
    steps: list[tuple[str, Any]] = [
        ("missing", MissingFilter(settings.missing)),
        ("variance", VarianceFilter(settings.variance)),
        ("standardise", Standardise()),
        (
            "univariate",
            UnivariateFilter(settings.univariate_p, settings.univariate_test, settings.univariate_correction),
        ),
        ("redundancy", RedundancyFilter(settings.correlation, settings.correlation_kind)),
        (
            "lasso",
            LassoFilter(lasso.rule, lasso.folds, lasso.max_features, seed, lasso.family).set_fit_request(groups=True),
        ),
    ]
    if settings.mrmr is not None:
        mrmr = settings.mrmr
        steps.insert(-1, ("mrmr", MrmrFilter(mrmr.features, mrmr.relevance, mrmr.scheme)))
    if settings.pca is not None and deep:
        steps.insert(3, ("pca", CompressColumns(tuple(sorted(deep)), settings.pca, seed)))
    if stability is not None:
        step = StabilityFilter(stability.minimum, stability.icc, stability.bound)
        steps.insert(0, ("stability", step.set_fit_request(readings=True)))
    return Pipeline(steps).set_output(transform="pandas")


class LassoFilter(Filter):
    """Keeps the columns of a logistic LASSO, its penalty chosen by patient-grouped cross-validation.

    ``rule`` "min" takes the penalty of least deviance, "1se" the largest within one standard error of it, among
    the penalties that keep at most ``max_features`` columns. ``family`` "multinomial", or "ovr": One-vs-Rest, one
    binomial LASSO a class, all at the same penalty.

    Attributes: ``path_`` (penalties and coefficients on all rows), ``deviance_`` and ``deviance_se_`` (mean over
    folds, per row), ``n_folds_`` (fewer than ``folds`` where a class has fewer groups; 0 where nothing was scored),
    ``chosen_`` (index on the path), ``coefficients_`` (classes x kept columns).
    """

    def __init__(
        self, rule: str = "min", folds: int = 5, max_features: int = 24, seed: int = 0, family: str = "multinomial"
    ):
        self.rule = rule
        self.folds = folds
        self.max_features = max_features
        self.seed = seed
        self.family = family

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Solve the path on all rows and on each fold's, and choose the penalty."""
        X, y = self._with_classes(X, y)
        classes = len(self.classes_)
        penalties = penalty_grid(X, y, classes, count=60, ratio=0.02) if X.shape[1] else np.zeros(0)
        if not penalties.size or penalties[0] <= 0:
            self.path_ = Path(np.zeros(0), np.zeros((0, classes, X.shape[1])), np.zeros((0, classes)))
            self.deviance_ = self.deviance_se_ = np.zeros(0)
            self.chosen_ = self.n_folds_ = 0
            self.coefficients_ = np.zeros((classes, 0))
            self._keep(np.zeros(X.shape[1]), ["no feature is related to the classes"] * X.shape[1])
            return self
        path = lasso_path(X, y, classes, penalties, most=self.max_features, family=self.family)
        allowed = path.sizes <= self.max_features
        self.path_ = Path(path.penalties[allowed], path.coefficients[allowed], path.intercepts[allowed])
        self._score(X, y, groups)
        best = int(np.argmin(self.deviance_))
        if self.rule == "1se":
            best = int(np.argmax(self.deviance_ <= self.deviance_[best] + self.deviance_se_[best]))
        self.chosen_ = best
        reason = f"coefficient 0 at the chosen penalty, {self.path_.penalties[best]:.3g}"
        self._keep((self.path_.coefficients[best] != 0).any(axis=0), [reason] * X.shape[1])
        self.coefficients_ = self.path_.coefficients[best][:, self.support_]
        return self

    def _score(self, X: np.ndarray, y: np.ndarray, groups: Any) -> None:
        per_fold = []
        folds = self._folds(y, groups)
        self.n_folds_ = len(folds)
        for test in folds:
            train = np.setdiff1d(np.arange(len(y)), test)
            path = lasso_path(
                X[train], y[train], len(self.classes_), self.path_.penalties, tolerance=1e-6, family=self.family
            )
            per_fold.append(deviances(path, X[test], y[test], self.family).mean(axis=1))
        self.deviance_ = np.mean(per_fold, axis=0)
        self.deviance_se_ = np.std(per_fold, axis=0, ddof=1) / np.sqrt(len(per_fold))

    def _folds(self, y: np.ndarray, groups: Any) -> list[np.ndarray]:
        if groups is not None:
            return grouped_folds(y, np.asarray(groups), self.folds, self.seed)
        splitter = StratifiedKFold(self.folds, shuffle=True, random_state=self.seed)
        return [test for _, test in splitter.split(X=np.zeros(len(y)), y=y)]


def selection_frequencies(lasso: LassoFilter, X: Any, y: Any, groups: Any, resamples: int, seed: int) -> np.ndarray:
    """How often each column that reached the LASSO is kept at its penalty in halves of the patients drawn at random.

    Meinshausen and Buehlmann 2010, doi 10.1111/j.1467-9868.2010.00740.x. Zeros where the LASSO had nothing to choose.
    """
    X, y, groups = np.asarray(X, dtype=np.float64), np.searchsorted(lasso.classes_, y), np.asarray(groups)
    kept = np.zeros(X.shape[1])
    patients = np.unique(groups)
    rng = np.random.default_rng(seed)
    penalties = lasso.path_.penalties[: lasso.chosen_ + 1]
    drawn = 0
    for _ in range(resamples if penalties.size else 0):
        half = np.isin(groups, rng.permutation(patients)[: len(patients) // 2])
        if len(np.unique(y[half])) == len(lasso.classes_):
            path = lasso_path(X[half], y[half], len(lasso.classes_), penalties, tolerance=1e-6, family=lasso.family)
            kept += (path.coefficients[-1] != 0).any(axis=0)
            drawn += 1
    return kept / max(drawn, 1)
