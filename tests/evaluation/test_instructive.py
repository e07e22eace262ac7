"""Which cases are shown large: the rule, on cases where the answer is plain."""

import pandas as pd
import pytest

from trabecula.evaluation.instructive import instructive_cases

CLASSES = ("0", "1", "2")


def rows(*cases):
    """Cases as (id, cohort, truth, p_0, p_1, p_2)."""
    frame = pd.DataFrame(cases, columns=["case_id", "cohort", "truth", "p_0", "p_1", "p_2"])
    return frame.assign(predicted=frame[["p_0", "p_1", "p_2"]].idxmax(axis=1).str[2:])


def test_confident_and_wrong_come_first_and_held_out_ones_before_training():
    found = instructive_cases(
        rows(
            ("surest", "training", "1", 0.99, 0.01, 0.0),
            ("sure", "external", "1", 0.80, 0.10, 0.10),
            ("surer", "internal", "2", 0.90, 0.05, 0.05),
            ("right", "external", "0", 0.95, 0.05, 0.0),
            ("close", "training", "0", 0.40, 0.39, 0.21),
        ),
        CLASSES,
        4,
    )
    assert list(found.query("rank > 0").sort_values("rank").index) == ["surer", "sure", "surest", "right"]
    assert found["why"].to_dict() == {
        "surest": "confident and wrong",
        "sure": "confident and wrong",
        "surer": "confident and wrong",
        "right": "least confident",  # the only held-out case that is left
        "close": "",
    }


def test_right_ones_are_taken_class_by_class_in_turn():
    right = [(f"{k}{n}", "external", str(k), *(0.9 - n / 100 if j == k else 0.05 for j in range(3)))
             for k in range(3) for n in range(9)]  # fmt: skip
    unsure = [(f"u{n}", "external", "0", 0.4, 0.35, 0.25) for n in range(6)]
    found = instructive_cases(rows(*right, *unsure), CLASSES, 12)
    assert list(found.query("rank > 6").sort_values("rank").index) == ["00", "10", "20", "01", "11", "21"]


@pytest.mark.parametrize("number", [1, 10, 23, 24, 200])
def test_as_many_are_chosen_as_there_are_up_to_the_count_each_once(number):
    wrong = [(f"c{n}", "external", "1", 0.6, 0.3, 0.1) for n in range(number)]
    found = instructive_cases(rows(*wrong), CLASSES, 24)
    assert sorted(found["rank"][found["rank"] > 0]) == list(range(1, min(number, 24) + 1))
    assert (found["why"].ne("") == found["rank"].gt(0)).all()
