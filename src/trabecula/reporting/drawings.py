"""Every figure of a report, by name: drawn once, for the page and for the journal."""

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from ..records import PROBABILITY_PREFIX
from . import figures, panels
from .learners import short
from .nomogram import nomogram
from .recorded import Recorded
from .sections.section import (
    cases_of,
    deep_beginnings,
    identified,
    of_chosen,
    panel_classes,
    protocol_of,
    signatures_of,
)

Drawing = tuple[str, Figure]  # title, figure


def drawings(run: Recorded) -> dict[str, Drawing]:
    """Name -> (title, figure), those that the run has something to show for."""
    if run.facts.lacking:
        return dict(_of_data(run))
    return dict([*_of_data(run), *_of_selection(run), *_of_models(run), *_of_probabilities(run), *_beside(run)])


def _of_data(run: Recorded) -> Iterator[tuple[str, Drawing]]:
    evaluation = run.evaluation
    flow = figures.flow(cases_of(run), evaluation.classes, evaluation.cohorts, run.facts.films)
    yield "flow", ("Flow of patients and vertebrae", flow)
    stability = run.other("features/stability")
    if len(stability):
        yield "stability", ("Agreement of every feature between drawings of the region", panels.stability(stability))


def _of_selection(run: Recorded) -> Iterator[tuple[str, Drawing]]:
    selection, evaluation, deep = run.selection, run.evaluation, deep_beginnings(run)
    selected = [name for name in signatures_of(evaluation) if name in set(selection.path["signature"])]
    final = selection.funnel[selection.funnel["fold"] == "final"]
    reduced = final.groupby("signature", sort=False)["step"].nunique()
    stepped = [name for name in signatures_of(evaluation) if reduced.get(name, 0) > 1]
    if stepped:
        yield "funnel", ("Features kept by each step, final fit", figures.funnel(final, stepped))
    if selected:
        yield "lasso", ("Deviance along the LASSO path, final fit", figures.lasso_paths(selection.path, selected))
    for name in selected:
        along = identified(run, selection.lasso_path[selection.lasso_path["signature"] == name])
        steps = selection.path[(selection.path["signature"] == name) & (selection.path["fold"] == "final")]
        if len(along):
            drawing = panels.lasso_coefficients(along, steps, _shown_classes(run, along), deep)
            yield f"path-{name}", (f"LASSO coefficients of {name} along the path, final fit", drawing)
    final = selection.coefficients[selection.coefficients["fold"] == "final"]
    for name in signatures_of(evaluation):
        rows = identified(run, final[final["signature"] == name])
        if len(rows):
            drawing = figures.coefficients(rows, _shown_classes(run, rows), deep)
            yield f"coefficients-{name}", (f"LASSO coefficients of {name}", drawing)


def _shown_classes(run: Recorded, table: pd.DataFrame) -> list[str]:
    """Those of a table in the study's order, or what ``identified`` made of two."""
    there = list(dict.fromkeys(table["class"]))
    return [name for name in run.evaluation.classes if name in there] or there


def _of_models(run: Recorded) -> Iterator[tuple[str, Drawing]]:
    evaluation = run.evaluation
    signature, model = evaluation.chosen
    auc, roc, protocol = evaluation.auc, evaluation.roc, protocol_of(evaluation)
    auc, roc = auc[auc["protocol"] == protocol], roc[roc["protocol"] == protocol]
    macro = auc[(auc["class"] == "macro") & (auc["model"] == model)]
    yield "forest", (f"Macro AUC of every signature, {short(model)}", figures.auc_forest(macro, evaluation.cohorts))
    for name in signatures_of(evaluation):
        band = run.other("metrics/roc_band") if name == signature else None
        grid = figures.roc_grid(
            roc[roc["signature"] == name], auc[auc["signature"] == name], panel_classes(evaluation), evaluation.cohorts,
            band, model if name == signature else "",
        )  # fmt: skip
        yield f"roc-{name}", (f"ROC curves of {name}, One-vs-Rest", grid)
    counts = of_chosen(evaluation.confusion, evaluation)
    drawing = figures.confusions(counts, evaluation.classes, evaluation.cohorts)
    yield "confusion", (f"Confusion matrices of {signature}, {short(model)}", drawing)


def _of_probabilities(run: Recorded) -> Iterator[tuple[str, Drawing]]:
    """Calibration of the chosen model, decision curves of every signature with it."""
    evaluation = run.evaluation
    signature, model = evaluation.chosen
    classes, cohorts = panel_classes(evaluation), evaluation.cohorts
    rows = of_chosen(run.predictions.rows, evaluation)
    long = rows.melt("cohort", [f"{PROBABILITY_PREFIX}{name}" for name in classes], "class", "p")
    long["class"] = long["class"].str.removeprefix(PROBABILITY_PREFIX)
    reliability = of_chosen(evaluation.reliability, evaluation)
    drawn = figures.calibration(reliability, long, classes, cohorts)
    yield "calibration", (f"Calibration of {signature}, {short(model)}", drawn)
    curves = evaluation.decision_curve[evaluation.decision_curve["model"] == model]
    curves = curves[curves["protocol"] == protocol_of(evaluation)]
    yield "decision", (f"Decision curves, {short(model)}", figures.decision_curves(curves, classes, cohorts))


def _beside(run: Recorded) -> Iterator[tuple[str, Drawing]]:
    groups = run.evaluation.subgroups
    groups = groups[groups["class"] == "macro"] if len(groups) else groups
    if len(groups) and groups["auc"].notna().any():
        yield "subgroups", ("Macro AUC in subgroups", figures.subgroups(groups, run.evaluation.cohorts))
    importance, shap = run.other("explain/importance"), run.other("explain/shap")
    if len(importance):
        yield (
            "importance",
            ("Loss of macro AUC when a feature is shuffled", panels.importance(importance, deep_beginnings(run))),
        )
    if len(shap):
        yield "shap", ("What each feature adds to the score of each class", panels.shap(shap))
    ladder = run.other("metrics/ladder")
    if len(ladder):
        yield "ladder", ("What each unsound step adds to the reported AUC", panels.ladder(ladder))
    by_hand = run.other("explain/nomogram")
    for signature, rows in by_hand.groupby("signature", sort=False) if len(by_hand) else ():
        yield f"nomogram-{signature}", (f"Nomogram of {signature}, logistic regression", nomogram(rows))
