"""Table 1 as rows of text, ready for the page and for any other table format."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..records import TRAINING

APART = 0.1  # a standardised difference that is worth a look (Austin 2009, doi:10.1080/03610910902859574)
_NONE = "–"


@dataclass(frozen=True)
class TableRow:
    """One line of text: ``cells`` are in the order of the headings; ``apart`` are the places of large differences."""

    label: str
    cells: tuple[str, ...]
    level: bool = False
    apart: tuple[int, ...] = ()


@dataclass(frozen=True)
class Table1:
    """Headings, of which the first is that of the labels, and rows."""

    headings: tuple[str, ...]
    rows: tuple[TableRow, ...]


def table1(frame: pd.DataFrame, *, hide: Sequence[str] = ()) -> Table1:
    """Lay out a cohort table (evaluation.cohort_table): a column a cohort, and its difference from training.

    The levels of the variables in ``hide`` are numbered in place of named.
    """
    cohorts = list(dict.fromkeys(frame["cohort"]))
    headings = ["", *cohorts, *(f"SMD, {name}" for name in cohorts if name != TRAINING and TRAINING in cohorts)]
    rows: list[TableRow] = []
    for name in dict.fromkeys(frame["variable"]):
        rows += _of_variable(name, frame[frame["variable"] == name], cohorts, hidden=name in hide)
    return Table1(tuple(headings), tuple(rows))


def _of_variable(name: str, here: pd.DataFrame, cohorts: list[str], *, hidden: bool) -> Iterator[TableRow]:
    first = here.iloc[0]
    per = ", patients" if first["unit"] == "patient" and first["kind"] != "count" and name[:9] != "vertebrae" else ""
    one = here.drop_duplicates("cohort").set_index("cohort").reindex(cohorts)
    differences, apart = _differences(one, cohorts)
    blank = ("",) * (len(cohorts) + len(differences))
    if first["kind"] == "count":
        cells = [_count(row["count"]) for _, row in one.iterrows()]
        yield TableRow(f"{name}, n", (*cells, *blank[len(cohorts) :]))
    elif first["kind"] == "category":
        yield TableRow(f"{name}{per}, n (%)", (*blank[: len(cohorts)], *differences), apart=apart)
        for number, level in enumerate(dict.fromkeys(here["level"]), start=1):
            of_level = here[here["level"] == level].set_index("cohort").reindex(cohorts)
            cells = [_share(row) for _, row in of_level.iterrows()]
            label = f"{name} {number}" if hidden else str(level)
            yield TableRow(label, (*cells, *blank[len(cohorts) :]), level=True)
    elif first["kind"] == "date":
        yield TableRow(f"{name}{per}, years", (*(str(v) or _NONE for v in one["level"]), *blank[len(cohorts) :]))
    else:
        how, cell = ("median [quartiles]", _quartiles) if first["skewed"] else ("mean (SD)", _mean)
        cells = [cell(row) for _, row in one.iterrows()]
        yield TableRow(f"{name}{per}, {how}", (*cells, *differences), apart=apart)
    if one["missing"].fillna(0).sum() > 0:
        cells = [_count(row["missing"]) for _, row in one.iterrows()]
        yield TableRow("missing, n", (*cells, *blank[len(cohorts) :]), level=True)


def _differences(one: pd.DataFrame, cohorts: list[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The standardised differences in words, and the places of those that are large."""
    if TRAINING not in cohorts:
        return (), ()
    held_out = [name for name in cohorts if name != TRAINING]
    values = one["difference"].astype(float).loc[held_out].to_list()
    said = tuple(_NONE if np.isnan(v) else "∞" if np.isinf(v) else f"{v:.2f}" for v in values)
    return said, tuple(len(cohorts) + k for k, v in enumerate(values) if v > APART)


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
