"""No network that saw a label may give a feature to a model that is tested on it, or learns from it."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from trabecula.modelling import ALL_ROWS, FINAL, asked_of, by_task, networks, tuned_on
from trabecula.records import SEEN, Split


def make_split(folds):
    names = pd.Index([f"c{i}" for i in range(len(folds))], name="case_id")
    cohort = np.where(np.array(folds) == FINAL, "external", "training")
    table = pd.DataFrame({"patient_id": names, "cohort": cohort, "truth": "a", "fold": folds}, index=names)
    return Split(table, ("a",), 0)


def confessions(split):
    """Features that say whose labels the network saw: one column a case, 1 where it was tuned on that case."""
    found = {}
    for left_out in networks(split):
        saw = split.table.index.isin(tuned_on(split, left_out)).astype(float)
        rows = asked_of(split, left_out)
        found[left_out] = pd.DataFrame(np.tile(saw, (len(rows), 1)), index=rows, columns=split.table.index)
    return found


some_splits = st.integers(2, 6).flatmap(
    lambda k: st.permutations([*range(1, k + 1), *range(1, k + 1), 0, 0, 1, k]).map(make_split)
)


@settings(max_examples=20)
@given(some_splits)
def test_nothing_in_a_fold_s_task_saw_a_label_of_the_fold_nor_a_feature_its_own(split):
    fold = split.table["fold"]
    for task, values in by_task(split, confessions(split)).items():
        if task == SEEN:
            continue
        assert list(values.index) == list(fold.index if task == FINAL else fold.index[fold != FINAL])
        for name, saw in values.iterrows():
            assert saw[name] == 0, "its own label"
            assert not saw[fold == task].any() or task == FINAL
            same_fold = fold == fold[name]
            assert not saw[same_fold].any(), "nor that of a row of its fold, where its patient's others are"
            learnt_from = (fold != FINAL) & (fold != fold[name]) & (fold != task)
            assert saw[learnt_from].all(), "and it wastes nothing that it may see"


def test_there_are_as_many_networks_as_was_said():
    for k in (2, 3, 5, 10):
        split = make_split([0, *range(1, k + 1)])
        assert len(networks(split)) == 1 + k + k * (k - 1) // 2
        assert len(tuned_on(split, ALL_ROWS)) == k


def test_what_the_published_flow_takes_saw_every_training_label():
    split = make_split([1, 2, 0, 1, 2])
    naive = by_task(split, confessions(split))[SEEN]
    assert (naive.loc[:, split.table["fold"] != FINAL] == 1).all(axis=None)


def test_a_part_of_the_cases_is_enough():
    """Regions drawn again are those of some training cases."""
    split = make_split([1, 2, 0, 1, 2, 3])
    found = {key: values[values.index.isin(["c0", "c4"])] for key, values in confessions(split).items()}
    assert all(list(values.index) == ["c0", "c4"] for values in by_task(split, found).values())
