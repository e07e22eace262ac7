"""From a sound form of the flow as published to that flow itself, one unsound step after the other.

Each rung is the same simple flow, with logistic regression, and makes one step more unsound; what a step adds to the
reported AUC depends on those before it. For comparison only.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import joblib
import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from ..processes import share
from ..records import INTERNAL, TRAINING, Split, class_numbers
from .learners import FrequenciesIfEmpty, macro_auc
from .published import MODELS, TRIALS, by_anova, by_linear_lasso, by_pearson, pooled_rows, scaled_by_cohort, trial_tests
from .split import grouped_folds, train_and_test

COLUMNS = ["signature", "step", "words", "auc", "added", "outside"]
_MODEL = "lr"

Rows: TypeAlias = tuple[np.ndarray, np.ndarray]  # of training, of test


@dataclass(frozen=True)
class Rung:
    """Which steps are unsound."""

    step: str
    words: str
    by_vertebra: bool = False
    own_scale: bool = False
    seen: bool = False
    best: bool = False


RUNGS = (
    Rung("sound", "split by patient; all is learnt from the training part"),
    Rung("split", "+ split by vertebra", by_vertebra=True),
    Rung("scaling", "+ each cohort scaled by itself", by_vertebra=True, own_scale=True),
    Rung("selection", "+ selection sees the tested rows", by_vertebra=True, own_scale=True, seen=True),
    Rung("best", "+ the best of five splits kept", by_vertebra=True, own_scale=True, seen=True, best=True),
)


def ladder(
    signature: str,
    features: pd.DataFrame,
    split: Split,
    seed: int,
    *,
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> pd.DataFrame:
    """What each rung would report of the training and internal cases, and what it gives elsewhere.

    Columns: signature, step, words, auc (macro, mean over five splits; of the best where that is kept), added (to the
    rung before), outside (the same model on the other cohorts: the mean of their macro AUCs; missing where none has
    every class).
    """
    parts = [(rung, part) for rung in RUNGS if not rung.best for part in _parts(rung, features, split, seed)]
    work = [joblib.delayed(_scores)(rung, features, split, part, seed) for rung, part in parts]
    scores: dict[str, list[tuple[float, float]]] = {rung.step: [] for rung in RUNGS}
    progress(0, len(parts))
    for done, ((rung, _), found) in enumerate(zip(parts, share(work, jobs, batch=1), strict=True), start=1):
        scores[rung.step] += found
        progress(done, len(parts))
    rows, before = [], float("nan")
    for rung in RUNGS:
        if rung.best:  # of the splits of the rung before
            auc, outside = max(scores["selection"], key=lambda score: np.nan_to_num(score[0]))
        else:
            auc, outside = (float(value) for value in np.mean(scores[rung.step], axis=0))
        rows.append((signature, rung.step, rung.words, auc, auc - before, outside))
        before = auc
    return pd.DataFrame(rows, columns=COLUMNS)


def _parts(rung: Rung, features: pd.DataFrame, split: Split, seed: int) -> list[list[Rows]]:
    """Training and test rows of five splits, those together that can share one selection."""
    table = split.table.loc[features.index]
    rows = np.flatnonzero(pooled_rows(table))
    found = list(_splits(rung, table.iloc[rows], class_numbers(table["truth"], split.classes)[rows], seed))
    splits = [(rows[train], rows[test]) for train, test in found]
    return [splits] if rung.seen else [[one] for one in splits]


def _splits(rung: Rung, table: pd.DataFrame, codes: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Training and test rows of each of five splits."""
    if not rung.by_vertebra:
        yield from train_and_test(grouped_folds(codes, table["patient_id"].to_numpy(str), TRIALS, seed))
        return
    for test in trial_tests(table["truth"].to_numpy(str), seed):
        yield np.setdiff1d(np.arange(len(table)), test), test


def _scores(
    rung: Rung, features: pd.DataFrame, split: Split, part: Sequence[Rows], seed: int
) -> list[tuple[float, float]]:
    """Of each split: macro AUC of the test rows, and the mean of those of the cohorts that took no part."""
    table = split.table.loc[features.index]
    codes = class_numbers(table["truth"], split.classes)
    found = []
    chosen: np.ndarray | None = None
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Features .* are constant", UserWarning)
        for train, test in part:
            x = _scale(rung, features, table, train)
            if chosen is None or not rung.seen:
                looked_at = np.sort(np.concatenate([train, test])) if rung.seen else train
                chosen = _selected(x[looked_at], codes[looked_at])
            found.append(_score(x[:, chosen], _elsewhere(table, split), codes, (train, test), seed))
    return found


def _selected(x: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Numbers of the columns that the published selection keeps."""
    kept = np.arange(x.shape[1])
    for keep in (by_anova, by_pearson, by_linear_lasso):
        if kept.size:
            kept = kept[keep(x[:, kept], codes)]
    return kept


def _elsewhere(table: pd.DataFrame, split: Split) -> list[np.ndarray]:
    """Rows of each cohort that took no part and has every class: of another no macro AUC can be had."""
    names = [name for name in dict.fromkeys(table["cohort"]) if name not in {TRAINING, INTERNAL}]
    rows = [np.flatnonzero(table["cohort"] == name) for name in names]
    return [here for here in rows if set(split.classes) <= set(table["truth"].iloc[here])]


def _score(
    x: np.ndarray, elsewhere: Sequence[np.ndarray], codes: np.ndarray, split: Rows, seed: int
) -> tuple[float, float]:
    train, test = split
    step = FrequenciesIfEmpty(MODELS[_MODEL](seed), grouped=False, seed=seed)
    fitted = step.fit(x[train], codes[train], groups=np.arange(len(train)))
    of_all = np.zeros((len(x), int(codes.max()) + 1))
    of_all[:, fitted.classes_] = fitted.predict_proba(x)
    aucs = [macro_auc(of_all[rows], codes[rows]) for rows in elsewhere]
    return macro_auc(of_all[test], codes[test]), float(np.mean(aucs)) if aucs else float("nan")


def _scale(rung: Rung, features: pd.DataFrame, table: pd.DataFrame, train: np.ndarray) -> np.ndarray:
    """By each cohort's own mean and SD, as published; or by those of the training part, unknown values at its mean."""
    if rung.own_scale:
        return scaled_by_cohort(features, table, pooled_rows(table).to_numpy()).to_numpy(np.float64)
    seen = features.iloc[train]
    usable = (seen.max() > seen.min()) & seen.notna().all()
    scaled = (features - seen.mean()) / seen.std(ddof=0)
    return scaled.loc[:, usable].fillna(0.0).to_numpy(np.float64)
