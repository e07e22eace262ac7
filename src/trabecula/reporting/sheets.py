"""Which tables a paper needs of a run, in the words and digits a reader sees: of the chosen model unless said."""

from collections.abc import Iterator, Sequence

import pandas as pd

from ..records import Evaluation
from .documents import Sheet
from .learners import abbreviations, short
from .recorded import Recorded
from .sections.section import identified, of_chosen, protocol_of
from .shown import cell, three
from .table1 import table1
from .tables import counts_line, interval, p_value

_METRICS = {
    "accuracy": "Accuracy", "sensitivity": "Sensitivity", "specificity": "Specificity", "ppv": "PPV", "npv": "NPV",
    "f1": "F1",
}  # fmt: skip
_CALIBRATION = {
    "slope": "Slope", "intercept": "Intercept", "observed_to_expected": "Observed : expected", "ici": "ICI",
    "ece": "ECE",
}  # fmt: skip


def sheets(run: Recorded) -> Iterator[Sheet]:
    """Every table that has a row."""
    evaluation = run.evaluation
    made = (
        baseline_sheet(run.other("metrics/table1")),
        auc_sheet(evaluation),
        performance_sheet(evaluation),
        delong_sheet(evaluation),
        calibration_sheet(evaluation),
        coefficient_sheet(run),
    )
    return (sheet for sheet in made if len(sheet.rows))


def baseline_sheet(described: pd.DataFrame) -> Sheet:
    """Table 1: a column a cohort, and its standardised difference from training; levels are indented."""
    if described.empty:
        return Sheet("table1", "", pd.DataFrame())
    made = table1(described)
    rows = [row.cells for row in made.rows]
    head = pd.Index(["Characteristic", *made.heads[1:]])
    note = "SMD: standardised difference from the training cohort; * above 0.1, ∞ where the cohorts share no value."
    return Sheet("table1", "Characteristics of the cohorts", pd.DataFrame(rows, columns=head), (note,))


def auc_sheet(evaluation: Evaluation) -> Sheet:
    """Every signature and model: the macro AUC and each class's in every cohort."""
    kinds = ("macro", *evaluation.classes)
    auc = evaluation.auc[evaluation.auc["protocol"] == protocol_of(evaluation)]
    keys = ["cohort", "signature", "model"]
    cells = [interval(*three(row)) for row in auc[["auc", "low", "high"]].to_numpy()]
    wide = auc.assign(cell=cells)[auc["class"].isin(kinds)].pivot_table(
        index=keys, columns="class", values="cell", aggfunc="first", sort=False
    )
    rows = wide.reindex(columns=list(kinds)).rename(index=short, level="model").reset_index()
    rows.columns = pd.Index(["Cohort", "Signature", "Model", "Macro AUC", *(_class(k) for k in evaluation.classes)])
    notes = [f"{cohort}: {counts_line(auc, cohort, evaluation.classes)}" for cohort in evaluation.cohorts]
    words = abbreviations(list(dict.fromkeys(auc["model"])))
    notes += [f"{words}."] if words else []
    return Sheet("auc", "AUC (95 % CI) of every model, One-vs-Rest", rows, tuple(notes))


def performance_sheet(evaluation: Evaluation) -> Sheet:
    """The chosen model at the cut-offs of the training folds: a row a cohort and class."""
    table = of_chosen(evaluation.performance, evaluation)
    return Sheet(
        "performance",
        f"Diagnostic performance of {_named(evaluation)}, One-vs-Rest",
        _by_class(table, evaluation, _METRICS, 3),
        (
            "Value (95 % CI). Cut-offs: Youden's index of the out-of-fold training scores, carried to every cohort.",
            *_methods(table[table["metric"].isin(_METRICS)], evaluation.classes),
            "PPV, NPV: positive and negative predictive value.",
        ),
    )


def calibration_sheet(evaluation: Evaluation) -> Sheet:
    """The chosen model's probabilities: a row a cohort and class."""
    rows = _by_class(of_chosen(evaluation.calibration, evaluation), evaluation, _CALIBRATION, 2)
    title = f"Calibration of {_named(evaluation)}"
    notes = (
        "Value (95 % CI), each class against the others.",
        "ICI: integrated calibration index; ECE: expected calibration error.",
    )
    return Sheet("calibration", title, rows, notes)


def delong_sheet(evaluation: Evaluation) -> Sheet:
    """The primary comparisons: all pairs of signatures with the model that training chose."""
    table = evaluation.delong
    table = table[table["family"] == "primary"] if len(table) else table
    differences = [interval(*three(row)) for row in table[["difference", "low", "high"]].to_numpy()]
    rows = pd.DataFrame(
        {
            "Cohort": table["cohort"],
            "Class": table["class"],
            "A": table["signature_a"],
            "B": table["signature_b"],
            "AUC of A": [f"{v:.3f}" if pd.notna(v) else "n/a" for v in table["auc_a"]],
            "AUC of B": [f"{v:.3f}" if pd.notna(v) else "n/a" for v in table["auc_b"]],
            "Difference (95 % CI)": differences,
            "P": [p_value(p) for p in table["p"]],
            "P, Holm": [p_value(p) for p in table["p_adjusted"]],
        }
    )  # fmt: skip
    title = f"Comparison of signatures with the model {short(evaluation.chosen[1])}"
    made = table.drop_duplicates(["cohort", "method"]).groupby("method", sort=False)["cohort"]
    return Sheet("delong", title, rows, tuple(f"{', '.join(cohorts)}: {method}." for method, cohorts in made))


def coefficient_sheet(run: Recorded) -> Sheet:
    """The features that the final LASSO of the chosen signature kept, the largest first, as the page shows them."""
    signature, table = run.evaluation.chosen[0], run.selection.coefficients
    table = identified(run, table[(table["fold"] == "final") & (table["signature"] == signature)])
    wide = table.pivot_table(index="feature", columns="class", values="coefficient", sort=False)
    wide = wide.reindex(columns=[c for c in run.evaluation.classes if c in wide.columns] or list(wide.columns))
    wide = wide.loc[wide.abs().max(axis=1).sort_values(ascending=False, kind="stable").index]
    rows = wide.map(lambda value: f"{value:.4f}".replace("-", "−")).reset_index()
    rows.columns = pd.Index(["Feature", *(_class(c) for c in wide.columns)])
    title = f"LASSO coefficients of {signature}, fitted on all training cases"
    return Sheet("coefficients", title, rows, ("Per standard deviation of the feature in training.",))


def _by_class(table: pd.DataFrame, evaluation: Evaluation, metrics: dict[str, str], digits: int) -> pd.DataFrame:
    known = table.set_index(["cohort", "class", "metric"])[["value", "low", "high"]]
    rows = []
    for cohort in evaluation.cohorts:
        for label in evaluation.classes:
            keys = [(cohort, label, metric) for metric in metrics]
            cells = [cell(known, key, ("value", "low", "high"), digits) for key in keys]
            rows.append([cohort, label, *cells])
    return pd.DataFrame(rows, columns=["Cohort", "Class", *metrics.values()])


def _class(label: str) -> str:
    return f"Class {label}"


def _named(evaluation: Evaluation) -> str:
    signature, model = evaluation.chosen
    return f"{signature}, {short(model)}"


def _methods(table: pd.DataFrame, classes: Sequence[str]) -> Iterator[str]:
    """How the numbers were made, cohort by cohort where it differs."""
    here = table[table["class"].isin(classes)].drop_duplicates(["cohort", "method"])
    for method, rows in here.groupby("method", sort=False):
        yield f"{', '.join(rows['cohort'])}: {method}."
