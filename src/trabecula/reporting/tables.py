"""Tables of the page as HTML-ready rows, and every table of the evaluation as CSV at full precision."""

from collections.abc import Sequence

import pandas as pd

from ..records import Evaluation, Selection

METRICS = (
    "auc", "delong", "mcnemar", "performance", "confusion", "roc", "cutoffs", "calibration", "reliability",
    "decision_curve", "subgroups", "reclassification",
)  # fmt: skip
SELECTIONS = ("funnel", "ledger", "coefficients", "path", "tuning")
LATER = ("lasso_path",)  # runs of earlier versions lack it
ABSENT = "n/a"


def csv_files(evaluation: Evaluation, selection: Selection) -> dict[str, str]:
    """Path in the run folder -> content; floats as the shortest text that gives them back exactly."""
    tables = {f"metrics/{name}.csv": getattr(evaluation, name) for name in METRICS}
    tables |= {f"selection/{name}.csv": getattr(selection, name) for name in (*SELECTIONS, *LATER)}
    return {path: table.to_csv(index=False, lineterminator="\n") for path, table in tables.items()}


def interval(value: float, low: float, high: float, digits: int = 3) -> str:
    """0.871 (0.812-0.930), or n/a."""
    if pd.isna(value):
        return ABSENT
    if pd.isna(low) or pd.isna(high):
        return f"{value:.{digits}f}"
    between = " to " if low < 0 else "–"
    return f"{value:.{digits}f} ({low:.{digits}f}{between}{high:.{digits}f})".replace("-", "−")


def p_value(p: float) -> str:
    """Three decimals, or < 0.001."""
    return ABSENT if pd.isna(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def auc_matrix(auc: pd.DataFrame, signature: str, cohort: str, classes: Sequence[str]) -> list[dict[str, object]]:
    """One row a model: the macro AUC and each class's, with intervals."""
    here = auc[(auc["signature"] == signature) & (auc["cohort"] == cohort)]
    rows: list[dict[str, object]] = []
    for model in dict.fromkeys(here["model"]):
        of_model = here[here["model"] == model].set_index("class")
        cells = [interval(*of_model.loc[name, ["auc", "low", "high"]]) for name in ("macro", *classes)]
        rows.append({"model": model, "cells": cells})
    return rows


def counts_line(auc: pd.DataFrame, cohort: str, classes: Sequence[str]) -> str:
    """How many cases, and of which class, stand behind a cohort's AUC; the method, and what has none."""
    here = auc[auc["cohort"] == cohort].drop_duplicates("class").set_index("class")
    positive, method = here["n_positive"], here["method"]
    parts = ", ".join(f"class {name}: {int(positive[name])}" for name in classes)
    without = [name for name in classes if pd.isna(here["auc"][name])]
    how = str(method[next((name for name in ("macro", *classes) if not pd.isna(here["auc"][name])), "macro")])
    said = f"n = {int(here['n'].iloc[0])} ({parts}). {how[:1].upper()}{how[1:]}."
    if without and len(without) < len(classes):
        said += f" Class {' and '.join(without)} cannot be compared with the others here: no macro AUC."
    return said
