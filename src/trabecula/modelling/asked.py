"""A fitted pipeline asked about one case: what its learner saw, and what of that spoke for a class."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

Contributions = Float64[np.ndarray, "classes features"]


@dataclass(frozen=True, eq=False)
class Drivers:
    """Parts of the score of each class known to the learner, a column a feature; ``how`` names the scale."""

    parts: pd.DataFrame
    how: str


def columns_of(fitted: Any) -> list[str]:
    """The columns that a fitted pipeline takes, in order."""
    return [str(name) for name in getattr(_pipeline(fitted), "feature_names_in_", ())]


def seen_by_learner(fitted: Any, rows: pd.DataFrame) -> pd.DataFrame:
    """The values that the learner is given: standardised features of the signature."""
    return pd.DataFrame(_pipeline(fitted)[:-1].transform(rows), index=rows.index)


def kept_columns(fitted: Any) -> list[str]:
    """Of the columns that the pipeline takes, those that decide its answer; principal components have none."""
    taken = columns_of(fitted)
    return [name for name in taken if name in _names_out(_pipeline(fitted).named_steps["select"])]


def drivers(fitted: Any, rows: pd.DataFrame) -> Drivers | None:
    """What each feature of the first row adds to each class; None for models whose answer has no such parts."""
    learner = _pipeline(fitted).named_steps["learner"]
    estimator = learner.estimator_
    found = _PARTS.get(type(estimator).__name__)
    if found is None:
        return None
    parts, how = found
    seen = seen_by_learner(fitted, rows.iloc[:1])
    made = parts(estimator, seen.to_numpy(np.float64))
    return Drivers(pd.DataFrame(made, learner.classes_[learner.known_], seen.columns), how)


def _pipeline(fitted: Any) -> Pipeline:
    """The pipeline itself, or the one inside its calibration."""
    return fitted if isinstance(fitted, Pipeline) else fitted.calibrated_classifiers_[0].estimator


def _names_out(select: Any) -> set[str]:
    names = (
        {str(name) for name in select.get_feature_names_out()} if hasattr(select, "get_feature_names_out") else set()
    )
    if isinstance(select, ColumnTransformer):  # a score stands in for the columns that it was learnt from
        names |= _names_out(select.named_transformers_["score"].estimator_.named_steps["select"])
    return names


def _of_lines(estimator: Any, x: np.ndarray) -> Contributions:
    coefficients = estimator.coef_
    if len(coefficients) == 1:
        coefficients = np.vstack([-coefficients, coefficients])
    return coefficients * x[0]


def _of_order(estimator: Any, x: np.ndarray) -> Contributions:
    return np.tile(estimator.coef_ * x[0], (len(estimator.classes_), 1))


def _of_xgboost(estimator: Any, x: np.ndarray) -> Contributions:
    from xgboost import DMatrix

    return _by_class(estimator.get_booster().predict(DMatrix(x), pred_contribs=True), x.shape[1])


def _of_lightgbm(estimator: Any, x: np.ndarray) -> Contributions:
    return _by_class(estimator.booster_.predict(x, pred_contrib=True), x.shape[1])


def _by_class(found: np.ndarray, features: int) -> Contributions:
    """One row a class, the constant left out; of two classes the libraries give the second alone."""
    parts = np.asarray(found, dtype=np.float64).reshape(-1, features + 1)[:, :-1]
    return np.vstack([-parts, parts]) if len(parts) == 1 else parts


_LOG_ODDS = "coefficient times standardised value, on the scale of log odds"
_TREES = "exact Shapley values of the trees, on the scale of log odds"
_PARTS: dict[str, tuple[Callable[[Any, np.ndarray], Contributions], str]] = {
    "LogisticRegression": (_of_lines, _LOG_ODDS),
    "OrdinalLogistic": (_of_order, "coefficient times standardised value; above 0 towards the later classes"),
    "XGBClassifier": (_of_xgboost, _TREES),
    "LGBMClassifier": (_of_lightgbm, _TREES),
}
