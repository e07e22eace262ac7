"""Odds ratios against R's glm, and where there is none."""

import json

import numpy as np
import pandas as pd
import pytest

from trabecula.modelling.odds import fit_multinomial, odds_ratios


def test_coefficients_are_those_of_rs_glm(shared):
    table = pd.read_csv(shared("reference", "inputs", "calibration.csv"))
    known = json.loads(shared("reference", "outputs", "calibration.json").read_text())
    for name in ("p", "p2"):
        x = np.column_stack([np.ones(len(table)), np.log(table[name] / (1 - table[name]))])
        beta, _ = fit_multinomial(x, table["y"].to_numpy(np.int64), np.arange(len(table)))
        assert beta[0, 1] == pytest.approx(known[name]["slope"], rel=1e-8)
        assert beta[0, 0] == pytest.approx(known[name]["intercept_joint"], rel=1e-8)


def case_control():
    """30 of 40 exposed among cases, 20 of 60 among controls; odds ratio 6."""
    exposed = np.repeat([1.0, 0.0, 1.0, 0.0], [30, 10, 20, 40])
    index = [f"c{i}" for i in range(100)]
    truth = pd.Series(np.repeat(["1", "0"], [40, 60]), index)
    return pd.DataFrame({"exposed": exposed}, index), truth, pd.Series(index, index)


def test_a_two_by_two_table_gives_its_cross_product_and_woolfs_interval():
    values, truth, patients = case_control()
    (row,) = odds_ratios(values, truth, patients, ("0", "1")).to_dict("records")
    woolf = np.sqrt(1 / 30 + 1 / 10 + 1 / 20 + 1 / 40)  # the sandwich is the same where the model is saturated
    assert row["odds_ratio"] == pytest.approx(30 * 40 / (10 * 20))
    assert row["low"] == pytest.approx(6 * np.exp(-1.959963984540054 * woolf))
    assert row["high"] == pytest.approx(6 * np.exp(1.959963984540054 * woolf))
    assert (row["class"], row["against"]) == ("1", "0")


def test_the_same_patients_twice_tell_no_more_than_once():
    values, truth, patients = case_control()
    once = odds_ratios(values, truth, patients, ("0", "1"))
    again = [pd.concat([one, one.set_axis([f"{name}b" for name in one.index])]) for one in (values, truth, patients)]
    twice = odds_ratios(*again, ("0", "1"))
    numbers = ["odds_ratio", "low", "high", "p"]
    assert np.allclose(twice[numbers].astype(float), once[numbers].astype(float))
    assert twice["n"].iloc[0] == 200


def test_separated_classes_and_columns_that_tell_nothing_have_no_odds_ratio():
    _, truth, patients = case_control()
    apart = pd.DataFrame({"apart": (truth == "1") * 1.0, "flat": 1.0})
    (row,) = odds_ratios(apart, truth, patients, ("0", "1", "2")).to_dict("records")
    assert np.isnan(row["odds_ratio"])
    assert row["method"] == "not estimable: separated, or collinear"
    assert odds_ratios(apart[["flat"]], truth, patients, ("0", "1")).empty
