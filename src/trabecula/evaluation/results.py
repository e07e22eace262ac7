"""evaluate: every estimate for every model, signature and cohort, as the tables of records.Evaluation."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ..records import PUBLISHED, TRAINING, Evaluation, Predictions
from .delong import Components, interval, structural_components, z_test
from .discrimination import class_measures, overall_measures, roc_points, youden_cutoff
from .multiplicity import holm
from .scores import ALL, MACRO, CohortScores, Signed, align

Record = dict[str, Any]


def evaluate(predictions: Predictions) -> Evaluation:
    """Compute all tables; the same predictions in any order of rows give the same bits.

    The training AUC is the mean over folds; cut-offs come from pooled out-of-fold training scores and are
    carried to every cohort.
    """
    cohorts, classes = align(predictions), predictions.classes
    parts = [_components(scores) for scores in cohorts]
    cutoffs = {scores.protocol: _cutoffs(scores) for scores in cohorts if scores.cohort == TRAINING}
    auc = pd.DataFrame([row for s, c in zip(cohorts, parts, strict=True) for row in _auc_rows(s, c, classes)])
    chosen = _chosen(auc)
    return Evaluation(
        classes=classes,
        cohorts=tuple(dict.fromkeys(scores.cohort for scores in cohorts)),
        auc=auc,
        delong=_delong_table(cohorts, parts, classes, chosen[1]),
        performance=pd.DataFrame(
            [row for s in cohorts for row in _performance_rows(s, _cutoffs_used(s, cutoffs), classes)]
        ),
        confusion=pd.DataFrame([row for scores in cohorts for row in _confusion_rows(scores, classes)]),
        roc=pd.concat([frame for scores in cohorts for frame in _roc_frames(scores, classes)], ignore_index=True),
        cutoffs=pd.DataFrame([row for s in cohorts if s.cohort == TRAINING for row in _cutoff_rows(s, classes)]),
        chosen=chosen,
    )


def _components(scores: CohortScores) -> Components:
    folds = scores.folds if scores.cohort == TRAINING else None
    return structural_components(scores.probabilities, scores.positive, scores.patients, folds)


def _key(scores: CohortScores, model: Signed) -> Record:
    return {
        "cohort": scores.cohort,
        "protocol": scores.protocol,
        "signature": model[0],
        "model": model[1],
    }


def _method(scores: CohortScores, folds: int, name: str = "DeLong") -> str:
    if folds == 0:
        return "not computed: the class, or every other, is absent"
    method = f"{name}, clustered by patient (Obuchowski)" if scores.clustered else name
    if scores.cohort == TRAINING and scores.protocol == PUBLISHED:
        return f"{method}, of the rows that were learnt from"
    if scores.cohort == TRAINING:
        return f"mean over {folds} of {len(np.unique(scores.folds))} folds, {method}"
    return method


def _auc_rows(scores: CohortScores, parts: Components, classes: tuple[str, ...]) -> Iterator[Record]:
    values = np.column_stack([parts.auc, parts.macro])
    variances = np.column_stack([parts.variance, parts.macro_variance])
    low, high = interval(values, variances)
    positives = [*scores.positive.sum(axis=0), len(scores.truth)]
    folds = [*parts.folds, parts.folds.min()]
    for m, model in enumerate(scores.models):
        for k, name in enumerate((*classes, MACRO)):
            yield {
                **_key(scores, model),
                "class": name,
                "auc": values[m, k],
                "low": low[m, k],
                "high": high[m, k],
                "n": len(scores.truth),
                "n_positive": int(positives[k]),
                "method": _method(scores, int(folds[k])),
            }


_DELONG_COLUMNS = [
    "cohort", "protocol", "class", "signature_a", "model_a", "signature_b", "model_b", "auc_a", "auc_b", "z", "p",
    "p_adjusted", "method",
]  # fmt: skip


def _delong_table(
    cohorts: list[CohortScores], parts: list[Components], classes: tuple[str, ...], model: str
) -> pd.DataFrame:
    """All pairs of signatures of the same model; Holm within cohort and model over pairs, classes and macro.

    The chosen model's family is the primary one, the others are exploratory.
    """
    rows = [row for s, c in zip(cohorts, parts, strict=True) for row in _delong_rows(s, c, classes, model)]
    table = pd.DataFrame(rows, columns=_DELONG_COLUMNS)
    families = table.groupby(["protocol", "cohort", "model_a"], sort=False)["p"]
    if len(table):
        table["p_adjusted"] = families.transform(lambda p: holm(p.to_numpy(np.float64)))
    return table


def _delong_rows(scores: CohortScores, parts: Components, classes: tuple[str, ...], chosen: str) -> Iterator[Record]:
    pairs = [
        (a, b) for a, b in combinations(range(len(scores.models)), 2) if scores.models[a][1] == scores.models[b][1]
    ]
    if not pairs:
        return
    first, second = zip(*pairs, strict=True)
    gap = parts.difference(first, second)
    z, p = z_test(np.column_stack([gap.auc, gap.macro]), np.column_stack([gap.variance, gap.macro_variance]))
    values = np.column_stack([parts.auc, parts.macro])
    folds = [*parts.folds, parts.folds.min()]
    for row, (a, b) in enumerate(pairs):
        (signature_a, model_a), (signature_b, model_b) = scores.models[a], scores.models[b]
        family = "primary" if model_a == chosen else "exploratory"
        for k, name in enumerate((*classes, MACRO)):
            yield {
                "cohort": scores.cohort,
                "protocol": scores.protocol,
                "class": name,
                "signature_a": signature_a,
                "model_a": model_a,
                "signature_b": signature_b,
                "model_b": model_b,
                "auc_a": values[a, k],
                "auc_b": values[b, k],
                "z": z[row, k],
                "p": p[row, k],
                "p_adjusted": np.nan,
                "method": f"{_method(scores, int(folds[k]), 'DeLong, paired')}; Holm, {family} family",
            }


def _cutoffs(scores: CohortScores) -> np.ndarray:
    """Models x classes."""
    return np.array(
        [
            [
                youden_cutoff(scores.probabilities[:, m, k], scores.positive[:, k])
                for k in range(scores.positive.shape[1])
            ]
            for m in range(len(scores.models))
        ]
    )


def _cutoffs_used(scores: CohortScores, carried: dict[str, np.ndarray]) -> np.ndarray:
    """Those of training; the published flow finds them anew on each cohort."""
    return _cutoffs(scores) if scores.protocol == PUBLISHED else carried[scores.protocol]


def _cutoff_rows(scores: CohortScores, classes: tuple[str, ...]) -> Iterator[Record]:
    for model, row in zip(scores.models, _cutoffs(scores), strict=True):
        for name, cutoff in zip(classes, row, strict=True):
            key = {"protocol": scores.protocol, "signature": model[0], "model": model[1]}
            yield {**key, "class": name, "cutoff": cutoff}


def _performance_rows(scores: CohortScores, cutoffs: np.ndarray, classes: tuple[str, ...]) -> Iterator[Record]:
    for m, model in enumerate(scores.models):
        found = [
            (ALL, row) for row in overall_measures(scores.truth, scores.predicted[:, m], scores.patients, len(classes))
        ]
        for k, name in enumerate(classes):
            if np.isnan(cutoffs[m, k]):
                continue
            called = scores.probabilities[:, m, k] >= cutoffs[m, k]
            found += [(name, row) for row in class_measures(called, scores.positive[:, k], scores.patients)]
        for name, (metric, value, low, high, method) in found:
            yield {
                **_key(scores, model),
                "class": name,
                "metric": metric,
                "value": value,
                "low": low,
                "high": high,
                "n": len(scores.truth),
                "method": method,
            }


def _confusion_rows(scores: CohortScores, classes: tuple[str, ...]) -> Iterator[Record]:
    for m, model in enumerate(scores.models):
        for i, truth in enumerate(classes):
            for j, predicted in enumerate(classes):
                n = int(((scores.truth == i) & (scores.predicted[:, m] == j)).sum())
                yield {**_key(scores, model), "truth": truth, "predicted": predicted, "n": n}


def _roc_frames(scores: CohortScores, classes: tuple[str, ...]) -> Iterator[pd.DataFrame]:
    for m, model in enumerate(scores.models):
        for k, name in enumerate(classes):
            fpr, tpr, threshold = roc_points(scores.probabilities[:, m, k], scores.positive[:, k])
            points = {"class": name, "fpr": fpr, "tpr": tpr, "threshold": threshold}
            yield pd.DataFrame(_key(scores, model) | points)


def _chosen(auc: pd.DataFrame) -> Signed:
    """The best training macro AUC; the earlier row where equal."""
    training = auc[(auc["cohort"] == TRAINING) & (auc["class"] == MACRO)]
    best = training.iloc[int(training["auc"].fillna(-1.0).argmax())]
    return str(best["signature"]), str(best["model"])
