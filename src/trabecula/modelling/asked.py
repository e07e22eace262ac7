"""A fitted pipeline asked about one case: what its learner saw, and what of that spoke for a class."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from .contributions import contributions


@dataclass(frozen=True, eq=False)
class Drivers:
    """Parts of the score of each class known to the learner, a column a feature; with ``base`` they add up to it.

    ``how`` names the scale and the method.
    """

    parts: pd.DataFrame
    base: Float64[np.ndarray, " classes"]
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


def columns_behind(fitted: Any, weights: "pd.Series[float]") -> "pd.Series[float]":
    """Weights of standardised columns, from weights of what selection kept of them or put in their place."""
    step = _pipeline(fitted).named_steps["select"].named_steps.get("pca")
    return weights if step is None else step.columns_behind(weights)


def drivers(fitted: Any, rows: pd.DataFrame, mean: Float64[np.ndarray, " features"]) -> Drivers | None:
    """What each feature of the first row adds to each class; None for models whose answer has no such parts.

    ``mean`` is that of the training rows as the learner saw them.
    """
    learner = _pipeline(fitted).named_steps["learner"]
    seen = seen_by_learner(fitted, rows.iloc[:1])
    found = contributions(learner, seen.to_numpy(np.float64), mean[None])
    if found is None:
        return None
    classes = learner.classes_[learner.known_]
    parts = np.broadcast_to(found.values[0].T, (len(classes), seen.shape[1]))  # one score may speak for all classes
    how = f"{found.method}; score: {found.scale}"
    return Drivers(pd.DataFrame(parts, classes, seen.columns), np.broadcast_to(found.base, len(classes)), how)


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
