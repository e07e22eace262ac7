"""Figures that not every run has: stability, the ladder from the sound flow to the published one."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .figures import COLUMN, FAMILY_COLOURS, PAGE, STYLE, styled


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
            axes.plot(rows["outside"], places, "D", color="#7F7F7F", markersize=3, linestyle="none", label="held out")
            axes.set_title(signature, loc="left")
            axes.set_xlabel("macro AUC")
        panels[0].set_yticks(range(len(steps)), steps)
        panels[0].invert_yaxis()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        return figure
