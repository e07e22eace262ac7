"""Prediction sets: coverage that is known without computing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trabecula.evaluation.conformal import conformal_threshold, prediction_sets


@given(st.integers(5, 60), st.sampled_from([0.5, 0.8, 0.9, 0.95]), st.integers(0, 99))
def test_over_all_who_might_have_been_the_new_one_the_level_is_kept_exactly(n, level, seed):
    """Exchangeable, no ties: the share covered is ceil(level (n + 1)) / (n + 1), or all where that exceeds n."""
    p = np.random.default_rng(seed).permutation(n + 1) / (n + 2)
    covered = [
        1 - p[k] <= conformal_threshold(np.delete(p, k), np.arange(n), level) for k in range(n + 1)
    ]  # fmt: skip
    rank = int(np.ceil(level * (n + 1) - 1e-9))
    assert sum(covered) == (rank if rank <= n else n + 1)


def test_with_one_case_each_it_is_the_ranked_score_of_the_published_rule():
    """ceil((n + 1)(1 - alpha)) of n scores, as in Angelopoulos and Bates, arXiv 2107.07511, section 1."""
    scores = np.linspace(0.01, 0.99, 99)
    assert conformal_threshold(1 - scores, np.arange(99), 0.9) == pytest.approx(scores[89], abs=1e-15)


def test_vertebrae_of_a_patient_share_one_vote():
    """One patient of many poor vertebrae weighs as much as one of a single poor vertebra."""
    p = np.array([0.9] * 9 + [0.1])
    one = conformal_threshold(p, np.arange(10), 0.8)
    many = conformal_threshold(np.append(p, [0.1] * 20), np.append(np.arange(10), [9] * 20), 0.8)
    assert one == many == pytest.approx(0.1, abs=1e-15)
    assert conformal_threshold(np.append(p, [0.1] * 20), np.arange(30), 0.8) == pytest.approx(0.9, abs=1e-15)


def test_too_few_patients_for_the_level_give_every_class():
    threshold = conformal_threshold(np.array([0.5, 0.6]), np.arange(2), 0.9)
    assert threshold == 1.0
    assert prediction_sets(np.array([[1.0, 0.0, 0.0]]), threshold).all()
