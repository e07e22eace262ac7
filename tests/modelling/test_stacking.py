"""A score that training rows did not teach."""

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from trabecula.modelling.learners import FrequenciesIfEmpty
from trabecula.modelling.stacking import OutOfFoldScore


@pytest.fixture
def noise():
    rng = np.random.default_rng(0)
    return rng.normal(size=(120, 80)), rng.integers(0, 2, 120), np.repeat(np.arange(60), 2).astype(str)


def test_training_rows_are_scored_by_folds_that_left_their_patient_out(noise):
    x, y, groups = noise
    step = OutOfFoldScore(FrequenciesIfEmpty(LogisticRegression(C=100, max_iter=5000)))
    x[1::2], y[1::2] = x[::2], y[::2]  # both rows of a patient are alike: any sibling on the other side would tell
    taught = step.fit_transform(x, y, groups)
    assert taught.shape == (120, 1)
    assert 0.3 < roc_auc_score(y, taught[:, 0]) < 0.7
    assert roc_auc_score(y, step.transform(x)[:, 0]) > 0.95
    assert list(step.get_feature_names_out()) == ["score_1"]


def test_other_rows_are_scored_by_the_fit_on_all_training_rows(noise):
    x, y, _ = noise
    step = OutOfFoldScore(LogisticRegression(C=0.1)).fit(x[:100], y[:100])
    plain = LogisticRegression(C=0.1).fit(x[:100], y[:100])
    assert np.allclose(step.transform(x[100:])[:, 0], plain.decision_function(x[100:]))
    assert sklearn.clone(step).get_params()["folds"] == 3
