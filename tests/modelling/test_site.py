"""Can the hospital be predicted from the features: where the answer is known."""

import numpy as np
import pandas as pd
import pytest

from trabecula.modelling.site import predict_sites
from trabecula.records import Split


def study(shift, patients=160, features=12, seed=0):
    """Two sites whose features differ by ``shift`` in the mean, and in nothing else."""
    rng = np.random.default_rng(seed)
    site = np.arange(patients) % 2
    values = rng.normal(size=(patients, features)) + shift * site[:, None]
    index = [f"c{k}" for k in range(patients)]
    columns = {"patient_id": index, "cohort": "training", "truth": "0", "site": np.array(["A", "B"])[site], "fold": 1}
    return {"radiomics": pd.DataFrame(values, index)}, Split(pd.DataFrame(columns, index), ("0", "1"), seed)


def test_sites_that_do_not_differ_are_not_told_apart_before_or_after_combat():
    found = [predict_sites(*study(0.0, seed=seed), seed)["auc"].to_numpy() for seed in range(8)]
    assert np.mean(found, axis=0) == pytest.approx([0.5, 0.5], abs=0.06)


def test_a_shift_is_seen_and_combat_takes_nearly_all_of_it():
    found = predict_sites(*study(1.0), 0).set_index("harmonised")
    assert found["auc"][False] > 0.99
    assert found["auc"][True] < 0.75


def test_after_combat_the_question_is_asked_of_patients_it_was_not_learnt_from():
    """With many features and few patients its estimates err, and that is seen; one mean by construction is not."""
    found = predict_sites(*study(1.0, patients=40, features=400), 0).set_index("harmonised")
    assert 0.55 < found["auc"][True] < found["auc"][False]
    assert found["error"][True] > 0
