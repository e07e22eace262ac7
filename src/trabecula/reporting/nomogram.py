"""A logistic model to be read off by hand."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .figures import PAGE, STYLE, styled


def nomogram(table: pd.DataFrame) -> Figure:
    """Axes to read points from and to add up, a panel a class; ``table``: nomogram of an Explanation, one signature.

    Below the predictors the sum of points, and the probability of the class among cases of it and of the first one.
    """
    with mpl.rc_context(STYLE):
        panels = [_nomogram_scales(rows) for _, rows in table.groupby("class", sort=False)]
        heights = [len(scales) for scales in panels]
        figure = styled(PAGE, 0.3 * len(panels) + 0.33 * sum(heights))
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, scales, (label, rows) in zip(grid, panels, table.groupby("class", sort=False), strict=True):
            for y, (places, words) in enumerate(scales.values()):
                axes.plot([places.min(), places.max()], [y, y], color="#444444", linewidth=0.7)
                axes.plot(places, np.full(len(places), y), "|", color="#444444", markersize=4)
                for k in _apart(places, words):
                    axes.text(places[k], y - 0.14, words[k], ha="center", va="bottom", fontsize=6)
            axes.set_title(f"class {label} against class {rows['against'].iloc[0]}", loc="left")
            axes.set_xlim(-0.02, 1.02)
            axes.set_ylim(len(scales) - 0.6, -0.8)
            axes.set_xticks([])
            axes.spines[["bottom", "left"]].set_visible(False)
            axes.tick_params(axis="y", length=0)
            axes.set_yticks(range(len(scales)), list(scales))
        return figure


def _nomogram_scales(rows: pd.DataFrame) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Name of each axis -> places of its marks between 0 and 1, and what is written at them."""
    total = rows[rows["linear_predictor"].notna()]
    points = np.arange(0, 101, 10)
    scales = {"points": (points / 100, [str(value) for value in points])}
    for name, one in rows[rows["linear_predictor"].isna()].groupby("predictor", sort=False):
        scales[str(name)] = (one["points"].to_numpy(float) / 100, [f"{value:.3g}" for value in one["value"]])
    reached = total["points"].to_numpy(float)
    scales["total points"] = (reached / reached.max(), [f"{value:.0f}" for value in reached])
    chances = np.array([0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
    low, high = total["linear_predictor"].min(), total["linear_predictor"].max()
    places = (np.log(chances / (1 - chances)) - low) / (high - low)
    inside = (places >= 0) & (places <= 1)
    if inside.any():
        scales["probability"] = (places[inside], [f"{value:g}" for value in chances[inside]])
    return scales


def _apart(places: np.ndarray, words: Sequence[str]) -> list[int]:
    """The marks whose words fit beside one another, the ends first."""
    kept: list[int] = []
    for k in (0, len(words) - 1, *range(1, len(words) - 1)):
        if all(abs(places[k] - places[j]) > 0.007 * (len(words[k]) + len(words[j])) for j in kept):
            kept.append(k)
    return kept
