"""fit_task: selection and learner as one pipeline, tuned in patient-grouped inner folds, inside one outer fold."""

import hashlib
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from ..records import Split
from ..settings import Settings
from .learners import LEARNERS, FrequenciesIfEmpty, macro_auc
from .memory import Once
from .outcome import FINAL, FitTask, ModelFit, SelectionTrace
from .selection import selection_steps
from .split import grouped_folds, train_and_test


def fit_task(
    task: FitTask,
    features: pd.DataFrame,
    split: Split,
    settings: Settings,
    done: Collection[str] = (),
    redrawn: Sequence[pd.DataFrame] = (),
) -> Iterator[SelectionTrace | ModelFit]:
    """The trace of the selection first, then one result a model as it is finished; models in ``done`` are left out.

    ``features`` is indexed by case id, and so is ``redrawn``, one table a further drawing of some of the regions.
    Nothing but the task's training rows is seen by anything that learns.
    """
    table = split.table.loc[features.index]
    in_training = table["fold"] != FINAL
    train = table[in_training & (table["fold"] != task.fold)]
    test = table[table["fold"] == task.fold]
    x = features.loc[train.index].to_numpy(np.float64)
    y = train["truth"].map({name: number for number, name in enumerate(split.classes)}).to_numpy(np.int64)
    by_row: dict[str, np.ndarray] = {"groups": train["patient_id"].to_numpy(str)}
    if redrawn:
        drawings = [table.reindex(train.index).to_numpy(np.float64) for table in (features, *redrawn)]
        by_row["readings"] = np.stack(drawings, axis=1)
    memory = Once()
    with sklearn.config_context(enable_metadata_routing=True), threadpool_limits(1):
        select = selection_steps(settings.selection, _seed(settings.seed, task, "selection"))
        warm = Pipeline([("select", select), ("end", "passthrough")], memory=memory)
        fitted = warm.fit(x, y, **by_row).named_steps["select"]
        yield _trace(task, fitted, list(features.columns), split.classes)
        for model in settings.models:
            if model in done:
                continue
            seed = _seed(settings.seed, task, model)
            search, note = _tune(model, select, memory, x, y, by_row, settings, seed)
            scores = _aligned(search, features.loc[test.index].to_numpy(np.float64), len(split.classes))
            if not fitted.named_steps["lasso"].support_.any():
                note = "the LASSO kept no feature: class frequencies of the training rows"
            best = {key.rsplit("__", 1)[-1]: value for key, value in search.best_params_.items()}
            yield ModelFit(
                task.signature, task.fold, model, list(test.index), scores.tolist(), best,
                float(search.best_score_), note,
            )  # fmt: skip


_REASONS = {
    "stability": "changes when the region is drawn again (intraclass correlation below the minimum)",
    "univariate": "no difference between the classes (analysis of variance)",
    "redundancy": "correlated with a feature more related to the classes",
    "lasso": "coefficient 0 at the chosen penalty",
}


def _tune(
    model: str,
    select: Pipeline,
    memory: Once,
    x: np.ndarray,
    y: np.ndarray,
    by_row: Mapping[str, np.ndarray],
    settings: Settings,
    seed: int,
) -> tuple[GridSearchCV, str]:
    learner = LEARNERS[model]
    step = FrequenciesIfEmpty(learner.make(seed), learner.grouped, seed).set_fit_request(groups=True)
    inner = train_and_test(grouped_folds(y, by_row["groups"], settings.tuning.inner_folds, settings.seed))
    grid = learner.grid_for(min(len(train) for train, _ in inner))
    search = GridSearchCV(
        Pipeline([("select", select), ("learner", step)], memory=memory),
        {f"learner__estimator__{name}": values for name, values in grid.items()},
        scoring=_macro_auc,
        cv=inner,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        search.fit(x, y, **by_row)
    slow = sum(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    return search, f"{slow} fits stopped before they converged" if slow else ""


def _macro_auc(estimator: Any, X: np.ndarray, y: np.ndarray) -> float:
    columns = np.zeros((len(y), int(max(y.max(), estimator.classes_.max())) + 1))
    columns[:, estimator.classes_] = estimator.predict_proba(X)
    return macro_auc(columns, y)


def _aligned(search: GridSearchCV, x: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities with a column for every class, also one that the training rows lack."""
    scores = np.zeros((len(x), classes))
    if len(x):
        scores[:, search.best_estimator_.classes_] = search.predict_proba(x)
    return scores


def _trace(task: FitTask, fitted: Pipeline, names: list[str], classes: tuple[str, ...]) -> SelectionTrace:
    kept = np.array(names, dtype=object)
    funnel = [{"step": "extracted", "kept": len(names)}]
    ledger = []
    for step in (name for name in ("stability", "univariate", "redundancy", "lasso") if name in fitted.named_steps):
        support = fitted.named_steps[step].support_
        ledger += [{"feature": n, "left_at": step, "reason": _REASONS[step]} for n in kept[~support]]
        kept = kept[support]
        funnel.append({"step": step, "kept": len(kept)})
    ledger += [{"feature": name, "left_at": "", "reason": ""} for name in kept]
    lasso = fitted.named_steps["lasso"]
    coefficients = [
        {"feature": name, "class": label, "coefficient": float(value)}
        for label, row in zip(classes, _all_classes(lasso, len(classes)), strict=True)
        for name, value in zip(kept, row, strict=True)
    ]
    path = [
        {
            "penalty": float(penalty), "deviance": float(mean), "deviance_se": float(se),
            "features": int(size), "chosen": number == lasso.chosen_,
        }
        for number, (penalty, mean, se, size) in enumerate(
            zip(lasso.path_.penalties, lasso.deviance_, lasso.deviance_se_, lasso.path_.sizes, strict=True)
        )
    ]  # fmt: skip
    of_task = {"signature": task.signature}
    of_fold = {**of_task, "fold": task.label}
    return SelectionTrace(
        task.signature,
        task.fold,
        [{**of_fold, "order": number, **row} for number, row in enumerate(funnel)],
        [{**of_task, **row} for row in ledger] if task.fold == FINAL else [],
        [{**of_fold, **row} for row in coefficients],
        [{**of_fold, **row} for row in path],
    )


def _all_classes(lasso: Any, classes: int) -> np.ndarray:
    full = np.zeros((classes, lasso.coefficients_.shape[1]))
    full[lasso.classes_] = lasso.coefficients_
    return full


def _seed(seed: int, task: FitTask, purpose: str) -> int:
    """A seed of its own for every purpose, the same on every machine and in every order."""
    words = f"{seed} {task.signature} {task.fold} {purpose}"
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:4], "big") // 2
