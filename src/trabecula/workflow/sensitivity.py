"""How far the chosen model's AUC hangs on what is nobody's finding: how regions are drawn, where chance starts.

Regions change under a model that stays as it was fitted; for other seeds it is fitted again. Nothing is chosen by it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from ..evaluation import macro_auc
from ..features import Perturbation
from ..modelling import FitTask, deal_folds, plan_tasks, refit, scores_of
from ..processes import share
from ..records import PROBABILITY_PREFIX, TRAINING, FeatureTable, Predictions, Split, class_numbers
from ..settings import SensitivitySettings, Settings
from .check import Tell
from .extract import study_features
from .finetuning import tuned_features
from .fitting import fit_sound, read_fit
from .prepare import Ready
from .signatures import Signature, make_signatures

COLUMNS = ["change", "amount", "number", "cohort", "scored", "auc", "moved", "n"]
AS_IT_IS, NARROWER, WIDER, JITTERED, SEED = "as it is", "narrower", "wider", "jittered", "seed"
_FOLDER = "sensitivity"  # in the run's: fits with other seeds


@dataclass(frozen=True)
class _Change:
    """One thing done to every region, or to chance. ``amount``: a share of the diameter, or the seed."""

    change: str
    amount: float
    number: int
    how: Perturbation | None = None


def sensitivity_table(
    run: Path, ready: Ready, predictions: Predictions, chosen: tuple[str, str], jobs: int, tell: Tell
) -> pd.DataFrame:
    """Macro AUC of the chosen signature and model in every cohort: as it is, and under each change.

    ``moved`` is the difference from the AUC as it is; training cases are scored out of fold, as ever.
    """
    rules = ready.settings.evaluation.sensitivity
    assert rules is not None
    signature = next(one for one in ready.signatures if one.name == chosen[0])
    model = next(name for name in signature.models if name == chosen[1])
    found = list(_macro(_Change(AS_IT_IS, 0.0, 0), _of_chosen(predictions, chosen), ready.split))
    changes = list(_drawings(rules, ready.settings.seed)) if _of_films(ready, signature) else []
    again = [_drawn_again(ready, signature, one, jobs, tell) for one in changes]
    for change, scores in zip(changes, _frozen(run, ready, signature, again, model, jobs), strict=True):
        found += _macro(change, scores, ready.split)
    for number in range(1, rules.seeds + 1):
        settings = _with_seed(ready.settings, ready.settings.seed + number)
        split = ready.split if signature.folds else deal_folds(ready.split, settings)
        only = replace(signature, models=(model,))
        store = run / _FOLDER / f"seed-{settings.seed}"
        fitted, _ = fit_sound(store, [only], split, settings, jobs, tell)
        found += _macro(_Change(SEED, settings.seed, number), _of_chosen(fitted, chosen), split)
    table = pd.DataFrame(found, columns=COLUMNS)
    before = table[table["change"] == AS_IT_IS].set_index("cohort")["auc"]
    return table.assign(moved=table["auc"] - table["cohort"].map(before))


def _of_films(ready: Ready, signature: Signature) -> bool:
    return not ready.checked.tables and bool(_tables_of(ready, signature))


def _tables_of(ready: Ready, signature: Signature) -> list[str]:
    """The tables of features that the signature takes columns of."""
    columns = set(signature.values.columns)
    return [name for name, table in ready.tables.items() if columns.intersection(table.values.columns)]


def _drawings(rules: SensitivitySettings, seed: int) -> Iterator[_Change]:
    still = Perturbation(shift=0, rotate=0, grow=0, contour=0, noise=0, number=0, seed=seed)
    for number, amount in enumerate(sorted(rules.grow), start=1):
        yield _Change(WIDER if amount > 0 else NARROWER, amount, number, replace(still, swell=amount))
    astray = replace(still, shift=rules.jitter, contour=rules.jitter)
    for number in range(1, rules.redrawings + 1):
        yield _Change(JITTERED, rules.jitter, number, replace(astray, number=number))


def _drawn_again(ready: Ready, signature: Signature, change: _Change, jobs: int, tell: Tell) -> Signature:
    """The signature with the features of regions that were changed."""
    study, settings, needed = ready.study, ready.settings, _tables_of(ready, signature)
    stage = f"regions {change.change}, {change.number}"
    extractors = [one for one in ready.checked.extractors if one.name in needed]
    tables: dict[str, FeatureTable] = study_features(
        study.folder, study, settings, extractors, jobs, tell, stage=stage, perturbation=change.how
    )
    for one in ready.tuned:
        if one.name in needed:
            tables[one.name] = tuned_features(
                study.folder, study, settings, one, ready.split, jobs, tell, f"{stage}, tuned", change.how
            )
    checked = ready.checked
    made = make_signatures(settings, tables, (), checked.clinical, checked.known, checked.preserved)
    return next(one for one in made if one.name == signature.name)


def _frozen(
    run: Path, ready: Ready, signature: Signature, again: Sequence[Signature], model: str, jobs: int
) -> list[pd.DataFrame]:
    """Scores of every case by the fit that scored it, of each of the signatures ``again``."""
    if not again:
        return []
    tasks = plan_tasks([signature.name], ready.split)
    work = [joblib.delayed(_scores)(run / "fits", task, model, signature, again, ready) for task in tasks]
    by_task = list(share(work, jobs, batch=1))
    return [pd.concat([scores[k] for scores in by_task]) for k in range(len(again))]


def _scores(
    store: Path, task: FitTask, model: str, signature: Signature, again: Sequence[Signature], ready: Ready
) -> list[pd.DataFrame]:
    here, said = signature.in_fold(task.fold), read_fit(store, task, model)
    fitted = refit(task, said, here.values, ready.split, ready.settings, here.redrawn, **_kinds(here))
    others = [one.in_fold(task.fold) for one in again]
    return [scores_of(fitted, one.values, ready.split, ready.settings, **_kinds(one)) for one in others]


def _kinds(signature: Signature) -> dict[str, Any]:
    return {"given": signature.given, "deep": signature.deep, "preserved": signature.preserved}


def _with_seed(settings: Settings, seed: int) -> Settings:
    """Another seed; how often halves of the patients keep a feature is not asked again."""
    lasso = settings.selection.lasso.model_copy(update={"resamples": 0})
    return settings.model_copy(
        update={"seed": seed, "selection": settings.selection.model_copy(update={"lasso": lasso})}
    )


def _of_chosen(predictions: Predictions, chosen: tuple[str, str]) -> pd.DataFrame:
    rows = predictions.rows[(predictions.rows["signature"] == chosen[0]) & (predictions.rows["model"] == chosen[1])]
    return rows.set_index("case_id")[[PROBABILITY_PREFIX + name for name in predictions.classes]]


def _macro(change: _Change, scores: pd.DataFrame, split: Split) -> Iterator[dict[str, object]]:
    """A row a cohort; where a class is absent the AUC is missing."""
    table = split.table.loc[scores.index]
    for cohort, rows in table.groupby("cohort", sort=False):
        truth = class_numbers(rows["truth"], split.classes)
        auc = macro_auc(scores.loc[rows.index].to_numpy(np.float64)[:, None], truth, rows["fold"].to_numpy())
        yield {
            "change": change.change, "amount": change.amount, "number": change.number, "cohort": cohort,
            "scored": "out of fold" if cohort == TRAINING else "held out", "auc": float(auc[0]), "n": len(rows),
        }  # fmt: skip
