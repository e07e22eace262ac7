import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.linear_model import LogisticRegression

from trabecula.modelling.ordinal import OrdinalLogistic


@pytest.fixture
def ordered():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    hidden = x @ [2.0, -1.0, 0.0] + rng.logistic(size=400)
    return x, np.digitize(hidden, [-1.5, 1.0])


def test_two_classes_are_plain_logistic_regression(ordered):
    x, y = ordered
    y = (y > 0).astype(int)
    ours, theirs = OrdinalLogistic(C=0.7).fit(x, y), LogisticRegression(C=0.7, tol=1e-10).fit(x, y)
    assert np.allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-4)


def test_cuts_and_slopes_that_made_the_classes_are_found(ordered):
    fitted = OrdinalLogistic(C=1e6).fit(*ordered)
    assert fitted.coef_ == pytest.approx([2.0, -1.0, 0.0], abs=0.35)
    assert fitted.cuts_ == pytest.approx([-1.5, 1.0], abs=0.35)


def test_the_gradient_is_the_derivative(ordered):
    x, y = ordered
    model = OrdinalLogistic().fit(x, y)
    weight = np.linspace(0.5, 2, len(y))
    at = np.array([-0.3, 0.4, 0.2, -0.1, 0.5])
    loss, gradient = (lambda p, k=k: model._loss(p, x, y, weight)[k] for k in (0, 1))
    assert check_grad(loss, gradient, at) < 1e-3 * np.linalg.norm(gradient(at))


def test_probabilities_sum_to_one_and_shift_one_way(ordered):
    x, y = ordered
    p = OrdinalLogistic().fit(x, y).predict_proba(np.array([[-5.0, 0, 0], [0, 0, 0], [5.0, 0, 0]]))
    assert np.allclose(p.sum(axis=1), 1)
    assert (np.diff(p[:, 0]) < 0).all()
    assert (np.diff(p[:, 2]) > 0).all()
