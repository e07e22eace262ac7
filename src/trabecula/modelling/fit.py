"""fit_task: selection and learner as one pipeline, tuned in patient-grouped inner folds, inside one outer fold."""

import hashlib
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from ..records import Split, class_numbers
from ..settings import Settings
from .harmonise import SITE, ComBat, site_numbers
from .keep import pack
from .learners import LEARNERS, FrequenciesIfEmpty, macro_auc
from .memory import Once
from .outcome import FINAL, FitTask, ModelFit, SelectionTrace
from .scaling import Standardise
from .selection import LassoFilter, selection_frequencies, selection_steps
from .split import grouped_folds, train_and_test
from .stacking import OutOfFoldScore


def fit_task(
    task: FitTask,
    features: pd.DataFrame,
    split: Split,
    settings: Settings,
    done: Collection[str] = (),
    redrawn: Sequence[pd.DataFrame] = (),
    *,
    given: Sequence[str] = (),
    deep: Collection[str] = (),
    preserved: pd.DataFrame | None = None,
) -> Iterator[SelectionTrace | ModelFit]:
    """The trace of the selection first, then one result a model as it is finished; models in ``done`` are left out.

    ``features`` is indexed by case id, and so is ``redrawn``, one table a further drawing of some of the regions.
    The columns ``given`` are always kept; the others are selected from, and beside given ones they become one score.
    ``deep``: the columns that principal components may stand in for. ``preserved``: what ComBat keeps.
    Nothing but the task's training rows is seen by anything that learns.
    """
    with sklearn.config_context(enable_metadata_routing=True), threadpool_limits(1):
        fold = prepare_fold(task, features, split, settings, redrawn, given=given, deep=deep, preserved=preserved)
        memory = Once()
        warm = Pipeline([("select", fold.select), ("end", "passthrough")], memory=memory)
        fitted = warm.fit(fold.x, fold.y, **fold.told).named_steps["select"]
        seed = _seed(settings.seed, task, "selection")
        often = _frequencies(fitted, fold, settings, seed) if task.fold == FINAL else {}
        yield _trace(task, fitted, fold.names, split.classes, often)
        for model in settings.models:
            if model not in done:
                yield _fit(model, task, fold, memory, split, settings)


@dataclass(frozen=True, eq=False)
class Fold:
    """What the models of one task share: the rows that they learn from and score, and the selection, not yet fitted.

    ``by_row`` holds groups and readings of the training rows; ``told`` is what the selection is told of them;
    ``names`` are the columns of the signature, the given ones first.
    """

    x: pd.DataFrame
    y: np.ndarray
    test: pd.DataFrame
    select: Any
    by_row: Mapping[str, np.ndarray]
    told: Mapping[str, np.ndarray]
    names: list[str]


def prepare_fold(
    task: FitTask,
    features: pd.DataFrame,
    split: Split,
    settings: Settings,
    redrawn: Sequence[pd.DataFrame],
    *,
    given: Sequence[str],
    deep: Collection[str],
    preserved: pd.DataFrame | None,
) -> Fold:
    """Take the rows of a task apart and set up its selection; to be called where metadata are routed."""
    table = split.table.loc[features.index]
    train = table[(table["fold"] != FINAL) & (table["fold"] != task.fold)]
    test = table[table["fold"] == task.fold]
    names = sorted(set(features.columns).difference(given))  # so that the order of columns decides nothing
    ordered = features[[*given, *names]].astype(np.float64)
    sites = _sites(table, split, preserved) if settings.harmonise is not None and names else []
    ordered = pd.concat([*sites, ordered], axis=1)
    by_row: dict[str, np.ndarray] = {"groups": train["patient_id"].to_numpy(str)}
    if redrawn and names:
        drawings = [again.reindex(train.index)[names].to_numpy(np.float64) for again in (features, *redrawn)]
        by_row["readings"] = np.stack(drawings, axis=1)
    before = [] if not sites else [("harmonise", _combat(settings, split, preserved))]
    seed = _seed(settings.seed, task, "selection")
    select = _columns_step(settings, before, [str(name) for name in ordered if name not in given], given, deep, seed)
    told = by_row if names or not given else {}  # columns that are all kept need no groups
    x, y = ordered.loc[train.index], class_numbers(train["truth"], split.classes)
    return Fold(x, y, ordered.loc[test.index], select, by_row, told, [*given, *names])


def _columns_step(
    settings: Settings,
    before: list[tuple[str, Any]],
    names: Sequence[str],
    given: Sequence[str],
    deep: Collection[str],
    seed: int,
) -> Any:
    """From the columns of a signature to those that a learner sees; ``before`` comes first of all."""
    if given and not names:
        return Pipeline([("standardise", Standardise())]).set_output(transform="pandas")
    select = selection_steps(settings.selection, seed, deep)
    select = Pipeline([*before, *select.steps]).set_output(transform="pandas")
    if not given:
        return select
    learner = FrequenciesIfEmpty(LEARNERS["lr"].make(seed), seed=seed).set_fit_request(groups=True)
    score = OutOfFoldScore(Pipeline([("select", select), ("learner", learner)]), settings.tuning.inner_folds, seed)
    score = score.set_fit_request(groups=True, readings=True)
    parts = [("given", Standardise(), list(given)), ("score", score, list(names))]
    return ColumnTransformer(parts, verbose_feature_names_out=False).set_output(transform="pandas")


def _sites(table: pd.DataFrame, split: Split, preserved: pd.DataFrame | None) -> list[pd.DataFrame]:
    """The columns that ComBat takes off: the site's number, then what it preserves."""
    number = table["site"].map(site_numbers(split.table["site"])).astype(np.float64).to_frame(SITE)
    return [number] if preserved is None else [number, preserved.loc[table.index]]


def _combat(settings: Settings, split: Split, preserved: pd.DataFrame | None) -> ComBat:
    rule = settings.harmonise
    assert rule is not None
    reference = None if rule.reference is None else float(site_numbers(split.table["site"])[rule.reference])
    return ComBat(rule.new_site, reference, rule.mean_only, covariates=0 if preserved is None else preserved.shape[1])


def _fit(model: str, task: FitTask, fold: Fold, memory: Once, split: Split, settings: Settings) -> ModelFit:
    with warnings.catch_warnings():
        # said in the note: a class of one patient is missing where that patient is left out
        warnings.filterwarnings("ignore", "Number of classes in training fold", RuntimeWarning)
        search, note = _tune(model, task, fold, memory, settings)
        fitted = search.best_estimator_
        if settings.calibration != "none":
            fitted = calibrated(fitted, fold, settings)
    lasso = _lasso_of(search.best_estimator_.named_steps["select"])
    if lasso is not None and not lasso.support_.any():
        none = "no features: class frequencies"
        note = f"{_NOTHING}: class frequencies of the training rows" if fold.x.shape[1] else none
    scores = np.zeros((len(fold.test), len(split.classes)))
    if len(fold.test):
        scores[:, fitted.classes_] = fitted.predict_proba(fold.test)
    best = {key.rsplit("__", 1)[-1]: value for key, value in search.best_params_.items()}
    packed = pack(fitted) if task.fold == FINAL else None
    cases, best_score = list(fold.test.index), float(search.best_score_)
    return ModelFit(task.signature, task.fold, model, cases, scores.tolist(), best, best_score, note, packed)


def calibrated(pipeline: Pipeline, fold: Fold, settings: Settings) -> CalibratedClassifierCV:
    """The pipeline fitted anew, with a calibration that is learnt from the scores of the inner folds."""
    method, inner = settings.calibration, inner_folds(fold, settings)
    fitted = CalibratedClassifierCV(sklearn.clone(pipeline), method=method, cv=inner, ensemble=False)
    return fitted.fit(fold.x, fold.y, **fold.by_row)


def inner_folds(fold: Fold, settings: Settings) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and to test in tuning and calibration; patients stay together."""
    return train_and_test(grouped_folds(fold.y, fold.by_row["groups"], settings.tuning.inner_folds, settings.seed))


def learner_step(model: str, task: FitTask, settings: Settings) -> FrequenciesIfEmpty:
    """The model of a task, not yet fitted and not yet tuned."""
    learner, seed = LEARNERS[model], _seed(settings.seed, task, model)
    balanced = settings.class_weights == "balanced"
    step = FrequenciesIfEmpty(learner.make(seed), learner.grouped, seed, balanced)
    return step.set_fit_request(groups=True)


_NOTHING = "the LASSO kept no feature"


def _tune(model: str, task: FitTask, fold: Fold, memory: Once, settings: Settings) -> tuple[GridSearchCV, str]:
    step, inner = learner_step(model, task, settings), inner_folds(fold, settings)
    grid = LEARNERS[model].grid_for(min(len(train) for train, _ in inner))
    search = GridSearchCV(
        Pipeline([("select", fold.select), ("learner", step)], memory=memory),
        {f"learner__estimator__{name}": values for name, values in grid.items()},
        scoring=_macro_auc,
        cv=inner,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        search.fit(fold.x, fold.y, **fold.by_row)
    slow = sum(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    notes = [f"{slow} fits stopped before they converged"] * (slow > 0)
    y, groups = fold.y, fold.by_row["groups"]
    alone = any(len(np.unique(groups[train][y[train] == k])) < 2 for train, _ in inner for k in np.unique(y))
    notes += ["a class has a single patient, or none, in an inner fold: tuning is a guess there"] * alone
    return search, "; ".join(notes)


def _macro_auc(estimator: Any, X: pd.DataFrame, y: np.ndarray) -> float:
    columns = np.zeros((len(y), int(max(y.max(), estimator.classes_.max())) + 1))
    columns[:, estimator.classes_] = estimator.predict_proba(X)
    return macro_auc(columns, y)


def _lasso_of(fitted: Any) -> LassoFilter | None:
    return fitted.named_steps.get("lasso") if isinstance(fitted, Pipeline) else None


def _frequencies(fitted: Any, fold: Fold, settings: Settings, seed: int) -> dict[str, float]:
    """How often each column that reached the LASSO is kept in halves of the patients."""
    lasso = _lasso_of(fitted)
    if lasso is None or not settings.selection.lasso.resamples:
        return {}
    reached = fitted[:-1].transform(fold.x)
    groups, resamples = fold.by_row["groups"], settings.selection.lasso.resamples
    found = selection_frequencies(lasso, reached, fold.y, groups, resamples, seed)
    return dict(zip(reached.columns, found.tolist(), strict=True))


def _trace(
    task: FitTask, fitted: Any, names: list[str], classes: tuple[str, ...], often: Mapping[str, float]
) -> SelectionTrace:
    of_task = {"signature": task.signature}
    of_fold = {**of_task, "fold": task.label}
    funnel, ledger, kept = [{"step": "extracted", "kept": len(names)}], [], names
    for step, transformer in fitted.steps if isinstance(fitted, Pipeline) else ():
        reasons = getattr(transformer, "reasons_", None)
        if reasons is not None:
            left = [(name, reason) for name, reason in zip(kept, reasons, strict=True) if reason]
            ledger += [{"feature": name, "left_at": step, "reason": reason} for name, reason in left]
            kept = [str(name) for name in transformer.get_feature_names_out()]
            funnel.append({"step": step, "kept": len(kept)})
    ledger += [{"feature": name, "left_at": "", "reason": ""} for name in kept]
    lasso = _lasso_of(fitted)
    return SelectionTrace(
        task.signature,
        task.fold,
        [] if lasso is None or not names else [{**of_fold, "order": k, **row} for k, row in enumerate(funnel)],
        [{**of_task, **row, "frequency": often.get(str(row["feature"]))} for row in ledger]
        if task.fold == FINAL
        else [],
        [] if lasso is None else [{**of_fold, **row} for row in _coefficients(lasso, kept, classes)],
        [] if lasso is None else [{**of_fold, **row} for row in _path(lasso)],
        [{**of_task, **row} for row in _along_path(lasso, classes)] if lasso is not None and task.fold == FINAL else [],
    )


def _coefficients(lasso: LassoFilter, kept: Sequence[str], classes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    full = np.zeros((len(classes), lasso.coefficients_.shape[1]))
    full[lasso.classes_] = lasso.coefficients_
    for label, row in zip(classes, full, strict=True):
        for name, value in zip(kept, row, strict=True):
            yield {"feature": name, "class": label, "coefficient": float(value)}


def _path(lasso: LassoFilter) -> Iterator[dict[str, Any]]:
    columns = zip(lasso.path_.penalties, lasso.deviance_, lasso.deviance_se_, lasso.path_.sizes, strict=True)
    for number, (penalty, mean, se, size) in enumerate(columns):
        yield {
            "penalty": float(penalty),
            "deviance": float(mean),
            "deviance_se": float(se),
            "features": int(size),
            "chosen": number == lasso.chosen_,
        }


def _along_path(lasso: LassoFilter, classes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Every coefficient that is not 0, at every penalty."""
    coefficients = lasso.path_.coefficients
    for step, known, column in np.argwhere(coefficients != 0).tolist():
        yield {
            "penalty": float(lasso.path_.penalties[step]),
            "feature": str(lasso.feature_names_in_[column]),
            "class": classes[lasso.classes_[known]],
            "coefficient": float(coefficients[step, known, column]),
        }


def _seed(seed: int, task: FitTask, purpose: str) -> int:
    """A seed of its own for every purpose, the same on every machine and in every order."""
    words = f"{seed} {task.signature} {task.fold} {purpose}"
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:4], "big") // 2
