import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from trabecula.evaluation.explain import correlated_groups, nearest_cases, odds_ratios, permutation_importance


def study(n=300, seed=0):
    """Columns: the class with noise, a copy of that, pure noise, a constant."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    told = truth + rng.normal(0, 0.5, n)
    return np.column_stack([told, 2 * told + rng.normal(0, 0.01, n), rng.normal(size=n), np.ones(n)]), truth


def test_columns_alike_are_one_group_and_the_others_stand_alone():
    x, _ = study()
    assert correlated_groups(x) == ((0, 1), (2,), (3,))
    assert correlated_groups(-x[:, [2, 1, 0]]) == ((0,), (1, 2))
    assert correlated_groups(x[:, :1]) == ((0,),)


def test_two_columns_alike_look_less_important_alone_than_together():
    x, truth = study()
    predict = LogisticRegression().fit(x, truth).predict_proba
    both, noise = permutation_importance(predict, x, truth, ((0, 1), (2,)), seed=1)
    one, other = permutation_importance(predict, x, truth, ((0,), (1,)), seed=1)
    assert both.lost > 0.25
    assert min(one.lost, other.lost) < 0.7 * both.lost
    assert abs(noise.lost) < 0.02


def test_a_model_that_looks_at_nothing_loses_nothing():
    x, truth = study()
    found = permutation_importance(lambda rows: np.full((len(rows), 3), 1 / 3), x, truth, ((0,), (2,)), seed=1)
    assert [(one.lost, one.spread) for one in found] == [(0, 0), (0, 0)]


def test_a_perfect_ranker_shuffled_falls_to_chance():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 1))
    truth = (x[:, 0] > 0).astype(int)
    (found,) = permutation_importance(
        lambda rows: np.column_stack([-rows[:, 0], rows[:, 0]]), x, truth, ((0,),), repeats=10, seed=3
    )
    assert found.lost == pytest.approx(0.5, abs=0.02)


def test_importance_of_a_group_depends_on_the_seed_and_not_on_the_other_groups():
    x, truth = study()
    predict = LogisticRegression().fit(x, truth).predict_proba
    (alone,) = permutation_importance(predict, x, truth, ((2,),), seed=5)
    _, among = permutation_importance(predict, x, truth, ((0, 1), (2,)), seed=5)
    assert (alone.lost, alone.spread) == (among.lost, among.spread)


@given(st.integers(0, 10**6))
def test_odds_ratios_are_those_of_the_probabilities(seed):
    rng = np.random.default_rng(seed)
    b, a, x = rng.normal(size=(3, 2)), rng.normal(size=3), rng.normal(size=2)
    before, after = softmax(a + b @ x), softmax(a + b @ x + b[:, 0])
    ratio = (after / after[0]) / (before / before[0])
    assert odds_ratios(b)[:, 0] == pytest.approx(ratio, rel=1e-9)
    assert odds_ratios(b, reference=2)[2] == pytest.approx([1, 1])


def test_a_training_case_is_its_own_nearest_at_distance_0_whatever_the_units():
    x, _ = study(n=50)
    rows, gap = nearest_cases(x, x, 3)
    assert rows[:, 0].tolist() == list(range(50))
    assert (gap[:, 0] == 0).all()
    assert (np.diff(gap, axis=1) >= 0).all()
    assert np.array_equal(nearest_cases(x * [1, 1000, 1, 1], x * [1, 1000, 1, 1], 3)[0], rows)
    assert nearest_cases(x[:2], x[:2], 5)[0].shape == (2, 2)


def test_the_distance_is_in_standard_deviations():
    training = np.array([[-1.0, 5.0], [1.0, 5.0]])
    rows, gap = nearest_cases(np.array([[3.0, 9.0]]), training, 2)
    assert rows.tolist() == [[1, 0]]
    assert gap.tolist() == [[2, 4]]
