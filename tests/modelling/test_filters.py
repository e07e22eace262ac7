"""Filters against what R gives, and where the answer is known without computing."""

import json

import numpy as np
import pandas as pd
import pytest

from trabecula.modelling.filters import (
    MissingFilter,
    UnivariateFilter,
    VarianceFilter,
    correlations,
)
from trabecula.modelling.published import by_anova
from trabecula.modelling.scaling import CompressColumns, Standardise


@pytest.fixture(scope="module")
def univariate(shared):
    table = pd.read_csv(shared("reference", "inputs", "univariate.csv"))
    known = json.loads(shared("reference", "outputs", "univariate.json").read_text())
    return table.filter(regex=r"^f\d"), table["group"].to_numpy(), known


@pytest.mark.parametrize("test", ["anova", "kruskal"])
def test_univariate_tests_are_rs(univariate, test):
    x, y, known = univariate
    fitted = UnivariateFilter(0.05, test).fit(x, y)
    theirs = [known["features"][name][test] for name in x.columns]
    assert np.allclose(fitted.statistics_, [one["statistic"] for one in theirs], rtol=1e-10)
    assert np.allclose(fitted.pvalues_, [one["p"] for one in theirs], rtol=1e-8)
    assert list(fitted.get_feature_names_out()) == [n for n, one in zip(x, theirs, strict=True) if one["p"] < 0.05]


def test_the_false_discovery_rate_is_rs(univariate):
    x, y, known = univariate
    fitted = UnivariateFilter(0.05, "kruskal", "fdr").fit(x, y)
    assert fitted.pvalues_ == pytest.approx([known["p_adjust_kruskal"]["BH"][name] for name in x.columns], rel=1e-10)


def test_correlations_are_rs(univariate):
    x, _, known = univariate
    assert np.allclose(correlations(x.to_numpy()), known["pearson"], atol=1e-12)
    assert np.allclose(correlations(x.rank().to_numpy()), known["spearman"], atol=1e-12)


def test_missing_and_constant_columns_leave_with_the_reason():
    x = np.array([[1.0, np.nan, 3.0, 1.0], [2.0, np.nan, 3.0, 1.1], [3.0, 1.0, np.nan, 0.9]])
    missing = MissingFilter(0.5).fit(x)
    assert missing.support_.tolist() == [True, False, True, True]
    assert missing.reasons_[1] == "missing in 67% of the rows"
    variance = VarianceFilter(0.1).fit(x[:, [0, 2, 3]])
    assert variance.support_.tolist() == [True, False, False]
    assert VarianceFilter().fit(x[:, [0, 2, 3]]).support_.tolist() == [True, False, True]


def test_standardising_fills_in_medians_and_leaves_constants_at_zero():
    x = pd.DataFrame({"a": [1.0, 2.0, np.nan, 9.0], "b": 5.0, "c": np.nan})
    out = Standardise().fit_transform(x)
    filled = np.array([1.0, 2.0, 2.0, 9.0])
    assert np.allclose(out[:, 0], (filled - filled.mean()) / filled.std())
    assert not out[:, 1:].any()


def test_components_keep_the_distances_when_there_are_enough_of_them():
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal(size=(30, 6)) * [1, 2, 3, 4, 5, 6], columns=list("abcdef"))
    step = CompressColumns(tuple("cdef"), components=4).fit(x)
    out = step.transform(x)
    assert list(step.get_feature_names_out()) == ["a", "b", *(f"component_{k:03d}" for k in range(1, 5))]
    assert np.allclose(out[:, :2], x[["a", "b"]])
    assert np.allclose(np.cov(out[:, 2:], rowvar=False), np.eye(4))


@pytest.mark.parametrize("scale", [1.0, 100.0, 0.1, 1 / 3])
def test_classes_that_are_wholly_apart_differ_however_the_column_is_scaled(scale):
    """Rounding makes the variance within classes, which is 0, a negative number in some of these."""
    y = np.repeat([0, 1, 2], [12, 11, 13])
    apart = y * scale
    x = np.column_stack([apart, (apart - apart.mean()) / apart.std(), np.tile([1.0, 2.0], 18), np.full(36, scale)])
    fitted = UnivariateFilter(0.05).fit(x, y)
    assert fitted.support_.tolist() == [True, True, False, False]
    assert (fitted.pvalues_[:2] < 1e-100).all()
    assert fitted.pvalues_[3] == 1
    assert by_anova(x, y).tolist() == fitted.support_.tolist()
