import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trabecula.errors import InvalidInput
from trabecula.evaluation import evaluate
from trabecula.evaluation.delong import interval, structural_components, z_test
from trabecula.evaluation.discrimination import roc_points, youden_cutoff
from trabecula.evaluation.multiplicity import holm
from trabecula.records import Predictions

SEEDS = st.integers(0, 10**6)


def sample(seed, n=40, curves=2, classes=3, ties=True):
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.repeat(np.arange(classes), 2), rng.integers(0, classes, n - 2 * classes)])
    scores = rng.random((n, curves, classes)) + 0.4 * (truth[:, None, None] == np.arange(classes))
    return (scores.round(1) if ties else scores), truth[:, None] == np.arange(classes)


@settings(max_examples=40)
@given(seed=SEEDS)
def test_an_auc_is_the_share_of_pairs_in_the_right_order(seed):
    scores, positive = sample(seed)
    parts = structural_components(scores, positive, np.arange(len(scores)))
    for c in range(3):
        a, b = scores[positive[:, c], 0, c], scores[~positive[:, c], 0, c]
        pairs = (a[:, None] > b).mean() + 0.5 * (a[:, None] == b).mean()
        assert parts.auc[0, c] == pytest.approx(pairs)


@settings(max_examples=40)
@given(seed=SEEDS)
def test_a_monotone_change_of_scores_changes_nothing(seed):
    scores, positive = sample(seed)
    patients = np.random.default_rng(seed).integers(0, 25, len(scores))
    plain, bent = (structural_components(s, positive, patients) for s in (scores, np.exp(3 * scores) - 2))
    assert np.allclose(plain.auc, bent.auc)
    assert np.allclose(plain.variance, bent.variance)


@settings(max_examples=40)
@given(seed=SEEDS)
def test_turning_the_scores_round_turns_the_auc_round(seed):
    scores, positive = sample(seed)
    one, other = (structural_components(s, positive, np.arange(len(s))) for s in (scores, -scores))
    assert np.allclose(one.auc, 1 - other.auc)
    assert np.allclose(one.variance, other.variance)


@settings(max_examples=20)
@given(seed=SEEDS)
def test_the_order_of_rows_and_the_names_of_patients_do_not_matter(seed):
    scores, positive = sample(seed)
    rng = np.random.default_rng(seed)
    patients = rng.integers(0, 25, len(scores))
    order, names = rng.permutation(len(scores)), rng.permutation(25)
    one = structural_components(scores, positive, patients)
    two = structural_components(scores[order], positive[order], names[patients[order]])
    assert np.allclose(one.variance, two.variance)
    assert np.allclose(one.mean()[1], two.mean()[1])


def test_a_model_against_itself_is_no_difference():
    scores, positive = sample(1)
    parts = structural_components(scores, positive, np.arange(len(scores)))
    gap = parts.difference([0], [0])
    z, p = z_test(gap.auc, gap.variance)
    assert (z == 0).all()
    assert (p == 1).all()


def test_a_perfect_model_has_an_auc_of_one_and_no_width():
    positive = np.repeat([[True], [False]], 10, axis=0)
    parts = structural_components(positive.astype(float)[:, None, :], positive, np.arange(20))
    low, high = interval(parts.auc, parts.variance)
    assert (parts.auc, low, high) == (1, 1, 1)


def test_every_case_twice_in_its_patient_tells_no_more_than_once():
    """Clustered variance: a copy of each case within the same patient adds no information."""
    scores, positive = sample(3, ties=False)
    once = structural_components(scores, positive, np.arange(40))
    twice = structural_components(np.tile(scores, (2, 1, 1)), np.tile(positive, (2, 1)), np.tile(np.arange(40), 2))
    assert np.allclose(once.auc, twice.auc)
    assert np.allclose(once.variance, twice.variance, rtol=0.06)
    naive = structural_components(np.tile(scores, (2, 1, 1)), np.tile(positive, (2, 1)), np.arange(80))
    assert (naive.variance < 0.6 * once.variance).all()


@settings(max_examples=50)
@given(seed=SEEDS)
def test_no_cutoff_is_better_than_youdens(seed):
    scores, positive = sample(seed)
    s, y = scores[:, 0, 0], positive[:, 0]
    cutoff = youden_cutoff(s, y)
    gain = [(s[y] >= c).mean() - (s[~y] >= c).mean() for c in [cutoff, *np.unique(s), np.inf]]
    assert gain[0] == pytest.approx(max(gain))


@settings(max_examples=50)
@given(seed=SEEDS)
def test_a_curve_rises_from_corner_to_corner(seed):
    scores, positive = sample(seed)
    fpr, tpr, thresholds = roc_points(scores[:, 0, 0], positive[:, 0])
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert (np.diff(fpr) >= 0).all()
    assert (np.diff(tpr) >= 0).all()
    assert (np.diff(thresholds) < 0).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p):
    p = np.array(p)
    adjusted = holm(p)
    assert (adjusted >= p - 1e-15).all()
    assert (adjusted <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= -1e-15).all()


def predictions(n=60, cohort_of=lambda i: "training" if i % 2 else "internal", drop=None):
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], n)
    rows = pd.DataFrame(p, columns=["p_0", "p_1", "p_2"])
    rows.insert(0, "case_id", [f"c{i}" for i in range(n)])
    rows["patient_id"] = [f"p{i // 2}" for i in range(n)]
    rows["cohort"] = [cohort_of(i // 2) for i in range(n)]
    rows["fold"] = [(1 + i // 4 % 2) * (rows["cohort"][i] == "training") for i in range(n)]
    rows = rows.assign(protocol="sound", signature="radiomics", model="lr")
    rows["truth"] = [str(i % 3) for i in range(n)]
    rows["predicted"] = p.argmax(axis=1).astype(str)
    return Predictions(rows if drop is None else rows[~drop(rows)].reset_index(drop=True), ("0", "1", "2"))


def test_the_training_auc_is_the_mean_over_folds():
    given_rows = predictions()
    auc = evaluate(given_rows).auc.query("cohort == 'training' and `class` == '1'")["auc"].iloc[0]
    training = given_rows.rows.query("cohort == 'training'")
    each = []
    for _, fold in training.groupby("fold"):
        y = (fold["truth"] == "1").to_numpy()
        s = fold["p_1"].to_numpy()
        each.append((s[y][:, None] > s[~y]).mean())
    assert auc == pytest.approx(np.mean(each))


def test_a_class_that_a_cohort_lacks_is_undefined_there_and_the_rest_goes_on():
    result = evaluate(predictions(drop=lambda rows: (rows["cohort"] == "internal") & (rows["truth"] == "2")))
    internal = result.auc.query("cohort == 'internal'").set_index("class")["auc"]
    assert internal[["0", "1"]].notna().all()
    assert internal[["2", "macro"]].isna().all()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda rows: pd.concat([rows, rows.iloc[:1]], ignore_index=True), "scored twice"),
        (lambda rows: rows.drop(columns="p_2"), "p_2"),
        (lambda rows: rows.assign(p_0=np.nan), "p_0|finite|number"),
        (lambda rows: rows.assign(truth="9"), "9"),
        (lambda rows: rows.assign(cohort="internal"), "training"),
    ],
)
def test_predictions_that_make_no_sense_are_refused(damage, words):
    given_rows = predictions()
    with pytest.raises(InvalidInput, match=words):
        evaluate(Predictions(damage(given_rows.rows), given_rows.classes))
