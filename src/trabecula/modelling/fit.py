"""fit_task: selection and learner as one pipeline, tuned in patient-grouped inner folds, inside one outer fold."""

import hashlib
import json
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from ..records import PROBABILITY_PREFIX, Predictions, Selection, Split
from ..settings import Settings
from .learners import LEARNERS, FrequenciesIfEmpty
from .selection import selection_steps
from .split import grouped_folds, train_and_test

FINAL = 0  # the fold number of the fit on all training rows, which scores the held-out cohorts
PROTOCOL = "sound"


@dataclass(frozen=True)
class FitTask:
    """One signature and one outer fold; ``fold`` 0 is the final fit."""

    signature: str
    fold: int

    @property
    def label(self) -> str:
        """The fold as tables print it."""
        return "final" if self.fold == FINAL else str(self.fold)


@dataclass(frozen=True, eq=False)
class ModelFit:
    """What one model of one task gave; plain values, so that it can be stored as JSON without loss."""

    signature: str
    fold: int
    model: str
    case_ids: list[str]
    probabilities: list[list[float]]
    parameters: dict[str, Any]
    score: float
    note: str

    def to_json(self) -> str:
        """Text from which from_json makes the same record, to the bit."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "ModelFit":
        """Read what to_json wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, eq=False)
class SelectionTrace:
    """How one task chose its features: rows of the tables of records.Selection, as plain values."""

    signature: str
    fold: int
    funnel: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    coefficients: list[dict[str, Any]]
    path: list[dict[str, Any]]

    def to_json(self) -> str:
        """Text from which from_json makes the same record, to the bit."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "SelectionTrace":
        """Read what to_json wrote."""
        return cls(**json.loads(text))


def plan_tasks(signatures: Collection[str], split: Split) -> list[FitTask]:
    """Every outer fold and the final fit, for every signature."""
    folds = sorted(set(split.table["fold"]) | {FINAL}, key=lambda fold: (fold == FINAL, fold))
    return [FitTask(signature, int(fold)) for signature in signatures for fold in folds]


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
    memory = _Once()
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


def gather(
    fits: Collection[ModelFit], traces: Collection[SelectionTrace], split: Split
) -> tuple[Predictions, Selection]:
    """All results as tables, in an order that does not depend on which task ended first."""
    rows = pd.concat([_rows(fit, split) for fit in fits], ignore_index=True)
    names = list(dict.fromkeys(fit.signature for fit in fits))
    models = list(dict.fromkeys(model for model in LEARNERS if any(fit.model == model for fit in fits)))
    cohorts = list(dict.fromkeys(split.table["cohort"]))
    place = {case_id: number for number, case_id in enumerate(split.table.index)}
    order = pd.DataFrame(
        {
            "cohort": rows["cohort"].map(cohorts.index),
            "signature": rows["signature"].map(names.index),
            "model": rows["model"].map(models.index),
            "case": rows["case_id"].map(place),
        }
    ).sort_values(["cohort", "signature", "model", "case"])
    scored = rows[["signature", "model", "case_id"]]
    assert not scored.duplicated().any(), "a case was scored twice by one model"
    tuning = [
        {
            "signature": fit.signature, "fold": FitTask(fit.signature, fit.fold).label, "model": fit.model,
            "parameters": json.dumps(fit.parameters), "score": fit.score, "note": fit.note,
        }
        for fit in fits
    ]  # fmt: skip
    tables = {
        name: pd.DataFrame([row for trace in traces for row in getattr(trace, name)], columns=columns)
        for name, columns in _COLUMNS.items()
    }
    predictions = Predictions(rows.loc[order.index].reset_index(drop=True), split.classes)
    return predictions, Selection(**tables, tuning=pd.DataFrame(tuning))


_COLUMNS = {
    "funnel": ["signature", "fold", "step", "order", "kept"],
    "ledger": ["signature", "feature", "left_at", "reason"],
    "coefficients": ["signature", "fold", "feature", "class", "coefficient"],
    "path": ["signature", "fold", "penalty", "deviance", "deviance_se", "features", "chosen"],
}
_REASONS = {
    "stability": "changes when the region is drawn again (intraclass correlation below the minimum)",
    "univariate": "no difference between the classes (analysis of variance)",
    "redundancy": "correlated with a feature more related to the classes",
    "lasso": "coefficient 0 at the chosen penalty",
}


class _Once:
    """scikit-learn's ``memory``, in RAM: the same step on the same rows is fitted once.

    It keeps nothing on disk, so that no study folder ever holds a pickle.
    """

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Once":
        return self

    def cache(self, function: Callable[..., Any], **_ignored: Any) -> Callable[..., Any]:
        """Give a function that remembers what it returned for the same step, rows and groups."""

        def remembered(transformer: Any, X: np.ndarray, y: np.ndarray, *args: Any, **kwargs: Any) -> Any:
            key = self._key(transformer, X, y, kwargs.get("params") or {})
            if key not in self._known:
                self._known[key] = function(transformer, X, y, *args, **kwargs)
            return self._known[key]

        return remembered

    @staticmethod
    def _key(transformer: Any, X: np.ndarray, y: np.ndarray, params: Mapping[str, Any]) -> str:
        digest = hashlib.sha256(f"{sorted(transformer.get_params().items())!r}".encode())
        given = params.get("fit_transform", params.get("fit", {}))
        for array in (X, y, np.asarray(given.get("groups", ()), dtype=str), np.asarray(given.get("readings", ()))):
            digest.update(f"{array.shape} {array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()


def _tune(
    model: str,
    select: Pipeline,
    memory: _Once,
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
    """Mean One-vs-Rest AUC over the classes that the rows have and lack."""
    scores = estimator.predict_proba(X)
    aucs = [
        roc_auc_score(y == label, scores[:, column])
        for column, label in enumerate(estimator.classes_)
        if 0 < (y == label).sum() < len(y)
    ]
    return float(np.mean(aucs)) if aucs else 0.5


def _aligned(search: GridSearchCV, x: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities with a column for every class, also one that the training rows lack."""
    scores = np.zeros((len(x), classes))
    if len(x):
        scores[:, search.best_estimator_.classes_] = search.predict_proba(x)
    return scores


def _rows(fit: ModelFit, split: Split) -> pd.DataFrame:
    table = split.table.loc[fit.case_ids]
    scores = np.array(fit.probabilities).reshape(len(table), len(split.classes))
    rows = table.reset_index()[["case_id", "patient_id", "cohort", "fold"]]
    rows = rows.assign(protocol=PROTOCOL, signature=fit.signature, model=fit.model, truth=table["truth"].to_numpy())
    rows["predicted"] = np.array(split.classes, dtype=object)[scores.argmax(axis=1)]
    return rows.assign(**{PROBABILITY_PREFIX + name: scores[:, k] for k, name in enumerate(split.classes)})


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
