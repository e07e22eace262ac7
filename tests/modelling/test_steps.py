"""Every step of the pipeline keeps scikit-learn's contract."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from trabecula.modelling.filters import (
    MissingFilter,
    RedundancyFilter,
    StabilityFilter,
    UnivariateFilter,
    VarianceFilter,
)
from trabecula.modelling.harmonise import ComBat
from trabecula.modelling.learners import LEARNERS, FrequenciesIfEmpty
from trabecula.modelling.mrmr import MrmrFilter
from trabecula.modelling.ordinal import OrdinalLogistic
from trabecula.modelling.scaling import CompressColumns, Standardise
from trabecula.modelling.selection import LassoFilter

NONE = "a step may be given no column, when the one before kept none"
MAY_BE_EMPTY = {"check_estimators_empty_data_messages": NONE}
STEPS = [
    StabilityFilter(),
    MissingFilter(),
    VarianceFilter(),
    Standardise(),
    CompressColumns(components=2),
    UnivariateFilter(0.999),
    UnivariateFilter(0.999, "kruskal", "fdr"),
    RedundancyFilter(),
    RedundancyFilter(kind="pearson"),
    MrmrFilter(2),
    MrmrFilter(2, "mutual_information", "difference"),
    LassoFilter(folds=2),
    LassoFilter(folds=2, family="ovr"),
    ComBat("reference"),
    OrdinalLogistic(),
    FrequenciesIfEmpty(LEARNERS["lr"].make(0)),
    FrequenciesIfEmpty(LEARNERS["lr"].make(0), balanced=True),
]


def expected_failures(estimator):
    if isinstance(estimator, ComBat | OrdinalLogistic):
        return {}
    return MAY_BE_EMPTY


@parametrize_with_checks(STEPS, expected_failed_checks=expected_failures)
@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks make data that warn
def test_the_steps_are_scikit_learn_estimators(estimator, check):
    check(estimator)
