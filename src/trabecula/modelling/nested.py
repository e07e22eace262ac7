"""Which network may give a row's features in which task, where networks learn from labels themselves.

A network is known by the folds of the training cohort that it was *not* tuned on. In the task of outer fold k, a row of
fold j has its features from the network tuned without j and without k: so that no model learns from features that saw
its row's label, and nothing at all that is fitted in the task has seen a label of fold k. Held-out cohorts and the
final task stand for "no fold": a held-out row has its features from the network tuned on all training rows.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, TypeAlias

import pandas as pd

from ..records import SEEN, Split
from .outcome import FINAL

LeftOut: TypeAlias = tuple[int, ...]

ALL_ROWS: LeftOut = ()  # the network tuned on the whole training cohort


def networks(split: Split) -> list[LeftOut]:
    """Every network a study needs: without no fold, without each one, without each two; 1 + K + K(K-1)/2 of them."""
    folds = sorted(set(split.table["fold"].astype(int)) - {FINAL})
    return [left_out for count in (0, 1, 2) for left_out in combinations(folds, count)]


def tuned_on(split: Split, left_out: LeftOut) -> pd.Index:
    """The training rows that a network learns from."""
    fold = split.table["fold"]
    return split.table.index[(fold != FINAL) & ~fold.isin(left_out)]


def asked_of(split: Split, left_out: LeftOut) -> pd.Index:
    """The rows whose features a network gives; the one tuned on all rows gives all, to be compared with."""
    if left_out == ALL_ROWS:
        return split.table.index
    return split.table.index[split.table["fold"].isin(left_out)]


def by_task(split: Split, found: Mapping[LeftOut, pd.DataFrame]) -> dict[int, pd.DataFrame]:
    """The features of each task, by its fold, from those that each network gave; under ``SEEN`` the naive ones.

    Rows are in the split's order; the task of an outer fold has rows of the training cohort alone. Only rows that the
    network tuned on all was asked for are there.
    """
    fold = split.table.loc[split.table.index.isin(found[ALL_ROWS].index), "fold"].astype(int)
    tasks = {SEEN: found[ALL_ROWS]}
    for task in sorted(set(split.table["fold"].astype(int)) | {FINAL}):
        meant = fold if task == FINAL else fold[fold != FINAL]
        parts = [found[_network(of_row, task)].loc[rows.index] for of_row, rows in meant.groupby(meant)]
        tasks[task] = pd.concat(parts).loc[meant.index]
    return tasks


def _network(of_row: Any, task: int) -> LeftOut:
    return tuple(sorted({int(of_row), task} - {FINAL}))
