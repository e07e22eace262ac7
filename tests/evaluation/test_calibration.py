"""Calibration, Brier and net benefit where the answer is known without computing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from trabecula.evaluation.calibration import calibration_measures, loess, logistic
from trabecula.evaluation.decision_curve import decision_curve
from trabecula.evaluation.probabilities import brier_parts, probability_measures
from trabecula.evaluation.resampling import bca_interval, draw_resamples

SEEDS = st.integers(0, 10**6)


def sample(seed, n=120):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.02, 0.98, n)
    positive = rng.random(n) < p
    positive[:2] = True, False
    return p, positive


def measured(p, positive, patients=None):
    patients = np.arange(len(p)) if patients is None else patients
    return {one.name: one for one in calibration_measures(p, positive, patients)}


@settings(max_examples=30)
@given(SEEDS, st.floats(0.5, 3), st.floats(-1.5, 1.5))
def test_bending_the_logit_bends_slope_and_intercept_back(seed, stretch, shift):
    p, positive = sample(seed)
    one, bent = measured(p, positive), measured(expit((logit(p) - shift) / stretch), positive)
    assert bent["slope"].value == pytest.approx(one["slope"].value * stretch, rel=1e-5)
    assert bent["intercept"].value == pytest.approx(one["intercept"].value + one["slope"].value * shift, abs=1e-4)


def test_right_probabilities_are_found_right_in_95_of_100_studies():
    inside = []
    for seed in range(200):
        found = measured(*sample(seed, 200))
        one, none = found["slope"], found["calibration_in_the_large"]
        inside.append((one.low < 1 < one.high, none.low < 0 < none.high))
    assert (np.mean(inside, axis=0) > 0.91).all()


def test_errors_of_right_probabilities_vanish_with_many_cases():
    found = measured(*sample(1, 4000))
    assert found["ici"].value < 0.03
    assert found["ece"].value < 0.03


def test_every_case_twice_in_its_patient_tells_no_more_than_once():
    p, positive = sample(2)
    once = measured(p, positive)["slope"]
    twice = measured(np.tile(p, 2), np.tile(positive, 2), np.tile(np.arange(len(p)), 2))["slope"]
    naive = measured(np.tile(p, 2), np.tile(positive, 2))["slope"]
    assert twice.value == pytest.approx(once.value)
    assert twice.high - twice.low == pytest.approx(once.high - once.low, rel=0.2)
    assert naive.high - naive.low == pytest.approx((once.high - once.low) / np.sqrt(2), rel=0.01)
    assert "patients" in twice.how


def test_tests_that_suppose_independent_cases_are_not_computed_where_patients_have_several():
    p, positive = sample(3)
    found = measured(p, positive, np.arange(len(p)) // 2)
    for name in ("hosmer_lemeshow_p", "spiegelhalter_p", "unreliability_p"):
        assert np.isnan(found[name].value)
        assert found[name].how == "not computed: it supposes one case a patient"


def test_probabilities_of_0_and_1_are_told_of():
    p, positive = sample(4)
    p[:3] = 0, 1, 0
    assert "3 probabilities of 0 or 1 taken as 1e-06 from it" in measured(p, positive)["slope"].how


def test_a_class_without_a_case_has_a_reason_for_every_measure():
    p, _ = sample(5)
    found = measured(p, np.zeros(len(p), bool))
    assert len(found) == 14
    assert all(np.isnan(one.value) and one.how.startswith("not computed: ") for one in found.values())


def test_separated_cases_have_no_estimate():
    x = np.column_stack([np.ones(6), np.arange(6.0)])
    fit = logistic(x, np.arange(6) > 2, np.zeros(6))
    assert np.isnan(fit.beta).all()
    assert "perfectly" in fit.reason


@given(SEEDS)
def test_loess_reproduces_a_parabola(seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, 40)
    y = 1 - 2 * x + 3 * x**2
    assert loess(x, x, y) == pytest.approx(y, abs=1e-6)


@settings(max_examples=40)
@given(SEEDS)
def test_the_parts_of_the_brier_score_add_up_and_none_is_negative(seed):
    p, positive = sample(seed, 60)
    p = p.round(1)
    found = {one.name: one.value for one in brier_parts(p, positive, np.arange(60), draw_resamples(60, 20, 0))}
    parts = found["brier_miscalibration"] - found["brier_discrimination"] + found["brier_uncertainty"]
    assert parts == pytest.approx(found["brier"])
    assert min(found["brier_miscalibration"], found["brier_discrimination"]) > -1e-12


def test_the_base_rate_as_probability_has_no_miscalibration_and_no_discrimination():
    positive = np.arange(40) < 10
    found = {
        one.name: one.value
        for one in brier_parts(np.full(40, 0.25), positive, np.arange(40), draw_resamples(40, 20, 0))
    }
    assert found["brier"] == found["brier_uncertainty"] == pytest.approx(0.1875)
    assert [found["brier_miscalibration"], found["brier_discrimination"]] == pytest.approx([0, 0], abs=1e-12)


def test_certain_and_right_loses_nothing_and_even_odds_lose_log_of_the_classes():
    truth, resamples = np.arange(30) % 3, draw_resamples(30, 20, 0)
    sure = {one.name: one.value for one in probability_measures(np.eye(3)[truth], truth, np.arange(30), resamples)}
    even = probability_measures(np.full((30, 3), 1 / 3), truth, np.arange(30), resamples)
    assert sure == {"brier": 0, "log_loss": 0}
    assert {one.name: one.value for one in even} == pytest.approx({"brier": 2 / 3, "log_loss": np.log(3)})


@settings(max_examples=40)
@given(SEEDS)
def test_no_model_gains_more_than_one_that_knows(seed):
    p, positive = sample(seed)
    alone = np.arange(len(p))
    model, perfect = (decision_curve(score, positive, alone) for score in (p, positive.astype(float)))
    assert perfect.model == pytest.approx(np.full(99, positive.mean()))
    assert (model.model <= perfect.model + 1e-12).all()
    assert (model.low <= model.model).all()
    assert decision_curve(np.ones(len(p)), positive, alone).model == pytest.approx(model.treat_all)


def test_the_interval_of_net_benefit_is_that_of_a_mean():
    p, positive = sample(7)
    curve = decision_curve(p, positive, np.arange(len(p)), (0.2,))
    gain = (p >= 0.2) * np.where(positive, 1, -0.25)
    half = 1.959964 * gain.std(ddof=1) / np.sqrt(len(p))
    assert [curve.low[0], curve.high[0]] == pytest.approx([gain.mean() - half, gain.mean() + half], rel=1e-6)


def test_thresholds_are_rounded_so_that_three_twentieths_is_0_15():
    assert decision_curve(np.array([0.15, 0.1]), np.array([True, False]), np.arange(2), (3 * 0.05,)).model[0] == 0.5


@given(SEEDS)
def test_a_bca_interval_of_a_mean_holds_it_and_moves_with_it(seed):
    values = np.random.default_rng(seed).exponential(size=30)
    resamples = draw_resamples(30, 500, seed)

    def mean(sums):
        return sums[..., 0] / sums[..., 1]

    value, low, high, defined = bca_interval(mean, np.column_stack([values, np.ones(30)]), resamples)
    assert value == pytest.approx(values.mean())
    assert low < value < high
    assert defined == 500
    moved = bca_interval(mean, np.column_stack([3 * values + 1, np.ones(30)]), resamples)
    assert [moved[1], moved[2]] == pytest.approx([3 * low + 1, 3 * high + 1])


def test_where_all_resamples_agree_there_is_no_interval():
    value, low, high, _ = bca_interval(lambda sums: sums[..., 0] / 9, np.ones((9, 1)), draw_resamples(9, 50, 0))
    assert value == 1
    assert np.isnan([low, high]).all()


def test_loess_is_the_same_in_parts_and_at_once(monkeypatch):
    p, positive = sample(8)
    whole = loess(p, p, positive.astype(float))
    monkeypatch.setattr("trabecula.evaluation.calibration._CELLS", 500)
    assert np.array_equal(loess(p, p, positive.astype(float)), whole)
