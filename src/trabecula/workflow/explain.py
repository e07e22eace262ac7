"""What the model that the report leads with looks at: its fits again, as they were, and what is asked of them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from ..errors import Fault, InvalidInput
from ..evaluation import nearest_cases
from ..modelling import FINAL, Contributions, FitTask, Refit, plan_tasks, refit
from ..processes import share
from ..records import PROBABILITY_PREFIX, Explanation, Predictions, Selection, Split
from ..settings import ModelName, Settings
from ..storage import write_atomically
from .check import Tell
from .coefficients import COEFFICIENTS, NOMOGRAM, coefficient_table, nomograms
from .extract import write_frame
from .fitting import read_fit
from .importance import COLUMNS, REPEATS, TOGETHER, importance_table
from .prepare import Ready
from .signatures import Signature

FOLDER = "explain"
NEIGHBOURS = 5
_BY_HAND: ModelName = "lr"
_SHAP = ["case_id", "cohort", "fold", "class", "feature", "value", "shap", "base"]
_NEAREST = ["case_id", "cohort", "fold", "rank", "neighbour", "distance", "truth"]
_TABLES = {
    "coefficients": COEFFICIENTS,
    "importance": COLUMNS,
    "shap": _SHAP,
    "nearest": _NEAREST,
    "nomogram": NOMOGRAM,
}


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A fit as it was, and what its columns add to the scores of the cases that it scored."""

    model: Refit
    contributions: Contributions | None


def explain_run(
    store: Path,
    ready: Ready,
    predictions: Predictions,
    selection: Selection,
    chosen: tuple[str, str],
    jobs: int,
    tell: Tell,
) -> Explanation:
    """Fit the chosen model of every fold again and explain each case by the fit that scored it.

    ``store`` holds the results of the run's fits.
    """
    split, by_name = ready.split, {one.name: one for one in ready.signatures}
    tasks = [(task, chosen[1]) for task in plan_tasks([chosen[0]], split)]
    hand = [(FitTask(one.name, FINAL), _BY_HAND) for one in by_name.values() if _by_hand(one)]
    work = [joblib.delayed(_again)(store, task, model, by_name[task.signature], ready) for task, model in tasks + hand]
    found: list[_Fitted] = []
    for one in share(work, jobs, batch=1):
        found.append(one)
        tell("explanation", len(found), len(work) + 1)
    fits, models = found[: len(tasks)], [one.model for one in found]
    _check(fits, predictions, chosen)
    tables = {
        "coefficients": coefficient_table(models[: len(tasks)], selection, chosen, split.classes),
        "importance": importance_table(models[: len(tasks)], by_name[chosen[0]], split, ready.settings.seed, jobs),
        "shap": _concat((part for one in fits for part in _shap(one, split)), _SHAP),
        "nearest": _concat((_nearest(one.model, split) for one in fits), _NEAREST),
        "nomogram": nomograms(models[len(tasks) :], split.classes),
    }
    tell("explanation", len(work) + 1, len(work) + 1)
    return Explanation(**tables, methods=_methods(chosen, fits, tables, ready.settings))


def write_explanation(run: Path, explanation: Explanation) -> None:
    """One file a table in the run's folder, and how each was made."""
    for name in _TABLES:
        write_frame(run / FOLDER / f"{name}.csv", getattr(explanation, name))
    write_atomically(run / FOLDER / "methods.json", json.dumps(dict(explanation.methods), indent=1))


def read_explanation(run: Path) -> Explanation | None:
    """What write_explanation wrote; None in a run that has none."""
    methods = run / FOLDER / "methods.json"
    if not methods.exists():
        return None
    words = dict.fromkeys(("case_id", "neighbour", "class", "truth", "against", "features", "feature"), str)
    tables = {
        name: pd.read_csv(run / FOLDER / f"{name}.csv", dtype=words, keep_default_na=False, na_values=[""])
        for name in _TABLES
    }
    return Explanation(**tables, methods=json.loads(methods.read_text(encoding="utf-8")))


def _by_hand(signature: Signature) -> bool:
    """Whether its logistic regression can be drawn as a nomogram: given columns, alone or beside a score."""
    named = signature.name == "clinical" or signature.name.startswith("combined-")
    return named and _BY_HAND in signature.models


def _again(store: Path, task: FitTask, model: str, signature: Signature, ready: Ready) -> _Fitted:
    here = signature.in_fold(task.fold)
    fitted = refit(
        task,
        read_fit(store, task, model),
        here.values,
        ready.split,
        ready.settings,
        here.redrawn,
        given=here.given,
        deep=here.deep,
        preserved=here.preserved,
    )
    return _Fitted(fitted, fitted.contributions() if fitted.learnt.shape[1] else None)


def _check(fits: Sequence[_Fitted], predictions: Predictions, chosen: tuple[str, str]) -> None:
    """Each fit says again what it said of its cases."""
    rows = predictions.rows[(predictions.rows["signature"] == chosen[0]) & (predictions.rows["model"] == chosen[1])]
    said = rows.set_index("case_id")[[PROBABILITY_PREFIX + name for name in predictions.classes]]
    for one in fits:
        unseen = one.model.unseen
        again = one.model.predict(unseen.to_numpy(np.float64)) if len(unseen) else np.zeros((0, said.shape[1]))
        if not np.allclose(again, said.loc[unseen.index], rtol=0, atol=1e-6):
            found = "a model that, fitted again, does not repeat its predictions"
            expected = "the library versions with which the run was begun"
            raise InvalidInput([Fault(" ".join(chosen), found, expected, "Delete the run's folder and run again.")])


def _shap(one: _Fitted, split: Split) -> Iterator[pd.DataFrame]:
    """A table a class: every case of the fit, every feature."""
    if one.contributions is None or not len(one.model.unseen):
        return
    found, unseen = one.contributions, one.model.unseen
    labels = [split.classes[k] for k in found.classes] or ["all"]
    cases = np.repeat(unseen.index.to_numpy(object), unseen.shape[1])
    for k, label in enumerate(labels):
        yield pd.DataFrame(
            {
                "case_id": cases,
                "cohort": split.table.loc[cases, "cohort"].to_numpy(object),
                "fold": one.model.task.fold,
                "class": label,
                "feature": np.tile(unseen.columns.to_numpy(object), len(unseen)),
                "value": unseen.to_numpy(np.float64).ravel(),
                "shap": found.values[:, :, k].ravel(),
                "base": found.base[k],
            }
        )


def _nearest(model: Refit, split: Split) -> pd.DataFrame:
    """The training cases of the fit that are most alike; no patient is among both."""
    if not model.learnt.shape[1] or not len(model.unseen):
        return pd.DataFrame(columns=_NEAREST)
    unseen, learnt = model.unseen.to_numpy(np.float64), model.learnt.to_numpy(np.float64)
    rows, apart = nearest_cases(unseen, learnt, NEIGHBOURS)
    cases = np.repeat(model.unseen.index.to_numpy(object), rows.shape[1])
    neighbours = model.learnt.index.to_numpy(object)[rows.ravel()]
    return pd.DataFrame(
        {
            "case_id": cases,
            "cohort": split.table.loc[cases, "cohort"].to_numpy(object),
            "fold": model.task.fold,
            "rank": np.tile(np.arange(1, rows.shape[1] + 1), len(rows)),
            "neighbour": neighbours,
            "distance": apart.ravel(),
            "truth": split.table.loc[neighbours, "truth"].to_numpy(object),
        }
    )


def _concat(parts: Iterator[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)


def _methods(
    chosen: tuple[str, str], fits: Sequence[_Fitted], tables: Mapping[str, pd.DataFrame], settings: Settings
) -> dict[str, str]:
    """How each table was made, or why it is empty."""
    known = [one.contributions for one in fits if one.contributions is not None]
    kept = any(one.model.learnt.shape[1] for one in fits)
    shap = f"not computed: no exact and fast way is known for {chosen[1]}" if kept else "nothing was kept"
    if known:
        before = "; before calibration" * (settings.calibration != "none")
        shap = f"{known[0].method}; score: {known[0].scale}{before}"
    said = {
        "explained": f"{chosen[0]}, {chosen[1]}: each case by the fit that scored it",
        "coefficients": "final fit, of standardised features; no intervals: the features were chosen on the same cases "
        "and the coefficients are shrunk, so that none would hold. least and most: over the fits of the folds",
        "importance": f"macro AUC lost when columns that go together (mean absolute Spearman correlation of {TOGETHER} "
        f"or more in training) change places patient by patient; mean and SD of {REPEATS} shuffles; training cases "
        "out of fold, other cohorts by the final fit; nothing was chosen by it",
        "shap": shap,
        "nearest": f"{NEIGHBOURS} training cases of other patients; root mean square of the differences of the "
        "features that the fit kept, in SD of its training cases",
        "nomogram": "final logistic regression; 100 points are the widest predictor from least to most in training; "
        "class against the first class" + "; before calibration" * (settings.calibration != "none"),
    }
    if not len(tables["nomogram"]):
        said["nomogram"] = "not drawn: no signature of given columns (data.clinical) with a logistic regression"
    return said
