"""Accuracy of two models on the same cases."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.evaluation.test_results import FEW, predictions

from trabecula.evaluation import evaluate
from trabecula.evaluation.mcnemar import mcnemar
from trabecula.evaluation.multiplicity import holm


@pytest.fixture
def binary(shared):
    rows = pd.read_csv(shared("reference", "inputs", "roc_binary.csv"))
    return rows, json.loads(shared("reference", "outputs", "delong_binary.json").read_text())["mcnemar_m1_m2"]


def test_mcnemar_is_that_of_r(binary):
    rows, known = binary
    right = [((rows[name] >= 0.5) == (rows["y"] == 1)).to_numpy() for name in ("m1", "m2")]
    found = mcnemar(*right, np.arange(len(rows)))
    (both_wrong, only_second), (only_first, both_right) = known["table"]
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert [(~right[0] & ~right[1]).sum(), (right[0] & right[1]).sum()] == [both_wrong, both_right]
    assert found.chi == pytest.approx(known["chi2"], rel=1e-10)
    assert stats.chi2.sf(found.chi, 1) == pytest.approx(known["p"], rel=1e-8)
    assert found.p == pytest.approx(known["exact"], rel=1e-8)
    # the correction for continuity, by hand
    corrected = (abs(found.only_first - found.only_second) - 1) ** 2 / (found.only_first + found.only_second)
    assert corrected == pytest.approx(known["chi2_cc"], rel=1e-10)
    assert stats.chi2.sf(corrected, 1) == pytest.approx(known["p_cc"], rel=1e-8)


def test_a_copy_of_every_case_in_its_patient_tells_no_more(binary):
    rows, known = binary
    right = [((rows[name] >= 0.5) == (rows["y"] == 1)).to_numpy() for name in ("m1", "m2")]
    found = mcnemar(*(np.tile(one, 2) for one in right), np.tile(np.arange(len(rows)), 2))
    assert found.p == pytest.approx(known["p"], rel=1e-8)
    assert "clustered" in found.method


def test_the_clustered_form_errs_in_5_of_100_pairs_of_equal_models():
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(60), 3)
    found = []
    for _ in range(1500):
        shared = rng.normal(size=(60, 2))[patients] + rng.normal(size=(180, 2))
        found.append(mcnemar(shared[:, 0] < 0.8, shared[:, 1] < 0.8, patients).p < 0.05)
    assert 0.035 <= np.mean(found) <= 0.065


def test_models_that_never_differ_have_a_p_of_one():
    right = np.arange(10) % 3 > 0
    assert mcnemar(right, right, np.arange(10)).p == 1
    assert mcnemar(right, right, np.arange(10) // 2).p == 1


def test_the_planned_pairs_are_compared_with_a_holm_in_each_cohort():
    result = evaluate(predictions(), settings=FEW)
    assert len(result.mcnemar) == 3 * 3
    for _, rows in result.mcnemar.groupby("cohort"):
        assert rows["p_adjusted"].to_numpy() == pytest.approx(holm(rows["p"].to_numpy()))
    accuracy = result.performance.query("metric == 'accuracy' and `class` == 'all'")
    accuracy = accuracy.set_index(["cohort", "signature", "model"])["value"]
    for _, row in result.mcnemar.iterrows():
        assert row["accuracy_a"] == accuracy[(row["cohort"], row["signature_a"], row["model"])]
        assert row["difference"] * row["n"] == pytest.approx(row["only_a"] - row["only_b"])
