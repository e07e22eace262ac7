"""How well it tells the classes apart, and whether its probabilities can be believed."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import yaml

from ...records import PROBABILITY_PREFIX, PUBLISHED, Evaluation
from ..learners import abbreviations, short
from ..recorded import Recorded
from ..shown import Row, Shown, cell, matrix
from ..tables import auc_matrix, counts_line, p_value
from .section import Section, View, of_chosen, panel_classes, protocol_of, signatures_of

LIMITS = ("value", "low", "high")
METRIC_WORDS = {
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
    "average_precision": "average precision",
}
_CALIBRATED_BY = {"sigmoid": "a sigmoid", "isotonic": "isotonic regression", "temperature": "temperature scaling"}
_CALIBRATION = {
    "slope": "slope",
    "intercept": "intercept",
    "calibration_in_the_large": "in the large",
    "observed_to_expected": "observed : expected",
    "ici": "ICI",
    "ece": "ECE",
}
_AVERAGES = {
    "macro": "macro AUC",
    "weighted": "AUC weighted by prevalence",
    "micro": "micro AUC",
    "hand_till": "Hand–Till AUC",
}
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


def _roc(run: Recorded) -> View:
    return {"banded": not run.other("metrics/roc_band").empty, "mirrored": _mirrored(run.evaluation)}


def _auc(run: Recorded) -> View:
    evaluation = run.evaluation
    signature, model = evaluation.chosen
    heads = ("model", "macro", *(f"class {name}" for name in evaluation.classes))
    tables = {
        cohort: {
            name: Shown(
                f"{name}, {cohort}: AUC (95 % interval)",
                heads,
                tuple(
                    Row((short(str(row["model"])), *row["cells"]), name == signature and row["model"] == model)  # type: ignore[misc]
                    for row in auc_matrix(evaluation.auc, name, cohort, evaluation.classes)
                ),
            )
            for name in signatures_of(evaluation)
        }
        for cohort in evaluation.cohorts
    }
    counts = {cohort: counts_line(evaluation.auc, cohort, evaluation.classes) for cohort in evaluation.cohorts}
    names = abbreviations(list(dict.fromkeys(evaluation.auc["model"])))
    return {"auc": tables, "counts": counts, "doubts": _doubts(evaluation), "names": names}


def _doubts(evaluation: Evaluation) -> list[str]:
    """What is to be doubted in the intervals of the chosen signature and model, once each."""
    table = of_chosen(evaluation.auc, evaluation)
    table = table[(table["warning"] != "") & table["class"].isin([*evaluation.classes, "macro"])]
    said: dict[str, list[str]] = {}
    for (text, cohort), rows in table.groupby(["warning", "cohort"], sort=False):
        of = [row if row == "macro" else f"class {row}" for row in rows["class"]]
        said.setdefault(str(text), []).append(f"{cohort} ({', '.join(of)})")
    return [f"{'; '.join(places)}: {text}." for text, places in said.items()]


def _delong(run: Recorded) -> View:
    evaluation = run.evaluation
    macro = evaluation.delong[evaluation.delong["class"] == "macro"]
    macro = macro[macro["protocol"] == protocol_of(evaluation)]
    of_model = macro[macro["family"] == "primary"]
    chosen = evaluation.chosen[0]
    small = {
        cohort: _pairs(of_model[of_model["cohort"] == cohort], cohort, ("signature_a",), ("signature_b",), chosen)
        for cohort in evaluation.cohorts
    }
    large = {
        cohort: _compact(macro[macro["cohort"] == cohort], cohort)
        for cohort in evaluation.cohorts
    }  # fmt: skip
    classes = {cohort: _of_classes(evaluation, cohort) for cohort in evaluation.cohorts}
    planned = evaluation.tests[evaluation.tests["family"] == "primary"]
    tests = max((int((planned["cohort"] == cohort).sum()) for cohort in evaluation.cohorts), default=0)
    view = {"small": small, "large": large, "of_classes": classes, "tests": tests}
    return view | {"pairs": any(table.rows for table in small.values()), "one_auc": len(evaluation.classes) == 2}


def _names(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    return [" ".join(row) for row in table[list(columns)].to_numpy(object).tolist()]


def _pairs(table: pd.DataFrame, cohort: str, a: Sequence[str], b: Sequence[str], chosen: str) -> Shown:
    """Raw P above the diagonal, adjusted P below it; no rows where the cohort has no macro AUC."""
    table = table.dropna(subset="p")
    first, second = _names(table, a), _names(table, b)
    names = list(dict.fromkeys([*first, *second]))
    place = {name: k for k, name in enumerate(names)}
    cells = [["–" if i == k else "" for k in range(len(names))] for i in range(len(names))]
    for one, other, p, adjusted in zip(first, second, table["p"], table["p_adjusted"], strict=True):
        i, k = sorted((place[one], place[other]))
        cells[i][k], cells[k][i] = p_value(p), p_value(adjusted)
    rows = {name: cells[place[name]] for name in names}
    return matrix(f"{cohort}: P above the diagonal, P adjusted below it", "", names, rows, chosen)


def _compact(table: pd.DataFrame, cohort: str) -> Shown:
    columns = (("signature_a", "model_a"), ("signature_b", "model_b"))
    table = table.assign(model_a=table["model_a"].map(short), model_b=table["model_b"].map(short))
    return _pairs(table, f"{cohort}, every signature and model", *columns, "")


def _of_classes(evaluation: Evaluation, cohort: str) -> Shown:
    """The planned pairs, class by class."""
    table = evaluation.delong[(evaluation.delong["cohort"] == cohort) & (evaluation.delong["family"] == "primary")]
    heads = ("signatures", "class", "AUC", "AUC", "z", "P", "P adjusted")
    rows = tuple(Row(tuple(_delong_cells(row))) for _, row in table.iterrows())
    return Shown(f"{cohort}: every class", heads, rows, (0, 1))


def _delong_cells(row: "pd.Series[Any]") -> Iterator[str]:
    yield f"{row['signature_a']} v {row['signature_b']}"
    yield str(row["class"])
    yield from ("n/a" if pd.isna(row[name]) else f"{row[name]:.3f}" for name in ("auc_a", "auc_b"))
    yield "n/a" if pd.isna(row["z"]) else f"{row['z']:.2f}".replace("-", "−")
    yield from (p_value(row[name]) for name in ("p", "p_adjusted"))


def _performance(run: Recorded) -> View:
    evaluation = run.evaluation
    found = of_chosen(evaluation.performance, evaluation).set_index(["cohort", "class", "metric"])
    auc = of_chosen(evaluation.auc, evaluation).set_index(["cohort", "class"])
    rows = {
        words: [cell(auc, (cohort, key), ("auc", "low", "high")) for cohort in evaluation.cohorts]
        for key, words in _AVERAGES.items()
    } | {
        words: [cell(found, (cohort, "all", key), LIMITS) for cohort in evaluation.cohorts]
        for key, words in _WHOLE.items()
    }
    by_class = {
        cohort: matrix(
            f"{cohort}, one class against the rest (95 % interval)",
            "measure",
            [f"class {label}" for label in evaluation.classes],
            {
                words: [cell(found, (cohort, label, key), LIMITS) for label in evaluation.classes]
                for key, words in METRIC_WORDS.items()
            },
        )
        for cohort in evaluation.cohorts
    }
    whole = matrix("All classes (95 % interval)", "measure", evaluation.cohorts, rows)
    return {"whole": whole, "by_class": by_class, "cutoffs": _cutoffs(evaluation)}


def _cutoffs(evaluation: Evaluation) -> str:
    table = of_chosen(evaluation.cutoffs, evaluation)
    return ", ".join(f"class {row['class']} {row['cutoff']:.3f}" for _, row in table.iterrows())


def _confusion(run: Recorded) -> View:
    """A matrix a cohort, its cells linked to the cases behind them, the most confident first."""
    evaluation = run.evaluation
    rows = of_chosen(run.predictions.rows, evaluation)
    columns = [PROBABILITY_PREFIX + name for name in evaluation.classes]
    rows = rows.assign(confidence=rows[columns].max(axis=1)).sort_values("confidence", ascending=False, kind="stable")
    place = {name: k for k, name in enumerate(evaluation.classes)}
    matrices = []
    for number, cohort in enumerate(evaluation.cohorts):
        here = rows[rows["cohort"] == cohort]
        cells = {key: list(zip(group["case_id"], group["confidence"], strict=True))
                 for key, group in here.groupby(["truth", "predicted"], sort=False)}  # fmt: skip
        grid = [
            {
                "truth": truth,
                "total": sum(len(cells.get((truth, other), ())) for other in evaluation.classes),
                "cells": [
                    {
                        "id": f"cell-{number}-{place[truth]}-{place[predicted]}",
                        "predicted": predicted,
                        "cases": [(name, f"{p:.2f}") for name, p in cells.get((truth, predicted), ())],
                        "right": truth == predicted,
                    }
                    for predicted in evaluation.classes
                ],
            }
            for truth in evaluation.classes
        ]
        matrices.append({"cohort": cohort, "n": len(here), "grid": grid})
    return {"matrices": matrices}


def _calibration(run: Recorded) -> View:
    evaluation = run.evaluation
    found = of_chosen(evaluation.calibration, evaluation).set_index(["cohort", "class", "metric"])
    tables = {
        cohort: matrix(
            f"{cohort} (95 % interval)",
            "class",
            list(_CALIBRATION.values()),
            {label: [cell(found, (cohort, label, key), LIMITS, 2) for key in _CALIBRATION]
             for label in evaluation.classes},
        )
        for cohort in evaluation.cohorts
    }  # fmt: skip
    asked = (yaml.safe_load(run.facts.settings) or {}).get("calibration", "none")
    learnt = "" if asked == "none" or run.facts.protocol == PUBLISHED else f"calibration by {_CALIBRATED_BY[asked]}"
    return {"calibration": tables, "learnt": learnt, "mirrored": _mirrored(evaluation)}


def _decision(run: Recorded) -> View:
    return {"mirrored": _mirrored(run.evaluation)} if len(run.evaluation.decision_curve) else None


def _mirrored(evaluation: Evaluation) -> tuple[str, ...]:
    """The two classes of a study whose figures show the second alone; else nothing."""
    return evaluation.classes if len(panel_classes(evaluation)) < len(evaluation.classes) else ()


VIEWS = (
    Section("roc", "ROC curves", _roc),
    Section("auc", "AUC table", _auc),
    Section("delong", "DeLong tests", _delong),
    Section("performance", "Performance", _performance),
    Section("confusion", "Confusion matrices", _confusion),
    Section("calibration", "Calibration", _calibration),
    Section("decision", "Decision curves", _decision),
)
