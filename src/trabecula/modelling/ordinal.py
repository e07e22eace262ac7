"""Logistic regression for ordered classes: proportional odds.

McCullagh 1980, doi 10.1111/j.2517-6161.1980.tb01109.x.
"""

from typing import Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data


class OrdinalLogistic(ClassifierMixin, BaseEstimator):
    """P(class <= k) = 1 / (1 + exp(x b - cut_k)), an L2 penalty |b|^2 / (2 C) beside the log-likelihood's sum.

    Classes are ordered as they sort; cuts are free and increase.
    """

    def __init__(self, C: float = 1.0, max_iter: int = 1000, class_weight: Any = None):
        self.C = C
        self.max_iter = max_iter
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any) -> Self:
        """Maximise the penalised likelihood."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("OrdinalLogistic needs at least two classes: the data has one class")
        counts = np.bincount(codes)
        weight = compute_sample_weight(self.class_weight, y)
        share = np.cumsum(counts)[:-1] / len(y)
        cuts = np.log(share / (1 - share))
        start = np.concatenate([[cuts[0]], np.log(np.maximum(np.diff(cuts), 1e-3)), np.zeros(X.shape[1])])
        found = minimize(
            self._loss, start, (X, codes, weight), jac=True, method="L-BFGS-B", options={"maxiter": self.max_iter}
        )
        self.n_iter_ = int(found.nit)
        self.cuts_, self.coef_ = _split(found.x, len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Rows x classes."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        below = expit(self.cuts_[None, :] - (X @ self.coef_)[:, None])
        edges = np.hstack([np.zeros((len(X), 1)), below, np.ones((len(X), 1))])
        return np.diff(edges, axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """The class of largest probability."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # it cannot tell classes that are not in order
        return tags

    def _loss(
        self, packed: np.ndarray, X: np.ndarray, codes: np.ndarray, weight: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Penalised negative log-likelihood and its gradient."""
        classes = len(self.classes_)
        cuts, slope = _split(packed, classes)
        score = X @ slope
        rows = np.arange(len(codes))
        below = np.hstack([np.zeros((len(X), 1)), expit(cuts - score[:, None]), np.ones((len(X), 1))])
        density = below * (1 - below)
        chance = np.maximum(below[rows, codes + 1] - below[rows, codes], 1e-300)
        upper, lower = weight * density[rows, codes + 1] / chance, weight * density[rows, codes] / chance
        of_cuts = np.zeros(classes + 1)
        np.add.at(of_cuts, codes + 1, -upper)
        np.add.at(of_cuts, codes, lower)
        of_slope = X.T @ (upper - lower) + slope / self.C
        later = np.cumsum(of_cuts[1:classes][::-1])[::-1]  # a step moves its own cut and all later ones
        steps = later[1:] * np.exp(packed[1 : classes - 1])
        loss = -(weight * np.log(chance)).sum() + slope @ slope / (2 * self.C)
        return float(loss), np.concatenate([[later[0]], steps, of_slope])


def _split(packed: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Increasing cuts from the first one and the logarithms of the steps; the slope."""
    steps = np.exp(packed[1 : classes - 1])
    return packed[0] + np.concatenate([[0.0], np.cumsum(steps)]), packed[classes - 1 :]
