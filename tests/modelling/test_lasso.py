"""The LASSO against glmnet (R) by objective and support, and by its own conditions of optimality."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from trabecula.modelling import selection
from trabecula.modelling.lasso import deviances, lasso_path, objective, penalty_grid


def residual_of_optimality(x, y, coefficients, intercepts, penalty, family="multinomial"):
    """The largest violation of the Karush-Kuhn-Tucker conditions of the penalised likelihood."""
    scores = x @ coefficients.T + intercepts
    scores -= scores.max(axis=1, keepdims=True) if family == "multinomial" else 0
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    p = 1 / (1 + np.exp(-scores)) if family == "ovr" else p
    gradient = (p - np.eye(len(intercepts))[y]).T @ x / len(y)
    active = coefficients != 0
    stationary = np.abs(gradient + penalty * np.sign(coefficients))[active].max(initial=0)
    inactive = (np.abs(gradient) - penalty)[~active].max(initial=0)
    free = np.abs((p - np.eye(len(intercepts))[y]).mean(axis=0)).max()
    return max(stationary, inactive, free)


@pytest.fixture
def small(shared):
    table = pd.read_csv(shared("reference", "inputs", "lasso_small.csv"))
    known = json.loads(shared("reference", "outputs", "lasso_small.json").read_text())
    return table.filter(like="x").to_numpy(), table["y"].to_numpy(), table["fold"].to_numpy(), known


@pytest.mark.parametrize("scaling", ["standardize_false", "standardize_true"])
def test_the_path_is_glmnets_by_objective_and_support(small, scaling):
    x, y, _, known = small
    known = known[scaling]
    sd = x.std(axis=0) if scaling == "standardize_true" else np.ones(x.shape[1])
    scaled = x / sd
    penalties = np.array(known["lambda"])
    assert penalty_grid(scaled, y, 3, count=2, ratio=0.5)[0] == pytest.approx(known["lambda_max"], rel=1e-10)
    path = lasso_path(scaled, y, 3, penalties)
    exact = lasso_path(scaled, y, 3, penalties, tolerance=1e-14)
    for k, penalty in enumerate(penalties):
        theirs = known["ungrouped"][f"lambda{k + 1}"]
        coefficients = np.array(theirs["coef"], dtype=float).T * sd
        best = objective(scaled, y, coefficients, np.array(theirs["intercept"]), penalty)
        ours = objective(scaled, y, path.coefficients[k], path.intercepts[k], penalty)
        assert ours == pytest.approx(best, rel=1e-7)
        assert np.array_equal(path.coefficients[k] != 0, coefficients != 0)
        assert np.allclose(exact.coefficients[k], coefficients, atol=1e-5)


@pytest.mark.parametrize("scaling", ["standardize_false", "standardize_true"])
def test_one_vs_rest_is_glmnets_binomial_by_objective_and_support(small, scaling):
    x, y, _, known = small
    sd = x.std(axis=0) if scaling == "standardize_true" else np.ones(x.shape[1])
    for theirs in known[scaling]["ovr_binomial"]:
        positive = (y == theirs["positive_class"]).astype(np.int64)
        penalties = np.array(theirs["lambda"])
        path = lasso_path(x / sd, positive, 2, penalties, family="ovr")
        largest = penalty_grid(x / sd, positive, 2, count=2, ratio=0.5)[0]
        assert largest == pytest.approx(theirs["lambda_max"], rel=1e-10)
        for k, penalty in enumerate(penalties):
            of_one = np.array(theirs["fit"][f"lambda{k + 1}"]["coef"], dtype=float) * sd
            coefficients = np.stack([-of_one, of_one])
            intercepts = np.array([-1.0, 1.0]) * theirs["fit"][f"lambda{k + 1}"]["intercept"]
            best = objective(x / sd, positive, coefficients, intercepts, penalty, "ovr")
            ours = objective(x / sd, positive, path.coefficients[k], path.intercepts[k], penalty, "ovr")
            assert ours == pytest.approx(best, rel=1e-7)
            assert np.array_equal(path.coefficients[k] != 0, coefficients != 0)


def test_the_cross_validated_deviance_is_glmnets(small):
    x, y, fold, known = small
    known = known["standardize_false"]
    penalties = np.array(known["cv_lambda"])
    scores = np.zeros((len(penalties), len(y)))
    for f in np.unique(fold):
        train, test = fold != f, fold == f
        path = lasso_path(x[train], y[train], 3, penalties)
        scores[:, test] = deviances(path, x[test], y[test])
    assert np.allclose(scores.mean(axis=1), known["cv_deviance"]["cvm"], rtol=2e-4)
    assert penalties[scores.mean(axis=1).argmin()] == pytest.approx(known["cv_deviance"]["lambda_min"])


@pytest.mark.parametrize(("rule", "name"), [("min", "lambda_min"), ("1se", "lambda_1se")])
def test_the_penalty_is_the_one_that_cv_glmnet_chooses(small, monkeypatch, rule, name):
    x, y, fold, known = small
    known = known["standardize_false"]
    penalties = np.array(known["cv_lambda"])
    monkeypatch.setattr(selection, "penalty_grid", lambda *_, **__: penalties)
    fitted = selection.LassoFilter(rule, len(np.unique(fold)), max_features=8).fit(x, y, groups=fold)
    assert np.allclose(fitted.deviance_, known["cv_deviance"]["cvm"], rtol=2e-4)
    assert np.allclose(fitted.deviance_se_, known["cv_deviance"]["cvsd"], rtol=2e-3)
    assert penalties[fitted.chosen_] == pytest.approx(known["cv_deviance"][name])


def test_the_share_of_the_deviance_and_the_probabilities_are_glmnets(small):
    x, y, _, known = small
    known = known["standardize_false"]
    path = lasso_path(x, y, 3, np.array(known["lambda"]), tolerance=1e-14)
    shares = np.bincount(y) / len(y)
    null = -2 * len(y) * (shares * np.log(shares)).sum()
    assert null == pytest.approx(known["nulldev"], rel=1e-10)
    assert 1 - deviances(path, x, y).sum(axis=1) / null == pytest.approx(known["dev_ratio"], abs=1e-7)
    scores = x[:5] @ path.coefficients[3].T + path.intercepts[3]
    assert softmax(scores, axis=1) == pytest.approx(np.array(known["predict_lambda4_first5"]), abs=1e-5)


def test_glmnets_own_example(shared):
    table = pd.read_csv(shared("reference", "inputs", "glmnet_MultinomialExample.csv"))
    known = json.loads(shared("reference", "outputs", "lasso_MultinomialExample.json").read_text())
    x, y = table.filter(like="V").to_numpy(), table["y"].to_numpy() - 1
    sd = x.std(axis=0)
    penalties = np.array(known["lambda"])
    path = lasso_path(x / sd, y, 3, penalties)
    for k, penalty in enumerate(penalties):
        theirs = known["fit"][f"lambda{k + 1}"]
        coefficients = np.array(theirs["coef"], dtype=float).T * sd
        best = objective(x / sd, y, coefficients, np.array(theirs["intercept"]), penalty)
        ours = objective(x / sd, y, path.coefficients[k], path.intercepts[k], penalty)
        assert ours <= best * (1 + 1e-6)
        assert ours == pytest.approx(best, rel=1e-5)  # glmnet's default stops early: ours may be lower
    scores = x[:3] / sd @ path.coefficients[-1].T + path.intercepts[-1]
    assert softmax(scores, axis=1) == pytest.approx(np.array(known["predict_first3_lambda0.01"]), abs=2e-3)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(12, 60),
    p=st.integers(1, 90),
    classes=st.integers(2, 4),
    family=st.sampled_from(["multinomial", "ovr"]),
)
def test_every_solution_meets_the_conditions_of_optimality(seed, n, p, classes, family):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    x[:, 0] *= 3
    y = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    penalties = penalty_grid(x, y, classes, count=12, ratio=0.1)
    usual, exact = (lasso_path(x, y, classes, penalties, tolerance=t, family=family) for t in (1e-9, 1e-14))
    assert not usual.coefficients[0].any()
    for k, penalty in enumerate(penalties):
        assert residual_of_optimality(x, y, exact.coefficients[k], exact.intercepts[k], penalty, family) < 1e-6
        found, best = (
            objective(x, y, path.coefficients[k], path.intercepts[k], penalty, family) for path in (usual, exact)
        )
        assert found == pytest.approx(best, rel=1e-6)


def test_a_path_stops_once_it_has_more_features_than_wanted():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 100)), rng.integers(0, 3, 60)
    path = lasso_path(x, y, 3, penalty_grid(x, y, 3, count=50, ratio=0.01), most=10)
    assert path.sizes[-1] > 10
    assert (path.sizes[:-1] <= 10).all()
