"""Figures that not every run has: stability, the ladder from the sound flow to the published one."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .figures import COLUMN, FAMILY_COLOURS, PAGE, STYLE, penalty_axis, styled

_FAMILY_STYLES = {"radiomics": "-", "deep": "--"}
_NOT_KEPT = {"color": "#BBBBBB", "linestyle": "-", "zorder": 1, "label": "not kept"}
_HALVES = (("#D55E00", -0.14, "higher half"), ("#0072B2", 0.14, "lower half"))


def stability(table: pd.DataFrame) -> Figure:
    """How many features of each family reach which ICC(2,1)."""
    with mpl.rc_context(STYLE):
        figure = styled(COLUMN, 1.7)
        axes = figure.subplots()
        deep = table["feature"].str.startswith("resnet")
        edges = np.linspace(0, 1, 21)
        below = np.zeros(20)
        for family, rows in (("radiomics", table[~deep]), ("deep", table[deep])):
            if len(rows):
                counts, _ = np.histogram(rows["icc_2_1"].clip(0, 1), bins=edges)
                axes.bar(edges[:-1], counts, 0.05, bottom=below, align="edge", color=FAMILY_COLOURS[family],
                         edgecolor="white", linewidth=0.4, label=family)  # fmt: skip
                below = below + counts
        axes.axvline(0.75, color="#444444", linewidth=0.7, linestyle="--")
        axes.set_xlabel("ICC(2,1); dashed: 0.75")
        axes.set_ylabel("features")
        axes.legend(loc="upper left")
        return figure


def lasso_coefficients(
    along: pd.DataFrame, steps: pd.DataFrame, classes: Sequence[str], deep: tuple[str, ...] = ("resnet",)
) -> Figure:
    """Every coefficient of one signature's final LASSO against the penalty, a panel a class.

    ``along`` leaves zeros out; ``steps`` has all penalties, one of them chosen. Radiomics blue and solid, deep orange
    and dashed; thin and grey what is 0 at the chosen penalty in every class.
    """
    with mpl.rc_context(STYLE):
        chosen = steps.loc[steps["chosen"].astype(bool), "penalty"].iloc[0]
        kept = set(along.loc[along["penalty"] == chosen, "feature"])
        figure = styled(PAGE, 2.1)
        panels = figure.subplots(1, len(classes), squeeze=False, sharey=True)[0]
        for axes, label in zip(panels, classes, strict=True):
            rows = along[along["class"] == label].pivot_table(index="penalty", columns="feature", values="coefficient")
            for feature, values in rows.reindex(steps["penalty"]).fillna(0).items():
                family = "deep" if str(feature).startswith(deep) else "radiomics"
                shown = {"color": FAMILY_COLOURS[family], "linestyle": _FAMILY_STYLES[family], "label": family}
                axes.plot(steps["penalty"], values, linewidth=0.9 if feature in kept else 0.5,
                          **(shown if feature in kept else _NOT_KEPT))  # fmt: skip
            axes.axhline(0, color="#444444", linewidth=0.6)
            axes.axvline(chosen, color="#444444", linewidth=0.8, linestyle=":")
            axes.set_title(f"class {label}", loc="left")
            penalty_axis(axes)
        panels[0].set_ylabel("coefficient (per SD)")
        named = {text: line for axes in panels for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
        if named:
            figure.legend(named.values(), named, loc="outside lower center", ncols=3, handlelength=3)
        return figure


def ladder(table: pd.DataFrame) -> Figure:
    """The reported AUC after each unsound step, a panel a signature; grey: what cohorts that were held out say."""
    with mpl.rc_context(STYLE):
        signatures = list(dict.fromkeys(table["signature"]))
        steps = list(dict.fromkeys(table["words"]))
        figure = styled(PAGE, 0.75 + 0.24 * len(steps))
        panels = figure.subplots(1, len(signatures), squeeze=False, sharey=True, sharex=True)[0]
        for axes, signature in zip(panels, signatures, strict=True):
            rows = table[table["signature"] == signature].set_index("words").loc[steps]
            places = np.arange(len(steps))
            axes.axvline(0.5, color="#999999", linewidth=0.6, linestyle=":")
            axes.axvline(rows["auc"].iloc[0], color="#0072B2", linewidth=0.6, linestyle="--")
            axes.barh(places, rows["auc"] - rows["auc"].iloc[0], left=rows["auc"].iloc[0], height=0.5, color="#E69F00")
            axes.plot(rows["auc"], places, "o", color="#0072B2", markersize=3.5, linestyle="none", label="reported")
            if rows["outside"].notna().any():
                axes.plot(rows["outside"], places, "D", color="#7F7F7F", markersize=3, linestyle="none",
                          label="held out")  # fmt: skip
            axes.set_title(signature, loc="left")
            axes.set_xlabel("macro AUC")
        panels[0].set_yticks(range(len(steps)), steps)
        panels[0].invert_yaxis()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        return figure


def importance(table: pd.DataFrame, deep: tuple[str, ...] = ("resnet",), most: int = 15) -> Figure:
    """What is lost of the macro AUC when each group of features is shuffled, the largest first, a panel a cohort."""
    with mpl.rc_context(STYLE):
        cohorts = list(dict.fromkeys(table["cohort"]))
        order = table.groupby("features", sort=False)["lost"].mean().sort_values(ascending=False, kind="stable")
        features = [str(name) for name in order.index[:most]]
        figure = styled(PAGE, 0.65 + 0.17 * len(features))
        panels = figure.subplots(1, len(cohorts), squeeze=False, sharey=True, sharex=True)[0]
        for axes, cohort in zip(panels, cohorts, strict=True):
            rows = table[table["cohort"] == cohort].set_index("features").reindex(features)
            colours = [_of_group(name, deep) for name in features]
            axes.barh(range(len(features)), rows["lost"], color=colours, height=0.62)
            axes.errorbar(rows["lost"], range(len(features)), xerr=rows["spread"], fmt="none", ecolor="#444444",
                          elinewidth=0.6)  # fmt: skip
            axes.axvline(0, color="#444444", linewidth=0.6)
            axes.set_title(cohort, loc="left")
            axes.set_xlabel("lost macro AUC")
        panels[0].set_yticks(range(len(features)), [_short(name) for name in features])
        panels[0].invert_yaxis()
        return figure


def _of_group(names: str, beginnings: tuple[str, ...]) -> str:
    """The colour of features that go together ("a; b"); grey where there are both kinds."""
    deep = {name.startswith(beginnings) for name in names.split("; ")}
    return "#7F7F7F" if len(deep) > 1 else FAMILY_COLOURS["deep" if deep.pop() else "radiomics"]


def shap(table: pd.DataFrame, most: int = 12) -> Figure:
    """What each feature adds to each class's score: cases of its higher and of its lower half apart.

    A line from the 5th to the 95th percentile, a dot at the median.
    """
    with mpl.rc_context(STYLE):
        classes = list(dict.fromkeys(table["class"]))
        size = table["shap"].abs().groupby(table["feature"], sort=False).mean()
        features = [str(name) for name in size.sort_values(ascending=False, kind="stable").index[:most]]
        figure = styled(PAGE, 0.8 + 0.2 * len(features))
        panels = figure.subplots(1, len(classes), squeeze=False, sharey=True, sharex=True)[0]
        for axes, label in zip(panels, classes, strict=True):
            axes.axvline(0, color="#BBBBBB", linewidth=0.6)
            for y, feature in enumerate(features):
                rows = table[(table["class"] == label) & (table["feature"] == feature)]
                higher = rows["value"] > rows["value"].median()
                for half, (colour, shift, words) in zip((rows[higher], rows[~higher]), _HALVES, strict=True):
                    if len(half):
                        low, middle, high = half["shap"].quantile([0.05, 0.5, 0.95])
                        axes.plot([low, high], [y + shift] * 2, color=colour, linewidth=1.2)
                        axes.plot(middle, y + shift, "o", color=colour, markersize=2.6, label=words if y == 0 else None)
            axes.set_title(f"class {label}", loc="left")
            axes.set_xlabel("SHAP value")
        panels[0].set_yticks(range(len(features)), [_short(name) for name in features])
        panels[0].invert_yaxis()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        return figure


def _short(name: str, most: int = 44) -> str:
    """The first of features that go together ("a; b; c"), and how many more there are."""
    first, *others = name.split("; ")
    end = f" + {len(others)}" if others else ""
    return f"{first}{end}" if len(first + end) <= most else f"{first[: most - 1 - len(end)]}…{end}"
