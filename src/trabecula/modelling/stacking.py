"""A signature's answer as columns for another model: scores that its own training rows did not teach."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from .split import grouped_folds, train_and_test

_FLOOR = 1e-6


class OutOfFoldScore(TransformerMixin, BaseEstimator):
    """One column a class but the first: the log odds against the first class that ``estimator`` gives.

    ``fit_transform`` gives training rows the scores of patient-grouped folds that left them out; ``transform`` gives
    other rows those of the fit on all training rows. So the model that follows learns what the score is worth on rows
    that it has not seen, and not on rows that taught it.
    """

    def __init__(self, estimator: BaseEstimator, folds: int = 3, seed: int = 0):
        self.estimator = estimator
        self.folds = folds
        self.seed = seed

    def fit(self, X: Any, y: Any, groups: Any = None, readings: Any = None) -> Self:
        """Fit the estimator on all rows; ``readings`` as the stability filter wants them."""
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.unique(y)
        self.estimator_ = clone(self.estimator).fit(X, y, **_by_row(groups, readings))
        return self

    def fit_transform(self, X: Any, y: Any, groups: Any = None, readings: Any = None) -> np.ndarray:
        """Fit on all rows, and score each row by a fit without its fold."""
        self.fit(X, y, groups, readings)
        y = np.asarray(y)
        patients = np.arange(len(y)) if groups is None else np.asarray(groups)
        scores = np.zeros((len(y), len(self.classes_)))
        for train, test in train_and_test(grouped_folds(y, patients, self.folds, self.seed)):
            taught = clone(self.estimator).fit(_rows(X, train), y[train], **_by_row(groups, readings, train))
            columns = np.searchsorted(self.classes_, taught.classes_)
            scores[np.ix_(test, columns)] = taught.predict_proba(_rows(X, test))
        return _log_odds(scores)

    def transform(self, X: Any) -> np.ndarray:
        """Score rows that were not learnt from."""
        check_is_fitted(self)
        return _log_odds(np.asarray(self.estimator_.predict_proba(X)))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002 scikit-learn's signature
        """score_1 and so on, by the number of the class."""
        check_is_fitted(self)
        return np.array([f"score_{label}" for label in self.classes_[1:]], dtype=object)


def _by_row(groups: Any, readings: Any, rows: Any = slice(None)) -> dict[str, Any]:
    told = {"groups": groups, "readings": readings}
    return {name: np.asarray(values)[rows] for name, values in told.items() if values is not None}


def _rows(X: Any, rows: np.ndarray) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    logs = np.log(np.maximum(probabilities, _FLOOR))
    return logs[:, 1:] - logs[:, :1]
