"""One drawing code for the page (SVG) and the journal (PDF, SVG); the same input gives the same bytes."""

import io
import re
from collections.abc import Sequence
from itertools import product
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import LogLocator, MaxNLocator

from .fonts import lettered
from .learners import short

MM = 1 / 25.4
COLUMN, PAGE = 85 * MM, 175 * MM  # journal widths in inches

# Okabe and Ito's colours, told apart by line style as well
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)), (0, (3, 1, 1, 1, 1, 1)))
FAMILY_COLOURS = {"radiomics": "#0072B2", "deep": "#D55E00"}

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Arial", "Helvetica", "Liberation Sans", "DejaVu Sans"],
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.1,
    "legend.frameon": False,
    "legend.fontsize": 6.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "trabecula",
    "pdf.fonttype": 42,
    "path.simplify": False,
}


def styled(width: float, height: float) -> Figure:
    """An empty figure; sizes in inches."""
    with mpl.rc_context(STYLE):
        return Figure(figsize=(width, height), layout="constrained")


def as_svg(figure: Figure, name: str, title: str) -> str:
    """The figure as one <svg> element whose ids are its own and which a screen reader can name."""
    buffer = io.StringIO()
    canvas: Any = FigureCanvasSVG(figure)
    with mpl.rc_context(STYLE), lettered(figure):
        canvas.print_svg(buffer, metadata={"Date": None})  # savefig would draw all of it twice
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    own = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    text = re.sub(r'(\bid=")', rf"\1{own}-", text)
    text = re.sub(r"(url\(#|href=\"#)", rf"\1{own}-", text)
    text = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d+\.\d{2})\d+", r"\1", tag.group()), text)  # places, not words
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'width="100%" role="img"', text, count=1)
    escaped = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"(<svg[^>]*>)", lambda m: f"{m.group(1)}<title>{escaped}</title>", text, count=1)


def themed(svg: str) -> str:
    """The drawing with every colour by name, so that a style sheet can change it: --x0072b2, else #0072b2."""
    return re.sub(r"((?:fill|stroke): ?)#([0-9a-f]{6})", r"\1var(--x\2, #\2)", svg)


def roc_grid(
    roc: pd.DataFrame,
    auc: pd.DataFrame,
    classes: Sequence[str],
    cohorts: Sequence[str],
    band: pd.DataFrame | None = None,
    chosen: str = "",
) -> Figure:
    """ROC of every model: a row a class (One-vs-Rest), a column a cohort; ``roc`` and ``auc`` of one signature.

    ``chosen``: the model to draw strongest, with its ``band`` (class, cohort, fpr, low, high).
    """
    with mpl.rc_context(STYLE):
        models = sorted(dict.fromkeys(auc["model"]), key=lambda name: name != chosen)  # the chosen one in blue
        figure, grid = _classes_by_cohorts(classes, cohorts)
        for (row, label), (column, cohort) in product(enumerate(classes), enumerate(cohorts)):
            axes = grid[row, column]
            _diagonal(axes)
            here = roc[(roc["class"] == label) & (roc["cohort"] == cohort)]
            for number, model in enumerate(models):
                curve, width = here[here["model"] == model], 1.6 if model == chosen else 0.8
                axes.plot(
                    curve["fpr"], curve["tpr"], color=COLOURS[number % 8], linestyle=STYLES[number % 8],
                    linewidth=width, label=short(model), zorder=3 if model == chosen else 2,
                )  # fmt: skip
            if band is not None and len(band):
                within = band[(band["class"] == label) & (band["cohort"] == cohort)].dropna()
                axes.fill_between(within["fpr"], within["low"], within["high"], color="#DCE9F3", linewidth=0, zorder=0)
        _label_grid(grid, classes, cohorts, "sensitivity", "1 − specificity")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=8, handlelength=2.6, columnspacing=1.2)
        return figure


def auc_forest(auc: pd.DataFrame, cohorts: Sequence[str]) -> Figure:
    """Macro AUC with intervals of every signature, for one model, cohort by cohort."""
    with mpl.rc_context(STYLE):
        signatures = list(dict.fromkeys(auc["signature"]))
        figure = styled(COLUMN, 0.7 + 0.2 * len(signatures) * len(cohorts))
        axes = figure.subplots()
        for row, cohort in enumerate(cohorts):
            for number, signature in enumerate(signatures):
                here = auc[(auc["cohort"] == cohort) & (auc["signature"] == signature)]
                if here.empty or not np.isfinite(here["auc"].iloc[0]):
                    continue
                value, low, high = here[["auc", "low", "high"]].iloc[0]
                y = row + (number - (len(signatures) - 1) / 2) * min(0.22, 0.88 / len(signatures))
                axes.plot([low, high], [y, y], color=COLOURS[number % 8])
                axes.plot(
                    value, y, "osD^v"[number % 5], color=COLOURS[number % 8], markersize=3.5,
                    label=signature if row == 0 else None,
                )  # fmt: skip
        axes.axvline(0.5, color="#999999", linewidth=0.6, linestyle=":")
        axes.set_yticks(range(len(cohorts)), cohorts)
        axes.set_ylim(len(cohorts) - 0.4, -0.6)  # the first on top, and none at the edge where a cohort has no AUC
        axes.set_xlabel("macro AUC (95 % interval)")
        figure.legend(loc="outside lower center", ncols=min(3, len(signatures)))
        return figure


def funnel(funnel_rows: pd.DataFrame, signatures: Sequence[str]) -> Figure:
    """How many features each step kept, a panel a signature, on a log scale; numbers at the bars."""
    with mpl.rc_context(STYLE):
        steps = funnel_rows["order"].nunique()
        figure, panels = _wrapped(len(signatures), 0.42 + 0.16 * steps)
        for axes, signature in zip(panels, signatures, strict=True):
            rows = funnel_rows[funnel_rows["signature"] == signature].sort_values("order")
            kept = rows["kept"].to_numpy(float)
            axes.barh(range(len(rows)), np.maximum(kept, 0.9), color="#8FB4CF", height=0.62)
            for y, count in enumerate(kept):
                axes.text(max(count, 1) * 1.15, y, f"{count:,.0f}", va="center")
            axes.set_xscale("log")
            axes.set_xlim(0.9, max(kept.max(), 1) * 4)
            axes.set_yticks(range(len(rows)), list(rows["step"]))
            axes.tick_params(length=0)
            axes.invert_yaxis()
            axes.set_xticks([])
            axes.minorticks_off()
            axes.spines["bottom"].set_visible(False)
            axes.set_title(signature, loc="left")
        return figure


def lasso_paths(path: pd.DataFrame, signatures: Sequence[str]) -> Figure:
    """Cross-validated deviance along the penalties of the final fit, the chosen one marked."""
    with mpl.rc_context(STYLE):
        figure, panels = _wrapped(len(signatures), 1.75)
        for axes, signature in zip(panels, signatures, strict=True):
            rows = path[(path["signature"] == signature) & (path["fold"] == "final")]
            axes.set_title(signature, loc="left")
            if rows.empty:
                continue
            axes.errorbar(
                rows["penalty"], rows["deviance"], rows["deviance_se"], color="#0072B2", ecolor="#B9D3E6",
                elinewidth=0.6, linewidth=1.0,
            )  # fmt: skip
            chosen = rows[rows["chosen"]].iloc[0]
            axes.axvline(chosen["penalty"], color="#D55E00", linewidth=0.8, linestyle="--")
            late = rows["chosen"].to_numpy(bool).argmax() > len(rows) / 2  # the side on which there is room
            axes.text(
                chosen["penalty"], 0.97, f" {chosen['features']:.0f} features ", color="#A34700",
                transform=axes.get_xaxis_transform(), va="top", ha="right" if late else "left",
            )  # fmt: skip
            penalty_axis(axes)
        figure.axes[0].set_ylabel("deviance a case (CV)")
        return figure


def penalty_axis(axes: Axes) -> None:
    """Penalties on a log scale, the largest first."""
    axes.set_xlabel("penalty")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()
    axes.invert_xaxis()


def coefficients(rows: pd.DataFrame, classes: Sequence[str], deep: tuple[str, ...] = ("resnet",)) -> Figure:
    """Coefficients of one signature's final LASSO, a panel a class, all on one scale; radiomics blue, deep orange.

    ``deep``: how the names of deep features begin.
    """
    with mpl.rc_context(STYLE):
        size = rows.groupby("feature")["coefficient"].apply(lambda values: float(values.abs().max()))
        features = list(size.sort_values(ascending=False).index)
        figure = styled(PAGE, 0.6 + 0.155 * max(len(features), 2))
        panels = figure.subplots(1, len(classes), squeeze=False, sharex=True, sharey=True)[0]
        for axes, label in zip(panels, classes, strict=True):
            values = rows[rows["class"] == label].set_index("feature")["coefficient"].reindex(features).fillna(0)
            colours = [FAMILY_COLOURS["deep" if name.startswith(deep) else "radiomics"] for name in features]
            axes.barh(range(len(features)), values, color=colours, height=0.66)
            axes.axvline(0, color="#444444", linewidth=0.6)
            axes.set_title(f"class {label}", loc="left")
            axes.set_xlabel("coefficient (per SD)")
            axes.xaxis.set_major_locator(MaxNLocator(4))
        figure.axes[0].set_yticks(range(len(features)), features)
        figure.axes[0].set_ylim(len(features) - 0.4, -0.6)
        return figure


def confusions(confusion: pd.DataFrame, classes: Sequence[str], cohorts: Sequence[str]) -> Figure:
    """Truth in rows, predicted class in columns, counts; a panel a cohort."""
    with mpl.rc_context(STYLE):
        figure = styled(PAGE, 0.35 + PAGE / max(len(cohorts), 4))
        for axes, cohort in zip(figure.subplots(1, len(cohorts), squeeze=False)[0], cohorts, strict=True):
            here = confusion[confusion["cohort"] == cohort]
            counts = here.pivot_table(index="truth", columns="predicted", values="n", aggfunc="sum").reindex(
                index=list(classes), columns=list(classes)
            )
            grid = counts.fillna(0).to_numpy(float)
            shares = grid / np.maximum(grid.sum(axis=1, keepdims=True), 1)
            axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1)
            axes.set_aspect("equal")
            axes.invert_yaxis()
            for (row, column), count in np.ndenumerate(grid):
                colour = "white" if shares[row, column] > 0.55 else "black"
                axes.text(column + 0.5, row + 0.5, f"{count:.0f}", ha="center", va="center", color=colour, fontsize=8)
            axes.set_xticks(np.arange(len(classes)) + 0.5, classes)
            axes.set_yticks(np.arange(len(classes)) + 0.5, classes)
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            axes.set_title(f"{cohort} (n = {grid.sum():.0f})")
            axes.set_xlabel("predicted")
        figure.axes[0].set_ylabel("truth")
        return figure


def calibration(
    reliability: pd.DataFrame, probabilities: pd.DataFrame, classes: Sequence[str], cohorts: Sequence[str]
) -> Figure:
    """Observed share against mean probability with intervals, a panel a class and cohort; below, all probabilities.

    ``probabilities``: cohort, class, p.
    """
    with mpl.rc_context(STYLE):
        figure, grid = _classes_by_cohorts(classes, cohorts)
        for (row, label), (column, cohort) in product(enumerate(classes), enumerate(cohorts)):
            axes = grid[row, column]
            _diagonal(axes)
            here = reliability[(reliability["class"] == label) & (reliability["cohort"] == cohort)]
            values = probabilities[(probabilities["class"] == label) & (probabilities["cohort"] == cohort)]["p"]
            heights, edges = np.histogram(values, bins=25, range=(0, 1))
            tall = 0.16 * heights / max(heights.max(), 1)
            axes.bar(edges[:-1], tall, width=0.04, align="edge", color="#D5DEE7", linewidth=0)
            axes.vlines(here["predicted"], here["low"], here["high"], color="#8FB4CF", linewidth=0.9)
            axes.plot(here["predicted"], here["observed"], color="#0072B2", marker="o", markersize=2.6, linewidth=0.9)
        _label_grid(grid, classes, cohorts, "observed share", "probability")
        return figure


def decision_curves(curves: pd.DataFrame, classes: Sequence[str], cohorts: Sequence[str]) -> Figure:
    """Net benefit of every signature against treating all or none, a panel a class and cohort; for one model."""
    with mpl.rc_context(STYLE):
        figure, grid = _classes_by_cohorts(classes, cohorts, share_y="row")
        signatures = list(dict.fromkeys(curves["signature"]))
        for (row, label), (column, cohort) in product(enumerate(classes), enumerate(cohorts)):
            axes = grid[row, column]
            here = curves[(curves["class"] == label) & (curves["cohort"] == cohort)]
            one = here[here["signature"] == signatures[0]]
            axes.plot(
                one["threshold"], one["treat_all"], color="#7F7F7F", linewidth=0.8, linestyle=":", label="treat all"
            )
            axes.axhline(0, color="#444444", linewidth=0.6, label="treat none")
            for number, signature in enumerate(signatures):
                curve = here[here["signature"] == signature]
                axes.plot(
                    curve["threshold"], curve["net_benefit"], color=COLOURS[number % 8], linestyle=STYLES[number % 8],
                    label=signature,
                )  # fmt: skip
            axes.set_xlim(0, 1)
            axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        for row, label in enumerate(classes):
            top = curves[curves["class"] == label]["treat_all"].max()
            grid[row, 0].set_ylim(-0.25 * top, 1.08 * top)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, handlelength=2.6, columnspacing=1.2)
        _label_grid(grid, classes, cohorts, "net benefit", "threshold probability")
        return figure


def subgroups(table: pd.DataFrame, cohorts: Sequence[str]) -> Figure:
    """Macro AUC with intervals and n of every group, a panel a cohort."""
    with mpl.rc_context(STYLE):
        groups = list(dict.fromkeys(zip(table["column"], table["group"], strict=True)))
        columns = list(dict.fromkeys(column for column, _ in groups))
        place = {group: y + columns.index(group[0]) + 1 for y, group in enumerate(groups)}
        heads = {column: min(y for (of, _), y in place.items() if of == column) - 1 for column in columns}
        figure = styled(PAGE, 0.6 + 0.155 * (len(groups) + len(columns)))
        white = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        for axes, cohort in zip(
            figure.subplots(1, len(cohorts), squeeze=False, sharex=True, sharey=True)[0], cohorts, strict=True
        ):
            axes.axvline(0.5, color="#999999", linewidth=0.6, linestyle=":")
            for _, row in table[table["cohort"] == cohort].iterrows():
                y = place[row["column"], row["group"]]
                axes.text(
                    0.02, y, row["n"], va="center", color="#5B6877", transform=axes.get_yaxis_transform(), bbox=white
                )
                axes.plot([row["low"], row["high"]], [y, y], color="#0072B2", linewidth=1)
                axes.plot(row["auc"], y, "s", color="#0072B2", markersize=3)
            axes.set_title(cohort)
            axes.tick_params(axis="y", length=0)
            axes.set_xlim(0.3, 1.005)
            axes.set_ylim(len(groups) + len(columns) - 0.4, -0.6)
            axes.set_xlabel("macro AUC")
        ticks = {
            **{y: (column, "bold") for column, y in heads.items()},
            **{y: (g, "normal") for (_, g), y in place.items()},
        }
        figure.axes[0].set_yticks(list(ticks), [name for name, _ in ticks.values()])
        for label, (_, weight) in zip(figure.axes[0].get_yticklabels(), ticks.values(), strict=True):
            label.set_fontweight(weight)
        return figure


def flow(cases: pd.DataFrame, classes: Sequence[str], cohorts: Sequence[str], films: int | None = None) -> Figure:
    """Patients, films and vertebrae of the study; patients, vertebrae and classes of each cohort."""
    with mpl.rc_context(STYLE):
        lines = 3 + len(classes)
        height = 0.95 + 0.135 * lines
        figure = styled(PAGE, height)
        axes = figure.subplots()
        axes.set_xlim(0, PAGE)
        axes.set_ylim(height, 0)  # both in inches, y from the top
        axes.set_axis_off()
        of_films = "" if films is None else f" · {films:,} films"
        total = f"{cases['patient_id'].nunique():,} patients{of_films} · {len(cases):,} vertebrae"
        places = (np.arange(len(cohorts)) + 0.5) * PAGE / len(cohorts)
        for x, cohort in zip(places, cohorts, strict=True):
            here = cases[cases["cohort"] == cohort]
            counts = [f"class {c}: {(here['truth'] == c).sum():,}" for c in classes]
            words = [cohort, f"{here['patient_id'].nunique():,} patients", f"{len(here):,} vertebrae", *counts]
            axes.plot([PAGE / 2, PAGE / 2, x, x], [0.2, 0.55, 0.55, 0.8], color="#5B6B7A", linewidth=0.7, zorder=0)
            _box(axes, x, 0.8, words)
        _box(axes, PAGE / 2, 0.12, [total])
        return figure


def _box(axes: Axes, x: float, top: float, lines: Sequence[str]) -> None:
    """A box with lines of text; each is a text of its own, so that it is centred in whatever font shows it."""
    width, height = 0.22 + 0.06 * max(map(len, lines)), 0.14 + 0.13 * len(lines)
    shape: dict[str, Any] = {
        "boxstyle": "round,pad=0,rounding_size=0.05",
        "facecolor": "#F3F6F9",
        "edgecolor": "#5B6B7A",
    }
    axes.add_patch(FancyBboxPatch((x - width / 2, top), width, height, linewidth=0.7, **shape))
    for number, line in enumerate(lines):
        axes.text(x, top + 0.07 + 0.13 * (number + 0.5), line, ha="center", va="center")


def _wrapped(panels: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of at most three panels a row, each of this height."""
    columns = min(3, panels)
    rows = -(-panels // columns)
    figure = styled(PAGE, height * rows)
    grid = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for spare in grid[panels:]:
        spare.set_axis_off()
    return figure, grid[:panels]


def _classes_by_cohorts(
    classes: Sequence[str], cohorts: Sequence[str], share_y: Literal["all", "row"] = "all"
) -> tuple[Figure, Any]:
    """An empty grid of panels: a row a class, a column a cohort."""
    figure = styled(PAGE, 0.35 + 1.62 * len(classes) * 4 / max(len(cohorts), 3))
    return figure, figure.subplots(len(classes), len(cohorts), squeeze=False, sharex=True, sharey=share_y)


def _label_grid(grid: Any, classes: Sequence[str], cohorts: Sequence[str], y: str, x: str) -> None:
    for column, cohort in enumerate(cohorts):
        grid[0, column].set_title(cohort)
        grid[-1, column].set_xlabel(x)
    for row, label in enumerate(classes):
        grid[row, 0].set_ylabel(f"class {label}\n{y}")


def _diagonal(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color="#BBBBBB", linewidth=0.6)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_aspect("equal")
