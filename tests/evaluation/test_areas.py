"""The area at high specificity and that under precision against recall."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trabecula.evaluation.areas import area_measures, average_precision, partial_auc, standardised, weighted_curve
from trabecula.evaluation.delong import structural_components


def curve(scores, positive):
    return weighted_curve(scores, positive, np.ones((1, len(scores))))


@pytest.fixture
def asah(shared):
    rows = pd.read_csv(shared("reference", "inputs", "asah.csv"))
    known = json.loads(shared("reference", "outputs", "delong_asah.json").read_text())
    return rows["s100b"].to_numpy(float), (rows["outcome"] == "Poor").to_numpy(), known["partial_auc_s100b_spec_1_0.8"]


def test_the_partial_area_is_that_of_proc(asah):
    scores, positive, known = asah
    area = partial_auc(curve(scores, positive), 0.2)
    assert area[0] == pytest.approx(known["raw"], rel=1e-10)
    assert standardised(area, 0.2)[0] == pytest.approx(known["corrected"], rel=1e-10)
    measures = {one.name: one for one in area_measures(scores, positive, np.arange(len(scores)))}
    assert measures["partial_auc"].value == pytest.approx(known["corrected"], rel=1e-10)


def test_the_part_at_high_sensitivity_is_that_of_proc_with_the_sides_exchanged(asah):
    scores, positive, known = asah
    assert partial_auc(curve(-scores, ~positive), 0.2)[0] == pytest.approx(known["sens_raw"], rel=1e-10)


def test_average_precision_is_that_of_scikit_learn(shared):
    rows = pd.read_csv(shared("reference", "inputs", "sklearn_roc_example.csv"))
    known = json.loads(shared("reference", "outputs", "sklearn_roc_example.json").read_text())
    for k, theirs in enumerate(known["average_precision_ovr"]):
        found = average_precision(curve(rows[f"p{k}"].to_numpy(), (rows["y"] == k).to_numpy()))
        assert found[0] == pytest.approx(theirs, rel=1e-9)


@given(st.integers(0, 10**6), st.integers(2, 8))
def test_the_part_up_to_one_is_the_whole_area_and_a_perfect_curve_has_one(seed, levels):
    rng = np.random.default_rng(seed)
    positive = np.arange(30) % 3 == 0
    scores = rng.integers(0, levels, 30) / levels
    whole = structural_components(scores[:, None, None], positive[:, None], np.arange(30)).auc[0, 0]
    assert partial_auc(curve(scores, positive), 1.0)[0] == pytest.approx(whole)
    perfect = curve(positive.astype(float), positive)
    assert [average_precision(perfect)[0], standardised(partial_auc(perfect), 0.2)[0]] == pytest.approx([1, 1])


def test_scores_that_say_nothing_have_the_share_of_the_class_and_one_half():
    positive = np.arange(40) % 4 == 0
    made = {one.name: one for one in area_measures(np.full(40, 0.3), positive, np.arange(40))}
    assert made["average_precision"].value == 0.25
    assert made["partial_auc"].value == pytest.approx(0.5)
    assert np.isnan(made["partial_auc"].low)


def test_a_copy_of_every_case_in_its_patient_changes_neither_value_nor_interval():
    rng = np.random.default_rng(0)
    positive, patients = np.arange(60) % 3 == 0, np.arange(60)
    scores = rng.normal(size=60) + positive
    once = list(area_measures(scores, positive, patients))
    twice = list(area_measures(np.tile(scores, 2), np.tile(positive, 2), np.tile(patients, 2)))
    for one, other in zip(once, twice, strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))
        assert one.low < one.value < one.high
        assert one.how.endswith("jackknife of patients, logit scale, t")


def test_where_a_side_is_missing_nothing_is_computed():
    for made in area_measures(np.arange(5.0), np.ones(5, bool), np.arange(5)):
        assert np.isnan(made.value)
        assert made.how.startswith("not computed")


def test_with_folds_each_area_is_the_mean_over_those_that_have_both_sides():
    rng = np.random.default_rng(1)
    folds, patients = np.arange(90) % 3, np.arange(90)
    positive = (patients % 4 == 0) & (folds < 2)  # the third fold has none
    scores = rng.normal(size=90) + positive + folds
    made = {one.name: one for one in area_measures(scores, positive, patients, folds)}
    for name, of in (("average_precision", average_precision), ("partial_auc", None)):
        each = [curve(scores[folds == k], positive[folds == k]) for k in (0, 1)]
        areas = [of(one)[0] if of else standardised(partial_auc(one), 0.2)[0] for one in each]
        assert made[name].value == pytest.approx(np.mean(areas))
        assert "mean over 2 folds" in made[name].how
        assert made[name].low < made[name].value < made[name].high
