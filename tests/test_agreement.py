import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trabecula.agreement import icc


@pytest.fixture(scope="module")
def shrout_fleiss(shared):
    readings = pd.read_csv(shared("reference", "inputs", "icc_shrout_fleiss.csv"), index_col=0).to_numpy(float)
    return readings, json.loads(shared("reference", "outputs", "icc.json").read_text())["shrout_fleiss"]["psych"]


@pytest.mark.parametrize(("agreement", "name"), [(True, "ICC2"), (False, "ICC3")])
def test_the_coefficients_and_intervals_are_those_of_psych(shrout_fleiss, agreement, name):
    readings, reference = shrout_fleiss
    made = icc(np.stack([readings, readings * 3 - 1], axis=2), agreement=agreement)
    for feature in (0, 1):
        assert made.value[feature] == pytest.approx(reference[name]["icc"], abs=1e-8)
        assert made.low[feature] == pytest.approx(reference[name]["ci"][0], abs=1e-8)
        assert made.high[feature] == pytest.approx(reference[name]["ci"][1], abs=1e-8)


@pytest.mark.parametrize(("agreement", "name"), [(True, "ICC2k"), (False, "ICC3k")])
def test_the_mean_of_four_readings_by_spearman_and_brown_is_that_of_psych(shrout_fleiss, agreement, name):
    readings, reference = shrout_fleiss
    made = icc(readings[:, :, None], agreement=agreement)
    of_mean = [4 * value[0] / (1 + 3 * value[0]) for value in (made.value, made.low, made.high)]
    assert of_mean == pytest.approx([reference[name]["icc"], *reference[name]["ci"]], abs=1e-8)


@given(st.integers(3, 20), st.integers(2, 5), st.integers(0, 10**6))
def test_a_shift_of_one_reading_hurts_agreement_and_not_consistency(cases, readings, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(cases, 1, 1)) * 3 + rng.normal(size=(cases, readings, 1))
    shifted = values.copy()
    shifted[:, 0] += 50
    assert icc(values, agreement=False).value == pytest.approx(icc(shifted, agreement=False).value, abs=1e-9)
    assert abs(icc(shifted, agreement=True).value[0]) < max(0.3, icc(values, agreement=True).value[0])


def test_equal_readings_agree_constants_are_undefined_and_missing_cases_are_left_out():
    values = np.random.default_rng(0).normal(size=(8, 2, 3))
    values[:, 1, 0] = values[:, 0, 0]
    values[:, :, 1] = 4.0
    values[:3, 1, 2] = np.nan
    made = icc(values, agreement=True)
    assert (made.value[0], made.low[0], made.high[0]) == (1, 1, 1)
    assert np.isnan(made.value[1])
    assert made.cases.tolist() == [8, 8, 5]
    assert made.value[2] == pytest.approx(icc(values[3:, :, 2:], agreement=True).value[0])
