"""Points against the conventions of R's rms, and the way back to the linear predictor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from trabecula.evaluation.nomogram import TOTAL, axis_marks, make_nomogram, nomogram_table


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_points_lead_back_to_the_linear_predictor(seed, count):
    rng = np.random.default_rng(seed)
    slopes, intercept, low = rng.normal(size=count), float(rng.normal()), rng.normal(size=count)
    high = low + rng.uniform(0.1, 50, count)
    drawn = make_nomogram(slopes, intercept, low, high)
    x = rng.uniform(low, high, (5, count))
    assert drawn.linear_predictor(drawn.points(x).sum(axis=1)) == pytest.approx(intercept + x @ slopes, abs=1e-9)
    assert (drawn.points(x) > -1e-9).all()
    assert (drawn.points(x) < 100 + 1e-9).all()
    assert drawn.most >= 100 - 1e-9


def test_the_widest_predictor_has_100_points_and_the_others_by_slope_times_range():
    """log odds = -3 + 0.05 age - 1.5 sex, age 50 to 90: age moves 2.0, sex 1.5, which is 75 points."""
    drawn = make_nomogram(np.array([0.05, -1.5]), -3.0, np.array([50.0, 0.0]), np.array([90.0, 1.0]))
    table = nomogram_table(drawn, ["age", "sex=M"], [np.array([50.0, 60.0, 90.0]), np.array([0.0, 1.0])], "2", "0")
    of = table.set_index(["predictor", "value"])["points"]
    assert of["age"].to_dict() == pytest.approx({50: 0, 60: 25, 90: 100})
    assert of["sex=M"].to_dict() == pytest.approx({0: 75, 1: 0})
    total = table[table["predictor"] == TOTAL]
    assert total["value"].iloc[[0, -1]].tolist() == pytest.approx([0, 175])
    assert total["linear_predictor"].iloc[[0, -1]].tolist() == pytest.approx([-2.0, 1.5])  # 50, M; 90, F
    assert total["probability"].to_numpy() == pytest.approx(expit(total["linear_predictor"]))
    assert set(table["class"]) == {"2"}
    assert set(table["against"]) == {"0"}


def test_nothing_that_changes_the_odds_has_no_nomogram():
    assert make_nomogram(np.array([0.0, 1.0]), 0.0, np.array([0.0, 3.0]), np.array([9.0, 3.0])) is None
    assert make_nomogram(np.zeros(0), 0.0, np.zeros(0), np.zeros(0)) is None


def test_axes_are_marked_at_the_values_where_they_are_few_else_at_round_ones():
    assert axis_marks(np.array([1.0, 0.0, 1.0])).tolist() == [0, 1]
    assert axis_marks(np.array([7.0])).tolist() == [7]
    marks = axis_marks(np.linspace(61.3, 88.9, 50))
    assert marks.tolist() == pytest.approx([61.3, 65, 70, 75, 80, 85, 88.9])
    assert axis_marks(np.linspace(-0.02, 0.031, 50))[1:-1].tolist() == pytest.approx([-0.01, 0, 0.01, 0.02])
