"""Coefficients over the fits of a run, and nomograms of the signatures whose columns are given."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from ..evaluation import axis_marks, make_nomogram, nomogram_table, odds_ratios
from ..modelling import Refit
from ..records import Selection

COEFFICIENTS = ["source", "feature", "class", "coefficient", "odds_ratio", "fits", "least", "most"]
NOMOGRAM = ["signature", "class", "against", "predictor", "value", "points", "linear_predictor", "probability"]


def coefficient_table(
    fits: Sequence[Refit], selection: Selection, chosen: tuple[str, str], classes: tuple[str, ...]
) -> pd.DataFrame:
    """Of the LASSO, and of the model where it is a logistic regression."""
    signature, model = chosen
    lasso = selection.coefficients[selection.coefficients["signature"] == signature]
    found = [lasso.assign(source="lasso")] if len(lasso) else []
    for one in fits:
        parts = one.coefficients()
        if parts is not None:
            labels = [classes[k] for k in one.learner.known_]
            wide = pd.DataFrame(parts[0].T, one.learnt.columns, labels).rename_axis("feature").reset_index()
            long = wide.melt("feature", var_name="class", value_name="coefficient")
            found.append(long.assign(source=model, fold=one.task.label))
    if not found:
        return pd.DataFrame(columns=COEFFICIENTS)
    rows = [row for _, part in pd.concat(found).groupby("source", sort=False) for row in _over_folds(part, len(fits))]
    return pd.DataFrame(rows, columns=COEFFICIENTS)


def _over_folds(part: pd.DataFrame, fits: int) -> Iterator[dict[str, object]]:
    """A row a feature and class of the final fit; in folds that do not keep the feature its coefficient is 0."""
    final = part[part["fold"] == "final"].pivot_table("coefficient", "class", "feature", sort=False)
    folds = part[part["fold"] != "final"].groupby(["feature", "class"])["coefficient"]
    for feature in map(str, final):
        ratios = odds_ratios(final[[feature]].to_numpy(np.float64))[:, 0]
        for label, ratio in zip(final.index, ratios, strict=True):
            key = (feature, label)
            there = folds.get_group(key).to_list() if key in folds.groups else []
            values = [*there, *([0.0] * (len(there) < fits - 1))]
            yield {
                "source": part["source"].iloc[0], "feature": feature, "class": label,
                "coefficient": final.loc[label, feature], "odds_ratio": ratio, "fits": len(there),
                "least": min(values), "most": max(values),
            }  # fmt: skip


def nomograms(fits: Sequence[Refit], classes: tuple[str, ...]) -> pd.DataFrame:
    """Of the final logistic regression of each signature of given columns: one nomogram a class but the first."""
    tables = []
    for one in fits:
        parts = one.coefficients()
        if parts is None:
            continue
        (slopes, intercepts), (mean, scale) = parts, one.units()
        values = one.learnt.to_numpy(np.float64) * scale + mean
        names = [_in_words(str(name), one.task.signature, classes) for name in one.learnt]
        labels = [classes[k] for k in one.learner.known_]
        marks = [axis_marks(column) for column in values.T]
        for k, label in enumerate(labels[1:], start=1):
            slope = (slopes[k] - slopes[0]) / scale
            intercept = float(intercepts[k] - intercepts[0] - slope @ mean)
            drawn = make_nomogram(slope, intercept, values.min(axis=0), values.max(axis=0))
            if drawn is not None:
                table = nomogram_table(drawn, names, marks, label, labels[0])
                tables.append(table.assign(signature=one.task.signature))
    found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=NOMOGRAM)
    return found[NOMOGRAM]


def _in_words(name: str, signature: str, classes: tuple[str, ...]) -> str:
    """A score's column under the name that odds ratios have for it."""
    if not name.startswith("score_"):
        return name
    return f"{signature.replace('combined', 'fusion', 1)} score, class {classes[int(name.removeprefix('score_'))]}"
