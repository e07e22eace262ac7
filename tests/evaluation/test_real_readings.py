"""Statistics on heights that several readers measured in the same 1,339 vertebrae of 100 patients."""

import numpy as np
import pandas as pd
import pytest

from trabecula.agreement import icc
from trabecula.evaluation.delong import structural_components, z_test
from trabecula.evaluation.discrimination import kappa
from trabecula.evaluation.resampling import draw_resamples


@pytest.fixture(scope="module")
def readings(shared):
    """Patient, grade and loss of every vertebra that three readers measured, first readings only."""
    rows = pd.read_csv(shared("data", "genant-morphometry", "genant_heights.csv"))
    rows = rows.drop_duplicates(["case", "vertebra", "expert"])
    busiest = rows["expert"].value_counts().index[:3]
    wide = rows.pivot_table(index=["case", "vertebra"], columns="expert", values=["reduction", "genant"])
    wide = wide.loc[:, (slice(None), busiest)].dropna()
    assert len(wide) > 150
    return (
        np.unique(wide.index.get_level_values("case"), return_inverse=True)[1],
        wide["genant"][busiest].to_numpy(int),
        wide["reduction"][busiest].to_numpy(float),
    )


def test_quadratic_weighted_kappa_of_two_readers_is_their_intraclass_correlation(readings):
    """Fleiss and Cohen 1973, doi:10.1177/001316447303300309: the same but for terms of the order 1 / n."""
    _, grades, _ = readings
    for a, b in ((0, 1), (0, 2), (1, 2)):
        table = np.zeros((4, 4))
        np.add.at(table, (grades[:, a], grades[:, b]), 1)
        both = grades[:, [a, b]].astype(float)[:, :, None]
        assert kappa(table, quadratic=True) == pytest.approx(icc(both, "agreement").value[0], abs=2 / len(grades))


def test_readers_agree_better_on_the_loss_than_by_chance(readings):
    _, _, loss = readings
    found = icc(loss[:, :, None], "agreement")
    assert 0 < found.low[0] < found.value[0] < found.high[0] < 1


def by_loops(score, positive, patients):
    """Obuchowski 1997, equations 1 to 5, term by term."""
    pairs = (score[positive][:, None] > score[~positive]) + 0.5 * (score[positive][:, None] == score[~positive])
    auc, m, n = pairs.mean(), positive.sum(), (~positive).sum()
    v10, v01 = pairs.mean(axis=1), pairs.mean(axis=0)
    everyone = np.unique(patients)
    s10 = s01 = s11 = 0.0
    for patient in everyone:
        over = (v10[patients[positive] == patient] - auc).sum()
        under = (v01[patients[~positive] == patient] - auc).sum()
        s10, s01, s11 = s10 + over**2, s01 + under**2, s11 + over * under
    with_class, without = (len(np.unique(patients[side])) for side in (positive, ~positive))
    s10 *= with_class / ((with_class - 1) * m)
    s01 *= without / ((without - 1) * n)
    s11 *= len(everyone) / (len(everyone) - 1)
    return auc, s10 / m + s01 / n + 2 * s11 / (m * n)


def test_the_clustered_variance_of_real_scores_is_obuchowskis(readings):
    patients, grades, loss = readings
    positive = grades[:, 0] >= 1
    parts = structural_components(loss[:, 1:, None], positive[:, None], patients)
    for curve in (0, 1):
        auc, variance = by_loops(loss[:, 1 + curve], positive, patients)
        assert parts.auc[curve, 0] == pytest.approx(auc, rel=1e-12)
        assert parts.variance[curve, 0] == pytest.approx(variance, rel=1e-9)


def test_it_is_near_that_of_resampled_patients_and_the_test_of_two_readers_follows_from_it(readings):
    patients, grades, loss = readings
    positive = grades[:, 0] >= 1
    gap = structural_components(loss[:, 1:, None], positive[:, None], patients).difference([0], [1])
    times = draw_resamples(patients.max() + 1, 400, 0).astype(int)
    drawn = []
    for row in times:
        cases = np.repeat(np.arange(len(patients)), row[patients])
        both = structural_components(loss[cases][:, 1:, None], positive[cases][:, None], np.arange(len(cases)))
        drawn.append(both.auc[0, 0] - both.auc[1, 0])
    assert np.sqrt(gap.variance[0, 0]) == pytest.approx(np.std(drawn), rel=0.2)
    z, p = z_test(gap.auc, gap.variance)
    assert z[0, 0] == pytest.approx(gap.auc[0, 0] / np.sqrt(gap.variance[0, 0]))
    assert 0 < p[0, 0] < 1
