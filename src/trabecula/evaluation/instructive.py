"""Which cases a reader should look at first: a stated rule, so that nobody picks the pictures."""

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest

import numpy as np
import pandas as pd

from ..records import CONFIDENT, PROBABILITY_PREFIX, TRAINING

WRONG, UNSURE, RIGHT = "confident and wrong", "least confident", "confident and right"
ALSO = {False: "wrong", True: "right"}
_MOST_WRONG, _MOST_UNSURE = 12, 6


def instructive_cases(rows: pd.DataFrame, classes: Sequence[str], count: int = 24) -> pd.DataFrame:
    """Mark every case of one model: probability (of its predicted class), confident, right, why, rank.

    ``rows``: case_id, cohort, truth, predicted, p_<class>; the result is indexed by case id, in the same order. The
    instructive ones have a rank from 1 and say ``why``: at most 12 confident and wrong, the most confident first; at
    most 6 with the smallest gap between their two largest probabilities; then the most confident right ones, class by
    class in turn; and where these are too few, other wrong ones, then right ones. Held-out cases come before training.
    """
    marks = _marks(rows, classes)
    chosen: dict[str, str] = {}
    for why, names, most in _lists(marks, classes, count):
        new = [name for name in names if name not in chosen][: min(most, count - len(chosen))]
        chosen |= dict.fromkeys(new, why)
    marks["why"] = [chosen.get(name, "") for name in marks.index]
    rank = {name: number for number, name in enumerate(chosen, start=1)}
    marks["rank"] = [rank.get(name, 0) for name in marks.index]
    return marks[["probability", "confident", "right", "why", "rank"]]


def _marks(rows: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    p = rows[[f"{PROBABILITY_PREFIX}{name}" for name in classes]].to_numpy(np.float64)
    marks = rows[["case_id", "cohort", "truth", "predicted"]].set_index("case_id")
    ordered = np.sort(p, axis=1)
    marks["probability"] = ordered[:, -1]
    marks["gap"] = ordered[:, -1] - ordered[:, -2]
    marks["confident"] = marks["probability"] >= CONFIDENT
    marks["right"] = marks["truth"] == marks["predicted"]
    marks["held_out"] = marks["cohort"] != TRAINING
    return marks


def _lists(marks: pd.DataFrame, classes: Sequence[str], count: int) -> Iterator[tuple[str, list[str], int]]:
    """Why, the cases in order, and how many of them at most."""
    surest = marks.sort_values(["held_out", "probability"], ascending=False, kind="stable")
    closest = marks.assign(late=~marks["held_out"]).sort_values(["late", "gap"], kind="stable")
    right = surest[surest["right"] & surest["confident"]]
    in_turn = zip_longest(*(right.index[right["truth"] == name] for name in classes))
    yield WRONG, list(surest.index[~surest["right"] & surest["confident"]]), _MOST_WRONG
    yield UNSURE, list(closest.index), _MOST_UNSURE
    yield RIGHT, [name for name in chain.from_iterable(in_turn) if name is not None], count
    for is_right, why in ALSO.items():
        yield why, list(surest.index[surest["right"] == is_right]), count
