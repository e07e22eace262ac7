"""Table 1: differences against published ones, and what is counted by patient, left out or infinite."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trabecula.evaluation.cohort_table import (
    cohort_table,
    difference_of_categories,
    difference_of_numbers,
    left_out,
)

# Counts and SMD as printed by R's tableone 0.13 for right heart catheterisation (its vignette "Using standardized mean
# differences"; data of Connors 1996, doi:10.1001/jama.1996.03540110043030).
PUBLISHED = {
    "catheter, first diagnosis": (
        [1581, 247, 175, 6, 341, 399, 34, 241, 527],
        [909, 209, 49, 1, 95, 58, 5, 158, 700],
        0.583,
    ),
    "catheter, income": ([713, 500, 257, 2081], [452, 393, 194, 1145], 0.142),
    "catheter, race": ([585, 213, 2753], [335, 142, 1707], 0.036),
    "catheter, sex": ([1914, 1637], [1278, 906], 0.093),
}


@pytest.mark.parametrize(("one", "other", "wanted"), PUBLISHED.values(), ids=PUBLISHED)
def test_differences_of_categories_are_those_published(one, other, wanted):
    assert round(difference_of_categories(np.array(one), np.array(other)), 3) == wanted


def test_the_difference_of_numbers_is_that_published():
    # age of the same patients: 61.76 (17.29) of 3,551, 60.75 (15.63) of 2,184; SMD 0.061
    one, other = _with(3551, 61.76, 17.29), _with(2184, 60.75, 15.63)
    assert round(difference_of_numbers(one, other), 3) == 0.061


def _with(n, mean, sd):
    """Numbers of exactly this mean and SD."""
    x = np.random.default_rng(0).normal(size=n)
    return mean + sd * (x - x.mean()) / x.std(ddof=1)


counts = st.lists(st.integers(0, 50), min_size=2, max_size=5).filter(any).map(np.array)


@given(counts, st.integers(1, 9))
def test_equal_shares_differ_by_nothing_however_many_they_are(one, times):
    assert difference_of_categories(one, one * times) == pytest.approx(0, abs=1e-6)


@given(st.integers(2, 5).flatmap(lambda k: st.tuples(*[st.lists(st.integers(1, 50), min_size=k, max_size=k)] * 2)))
def test_neither_the_order_of_levels_nor_that_of_cohorts_matters(pair):
    one, other = (np.array(part) for part in pair)
    here = difference_of_categories(one, other)
    assert difference_of_categories(other, one) == pytest.approx(here, abs=1e-9)
    assert difference_of_categories(one[::-1], other[::-1]) == pytest.approx(here, abs=1e-7)


@given(st.integers(1, 49), st.integers(1, 49))
def test_two_levels_are_austins_formula(a, b):
    p, q = a / 50, b / 50
    wanted = abs(p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    assert difference_of_categories(np.array([a, 50 - a]), np.array([b, 50 - b])) == pytest.approx(wanted, abs=1e-9)


@given(st.floats(-5, 5), st.floats(0.1, 10))
def test_units_do_not_matter(shift, scale):
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=30), rng.normal(1, 2, 20)
    wanted = difference_of_numbers(one, other)
    assert difference_of_numbers(shift + scale * one, shift + scale * other) == pytest.approx(wanted)


def test_cohorts_that_share_no_value_are_infinitely_apart():
    assert difference_of_categories(np.array([13, 7, 0]), np.array([0, 0, 9])) == np.inf
    assert difference_of_numbers(np.array([1.0, 1.0]), np.array([2.0, 2.0])) == np.inf
    assert np.isnan(difference_of_categories(np.array([1, 2]), np.array([0, 0])))
    assert np.isnan(difference_of_numbers(np.array([1.0, 2.0]), np.zeros(0)))


@pytest.fixture
def cases():
    """Three patients of two vertebrae in training, four of one in external."""
    patients = ["a", "a", "b", "b", "c", "c", "d", "e", "f", "g"]
    return pd.DataFrame(
        {
            "case_id": [f"v{i}" for i in range(10)],
            "patient_id": patients,
            "cohort": ["training"] * 6 + ["external"] * 4,
            "truth": list("0101010011"),
        }
    )


def table(cases, **columns):
    return cohort_table(cases, pd.DataFrame(columns, index=cases["case_id"]), ("0", "1"), date="date")


def row(found, variable, cohort, level=None):
    here = found[(found["variable"] == variable) & (found["cohort"] == cohort)]
    return (here if level is None else here[here["level"] == level]).iloc[0]


def test_a_property_of_the_patient_is_counted_by_patient(cases):
    found = table(cases, sex=list("FFMMFFMMFF"), level=["L1", "L2"] * 5)
    assert row(found, "patients", "training")["count"] == 3
    assert row(found, "vertebrae a patient", "training")["mean"] == 2
    women = row(found, "sex", "training", "F")
    assert (women["unit"], women["count"], women["n"]) == ("patient", 2, 3)
    first = row(found, "level", "training", "L1")
    assert (first["unit"], first["count"], first["n"]) == ("vertebra", 3, 6)
    assert row(found, "class", "external", "0")["share"] == 0.5
    assert np.isnan(women["difference"]), "training is not compared with itself"


def test_what_is_missing_is_counted_and_shares_are_of_the_known(cases):
    found = table(cases, sex=["", "", "M", "M", "F", "F", "M", "M", "", ""])
    assert row(found, "sex", "training", "F")["missing"] == 1
    assert row(found, "sex", "training", "F")["share"] == 0.5
    assert row(found, "sex", "external", "M")["share"] == 1


def test_numbers_have_mean_and_quartiles_and_say_when_they_are_skewed(cases):
    found = table(cases, age=["60", "60", "70", "70", "80", "80", "66", "68", "72", "74"], dose=[*"123456789", "900"])
    age = row(found, "age", "training")
    assert (age["mean"], age["sd"], age["median"], age["q1"], age["q3"]) == (70, 10, 70, 65, 75)
    assert not age["skewed"]
    assert row(found, "dose", "training")["skewed"]


def test_names_remarks_and_days_are_not_shown(cases):
    secret = {
        "patient_name": ["Li"] * 10,
        "remark": [f"remark {i}" for i in range(10)],
        "followup": [f"2021-03-{i + 1:02d}" for i in range(10)],
        "empty": [""] * 10,
    }
    found = table(cases, **secret, date=[f"20{i + 10}-05-06" for i in range(10)])
    assert set(found["variable"]) == {"vertebrae", "patients", "vertebrae a patient", "class", "date"}
    assert row(found, "date", "training")["level"] == "2010–2015"
    assert not found.to_csv().count("05-06")
    assert left_out(cases, pd.DataFrame(secret, index=cases["case_id"])) == tuple(secret)


def test_a_number_of_few_values_is_a_category_in_its_own_order(cases):
    found = table(cases, grade=["10", "2", "10", "2", "2", "10", "2", "2", "10", "2"])
    assert list(found[(found["variable"] == "grade") & (found["cohort"] == "training")]["level"]) == ["2", "10"]
