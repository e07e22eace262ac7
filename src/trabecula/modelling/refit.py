"""A model of a finished task fitted again as it was, to be looked at from behind its selection."""

import copy
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from jaxtyping import Float64
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from ..records import Split
from ..settings import Settings
from .contributions import Contributions, both_classes, contributions
from .fit import calibrated, learner_step, prepare_fold
from .learners import LEARNERS, FrequenciesIfEmpty
from .outcome import FitTask, ModelFit


@dataclass(frozen=True, eq=False)
class Refit:
    """The model of one task in the columns that its learner sees: those kept, standardised, or a score.

    ``learnt`` are the training rows as the learner had them, ``unseen`` the rows that the task scores; indexed by case.
    ``selection`` is the fitted selection, ``classes`` the number of classes of the study.
    """

    task: FitTask
    learnt: pd.DataFrame
    unseen: pd.DataFrame
    selection: Any
    learner: FrequenciesIfEmpty
    answers: Any
    classes: int

    def predict(self, x: Float64[np.ndarray, "rows columns"]) -> Float64[np.ndarray, "rows classes"]:
        """Probabilities as the task gave them, calibrated where the study asks for it."""
        found = np.zeros((len(x), self.classes))
        with threadpool_limits(1):
            found[:, self.answers.classes_] = self.answers.predict_proba(pd.DataFrame(x, columns=self.learnt.columns))
        return found

    def coefficients(self) -> tuple[Float64[np.ndarray, "known columns"], Float64[np.ndarray, " known"]] | None:
        """Coefficients and intercepts of a logistic regression, a row a class that it knows; else None."""
        model = self.learner.estimator_
        if not isinstance(model, LogisticRegression):
            return None
        return both_classes(model.coef_), both_classes(model.intercept_[:, None])[:, 0]

    def units(self) -> tuple[Float64[np.ndarray, " columns"], Float64[np.ndarray, " columns"]]:
        """Mean and SD that the given columns were standardised by; 0 and 1 of a score."""
        steps = getattr(self.selection, "named_transformers_", None) or self.selection.named_steps
        scaled = steps["given"] if "given" in steps else steps["standardise"]
        known = {name: k for k, name in enumerate(scaled.feature_names_in_)}
        pairs = [(scaled.mean_[known[c]], scaled.scale_[known[c]]) if c in known else (0.0, 1.0) for c in self.learnt]
        return np.array([mean for mean, _ in pairs]), np.array([scale for _, scale in pairs])

    def contributions(self) -> Contributions | None:
        """What each column adds to the score of each unseen row; None where no exact and fast way is known."""
        return contributions(self.learner, self.unseen.to_numpy(np.float64), self.learnt.to_numpy(np.float64))


def refit(
    task: FitTask,
    found: ModelFit,
    features: pd.DataFrame,
    split: Split,
    settings: Settings,
    redrawn: Sequence[pd.DataFrame] = (),
    *,
    given: Sequence[str] = (),
    deep: Collection[str] = (),
    preserved: pd.DataFrame | None = None,
) -> Refit:
    """Fit the model of a task with the parameters that were ``found``; the other arguments are those of fit_task.

    What it predicts is what the task predicted.
    """
    with sklearn.config_context(enable_metadata_routing=True), threadpool_limits(1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Number of classes in training fold", RuntimeWarning)  # as when it was tuned
        fold = prepare_fold(task, features, split, settings, redrawn, given=given, deep=deep, preserved=preserved)
        learner = learner_step(found.model, task, settings).set_params(**_parameters(found.model, found.parameters))
        pipeline = Pipeline([("select", fold.select), ("learner", learner)])
        selection = sklearn.clone(fold.select)
        learnt = selection.fit_transform(fold.x, fold.y, **fold.told)
        learner = sklearn.clone(learner).fit(learnt, fold.y, groups=fold.by_row["groups"])
        unseen = selection.transform(fold.test) if len(fold.test) else learnt.iloc[:0]
        answers = learner
        if settings.calibration != "none":
            answers = _behind_selection(calibrated(pipeline, fold, settings), learner)
    return Refit(task, learnt, unseen, selection, learner, answers, len(split.classes))


def scores_of(
    model: Refit,
    features: pd.DataFrame,
    split: Split,
    settings: Settings,
    *,
    given: Sequence[str] = (),
    deep: Collection[str] = (),
    preserved: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Probabilities of the cases that the task scores, from other ``features`` of them; nothing is fitted.

    Indexed by case, a column a class, by number.
    """
    with sklearn.config_context(enable_metadata_routing=True), threadpool_limits(1):
        fold = prepare_fold(model.task, features, split, settings, (), given=given, deep=deep, preserved=preserved)
        seen = model.selection.transform(fold.test) if len(fold.test) else model.learnt.iloc[:0]
    scores = model.predict(seen.to_numpy(np.float64)) if len(seen) else np.zeros((0, model.classes))
    return pd.DataFrame(scores, index=fold.test.index)


def _parameters(model: str, best: Mapping[str, Any]) -> dict[str, Any]:
    """Tuned parameters under the names that the learner's step has for them."""
    return {f"estimator__{name}": best[name.rsplit("__", 1)[-1]] for name in LEARNERS[model].grid}


def _behind_selection(whole: CalibratedClassifierCV, learner: FrequenciesIfEmpty) -> CalibratedClassifierCV:
    """The same calibration of a learner that is fed what the selection gave."""
    behind = copy.copy(whole)
    behind.calibrated_classifiers_ = [copy.copy(one) for one in whole.calibrated_classifiers_]
    for one in behind.calibrated_classifiers_:
        one.estimator = learner
    return behind
