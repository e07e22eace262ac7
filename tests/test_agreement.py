import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trabecula.agreement import icc

FORMS = {"one-way": ("ICC1", "ICC_1_1"), "agreement": ("ICC2", "ICC_2_1"), "consistency": ("ICC3", "ICC_3_1")}


@pytest.fixture(scope="module")
def shrout_fleiss(shared):
    readings = pd.read_csv(shared("reference", "inputs", "icc_shrout_fleiss.csv"), index_col=0).to_numpy(float)
    return readings, json.loads(shared("reference", "outputs", "icc.json").read_text())["shrout_fleiss"]


@pytest.mark.parametrize("form", FORMS)
def test_the_coefficients_and_intervals_are_those_of_psych_and_irr(shrout_fleiss, form):
    readings, reference = shrout_fleiss
    theirs, others = reference["psych"][FORMS[form][0]], reference["irr"][FORMS[form][1]]
    made = icc(np.stack([readings, readings * 3 - 1], axis=2), form)
    for feature in (0, 1):
        found = [made.value[feature], made.low[feature], made.high[feature]]
        assert found == pytest.approx([theirs["icc"], *theirs["ci"]], abs=1e-8)
        assert found == pytest.approx([others["value"], *others["ci"]], abs=1e-8)


@pytest.mark.parametrize("form", FORMS)
def test_the_mean_of_four_readings_by_spearman_and_brown_is_that_of_psych(shrout_fleiss, form):
    readings, reference = shrout_fleiss
    theirs = reference["psych"][f"{FORMS[form][0]}k"]
    made = icc(readings[:, :, None], form)
    of_mean = [4 * value[0] / (1 + 3 * value[0]) for value in (made.value, made.low, made.high)]
    assert of_mean == pytest.approx([theirs["icc"], *theirs["ci"]], abs=1e-8)


def test_the_coefficients_are_those_that_shrout_and_fleiss_printed(shrout_fleiss):
    readings, _ = shrout_fleiss
    printed = [round(float(icc(readings[:, :, None], form).value[0]), 2) for form in FORMS]
    assert printed == [0.17, 0.29, 0.71]


@given(st.integers(3, 20), st.integers(2, 5), st.integers(0, 10**6))
def test_a_shift_of_one_reading_hurts_agreement_and_not_consistency(cases, readings, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(cases, 1, 1)) * 3 + rng.normal(size=(cases, readings, 1))
    shifted = values.copy()
    shifted[:, 0] += 50
    assert icc(values, "consistency").value == pytest.approx(icc(shifted, "consistency").value, abs=1e-9)
    assert abs(icc(shifted, "agreement").value[0]) < max(0.3, icc(values, "agreement").value[0])


def test_equal_readings_agree_constants_are_undefined_and_missing_cases_are_left_out():
    values = np.random.default_rng(0).normal(size=(8, 2, 3))
    values[:, 1, 0] = values[:, 0, 0]
    values[:, :, 1] = 4.0
    values[:3, 1, 2] = np.nan
    made = icc(values, "agreement")
    assert (made.value[0], made.low[0], made.high[0]) == (1, 1, 1)
    assert np.isnan(made.value[1])
    assert made.cases.tolist() == [8, 8, 5]
    assert made.value[2] == pytest.approx(icc(values[3:, :, 2:], "agreement").value[0])
