"""What each feature adds to a model's score of one case, where it can be had exactly and fast: Shapley values.

Lundberg and Lee 2017, arXiv:1705.07874; of trees: Lundberg et al. 2020, doi 10.1038/s42256-019-0138-9.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from lightgbm import LGBMClassifier
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from xgboost import DMatrix, XGBClassifier

from .forest import forest_contributions
from .learners import FrequenciesIfEmpty
from .ordinal import OrdinalLogistic

Values = Float64[np.ndarray, "rows columns classes"]
LOG_ODDS = "log probability, but for a term that the classes share"
PROBABILITY = "probability"
_CLOSED = "linear, closed form; features taken as independent"
LATENT = "linear predictor of the ordered classes; higher speaks for later ones"


@dataclass(frozen=True, eq=False)
class Contributions:
    """``base`` (one a class) and the ``values`` of a row's columns add up to the row's score of each class.

    ``classes``: the numbers of the classes, empty where one score speaks for all. ``scale`` says what the score is:
    of log odds the softmax over the classes is the probability. ``method`` says how the values were had.
    """

    base: Float64[np.ndarray, " classes"]
    values: Values
    classes: tuple[int, ...]
    scale: str
    method: str

    def scores(self) -> Float64[np.ndarray, "rows classes"]:
        """Base and contributions, added up."""
        return self.base + self.values.sum(axis=1)


def contributions(
    learner: FrequenciesIfEmpty,
    x: Float64[np.ndarray, "rows columns"],
    background: Float64[np.ndarray, "training columns"],
) -> Contributions | None:
    """Contributions to the learner's score before any calibration; None where no exact and fast way is known.

    ``background`` are the rows that the learner learnt from.
    """
    explain = EXPLAINED.get(type(learner.estimator_))
    return None if explain is None else explain(learner.estimator_, x, background, tuple(learner.known_.tolist()))


Explain = Callable[[Any, np.ndarray, np.ndarray, tuple[int, ...]], Contributions]


def _linear(model: LogisticRegression, x: np.ndarray, background: np.ndarray, known: tuple[int, ...]) -> Contributions:
    """b_kj (x_j - mean of x_j in training): Lundberg and Lee 2017, corollary 1."""
    slopes, intercept = both_classes(model.coef_), both_classes(model.intercept_[:, None])[:, 0]
    mean = background.mean(axis=0)
    values = (x - mean)[:, :, None] * slopes.T
    return Contributions(intercept + slopes @ mean, values, known, LOG_ODDS, _CLOSED)


def _ordinal(model: OrdinalLogistic, x: np.ndarray, background: np.ndarray, _: tuple[int, ...]) -> Contributions:
    mean = background.mean(axis=0)
    values = ((x - mean) * model.coef_)[:, :, None]
    return Contributions(np.array([model.coef_ @ mean]), values, (), LATENT, _CLOSED)


def _xgboost(model: XGBClassifier, x: np.ndarray, _: np.ndarray, known: tuple[int, ...]) -> Contributions:
    found = model.get_booster().predict(DMatrix(x, nthread=1), pred_contribs=True).astype(np.float64)
    found = found[:, None] if found.ndim == 2 else found
    return _of_margins(np.moveaxis(found, 1, 2), known, "XGBoost's")


def _lightgbm(model: LGBMClassifier, x: np.ndarray, _: np.ndarray, known: tuple[int, ...]) -> Contributions:
    found = np.asarray(model.predict(x, pred_contrib=True), dtype=np.float64)
    classes = 1 if len(known) == 2 else len(known)
    return _of_margins(np.moveaxis(found.reshape(len(x), classes, -1), 1, 2), known, "LightGBM's")


def _of_margins(found: np.ndarray, known: tuple[int, ...], whose: str) -> Contributions:
    """``found``: rows x (columns, then base) x margins."""
    found = np.moveaxis(both_classes(np.moveaxis(found, 2, 0)), 0, 2)
    base = found[0, -1] if len(found) else np.zeros(len(known))
    method = f"TreeSHAP, {whose} own; absent features as the training cases went"
    return Contributions(base, found[:, :-1], known, LOG_ODDS, method)


def _forest(model: Any, x: np.ndarray, _: np.ndarray, known: tuple[int, ...]) -> Contributions:
    base, values = forest_contributions([tree.tree_ for tree in model.estimators_], x)
    return Contributions(base, values, known, PROBABILITY, "TreeSHAP; absent features as the training cases went")


EXPLAINED: dict[type, Explain] = {
    LogisticRegression: _linear,
    OrdinalLogistic: _ordinal,
    XGBClassifier: _xgboost,
    LGBMClassifier: _lightgbm,
    RandomForestClassifier: _forest,
    ExtraTreesClassifier: _forest,
}


def both_classes(one: np.ndarray) -> np.ndarray:
    """A score a class, along the first axis; the single one of two classes is shared, half for one and half against."""
    return np.concatenate([-one / 2, one / 2]) if len(one) == 1 else one
