from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from trabecula.workflow.heat import _slopes
from trabecula.workflow.predict import Predictor

NAMES = ("resnet50_0000", "resnet50_0001", "resnet50_0002")
ROW = pd.DataFrame([[0.3, -1.2, 50.0]], ["case"], ["resnet50_0000", "resnet50_0002", "age"])


@pytest.fixture
def ask(monkeypatch):
    """A predictor whose probabilities are a function of its rows."""

    def of(probabilities):
        predictor = object.__new__(Predictor)
        manifest = SimpleNamespace(features={"resnet50_0000": (-1.0, 1.0), "resnet50_0002": (-4.0, 0.0)})
        object.__setattr__(predictor, "bundle", SimpleNamespace(manifest=manifest))
        monkeypatch.setattr(Predictor, "probabilities", lambda self, rows: probabilities(rows.to_numpy()))
        return predictor

    return of


def test_slopes_of_a_softmax_are_weight_less_mean_weight(ask):
    slopes = np.array([[1.0, 2.0, 0.01], [-1.0, 0.5, 0.0], [0.2, -3.0, 0.02]])

    def softmax(rows):
        p = np.exp(rows @ slopes.T)
        return p / p.sum(axis=1, keepdims=True)

    found = _slopes(ask(softmax), ROW, NAMES)
    p = softmax(ROW.to_numpy())[0]
    exact = slopes[p.argmax()] - p @ slopes
    assert found == pytest.approx([exact[0], 0, exact[1]], rel=1e-6)


def test_a_tree_has_no_slope(ask):
    assert not _slopes(ask(lambda rows: np.where(rows[:, :1] > 0, [[0.9, 0.1]], [[0.2, 0.8]])), ROW, NAMES).any()
