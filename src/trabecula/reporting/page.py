"""The report: one offline page that works without JavaScript, and its files beside it. It computes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from ..records import PROBABILITY_PREFIX, Evaluation, Predictions, Selection
from ..storage import write_atomically
from . import figures
from .tables import auc_matrix, counts_line, csv_files, interval, p_value

METRIC_WORDS = {
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
    "average_precision": "average precision",
}


@dataclass(frozen=True)
class RunFacts:
    """What the page says of a run beyond its results; texts are shown as they are.

    ``features``: table name -> number of features. ``warnings`` stand at the top of the page. ``unsound``: step of the
    flow as published -> what is wrong with it, where that flow was run.
    """

    study: str
    run: str
    created: str
    seed: int
    settings: str
    versions: Mapping[str, str]
    features: Mapping[str, int]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    protocol: str = "sound"
    unsound: Mapping[str, str] = field(default_factory=dict)


def write_report(
    folder: Path,
    facts: RunFacts,
    evaluation: Evaluation,
    selection: Selection,
    predictions: Predictions,
    gap: pd.DataFrame | None = None,
) -> Path:
    """Write report.html, figures/ (SVG and PDF), metrics/ and selection/ (CSV); return the page's path.

    ``gap`` is what the flow as published gives beside it, where both ran.
    """
    for path, text in csv_files(evaluation, selection).items():
        write_atomically(folder / path, text)
    drawings: dict[str, Markup] = {}
    for name, (title, figure) in _drawings(evaluation, selection, predictions).items():
        svg = figures.as_svg(figure, name, title)
        write_atomically(folder / "figures" / f"{name}.svg", svg)
        write_atomically(folder / "figures" / f"{name}.pdf", figures.as_pdf(figure))
        drawings[name] = Markup(svg)  # noqa: S704 our own drawing, its title escaped
    page = _render(facts, evaluation, selection, predictions, drawings, _gap(gap, evaluation))
    write_atomically(folder / "report.html", page)
    return folder / "report.html"


def _drawings(evaluation: Evaluation, selection: Selection, predictions: Predictions) -> dict[str, tuple[str, Any]]:
    """Name -> (title, figure)."""
    signature, model = evaluation.chosen
    classes, cohorts = evaluation.classes, evaluation.cohorts
    auc, roc = evaluation.auc, evaluation.roc
    made: dict[str, tuple[str, Any]] = {
        "flow": ("Flow of patients and vertebrae", figures.flow(_cases(predictions), classes, cohorts)),
        "forest": (
            f"Macro AUC of every signature, {model}",
            figures.auc_forest(auc[(auc["class"] == "macro") & (auc["model"] == model)], cohorts),
        ),
        "funnel": ("Features kept by each step, final fit", figures.funnel(selection.funnel)),
        "lasso": (
            "Deviance along the LASSO path, final fit",
            figures.lasso_paths(
                selection.path,
                list(dict.fromkeys(selection.path["signature"])) or list(dict.fromkeys(auc["signature"])),
            ),
        ),
    }
    final = selection.coefficients[selection.coefficients["fold"] == "final"]
    for name in dict.fromkeys(auc["signature"]):
        one = roc[roc["signature"] == name]
        grid = figures.roc_grid(one, auc[auc["signature"] == name], classes, cohorts)
        made[f"roc-{name}"] = (f"ROC curves of {name}, One-vs-Rest", grid)
        rows = final[final["signature"] == name]
        if not rows.empty:
            made[f"coefficients-{name}"] = (
                f"LASSO coefficients of {name}",
                figures.coefficients(rows, classes),
            )
    chosen = (evaluation.confusion["signature"] == signature) & (evaluation.confusion["model"] == model)
    drawing = figures.confusions(evaluation.confusion[chosen], classes, cohorts)
    made["confusion"] = (f"Confusion matrices of {signature}, {model}", drawing)
    return made | _of_probabilities(evaluation, predictions) | _of_subgroups(evaluation)


def _of_probabilities(evaluation: Evaluation, predictions: Predictions) -> dict[str, tuple[str, Any]]:
    """Calibration of the chosen model, decision curves of every signature with it."""
    signature, model = evaluation.chosen
    classes, cohorts = evaluation.classes, evaluation.cohorts
    rows = _of_chosen(predictions.rows, evaluation)
    long = rows.melt("cohort", [f"{PROBABILITY_PREFIX}{name}" for name in classes], "class", "p")
    long["class"] = long["class"].str.removeprefix(PROBABILITY_PREFIX)
    reliability = _of_chosen(evaluation.reliability, evaluation)
    curves = evaluation.decision_curve[evaluation.decision_curve["model"] == model]
    curves = curves[curves["protocol"] == _protocol(evaluation)]
    return {
        "calibration": (
            f"Calibration of {signature}, {model}",
            figures.calibration(reliability, long, classes, cohorts),
        ),
        "decision": (f"Decision curves, {model}", figures.decision_curves(curves, classes, cohorts)),
    }


def _of_subgroups(evaluation: Evaluation) -> dict[str, tuple[str, Any]]:
    table = evaluation.subgroups[evaluation.subgroups["class"] == "macro"]
    drawing = "Macro AUC in subgroups"
    return {} if table.empty else {"subgroups": (drawing, figures.subgroups(table, evaluation.cohorts))}


def _protocol(evaluation: Evaluation) -> str:
    """The protocol that chose the model: the first."""
    return str(evaluation.auc["protocol"].iloc[0])


def _of_chosen(table: pd.DataFrame, evaluation: Evaluation) -> pd.DataFrame:
    """The rows of the chosen signature and model, in the protocol that chose them."""
    signature, model = evaluation.chosen
    of_model = (table["signature"] == signature) & (table["model"] == model)
    return table[of_model & (table["protocol"] == _protocol(evaluation))]


def _cases(predictions: Predictions) -> pd.DataFrame:
    return predictions.rows.drop_duplicates("case_id")[["case_id", "patient_id", "cohort", "truth"]]


def _render(
    facts: RunFacts,
    evaluation: Evaluation,
    selection: Selection,
    predictions: Predictions,
    drawings: Mapping[str, Markup],
    gap: list[dict[str, str]],
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trabecula.reporting", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    signature, model = evaluation.chosen
    signatures = list(dict.fromkeys(evaluation.auc["signature"]))
    style = Path(__file__).with_name("templates").joinpath("style.css").read_text(encoding="utf-8")
    return environment.get_template("report.html").render(
        facts=facts,
        style=Markup(style),  # noqa: S704 our own style sheet
        drawings=drawings,
        stability=(selection.funnel["step"] == "stability").any(),
        classes=evaluation.classes,
        cohorts=evaluation.cohorts,
        signature=signature,
        model=model,
        signatures=signatures,
        size=_size(predictions),
        card=_card(evaluation),
        auc={name: {c: auc_matrix(evaluation.auc, name, c, evaluation.classes) for c in evaluation.cohorts}
             for name in signatures},
        counts={cohort: counts_line(evaluation.auc, cohort, evaluation.classes) for cohort in evaluation.cohorts},
        delong=_delong(evaluation),
        performance=_performance(evaluation),
        empty=_empty(selection),
        calibration=_calibration(evaluation),
        whole=_whole(evaluation),
        doubts=_doubts(evaluation),
        reclassification=[
            {key: f"{value:.3f}" if isinstance(value, float) else value for key, value in row.items()}
            for row in evaluation.reclassification.to_dict("records")
        ],
        gap=gap,
    )  # fmt: skip


def _gap(gap: pd.DataFrame | None, evaluation: Evaluation) -> list[dict[str, str]]:
    """For the chosen signature and model: both protocols' macro AUC, a row a cohort."""
    if gap is None:
        return []
    signature, model = evaluation.chosen
    here = gap[(gap["signature"] == signature) & (gap["model"] == model)]
    rows = here[(here["class"] == "macro") & (here["measure"] == "auc")]
    return [
        {
            "cohort": row["cohort"],
            "sound": interval(row["sound"], row["sound_low"], row["sound_high"]),
            "rows": row["sound_rows"],
            "published": interval(row["published"], row["published_low"], row["published_high"]),
            "gap": "n/a" if pd.isna(row["gap"]) else f"{row['gap']:+.3f}",
        }
        for _, row in rows.iterrows()
    ]


def _size(predictions: Predictions) -> str:
    cases = _cases(predictions)
    return f"{cases['patient_id'].nunique():,} patients, {len(cases):,} vertebrae"


def _card(evaluation: Evaluation) -> list[dict[str, str]]:
    """The chosen signature and model on every cohort."""
    signature, model = evaluation.chosen
    rows = []
    for cohort in evaluation.cohorts:
        auc = _one(evaluation.auc, signature, model, cohort)
        macro = auc[auc["class"] == "macro"].iloc[0]
        performance = _one(evaluation.performance, signature, model, cohort)
        accuracy = performance[(performance["class"] == "all") & (performance["metric"] == "accuracy")].iloc[0]
        rows.append(
            {
                "cohort": cohort,
                "n": f"{macro['n']:.0f}",
                "auc": "n/a" if pd.isna(macro["auc"]) else f"{macro['auc']:.3f}",
                "interval": interval(macro["auc"], macro["low"], macro["high"]).partition(" ")[2],
                "accuracy": interval(accuracy["value"], accuracy["low"], accuracy["high"]),
                "method": str(macro["method"]),
            }
        )
    return rows


def _one(table: pd.DataFrame, signature: str, model: str, cohort: str) -> pd.DataFrame:
    return table[(table["signature"] == signature) & (table["model"] == model) & (table["cohort"] == cohort)]


def _delong(evaluation: Evaluation) -> dict[str, list[dict[str, str]]]:
    """The planned comparisons: every pair of signatures with the chosen model, a table a cohort."""
    table = evaluation.delong[evaluation.delong["family"] == "primary"]
    return {
        cohort: [
            {
                "class": row["class"],
                "pair": f"{row['signature_a']} v {row['signature_b']}",
                "auc_a": interval(row["auc_a"], float("nan"), float("nan")),
                "auc_b": interval(row["auc_b"], float("nan"), float("nan")),
                "z": "n/a" if pd.isna(row["z"]) else f"{row['z']:.2f}",
                "p": p_value(row["p"]),
                "adjusted": p_value(row["p_adjusted"]),
            }
            for _, row in table[table["cohort"] == cohort].iterrows()
        ]
        for cohort in evaluation.cohorts
        if (table["cohort"] == cohort).any()
    }


def _performance(evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
    """For the chosen signature and model: a row a class and one for all, a table a cohort."""
    signature, model = evaluation.chosen
    tables = {}
    for cohort in evaluation.cohorts:
        here = _one(evaluation.performance, signature, model, cohort)
        rows = []
        for label in evaluation.classes:
            of_class = here[here["class"] == label].set_index("metric")
            cells = [
                interval(*of_class.loc[metric, ["value", "low", "high"]]) if metric in of_class.index else "n/a"
                for metric in METRIC_WORDS
            ]
            rows.append({"class": label, "cells": cells})
        tables[cohort] = rows
    return tables


_CALIBRATION = ("slope", "intercept", "calibration_in_the_large", "observed_to_expected", "ici", "ece")
_WHOLE = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "mcc": "Matthews correlation",
    "kappa": "kappa",
    "quadratic_weighted_kappa": "quadratic-weighted kappa",
    "brier": "Brier score",
    "log_loss": "log loss",
}


def _calibration(evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
    """For the chosen signature and model: a row a class, a table a cohort."""
    table = _of_chosen(evaluation.calibration, evaluation)
    return {cohort: _cells(table, cohort, evaluation.classes, _CALIBRATION, 2) for cohort in evaluation.cohorts}


def _cells(
    table: pd.DataFrame, cohort: str, classes: Sequence[str], metrics: Sequence[str], digits: int
) -> list[dict[str, Any]]:
    here = table[table["cohort"] == cohort].set_index(["class", "metric"])[["value", "low", "high"]]
    return [
        {"class": label, "cells": [interval(*_three(here.loc[(label, metric)]), digits) for metric in metrics]}
        for label in classes
    ]


def _three(row: Any) -> tuple[float, float, float]:
    """A value, low and high."""
    value, low, high = (float(number) for number in row)
    return value, low, high


def _whole(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Average AUCs and measures over all classes of the chosen signature and model: a row each, a cell a cohort."""
    found = _of_chosen(evaluation.performance, evaluation)
    found = found[found["class"] == "all"].set_index(["cohort", "metric"])[["value", "low", "high"]]
    auc = _of_chosen(evaluation.auc, evaluation).set_index(["cohort", "class"])[["auc", "low", "high"]]
    averages = {"macro": "macro AUC", "weighted": "AUC weighted by prevalence", "micro": "micro AUC"}
    averages |= {"hand_till": "Hand–Till AUC"}
    return [
        {"name": words, "cells": [interval(*_three(rows.loc[(cohort, key)])) for cohort in evaluation.cohorts]}
        for rows, names in ((auc, averages), (found, _WHOLE))
        for key, words in names.items()
    ]


def _doubts(evaluation: Evaluation) -> list[str]:
    """What is to be doubted in the intervals of the chosen signature and model, once each."""
    table = _of_chosen(evaluation.auc, evaluation)
    table = table[(table["warning"] != "") & table["class"].isin([*evaluation.classes, "macro"])]
    said: dict[str, list[str]] = {}
    for _, row in table.iterrows():
        of = row["class"] if row["class"] == "macro" else f"class {row['class']}"
        said.setdefault(row["warning"], []).append(f"{row['cohort']}, {of}")
    return [f"{'; '.join(places)}: {text}." for text, places in said.items()]


def _empty(selection: Selection) -> list[str]:
    """Where the LASSO kept nothing, in words."""
    notes = selection.tuning[selection.tuning["note"].str.startswith("the LASSO kept no feature")]
    return [
        f"{row['signature']}, fold {row['fold']}" for _, row in notes.drop_duplicates(["signature", "fold"]).iterrows()
    ]
