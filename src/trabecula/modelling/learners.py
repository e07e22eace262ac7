"""The table of the models: name -> estimator and what is searched. Adding a model is one line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from .filters import plain_if_empty
from .ordinal import OrdinalLogistic
from .split import grouped_folds, train_and_test

Grid = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Learner:
    """One model: its full name, an unfitted estimator for a seed, and the grid its tuning walks.

    ``grouped`` estimators split their own rows (``cv``) and are given folds that keep patients together.
    ``capped`` is a parameter that cannot exceed the number of training rows.
    """

    title: str
    make: Callable[[int], BaseEstimator]
    grid: Grid
    grouped: bool = False
    capped: str = ""

    def grid_for(self, rows: int) -> Grid:
        """The grid as far as that many training rows allow."""
        return {
            name: sorted({min(value, rows) for value in values}) if name == self.capped else values
            for name, values in self.grid.items()
        }


def xgboost(**parameters: Any) -> BaseEstimator:
    """An XGBoost classifier, its library loaded where it is needed."""
    from xgboost import XGBClassifier

    return XGBClassifier(**parameters)


def lightgbm(**parameters: Any) -> BaseEstimator:
    """A LightGBM classifier, its library loaded where it is needed."""
    from lightgbm import LGBMClassifier

    return LGBMClassifier(**parameters)


_LIGHTGBM: dict[str, Any] = {
    "n_estimators": 100,
    "learning_rate": 0.05,
    "n_jobs": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
LEARNERS: dict[str, Learner] = {
    "lr": Learner(
        "Logistic regression",
        lambda seed: LogisticRegression(max_iter=2000, random_state=seed),
        {"C": [0.01, 0.1, 1.0, 10.0]},
    ),
    "svm": Learner(
        "Support vector machine",
        lambda _: CalibratedClassifierCV(SVC(), ensemble=False),
        {"estimator__C": [0.1, 1.0, 10.0]},
        grouped=True,
    ),
    "knn": Learner(
        "K nearest neighbours",
        lambda _: KNeighborsClassifier(),
        {"n_neighbors": [5, 11, 21]},
        capped="n_neighbors",
    ),
    "rf": Learner(
        "Random forest",
        lambda seed: RandomForestClassifier(200, random_state=seed),
        {"min_samples_leaf": [1, 5]},
    ),
    "et": Learner(
        "Extra trees",
        lambda seed: ExtraTreesClassifier(200, random_state=seed),
        {"min_samples_leaf": [1, 5]},
    ),
    "xgb": Learner(
        "XGBoost",
        lambda seed: xgboost(n_estimators=100, learning_rate=0.1, nthread=1, random_state=seed),
        {"max_depth": [2, 4]},
    ),
    "lgbm": Learner("LightGBM", lambda seed: lightgbm(**_LIGHTGBM, random_state=seed), {"num_leaves": [4, 15]}),
    "mlp": Learner(
        "Multilayer perceptron",
        lambda seed: MLPClassifier((32,), solver="lbfgs", max_iter=1000, random_state=seed),
        {"alpha": [0.01, 1.0]},
    ),
    "ordinal": Learner("Ordinal logistic regression", lambda _: OrdinalLogistic(), {"C": [0.01, 0.1, 1.0, 10.0]}),
}


class FrequenciesIfEmpty(ClassifierMixin, BaseEstimator):
    """A classifier that, when the selection kept no column, answers with the class frequencies of training.

    A ``grouped`` estimator's ``cv`` is set to folds of its rows that keep patients together; a class that some fold
    could not learn is left out of it and given no chance. ``balanced`` gives every
    class the same total weight, in whatever way the estimator takes weights; nearest neighbours take none.
    """

    def __init__(self, estimator: BaseEstimator, grouped: bool = False, seed: int = 0, balanced: bool = False):
        self.estimator = estimator
        self.grouped = grouped
        self.seed = seed
        self.balanced = balanced

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit the classifier, or count the classes."""
        X, y = validate_data(self, plain_if_empty(X), y, ensure_min_features=0)
        check_classification_targets(y)
        self.classes_, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
        self.frequencies_ = counts / counts.sum()
        self.estimator_ = None
        rows, folds = np.ones(len(y), dtype=bool), None
        if self.grouped and groups is not None:
            rows, folds = _rows_and_folds(codes, np.asarray(groups), self.seed)
        if X.shape[1] > 0 and len(np.unique(codes[rows])) > 1:
            self.estimator_ = clone(self.estimator)
            if folds is not None:
                self.estimator_.set_params(cv=folds)
            # numbers without gaps, which XGBoost insists on
            self.known_, among = np.unique(codes[rows], return_inverse=True)
            self.estimator_.fit(X[rows], among, **(self._weights(among) if self.balanced else {}))
        return self

    def _weights(self, y: np.ndarray) -> dict[str, Any]:
        """Weights as a parameter of the estimator where it has one, else for its ``fit``."""
        assert self.estimator_ is not None
        for name in ("class_weight", "estimator__class_weight"):
            if name in self.estimator_.get_params():
                self.estimator_.set_params(**{name: "balanced"})
                return {}
        if has_fit_parameter(self.estimator_, "sample_weight"):
            return {"sample_weight": compute_sample_weight("balanced", y)}
        return {}

    def predict_proba(self, X: Any) -> np.ndarray:
        """Rows x classes."""
        check_is_fitted(self)
        X = validate_data(self, plain_if_empty(X), reset=False, ensure_min_features=0)
        if self.estimator_ is None:
            return np.tile(self.frequencies_, (len(X), 1))
        out = np.zeros((len(X), len(self.classes_)))
        out[:, self.known_] = self.estimator_.predict_proba(X)
        return out

    def predict(self, X: Any) -> np.ndarray:
        """The class of largest probability."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def _rows_and_folds(y: np.ndarray, groups: np.ndarray, seed: int) -> tuple[np.ndarray, Any]:
    """The rows whose classes every fold can learn, and three folds of them; a class of a lone patient cannot be."""
    rows = np.ones(len(y), dtype=bool)
    while len(np.unique(y[rows])) > 1:
        folds = train_and_test(grouped_folds(y[rows], groups[rows], 3, seed))
        lacking = [k for k in np.unique(y[rows]) if any(k not in y[rows][train] for train, _ in folds)]
        if not lacking:
            return rows, folds
        rows &= ~np.isin(y, lacking)
    return rows, None


def macro_auc(scores: np.ndarray, y: np.ndarray) -> float:
    """Mean One-vs-Rest AUC over the classes that the rows have and lack; ``scores`` has a column a class."""
    both = [label for label in range(scores.shape[1]) if 0 < (y == label).sum() < len(y)]
    aucs = [roc_auc_score(y == label, scores[:, label]) for label in both]
    return float(np.mean(aucs)) if aucs else 0.5
