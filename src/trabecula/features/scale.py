"""The scale of deep features per cohort and per site: greys that were scaled otherwise show here first."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from ..records import FeatureTable, Study

LARGEST_RATIO = 2.0
_SITES = ("site", "hospital", "centre", "center", "device", "scanner", "manufacturer")


def feature_scale(table: FeatureTable, groups: Mapping[str, "pd.Series[str]"]) -> pd.DataFrame:
    """The median over a group's cases of the length (L2 norm) of their features.

    ``groups``: a word for each division ("cohort", "site") and each case's part in it, by case id. Columns of the
    answer: features, division, part, n, length.
    """
    lengths = pd.Series(np.linalg.norm(np.nan_to_num(table.values.to_numpy()), axis=1), index=table.values.index)
    rows = [
        (table.name, division, str(part), len(these), float(these.median()))
        for division, parts in groups.items()
        for part, these in lengths.groupby(parts.loc[lengths.index])
    ]
    return pd.DataFrame(rows, columns=["features", "division", "part", "n", "length"])


def divisions(study: Study, cohorts: "pd.Series[str]") -> dict[str, "pd.Series[str]"]:
    """Cohorts, by case id as the split has them, and every free column of the table that tells a site or a device."""
    columns = pd.DataFrame([dict(case.columns) for case in study.cases], index=[case.case_id for case in study.cases])
    named = [name for name in columns if str(name).lower() in _SITES]
    return {"cohort": cohorts} | {str(name): columns[name].fillna("") for name in named}


def scale_notes(scale: pd.DataFrame) -> Iterable[str]:
    """One sentence for every division whose parts differ in scale more than twofold."""
    for (features, division), parts in scale.groupby(["features", "division"], sort=False):
        ordered = parts.sort_values("length")
        low, high = ordered.iloc[0], ordered.iloc[-1]
        if high["length"] > LARGEST_RATIO * low["length"]:
            ratio = high["length"] / low["length"] if low["length"] else np.inf
            yield (
                f"{features}: the features of {division} {high['part']} (n={high['n']}) are {ratio:.1f} times the size "
                f"of those of {division} {low['part']} (n={low['n']}); their films may be scaled or windowed otherwise"
            )
