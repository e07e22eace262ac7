import numpy as np
from scipy import stats

from trabecula.evaluation.bands import POINTS, roc_band
from trabecula.evaluation.resampling import draw_resamples


def test_where_negatives_are_all_alike_the_band_at_rate_0_is_the_binomial_of_the_positives_above_them():
    above, positives, negatives = 30, 50, 400
    scores = np.concatenate([np.ones(above), np.full(positives - above, -1.0), np.zeros(negatives)])
    positive = np.arange(len(scores)) < positives
    drawn = draw_resamples(len(scores), 4000, 1)
    tpr, low, high = roc_band(scores, positive, np.arange(len(scores)), drawn)
    assert tpr[0] == above / positives
    share = stats.norm(0.6, np.sqrt(0.6 * 0.4 / positives))
    assert abs(low[0] - share.ppf(0.025)) < 0.03
    assert abs(high[0] - share.ppf(0.975)) < 0.03


def test_a_perfect_curve_has_no_width_and_the_curve_of_ties_is_the_diagonal():
    positive = np.arange(60) < 20
    drawn = draw_resamples(60, 300, 2)
    for ends in roc_band(positive.astype(float), positive, np.arange(60), drawn):
        assert np.array_equal(ends, np.ones(len(POINTS)))
    tpr, low, high = roc_band(np.zeros(60), positive, np.arange(60), drawn)
    for ends in (tpr, low, high):
        np.testing.assert_allclose(ends, POINTS, atol=1e-12)


def test_vertebrae_of_one_patient_move_together_and_widen_the_band():
    rng = np.random.default_rng(3)
    positive = np.repeat(np.arange(40) < 20, 4)
    scores = np.repeat(rng.normal(np.arange(40) < 20, 1.0), 4)
    together, apart = np.repeat(np.arange(40), 4), np.arange(160)
    widths = [
        np.subtract(*roc_band(scores, positive, patients, draw_resamples(patients.max() + 1, 500, 4))[:0:-1]).mean()
        for patients in (together, apart)
    ]
    assert widths[0] > 1.5 * widths[1]
