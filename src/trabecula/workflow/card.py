"""The model card of a bundle, in Markdown, from what the run computed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ..bundle import Manifest
from ..evaluation.conformal import prediction_sets
from ..records import PROBABILITY_PREFIX, TRAINING
from ..reporting import read_table
from .predict import Predictor

_WHOLE = {"accuracy": "accuracy", "quadratic_weighted_kappa": "quadratic-weighted kappa", "brier": "Brier score"}
_HOLDS = {
    "knn": "The file holds the standardised feature values of all training cases, which this model compares with.",
    "svm": "The file holds the standardised feature values of those training cases that support its boundaries.",
}


def model_card(predictor: Predictor, run: Path, predictions: pd.DataFrame) -> str:
    """Use, data, performance by cohort with intervals, and limits; numbers are those of the run's tables."""
    manifest = predictor.bundle.manifest
    parts = (
        _head(manifest),
        _data(predictions),
        _performance(manifest, run),
        _calibration(manifest, run),
        _sets(predictor, predictions),
        _limits(manifest),
        _inside(manifest),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(manifest: Manifest) -> Iterator[str]:
    classes = ", ".join(manifest.classes)
    yield f"# {manifest.study}: {manifest.signature}, {manifest.model}"
    yield ""
    yield "**Research use only. Not a medical device.** No diagnosis and no treatment may rest on it."
    yield ""
    yield "## Intended use"
    yield ""
    yield "Research on X-rays of vertebrae: given a film and the region of one vertebra, the probability of each class"
    yield f"({classes})."
    yield "Films, regions and people should be like those of training; `trabecula predict` warns where they are not."
    yield ""


def _data(predictions: pd.DataFrame) -> Iterator[str]:
    yield "## Data"
    yield ""
    yield "| cohort | patients | cases | of each class | scored |"
    yield "|---|---|---|---|---|"
    for cohort, rows in predictions.groupby("cohort", sort=False):
        counts = ", ".join(f"{name}: {n}" for name, n in rows["truth"].value_counts().sort_index().items())
        scored = "by folds that left the case out" if cohort == TRAINING else "by the final model"
        yield f"| {cohort} | {rows['patient_id'].nunique()} | {len(rows)} | {counts} | {scored} |"
    yield ""


def _performance(manifest: Manifest, run: Path) -> Iterator[str]:
    auc = _of_model(run, "auc", manifest)
    found = _of_model(run, "performance", manifest)
    yield "## Performance"
    yield ""
    yield "With 95 % intervals. AUC is One-vs-Rest; training figures are of folds that left the case out."
    yield ""
    names = ["macro AUC", *(f"AUC class {name}" for name in manifest.classes), *_WHOLE.values()]
    yield "| cohort | " + " | ".join(names) + " |"
    yield "|" + "---|" * (1 + len(names))
    for cohort in dict.fromkeys(auc["cohort"]):
        of_auc = auc[auc["cohort"] == cohort].set_index("class")[["auc", "low", "high"]]
        whole = found[(found["cohort"] == cohort) & (found["class"] == "all")].set_index("metric")
        cells = [_interval(of_auc, name) for name in ("macro", *manifest.classes)]
        cells += [_interval(whole[["value", "low", "high"]], name) for name in _WHOLE]
        yield f"| {cohort} | " + " | ".join(cells) + " |"
    yield ""
    said = ", ".join(
        f"class {name} {'none' if cutoff is None else f'{cutoff:.3f}'}" for name, cutoff in manifest.cutoffs.items()
    )
    yield f"Cut-offs, one class against the rest, from training and carried to every cohort: {said}."
    yield ""


def _calibration(manifest: Manifest, run: Path) -> Iterator[str]:
    table = _of_model(run, "calibration", manifest)
    table = table[table["metric"].isin(["slope", "intercept"])]
    yield "## Calibration"
    yield ""
    yield "| cohort | class | slope (1 is ideal) | intercept (0 is ideal) |"
    yield "|---|---|---|---|"
    for (cohort, label), rows in table.groupby(["cohort", "class"], sort=False):
        values = rows.set_index("metric")[["value", "low", "high"]]
        yield f"| {cohort} | {label} | {_interval(values, 'slope', 2)} | {_interval(values, 'intercept', 2)} |"
    yield ""


def _sets(predictor: Predictor, predictions: pd.DataFrame) -> Iterator[str]:
    manifest = predictor.bundle.manifest
    columns = [PROBABILITY_PREFIX + name for name in manifest.classes]
    place = {name: k for k, name in enumerate(manifest.classes)}
    yield "## Prediction sets"
    yield ""
    yield f"Sets at {predictor.level:.0%}: of vertebrae of new patients like those of training, about that share have"
    yield "their class in the set. It is an average over such patients, no promise for one of them, and none for other"
    yield "hospitals; the model learnt from all training cases and the threshold from folds, so it is approximate."
    yield "As found:"
    yield ""
    yield "| cohort | class in the set | classes in a set, mean |"
    yield "|---|---|---|"
    for cohort, rows in predictions[predictions["cohort"] != TRAINING].groupby("cohort", sort=False):
        sets = prediction_sets(rows[columns].to_numpy(np.float64), predictor.threshold)
        inside = sets[np.arange(len(rows)), rows["truth"].map(place)]
        yield f"| {cohort} | {inside.mean():.1%} of {len(rows)} | {sets.sum(axis=1).mean():.2f} |"
    yield ""


def _limits(manifest: Manifest) -> Iterator[str]:
    yield "## Limits"
    yield ""
    for name, (low, high) in manifest.film.items():
        yield f"- {name}: {low:.3g} to {high:.3g} in training; nothing is known beyond."
    yield "- The region decides the answer: who draws it, and how, should be as in training."
    yield "- Labels carry their readers' disagreement; no model can be surer than they are."
    if manifest.deep is not None:
        yield f"- {manifest.deep.statement}"
    yield "- Performance elsewhere must be measured there: `trabecula validate BUNDLE STUDY`."
    yield ""


def _inside(manifest: Manifest) -> Iterator[str]:
    yield "## What the file holds"
    yield ""
    yield "No film and no name. Of the training cases: their classes and out-of-fold probabilities under numbers in"
    yield "place of patients, and means and ranges of features."
    if manifest.model in _HOLDS:
        yield _HOLDS[manifest.model]
    yield "The example film is simulated."
    yield ""
    versions = ", ".join(f"{name} {version}" for name, version in manifest.versions.items())
    yield f"Run {manifest.run} of {manifest.created}. Made with {versions}."


def _of_model(run: Path, name: str, manifest: Manifest) -> pd.DataFrame:
    table = read_table(run / "metrics" / f"{name}.csv")
    chosen = (table["signature"] == manifest.signature) & (table["model"] == manifest.model)
    return table[chosen & (table["protocol"] == "sound")]


def _interval(table: pd.DataFrame, name: str, digits: int = 3) -> str:
    if name not in table.index or pd.isna(table.loc[name].iloc[0]):
        return "n/a"
    value, low, high = (float(one) for one in table.loc[name])
    between = "" if pd.isna(low) or pd.isna(high) else f" ({low:.{digits}f} to {high:.{digits}f})"
    return f"{value:.{digits}f}{between}"
