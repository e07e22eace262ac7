import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from trabecula.evaluation.explain import (
    correlated_groups,
    importance,
    nearest_cases,
    odds_ratios,
    shuffled_rows,
    shuffled_scores,
)


def study(n=300, seed=0):
    """Columns: the class with noise, a copy of that, pure noise, a constant."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    told = truth + rng.normal(0, 0.5, n)
    return np.column_stack([told, 2 * told + rng.normal(0, 0.01, n), rng.normal(size=n), np.ones(n)]), truth


def lost(predict, x, truth, group, repeats=20, seed=1):
    """Importance of one group, every case a patient, one fold."""
    rows = shuffled_rows([str(i) for i in range(len(x))], repeats, [seed])
    return importance(predict(x), shuffled_scores(predict, x, group, rows), truth, np.zeros(len(x), np.int64))


def test_columns_alike_are_one_group_and_the_others_stand_alone():
    x, _ = study()
    assert correlated_groups(x) == ((0, 1), (2,), (3,))
    assert correlated_groups(-x[:, [2, 1, 0]]) == ((0,), (1, 2))
    assert correlated_groups(x[:, :1]) == ((0,),)


def test_two_columns_alike_look_less_important_alone_than_together():
    x, truth = study()
    predict = LogisticRegression().fit(x, truth).predict_proba
    both, noise = lost(predict, x, truth, (0, 1)), lost(predict, x, truth, (2,))
    one, other = lost(predict, x, truth, (0,)), lost(predict, x, truth, (1,))
    assert both.lost > 0.25
    assert min(one.lost, other.lost) < 0.7 * both.lost
    assert abs(noise.lost) < 0.02


def test_a_model_that_looks_at_nothing_loses_nothing():
    x, truth = study()
    for group in ((0,), (2,)):
        found = lost(lambda rows: np.full((len(rows), 3), 1 / 3), x, truth, group)
        assert (found.lost, found.spread) == (0, 0)


def test_a_perfect_ranker_shuffled_falls_to_chance():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 1))
    truth = (x[:, 0] > 0).astype(int)
    found = lost(lambda rows: np.column_stack([-rows[:, 0], rows[:, 0]]), x, truth, (0,), repeats=10, seed=3)
    assert found.lost == pytest.approx(0.5, abs=0.02)


def test_the_loss_is_the_one_that_two_normal_columns_must_have():
    """Score a + b, each normal of SD 1 and shifted by 1 and by 0.6 in the class; b's shift is dealt out by chance."""
    rng = np.random.default_rng(4)
    truth = np.repeat([0, 1], 20_000)
    x = rng.normal(size=(40_000, 2)) + truth[:, None] * [1.0, 0.6]
    found = lost(lambda rows: np.column_stack([-rows.sum(axis=1), rows.sum(axis=1)]), x, truth, (1,), repeats=4)
    shifts = (-0.6, 0.0, 0.0, 0.6)  # of the class and of the rest, by the truth of the case that b is taken from
    shuffled = np.mean([norm.cdf((1.0 + shift) / 2) for shift in shifts])
    assert found.lost == pytest.approx(norm.cdf(1.6 / 2) - shuffled, abs=0.006)


def test_the_loss_over_folds_is_the_mean_of_the_folds_losses():
    x, truth = study(n=200)
    predict = LogisticRegression().fit(x, truth).predict_proba
    folds = np.repeat([0, 1], 100)
    rows = shuffled_rows([str(i) for i in range(100)], 5, [1])
    rows = np.hstack([rows, rows + 100])
    scores, shuffled = predict(x), shuffled_scores(predict, x, (0, 1), rows)
    whole = importance(scores, shuffled, truth, folds)
    parts = [importance(scores[s], shuffled[s], truth[s], folds[s]) for s in (folds == 0, folds == 1)]
    assert whole.lost == pytest.approx(np.mean([part.lost for part in parts]), abs=1e-12)


def test_patients_change_places_and_their_cases_stay_together():
    patients = np.repeat([f"p{i}" for i in range(30)], 3)
    rows = shuffled_rows(patients, 8, [0])
    assert (np.sort(rows, axis=1) == np.arange(90)).all()
    givers = patients[rows].reshape(8, 30, 3)
    assert (givers == givers[:, :, :1]).all(), "each patient takes the values of one other"
    assert (givers[:, :, 0] != patients[::3]).mean() > 0.9
    assert not (shuffled_rows(patients, 8, [1]) == rows).all()
    assert (shuffled_rows(patients, 3, [0]) == rows[:3]).all()


def test_shuffled_scores_take_all_columns_of_a_group_from_the_same_case():
    x = np.arange(12.0).reshape(4, 3)
    rows = np.array([[1, 2, 3, 0]])
    found = shuffled_scores(lambda values: values, x, (0, 2), rows)
    assert found.shape == (4, 1, 3)
    assert found[:, 0].tolist() == [[3, 1, 5], [6, 4, 8], [9, 7, 11], [0, 10, 2]]


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
