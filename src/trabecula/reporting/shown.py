"""A table as the page shows it: every cell is text already, the first of each row names it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from .tables import ABSENT, interval


@dataclass(frozen=True)
class Row:
    """One row; ``chosen`` is the row of what training chose."""

    cells: tuple[str, ...]
    chosen: bool = False


@dataclass(frozen=True)
class Shown:
    """A table with its caption and headings; ``words`` are the columns, by number, that hold words and stand left."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    words: tuple[int, ...] = (0,)


def shown(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Any]], words: Sequence[int] = (0,)) -> Shown:
    """A table of cells that are turned to text as they are."""
    made = tuple(Row(tuple(str(cell) for cell in row)) for row in rows)
    return Shown(caption, tuple(heads), made, tuple(words))


def matrix(
    caption: str, corner: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]], chosen: str = ""
) -> Shown:
    """A table whose rows and columns both have names; the row of name ``chosen`` is marked."""
    made = tuple(Row((name, *cells), name == chosen) for name, cells in rows.items())
    return Shown(caption, (corner, *columns), made)


def three(row: Any) -> tuple[float, float, float]:
    """A value, low and high."""
    value, low, high = (float(number) for number in row)
    return value, low, high


def cell(indexed: pd.DataFrame, key: object, columns: Sequence[str], digits: int = 3) -> str:
    """The value with its interval at one place of a table, or n/a where the table has no such row."""
    if key not in indexed.index:
        return ABSENT
    row: Any = indexed.loc[key]  # type: ignore[call-overload]
    return interval(*three(row[list(columns)]), digits)
