"""evaluate: every estimate for every model, signature and cohort, as the tables of records.Evaluation."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..records import BASELINES, PUBLISHED, TRAINING, Estimate, Evaluation, Predictions
from ..settings import EvaluationSettings
from .areas import area_measures
from .averages import averages
from .calibration import calibration_measures, reliability
from .comparisons import delong_table, primary_pairs
from .decision_curve import decision_curve
from .delong import Components, interval, logit_interval, structural_components
from .discrimination import (
    class_measures,
    overall_measures,
    proportion_method,
    roc_points,
    youden_cutoff,
)
from .mcnemar import accuracy_table
from .probabilities import brier_parts, probability_measures
from .reclassification import WARNING, reclassification
from .resampling import draw_resamples
from .scores import ALL, MACRO, CohortScores, Signed, align
from .subgroups import USUAL, subgroup_table

Record = dict[str, Any]

# outside these, intervals are measured to cover less than they say (docs/evaluation.md)
FEWEST = 20  # cases of a class, and of the others
HIGHEST = 0.9  # AUC


def evaluate(
    predictions: Predictions,
    cases: pd.DataFrame | None = None,
    settings: EvaluationSettings = EvaluationSettings(),  # noqa: B008 frozen
    seed: int = 2024,
) -> Evaluation:
    """Compute all tables; the same predictions in any order of rows give the same bits.

    ``cases`` are the free columns of the table of cases as text, indexed by case id: subgroups are made of them. The
    training AUC is the mean over folds; cut-offs come from pooled out-of-fold training scores and are carried to
    every cohort.
    """
    cohorts, classes = align(predictions), predictions.classes
    parts = [structural_components(s.probabilities, s.positive, s.patients, s.sample_folds) for s in cohorts]
    auc = pd.DataFrame([row for s, c in zip(cohorts, parts, strict=True) for row in _auc_rows(s, c, classes)])
    protocol = cohorts[0].protocol
    chosen = _chosen(auc, protocol)
    auc = _with_baselines(auc, protocol, chosen)
    cutoffs = {scores.protocol: _cutoffs(scores) for scores in cohorts if scores.cohort == TRAINING}
    of_chosen = [scores for scores in cohorts if scores.protocol == protocol]
    return Evaluation(
        classes=classes,
        cohorts=tuple(dict.fromkeys(scores.cohort for scores in cohorts)),
        auc=auc,
        delong=delong_table(cohorts, parts, _paired(cohorts, parts), classes, chosen, protocol),
        mcnemar=accuracy_table(of_chosen, chosen),
        performance=_table(_performance_rows(s, _cutoffs_used(s, cutoffs), classes, settings, seed) for s in cohorts),
        confusion=_table(_confusion_rows(scores, classes) for scores in cohorts),
        roc=_joined(_roc_frames(scores, classes) for scores in cohorts),
        cutoffs=_table(_cutoff_rows(s, classes) for s in cohorts if s.cohort == TRAINING),
        calibration=_table(_calibration_rows(scores, classes) for scores in cohorts),
        reliability=_table(_reliability_rows(scores, classes) for scores in cohorts),
        decision_curve=_joined(_decision_frames(scores, classes) for scores in cohorts),
        subgroups=_subgroups(of_chosen, cases, settings, classes, chosen),
        reclassification=_reclassified(of_chosen if settings.reclassification else [], classes, chosen),
        chosen=chosen,
    )


def _table(parts: Iterable[Iterable[Record]]) -> pd.DataFrame:
    return pd.DataFrame([row for rows in parts for row in rows])


def _joined(parts: Iterable[Iterable[pd.DataFrame]]) -> pd.DataFrame:
    return pd.concat([frame for frames in parts for frame in frames], ignore_index=True)


def _key(scores: CohortScores, model: Signed) -> Record:
    return {**scores.key, "signature": model[0], "model": model[1]}


def _method(scores: CohortScores, folds: int, name: str = "DeLong") -> str:
    if folds == 0:
        return "not computed: the class, or every other, is absent"
    method = f"{name}, clustered by patient (Obuchowski)" if scores.clustered else name
    if scores.cohort == TRAINING and scores.sample_folds is not None:
        return f"mean over {folds} of {len(np.unique(scores.folds))} folds, {method}"
    if scores.cohort == TRAINING and not scores.folds.any():
        return f"resubstitution: the model had learnt from these cases; {method}"
    return method


def _paired(cohorts: list[CohortScores], parts: list[Components]) -> list[list[str]]:
    """How pairs are tested in each cohort: a text a class, and one for the macro mean."""
    return [
        [_method(scores, int(folds), "DeLong, paired") for folds in (*part.folds, part.folds.min())]
        for scores, part in zip(cohorts, parts, strict=True)
    ]


def _auc_rows(scores: CohortScores, parts: Components, classes: tuple[str, ...]) -> Iterator[Record]:
    averaged = averages(scores, parts)
    values = np.column_stack([parts.auc, *(value for value, _, _ in averaged.values())])
    variances = np.column_stack([parts.variance, *(variance for _, variance, _ in averaged.values())])
    freedom = np.broadcast_to([*parts.freedom, *(least for _, _, least in averaged.values())], values.shape)
    low, high = logit_interval(values, variances, freedom if scores.clustered else None)
    plain_low, plain_high = interval(values, variances)
    positives = [*scores.positive.sum(axis=0), *[len(scores.truth)] * len(averaged)]
    folds = [*parts.folds, *[parts.folds.min()] * len(averaged)]
    fewest = np.minimum(scores.positive.sum(axis=0), (~scores.positive).sum(axis=0))
    smaller = [*fewest, *[fewest.min()] * len(averaged)]
    for m, model in enumerate(scores.models):
        for k, name in enumerate((*classes, *averaged)):
            yield {
                **_key(scores, model),
                "class": name,
                "auc": values[m, k],
                "low": low[m, k],
                "high": high[m, k],
                "low_plain": plain_low[m, k],
                "high_plain": plain_high[m, k],
                "n": len(scores.truth),
                "n_positive": int(positives[k]),
                "method": _interval_method(scores, int(folds[k]), values[m, k], variances[m, k]),
                "warning": _warning(values[m, k], variances[m, k], int(smaller[k])),
            }


def _interval_method(scores: CohortScores, folds: int, value: float, variance: float) -> str:
    method = _method(scores, folds)
    if folds == 0:
        return method
    if np.isnan(variance):
        return f"{method}; no interval: fewer than two patients of the class, or of the others"
    if variance == 0:
        return f"{method}; no interval: {_unvaried(value)}, which shows no variance"
    return f"{method}, logit scale" + (", t" if scores.clustered else "")


def _unvaried(value: float) -> str:
    return "all scores are equal" if value == 0.5 else "the classes are separated perfectly"


def _warning(value: float, variance: float, smaller: int) -> str:
    if np.isnan(value):
        return ""
    if np.isnan(variance):
        return f"{smaller} case{'s' * (smaller != 1)} of a class or of the others: too few for an interval"
    if variance == 0:
        return f"{_unvaried(value)}: no interval, since no variance can be seen"
    if smaller < FEWEST:
        return (
            f"{smaller} cases of a class or of the others, fewer than {FEWEST}: the interval may cover less than 95 %"
        )
    if value > HIGHEST:
        return f"an AUC above {HIGHEST}: the interval may cover less than 95 %"
    return ""


def _cutoffs(scores: CohortScores) -> np.ndarray:
    """Models x classes."""
    models, classes = range(len(scores.models)), range(scores.positive.shape[1])
    return np.array(
        [[youden_cutoff(scores.probabilities[:, m, k], scores.positive[:, k]) for k in classes] for m in models]
    )


def _cutoffs_used(scores: CohortScores, carried: dict[str, np.ndarray]) -> np.ndarray:
    """Those of training; the published flow finds them anew on each cohort."""
    return _cutoffs(scores) if scores.protocol == PUBLISHED else carried[scores.protocol]


def _cutoff_rows(scores: CohortScores, classes: tuple[str, ...]) -> Iterator[Record]:
    for model, row in zip(scores.models, _cutoffs(scores), strict=True):
        for name, cutoff in zip(classes, row, strict=True):
            key = {"protocol": scores.protocol, "signature": model[0], "model": model[1]}
            yield {**key, "class": name, "cutoff": cutoff}


def _performance_rows(
    scores: CohortScores, cutoffs: np.ndarray, classes: tuple[str, ...], settings: EvaluationSettings, seed: int
) -> Iterator[Record]:
    resamples = draw_resamples(int(scores.patients.max()) + 1, settings.resamples, seed)
    truth, patients, kind = scores.truth, scores.patients, settings.proportions
    for m, model in enumerate(scores.models):
        p = scores.probabilities[:, m]
        of_all = [
            *overall_measures(truth, scores.predicted[:, m], patients, len(classes), resamples, kind),
            *probability_measures(p, truth, patients, resamples),
        ]
        found = [(ALL, one) for one in of_all]
        for k, name in enumerate(classes):
            positive = scores.positive[:, k]
            found += [(name, one) for one in area_measures(p[:, k], positive, patients, scores.sample_folds)]
            if np.isnan(cutoffs[m, k]):
                continue
            called = p[:, k] >= cutoffs[m, k]
            found += [(name, one) for one in class_measures(called, positive, patients, resamples, kind)]
            found += [(name, one) for one in brier_parts(p[:, k], positive, patients, resamples)]
        yield from (_estimate_row(scores, model, name, one) for name, one in found)


def _calibration_rows(scores: CohortScores, classes: tuple[str, ...]) -> Iterator[Record]:
    for m, model in enumerate(scores.models):
        for k, name in enumerate(classes):
            p = scores.probabilities[:, m, k]
            for one in calibration_measures(p, scores.positive[:, k], scores.patients):
                yield _estimate_row(scores, model, name, one)


def _estimate_row(scores: CohortScores, model: Signed, name: str, one: Estimate) -> Record:
    numbers = {"value": one.value, "low": one.low, "high": one.high, "n": one.n}
    return {**_key(scores, model), "class": name, "metric": one.name, **numbers, "method": one.how}


def _reliability_rows(scores: CohortScores, classes: tuple[str, ...]) -> Iterator[Record]:
    groups = int(np.clip(len(scores.truth) // 15, 3, 10))
    for m, model in enumerate(scores.models):
        for k, name in enumerate(classes):
            found = reliability(scores.probabilities[:, m, k], scores.positive[:, k], scores.patients, groups)
            for number, group in enumerate(found, start=1):
                numbers = {"n": group.n, "predicted": group.predicted, "observed": group.observed}
                limits = {"low": group.low, "high": group.high, "method": proportion_method(scores.patients)}
                yield {**_key(scores, model), "class": name, "group": number, **numbers, **limits}


def _decision_frames(scores: CohortScores, classes: tuple[str, ...]) -> Iterator[pd.DataFrame]:
    for m, model in enumerate(scores.models):
        for k, name in enumerate(classes):
            curve = decision_curve(scores.probabilities[:, m, k], scores.positive[:, k], scores.patients)
            columns = {"threshold": curve.thresholds, "net_benefit": curve.model, "low": curve.low, "high": curve.high}
            rest = {"treat_all": curve.treat_all, "avoided": curve.avoided, "n": len(scores.truth)}
            yield pd.DataFrame(_key(scores, model) | {"class": name} | columns | rest)


def _subgroups(
    cohorts: list[CohortScores],
    cases: pd.DataFrame | None,
    settings: EvaluationSettings,
    classes: tuple[str, ...],
    chosen: Signed,
) -> pd.DataFrame:
    cases = pd.DataFrame() if cases is None else cases
    wanted = USUAL if settings.subgroups is None else settings.subgroups
    return subgroup_table(cohorts, cases, tuple(name for name in wanted if name in cases), classes, chosen)


_RECLASSIFICATION_COLUMNS = [
    "cohort", "protocol", "class", "signature_a", "signature_b", "model", "nri", "nri_error", "idi", "idi_error", "n",
    "warning",
]  # fmt: skip


def _reclassified(cohorts: list[CohortScores], classes: tuple[str, ...], chosen: Signed) -> pd.DataFrame:
    rows = [row for scores in cohorts for row in _reclassification_rows(scores, classes, chosen)]
    return pd.DataFrame(rows, columns=_RECLASSIFICATION_COLUMNS)


def _reclassification_rows(scores: CohortScores, classes: tuple[str, ...], chosen: Signed) -> Iterator[Record]:
    for a, b in primary_pairs(scores.models, chosen):
        for k, name in enumerate(classes):
            p, positive = scores.probabilities[:, :, k], scores.positive[:, k]
            found = reclassification(p[:, a], p[:, b], positive, scores.patients)
            signatures = {"signature_a": scores.models[a][0], "signature_b": scores.models[b][0], "model": chosen[1]}
            numbers = {"nri": found.nri, "nri_error": found.nri_error, "idi": found.idi, "idi_error": found.idi_error}
            yield {**scores.key, "class": name, **signatures, **numbers, "n": len(positive), "warning": WARNING}


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


def _chosen(auc: pd.DataFrame, protocol: str) -> Signed:
    """The signature and model of the best training macro AUC; the earlier where equal, baselines where alone."""
    training = _training_macro(auc, protocol)
    signatures = training[~training["signature"].isin(BASELINES)]
    among = training if signatures.empty else signatures
    best = among.iloc[int(among["auc"].fillna(-1.0).argmax())]
    return str(best["signature"]), str(best["model"])


def _with_baselines(auc: pd.DataFrame, protocol: str, chosen: Signed) -> pd.DataFrame:
    """Warn in the chosen model's training row of each baseline that does as well there."""
    training = _training_macro(auc, protocol)
    row = training[(training["signature"] == chosen[0]) & (training["model"] == chosen[1])].iloc[0]
    baselines = training[training["signature"].isin(BASELINES) & (training["auc"] >= row["auc"])]
    said = [f"the baseline {name} does as well ({value:.3f})" for name, value in baselines[["signature", "auc"]].values]
    words = "; ".join([text for text in (row["warning"], *said) if text])
    return auc.assign(warning=auc["warning"].where(auc.index != row.name, words))


def _training_macro(auc: pd.DataFrame, protocol: str) -> pd.DataFrame:
    return auc[(auc["protocol"] == protocol) & (auc["cohort"] == TRAINING) & (auc["class"] == MACRO)]
