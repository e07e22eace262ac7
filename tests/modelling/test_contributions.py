"""Shapley values: by their definition, over all subsets; by the closed form; and that they sum to the score."""

import itertools
import math
import warnings

import numpy as np
import pytest
from scipy.special import softmax

from trabecula.modelling.contributions import LOG_ODDS, contributions
from trabecula.modelling.forest import forest_contributions
from trabecula.modelling.learners import LEARNERS, FrequenciesIfEmpty


def data(classes=3, n=120, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    return x, np.digitize(x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(0, 0.3, n), [-0.5, 0.7][: classes - 1])


def fitted(name, x, y):
    return FrequenciesIfEmpty(LEARNERS[name].make(0)).fit(x, y)


def shapley(value, size):
    """Each player's mean part over all orders in which they may come; ``value`` of a set of players."""
    found = []
    for j in range(size):
        rest = [k for k in range(size) if k != j]
        parts = [
            math.factorial(n) * math.factorial(size - n - 1) / math.factorial(size)
            * (value({*those, j}) - value(set(those)))
            for n in range(size) for those in itertools.combinations(rest, n)
        ]  # fmt: skip
        found.append(np.sum(parts, axis=0))
    return np.array(found)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ["lr", "xgb", "lgbm"])
def test_base_and_contributions_are_the_log_odds_of_the_probabilities(name, classes):
    x, y = data(classes)
    learner = fitted(name, x, y)
    found = contributions(learner, x, x)
    assert found.scale == LOG_ODDS
    assert found.classes == tuple(range(classes))
    assert found.values.shape == (len(x), 4, classes)
    assert softmax(found.scores(), axis=1) == pytest.approx(learner.predict_proba(x), abs=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ["rf", "et"])
def test_base_and_contributions_of_a_forest_are_its_probabilities(name, classes):
    x, y = data(classes)
    learner = fitted(name, x, y)
    assert contributions(learner, x[:20], x).scores() == pytest.approx(learner.predict_proba(x[:20]), abs=1e-12)


def test_linear_contributions_are_the_closed_form_and_the_mean_case_has_none():
    x, y = data()
    learner = fitted("lr", x, y)
    found = contributions(learner, x, x)
    b = learner.estimator_.coef_
    for k, j in itertools.product(range(3), range(4)):
        assert found.values[:, j, k] == pytest.approx(b[k, j] * (x[:, j] - x[:, j].mean()), abs=1e-12)
    assert contributions(learner, x.mean(axis=0, keepdims=True), x).values == pytest.approx(np.zeros((1, 4, 3)))


def test_linear_contributions_are_shapley_values_where_absent_features_take_the_training_cases_values():
    x, y = data()
    learner = fitted("lr", x, y)

    def value(players):
        mixed = x.copy()
        mixed[:, list(players)] = x[5, list(players)]
        return learner.estimator_.decision_function(mixed).mean(axis=0)

    assert contributions(learner, x[5:6], x).values[0] == pytest.approx(shapley(value, 4), abs=1e-10)


@pytest.mark.parametrize("name", ["rf", "et"])
def test_contributions_of_a_forest_are_shapley_values_where_absent_features_go_as_the_training_cases_went(name):
    x, y = data()
    trees = [one.tree_ for one in fitted(name, x, y).estimator_.estimators_[:3]]
    base, found = forest_contributions(trees, x[:4])

    def expected(tree, case, players, node=0):
        if tree.children_left[node] < 0:
            return tree.value[node, 0] / tree.value[node, 0].sum()
        left, right = tree.children_left[node], tree.children_right[node]
        if tree.feature[node] in players:
            goes_left = np.float32(case[tree.feature[node]]) <= tree.threshold[node]
            return expected(tree, case, players, left if goes_left else right)
        weight = tree.weighted_n_node_samples
        sides = [weight[side] * expected(tree, case, players, side) for side in (left, right)]
        return sum(sides) / weight[node]

    def value(case, players):
        return np.mean([expected(tree, case, players) for tree in trees], axis=0)

    assert base == pytest.approx(value(x[0], set()), abs=1e-12)
    for case, one in zip(x[:4], found, strict=True):
        assert one == pytest.approx(shapley(lambda players, case=case: value(case, players), 4), abs=1e-12)


def test_a_class_that_the_training_rows_lack_keeps_the_numbers_of_the_others():
    x, y = data()
    learner = fitted("lr", x, np.where(y == 0, 1, y))
    assert contributions(learner, x, x).classes == (0, 1)
    assert learner.classes_.tolist() == [1, 2]


def test_models_without_an_exact_way_have_none():
    x, y = data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [contributions(fitted(name, x, y), x, x) for name in ("svm", "knn", "mlp")] == [None] * 3


def test_the_ordinal_model_has_one_score_for_all_classes():
    x, y = data()
    learner = fitted("ordinal", x, y)
    found = contributions(learner, x, x)
    assert found.classes == ()
    assert found.scores()[:, 0] == pytest.approx(x @ learner.estimator_.coef_, abs=1e-12)
