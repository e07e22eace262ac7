"""Table 1 as cells of text, for the page and for any other table format."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..records import TRAINING
from .shown import Row, Shown

APART = 0.1  # a standardised difference that is worth a look (Austin 2009, doi:10.1080/03610910902859574)
_NONE, _INDENT = "–", "\u2003"


def table1(frame: pd.DataFrame) -> Shown:
    """Lay out a cohort table (evaluation.cohort_table): a column a cohort, and its difference from training."""
    cohorts = list(dict.fromkeys(frame["cohort"]))
    heads = ["", *cohorts, *(f"SMD, {name}" for name in cohorts if name != TRAINING and TRAINING in cohorts)]
    rows = [
        Row(cells)
        for name in dict.fromkeys(frame["variable"])
        for cells in _of_variable(name, frame[frame["variable"] == name], cohorts)
    ]
    return Shown("Table 1. Cases by cohort", tuple(heads), tuple(rows))


def _of_variable(name: str, here: pd.DataFrame, cohorts: list[str]) -> Iterator[tuple[str, ...]]:
    """The cells of each row: the row of a number, or a heading and a row a level; last the missing."""
    first = here.iloc[0]
    per = ", patients" if first["unit"] == "patient" and first["kind"] != "count" and name[:9] != "vertebrae" else ""
    one = here.drop_duplicates("cohort").set_index("cohort").reindex(cohorts)
    differences = _differences(one, cohorts)
    blank = ("",) * len(differences)
    if first["kind"] == "count":
        yield (f"{name}, n", *(_count(row["count"]) for _, row in one.iterrows()), *blank)
    elif first["kind"] == "category":
        yield (f"{name}{per}, n (%)", *("" for _ in cohorts), *differences)
        for level in dict.fromkeys(here["level"]):
            of_level = here[here["level"] == level].set_index("cohort").reindex(cohorts)
            yield (f"{_INDENT}{level}", *(_share(row) for _, row in of_level.iterrows()), *blank)
    elif first["kind"] == "date":
        yield (f"{name}{per}, years", *(str(level) or _NONE for level in one["level"]), *blank)
    else:
        how, cell = ("median [quartiles]", _quartiles) if first["skewed"] else ("mean (SD)", _mean)
        yield (f"{name}{per}, {how}", *(cell(row) for _, row in one.iterrows()), *differences)
    if one["missing"].fillna(0).sum() > 0:
        yield (f"{_INDENT}missing, n", *(_count(row["missing"]) for _, row in one.iterrows()), *blank)


def _differences(one: pd.DataFrame, cohorts: list[str]) -> tuple[str, ...]:
    """The standardised differences in words; a star marks those that are large."""
    if TRAINING not in cohorts:
        return ()
    held_out = [name for name in cohorts if name != TRAINING]
    values = one["difference"].astype(float).loc[held_out].to_list()
    said = (_NONE if np.isnan(v) else "∞" if np.isinf(v) else f"{v:.2f}" for v in values)
    return tuple(text + "*" * (v > APART) for text, v in zip(said, values, strict=True))


def _count(value: float) -> str:
    return _NONE if pd.isna(value) else f"{value:,.0f}"


def _share(row: "pd.Series[float]") -> str:
    return _NONE if pd.isna(row["share"]) else f"{row['count']:.0f} ({100 * row['share']:.1f})"


def _mean(row: "pd.Series[float]") -> str:
    return _NONE if pd.isna(row["mean"]) else f"{_number(row['mean'])} ({_number(row['sd'])})"


def _quartiles(row: "pd.Series[float]") -> str:
    if pd.isna(row["median"]):
        return _NONE
    return f"{_number(row['median'])} [{_number(row['q1'])}, {_number(row['q3'])}]"


def _number(value: float) -> str:
    """Two decimals below 10, one below 1,000, none above."""
    if pd.isna(value):
        return _NONE
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{value:,.{digits}f}".replace("-", "−")
