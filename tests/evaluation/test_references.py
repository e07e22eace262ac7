"""Every statistic against the number that R (pROC, caret, Hmisc) or scikit-learn gives for the same rows."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.stats import false_discovery_control

from trabecula.evaluation import evaluate
from trabecula.evaluation.averages import hand_till, micro
from trabecula.evaluation.calibration import (
    binned_errors,
    calibration_measures,
    explained,
    hosmer_lemeshow,
    reliability,
    spiegelhalter,
    unreliability,
)
from trabecula.evaluation.decision_curve import decision_curve
from trabecula.evaluation.delong import (
    interval,
    interval_of_difference,
    structural_components,
    unpaired_test,
    z_test,
)
from trabecula.evaluation.discrimination import (
    balanced_accuracy,
    class_measures,
    kappa,
    macro_f1,
    matthews,
    overall_measures,
    roc_points,
    youden_cutoff,
)
from trabecula.evaluation.multiplicity import holm
from trabecula.evaluation.probabilities import brier_parts, probability_measures
from trabecula.evaluation.proportions import proportion
from trabecula.evaluation.reclassification import reclassification
from trabecula.evaluation.resampling import acceleration, bca_interval, draw_resamples
from trabecula.records import Predictions

CLOSE = {"rel": 1e-10, "abs": 1e-12}


@pytest.fixture
def reference(shared):
    def load(table, numbers):
        known = json.loads(shared("reference", "outputs", f"{numbers}.json").read_text())
        return pd.read_csv(shared("reference", "inputs", f"{table}.csv")), known

    return load


def curves(table, names, positive):
    """Components of the named scores of one binary class, every row a patient of its own."""
    scores = table[names].to_numpy(float)[:, :, None]
    return structural_components(scores, np.asarray(positive)[:, None], np.arange(len(table)))


def check_pair(parts, first, second, known):
    gap = parts.difference([first], [second])
    z, p = z_test(gap.auc, gap.variance)
    low, high = interval_of_difference(gap.auc, gap.variance)
    assert [low[0, 0], high[0, 0]] == pytest.approx(known["ci_diff"], **CLOSE)
    assert z[0, 0] == pytest.approx(known["statistic"], **CLOSE)
    assert p[0, 0] == pytest.approx(known["p"], **CLOSE)


@pytest.mark.parametrize(
    ("table", "names", "pairs"),
    [
        ("asah", ["s100b", "ndka", "wfns"], {"wfns_vs_s100b": (2, 0), "wfns_vs_ndka": (2, 1), "s100b_vs_ndka": (0, 1)}),
        ("roc_binary", ["m1", "m2", "m3"], {"m1_m2": (0, 1), "m1_m3": (0, 2), "m2_m3": (1, 2)}),
    ],
)
def test_delong_is_that_of_proc(reference, table, names, pairs):
    rows, known = reference(table, "delong_asah" if table == "asah" else "delong_binary")
    positive = rows["outcome"] == "Poor" if table == "asah" else rows["y"] == 1
    parts = curves(rows, names, positive)
    low, high = interval(parts.auc, parts.variance)
    for k, name in enumerate(names):
        one = known["single"][name]
        assert parts.auc[k, 0] == pytest.approx(one["auc"], **CLOSE)
        assert parts.variance[k, 0] == pytest.approx(one["var_delong"], **CLOSE)
        assert [low[k, 0], high[k, 0]] == pytest.approx([one["ci_delong"][0], one["ci_delong"][2]], **CLOSE)
    for pair, (first, second) in pairs.items():
        check_pair(parts, first, second, known["paired"][pair])


def test_the_covariance_of_two_aucs_is_that_of_proc(reference):
    for table, numbers, names in (
        ("asah", "delong_asah", ["s100b", "ndka", "wfns"]),
        ("roc_binary", "delong_binary", ["m1", "m2", "m3"]),
    ):
        rows, known = reference(table, numbers)
        parts = curves(rows, names, rows["outcome"] == "Poor" if table == "asah" else rows["y"] == 1)
        for a, b in ((0, 1), (0, 2), (2, 1)):
            gap = parts.difference([a], [b]).variance[0, 0]
            theirs = known["cov"][a][b] if table == "roc_binary" else known["cov"][f"{names[a]}_{names[b]}"]
            assert (parts.variance[a, 0] + parts.variance[b, 0] - gap) / 2 == pytest.approx(theirs, **CLOSE)


def test_another_level_and_one_sided_p_are_those_of_proc(reference):
    rows, known = reference("asah", "delong_asah")
    assert [(rows["outcome"] == "Poor").sum(), (rows["outcome"] == "Good").sum()] == [known["n_pos"], known["n_neg"]]
    parts = curves(rows, ["wfns", "s100b"], rows["outcome"] == "Poor")
    low, high = interval(parts.auc, parts.variance, 0.99)
    assert [low[1, 0], parts.auc[1, 0], high[1, 0]] == pytest.approx(known["ci99_s100b"], **CLOSE)
    gap = parts.difference([0], [1])
    z, p = z_test(gap.auc, gap.variance)
    assert p[0, 0] / 2 == pytest.approx(known["one_sided"]["wfns_greater_s100b"], **CLOSE)
    assert stats.norm.cdf(z[0, 0]) == pytest.approx(known["one_sided"]["wfns_less_s100b"], **CLOSE)


@pytest.mark.parametrize("name", ["s100b", "ndka"])
def test_delong_of_men_and_women_is_that_of_proc(reference, name):
    rows, known = reference("asah", "delong_asah")
    sides = [rows[rows["gender"] == gender] for gender in ("Male", "Female")]
    t, freedom, p = unpaired_test(*(curves(side, [name], side["outcome"] == "Poor") for side in sides))
    expected = known[f"unpaired_{name}_male_vs_female"]
    found = [t[0, 0], freedom[0, 0], p[0, 0]]
    assert found == pytest.approx([expected["statistic"], expected["parameter"], expected["p"]], **CLOSE)


@pytest.mark.parametrize("name", ["m1", "m2", "m3"])
def test_delong_of_two_cohorts_is_that_of_proc(reference, name):
    rows, known = reference("roc_binary", "delong_binary")
    sides = [rows[rows["cohort"] == cohort] for cohort in ("internal", "external")]
    first, second = (curves(side, [name], side["y"] == 1) for side in sides)
    t, freedom, p = unpaired_test(first, second)
    expected = known["unpaired_internal_vs_external"][name]
    found = [t[0, 0], freedom[0, 0], p[0, 0]]
    assert found == pytest.approx([expected["statistic"], expected["parameter"], expected["p"]], **CLOSE)


def check_measures(called, positive, theirs):
    """Every measure at a cut-off, and the counts behind it."""
    found = {
        one.name: one
        for one in class_measures(called, positive, np.arange(len(called)), draw_resamples(len(called), 9, 0))
    }
    for name in ("sensitivity", "specificity", "accuracy", "ppv", "npv"):
        assert found[name].value == pytest.approx(theirs[name], **CLOSE)
    assert found["ppv"].n == theirs["tp"] + theirs["fp"]
    assert found["npv"].n == theirs["tn"] + theirs["fn"]


def test_the_measures_at_a_given_cutoff_are_those_of_proc(reference):
    rows, known = reference("asah", "delong_asah")
    (at,) = known["coords_s100b_at_0.205"]
    check_measures((rows["s100b"] >= at["threshold"]).to_numpy(), (rows["outcome"] == "Poor").to_numpy(), at)


@pytest.mark.parametrize("name", ["s100b", "ndka", "wfns"])
def test_the_youden_cutoff_and_the_curve_are_those_of_proc(reference, name):
    rows, known = reference("asah", "delong_asah")
    positive = (rows["outcome"] == "Poor").to_numpy()
    scores = rows[name].to_numpy(float)
    best = known["coords_best_youden"][name][0]
    cutoff = youden_cutoff(scores, positive)
    assert cutoff == pytest.approx(best["threshold"], **CLOSE)
    called = scores >= cutoff
    assert called[positive].mean() == pytest.approx(best["sensitivity"], **CLOSE)
    assert (~called)[~positive].mean() == pytest.approx(best["specificity"], **CLOSE)
    check_measures(called, positive, best)
    fpr, tpr, _ = roc_points(scores, positive)
    assert np.trapezoid(tpr, fpr) == pytest.approx(known["single"][name]["auc"], **CLOSE)


def test_every_corner_of_the_curve_is_one_of_procs(reference):
    rows, known = reference("asah", "delong_asah")
    fpr, tpr, _ = roc_points(rows["wfns"].to_numpy(float), (rows["outcome"] == "Poor").to_numpy())
    theirs = {(round(1 - p["specificity"], 12), round(p["sensitivity"], 12)) for p in known["roc_points_wfns"]}
    assert {(round(x, 12), round(y, 12)) for x, y in zip(fpr, tpr, strict=True)} <= theirs


def test_holm_is_that_of_r(reference):
    _, known = reference("roc_binary", "delong_binary")
    p = np.array([known["paired"][pair]["p"] for pair in ("m1_m2", "m1_m3", "m2_m3")])
    assert holm(p) == pytest.approx(known["p_adjust"]["holm"], **CLOSE)
    assert false_discovery_control(p) == pytest.approx(
        known["p_adjust"]["BH"], **CLOSE
    )  # as the univariate filter does
    _, multi = reference("multiclass_probs", "multiclass_roc")
    p = np.array([row["paired"]["p"] for row in multi["ovr"]])
    assert holm(p) == pytest.approx(multi["holm"], **CLOSE)


def test_measures_at_a_cutoff_are_those_of_caret(reference):
    rows, known = reference("roc_binary", "delong_binary")
    known = known["confusion_m1_at_0.5"]
    positive, called = (rows["y"] == 1).to_numpy(), (rows["m1"] >= 0.5).to_numpy()
    patients = np.arange(len(rows))
    measures = class_measures(called, positive, patients, draw_resamples(len(rows), 200, 0))
    found = {one.name: (one.value, one.low, one.high) for one in measures}
    theirs = {
        "sensitivity": "Sensitivity",
        "specificity": "Specificity",
        "ppv": "Pos Pred Value",
        "npv": "Neg Pred Value",
        "f1": "F1",
    }
    for ours, name in theirs.items():
        assert found[ours][0] == pytest.approx(known["byClass"][name], **CLOSE)
    overall = known["overall"]
    assert found["accuracy"] == pytest.approx(
        (overall["Accuracy"], overall["AccuracyLower"], overall["AccuracyUpper"]), **CLOSE
    )
    table = np.array(known["table"], float)
    assert kappa(table) == pytest.approx(overall["Kappa"], **CLOSE)
    assert balanced_accuracy(table.T) == pytest.approx(known["byClass"]["Balanced Accuracy"], **CLOSE)


def test_the_exact_and_wilsons_interval_are_those_of_hmisc(reference):
    _, known = reference("roc_binary", "delong_binary")
    one = known["binconf_sens_m1"]
    hits = np.zeros((one["n"], 1))
    hits[: one["x"]] = 1
    for kind in ("exact", "wilson"):
        assert [float(v[0]) for v in proportion(hits, np.ones_like(hits), kind)] == pytest.approx(one[kind], **CLOSE)


def test_several_classes_are_those_of_proc(reference):
    rows, known = reference("multiclass_probs", "multiclass_roc")
    scores = np.stack([rows[["a0", "a1", "a2"]], rows[["b0", "b1", "b2"]]], axis=1)
    positive = rows["y"].to_numpy()[:, None] == np.arange(3)
    parts = structural_components(scores, positive, np.arange(len(rows)))
    for c, row in enumerate(known["ovr"]):
        for k, arm in enumerate("AB"):
            assert parts.auc[k, c] == pytest.approx(row[arm]["auc"], **CLOSE)
            assert parts.variance[k, c] == pytest.approx(row[arm]["var_delong"], **CLOSE)
    counts = positive.sum(axis=0).astype(float)
    truth, alone = rows["y"].to_numpy(), np.arange(len(rows))
    for k, arm in enumerate("AB"):
        assert parts.mean()[0][k] == pytest.approx(known["macro_auc"][arm], **CLOSE)
        assert parts.mean(counts)[0][k] == pytest.approx(known["weighted_auc"][arm], **CLOSE)
        assert hand_till(scores, truth, alone).mean()[0][k] == pytest.approx(known["hand_till"][arm], **CLOSE)
        assert micro(scores, truth, alone).auc[k, 0] == pytest.approx(known["micro"][arm]["auc"], **CLOSE)
    # pROC takes the three rows of a case for three patients
    flat = scores.transpose(0, 2, 1).reshape(-1, 2, 1)
    rows_alone = structural_components(flat, positive.reshape(-1, 1), np.arange(positive.size))
    theirs = [known["micro"][arm]["var_delong"] for arm in "AB"]
    assert rows_alone.variance[:, 0] == pytest.approx(theirs, **CLOSE)


def test_kappa_is_that_of_irr(shared):
    """Its input was not kept, but 25 cases, one disagreement each way, are what its kappa and z come from."""
    known = json.loads(shared("reference", "outputs", "icc.json").read_text())["kappa_example"]
    assert kappa(np.array([[12.0, 1.0], [1.0, 11.0]])) == pytest.approx(known["kappa"], rel=1e-10)
    assert 2 * stats.norm.sf(known["z"]) == pytest.approx(known["p"], rel=1e-8)


def test_loss_and_brier_of_several_classes_are_those_of_r(reference):
    rows, known = reference("multiclass_probs", "multiclass_roc")
    truth, alone = rows["y"].to_numpy(), np.arange(len(rows))
    for arm in "AB":
        p = rows[[f"{arm.lower()}{c}" for c in range(3)]].to_numpy()
        found = {one.name: one.value for one in probability_measures(p, truth, alone, draw_resamples(len(rows), 9, 0))}
        assert found["log_loss"] == pytest.approx(known["logloss"][arm], **CLOSE)
        assert found["brier"] == pytest.approx(known["brier_multiclass"][arm], **CLOSE)


def test_the_confusion_and_kappa_of_several_classes_are_those_of_caret(reference):
    rows, known = reference("multiclass_probs", "multiclass_roc")
    predicted = rows[["a0", "a1", "a2"]].to_numpy().argmax(axis=1)
    resamples = draw_resamples(len(rows), 200, 0)
    given = (rows["y"].to_numpy(), predicted, np.arange(len(rows)), 3)
    found = {one.name: one.value for one in overall_measures(*given, resamples)}
    theirs = np.array(known["confusion_A"]["table_pred_rows_true_cols"])
    assert found["accuracy"] == pytest.approx(known["confusion_A"]["overall"]["Accuracy"], **CLOSE)
    assert found["kappa"] == pytest.approx(known["confusion_A"]["overall"]["Kappa"], **CLOSE)
    assert np.array_equal(pd.crosstab(predicted, rows["y"]).to_numpy(), theirs)
    (accuracy,) = [one for one in overall_measures(*given, resamples) if one.name == "accuracy"]
    overall = known["confusion_A"]["overall"]
    limits = pytest.approx([overall["AccuracyLower"], overall["AccuracyUpper"]], **CLOSE)
    assert [accuracy.low, accuracy.high] == limits
    places = dict(zip(("sensitivity", "specificity", "ppv", "npv", "f1"), (0, 1, 2, 3, 6), strict=True))
    for k, row in enumerate(known["confusion_A"]["byClass"]):
        of_class = class_measures(predicted == k, (rows["y"] == k).to_numpy(), np.arange(len(rows)), resamples)
        of_class = {one.name: one.value for one in of_class}
        assert [of_class[name] for name in places] == pytest.approx([row[at] for at in places.values()], **CLOSE)


def test_scikit_learns_own_example(reference):
    rows, known = reference("sklearn_roc_example", "sklearn_roc_example")
    scores = rows[["p0", "p1", "p2"]].to_numpy()
    truth = rows["y"].to_numpy()
    parts = structural_components(scores[:, None, :], truth[:, None] == np.arange(3), np.arange(len(rows)))
    assert parts.auc[0] == pytest.approx(known["ovr"], rel=1e-9)
    assert parts.mean()[0][0] == pytest.approx(known["macro_mean_of_auc"], rel=1e-9)
    confusion = pd.crosstab(truth, scores.argmax(axis=1)).to_numpy().astype(float)
    assert kappa(confusion) == pytest.approx(known["kappa"], rel=1e-9)
    assert macro_f1(confusion) == pytest.approx(known["f1_macro"], rel=1e-9)
    assert balanced_accuracy(confusion) == pytest.approx(known["balanced_accuracy"], rel=1e-9)
    assert matthews(confusion) == pytest.approx(known["mcc"], rel=1e-9)
    assert np.diag(confusion).sum() / len(truth) == pytest.approx(known["f1_micro"], rel=1e-9)  # the accuracy
    alone = np.arange(len(rows))
    assert parts.mean(confusion.sum(axis=1))[0][0] == pytest.approx(known["weighted"], rel=1e-9)
    assert hand_till(scores[:, None], truth, alone).mean()[0][0] == pytest.approx(known["ovo_macro"], rel=1e-9)
    loss = {one.name: one.value for one in probability_measures(scores, truth, alone, draw_resamples(len(rows), 9, 0))}
    assert loss["log_loss"] == pytest.approx(known["log_loss"], rel=1e-9)
    assert micro(scores[:, None], truth, alone).auc[0, 0] == pytest.approx(known["micro"], rel=1e-9)


def test_the_tables_of_a_study_hold_the_same_numbers(reference):
    """The whole of ``evaluate`` on pROC's rows: two signatures, one held-out cohort, one case a patient."""
    rows, known = reference("multiclass_probs", "multiclass_roc")
    frames = []
    for signature, prefix in (("radiomics", "a"), ("fusion", "b")):
        p = rows[[f"{prefix}{c}" for c in range(3)]].to_numpy()
        for cohort, fold in (("training", 1), ("internal", 0)):
            frame = pd.DataFrame(p, columns=["p_0", "p_1", "p_2"])
            frame.insert(0, "case_id", [f"{cohort}{i}" for i in range(len(rows))])
            frame = frame.assign(patient_id=frame["case_id"], cohort=cohort, fold=fold, protocol="sound")
            frame = frame.assign(signature=signature, model="lr", truth=rows["y"].astype(str))
            frames.append(frame.assign(predicted=p.argmax(axis=1).astype(str)))
    result = evaluate(Predictions(pd.concat(frames, ignore_index=True), ("0", "1", "2")))
    auc = result.auc.query("cohort == 'internal'").set_index(["signature", "class"])
    delong = result.delong.query("cohort == 'internal'").set_index("class")
    for c, row in enumerate(known["ovr"]):
        found = auc.loc[("radiomics", str(c))]
        assert [found["auc"], found["low_plain"], found["high_plain"]] == pytest.approx(
            [row["A"]["auc"], row["A"]["ci_delong"][0], row["A"]["ci_delong"][2]], **CLOSE
        )
        paired = row["paired"]
        assert delong.loc[str(c), "z"] == pytest.approx(paired["statistic"], **CLOSE)
        assert delong.loc[str(c), "p"] == pytest.approx(paired["p"], **CLOSE)
    assert auc.loc[("radiomics", "macro"), "auc"] == pytest.approx(known["macro_auc"]["A"], **CLOSE)
    assert (delong["p_adjusted"] >= delong["p"]).all()


def error_of(estimate):
    return (estimate.high - estimate.low) / 2 / stats.norm.ppf(0.975)


@pytest.mark.parametrize("column", ["p", "p2"])
def test_calibration_is_that_of_r(reference, column):
    rows, known = reference("calibration", "calibration")
    p, positive, known_bins = rows[column].to_numpy(float), (rows["y"] == 1).to_numpy(), known["equal_width_10"]
    known = known[column]
    found = {one.name: one for one in calibration_measures(p, positive, np.arange(len(p)))}
    closed = {
        "slope": known["slope"],
        "intercept": known["intercept_joint"],
        "calibration_in_the_large": known["calibration_in_the_large"],
        "observed_to_expected": known["O_E"],
        "ece": known_bins[column]["ece"],
        "mce": known_bins[column]["mce"],
        "spiegelhalter_p": known["rms_val_prob"]["S:p"],
        "unreliability_p": known["LR_test_slope1_int0"]["p"],
    }
    for name, value in closed.items():
        assert found[name].value == pytest.approx(value, rel=1e-8), name
    of = {"slope": ("slope_wald_ci", "slope_se"), "calibration_in_the_large": ("citl_wald_ci", "citl_se")}
    for name, (limits, error) in of.items():
        assert [found[name].low, found[name].high] == pytest.approx(known[limits], rel=1e-8)
        assert error_of(found[name]) == pytest.approx(known[error], rel=1e-8)
    assert error_of(found["intercept"]) == pytest.approx(known["intercept_joint_se"], rel=1e-8)
    assert unreliability(p, positive)[0] == pytest.approx(known["LR_test_slope1_int0"]["chi2"], rel=1e-8)
    assert spiegelhalter(p, positive)[0] == pytest.approx(known["rms_val_prob"]["S:z"], rel=1e-8)
    # R interpolates its loess between the corners of cells
    of = {"ici": "ICI_loess", "e50": "E50_loess", "e90": "E90_loess", "emax": "Emax_loess"}
    for name, theirs in of.items():
        assert found[name].value == pytest.approx(known[theirs], abs=5e-3 if name == "emax" else 2e-3)


@pytest.mark.parametrize("column", ["p", "p2"])
def test_discrimination_and_brier_are_those_of_rms(reference, column):
    rows, known = reference("calibration", "calibration")
    p, positive, known = rows[column].to_numpy(float), (rows["y"] == 1).to_numpy(), known[column]
    auc = float(curves(rows, [column], positive).auc[0, 0])
    # val.prob rounds the probabilities before it ranks them
    assert auc == pytest.approx(known["rms_val_prob"]["C (ROC)"], abs=1e-4)
    assert 2 * auc - 1 == pytest.approx(known["rms_val_prob"]["Dxy"], abs=1e-4)
    parts = {one.name: one.value for one in brier_parts(p, positive, np.arange(len(p)), draw_resamples(len(p), 9, 0))}
    assert parts["brier"] == pytest.approx(known["brier"], **CLOSE)
    assert parts["brier_scaled"] == pytest.approx(known["brier_scaled"], **CLOSE)
    assert parts["brier"] == pytest.approx(known["rms_val_prob"]["Brier"], **CLOSE)


@pytest.mark.parametrize("column", ["p", "p2"])
def test_explained_variation_and_its_parts_are_those_of_rms(reference, column):
    """val.prob's discrimination D and unreliability U are these chi-squared, less 1 and 2, a case; Q = D - U."""
    rows, known = reference("calibration", "calibration")
    p, positive, known = rows[column].to_numpy(float), (rows["y"] == 1).to_numpy(), known[column]["rms_val_prob"]
    chi, r2 = explained(p, positive)
    unreliable, value = unreliability(p, positive)
    n = len(p)
    assert r2 == pytest.approx(known["R2"], rel=1e-8)
    assert [chi, (chi - 1) / n] == pytest.approx([known["D:Chi-sq"], known["D"]], rel=1e-8)
    assert [unreliable, value] == pytest.approx([known["U:Chi-sq"], known["U:p"]], rel=1e-7)
    assert [(unreliable - 2) / n, (chi - unreliable + 1) / n] == pytest.approx([known["U"], known["Q"]], rel=1e-7)
    found = {one.name: one.value for one in calibration_measures(p, positive, np.arange(n))}
    assert found["r2"] == r2
    assert [found["intercept"], found["slope"]] == pytest.approx([known["Intercept"], known["Slope"]], rel=1e-7)


@pytest.mark.parametrize(
    ("name", "column", "groups"), [("p_g10", "p", 10), ("p_g8", "p", 8), ("p2_g10_ties", "p2", 10)]
)
def test_hosmer_and_lemeshow_are_those_of_resource_selection(reference, name, column, groups):
    rows, known = reference("calibration", "calibration")
    known = known["hosmer_lemeshow"][name]
    p, positive = rows[column].to_numpy(float), (rows["y"] == 1).to_numpy()
    chi, freedom, value = hosmer_lemeshow(p, positive, groups, development=True)
    assert (chi, freedom) == (pytest.approx(known["chi2"], rel=1e-10), known["df"])
    assert value == pytest.approx(known["p"], abs=1e-12, rel=1e-2)
    found = reliability(p, positive, np.arange(len(p)), groups)
    assert [[g.n - round(g.n * g.observed), round(g.n * g.observed)] for g in found] == known["observed"]
    assert [g.n * g.predicted for g in found] == pytest.approx([row[1] for row in known["expected"]], rel=1e-10)


def test_bins_of_equal_width_and_of_equal_size_are_those_of_r_and_scikit_learn(reference):
    rows, known = reference("calibration", "calibration")
    p, positive = rows["p"].to_numpy(float), (rows["y"] == 1).to_numpy()
    assert binned_errors(p, positive) == pytest.approx(
        (known["equal_width_10"]["p"]["ece"], known["equal_width_10"]["p"]["mce"]), rel=1e-10
    )
    _, theirs = reference("sklearn_roc_example", "sklearn_roc_example")
    theirs = theirs["calibration_curve_quantile10_of_calibration.csv_p"]
    found = reliability(p, positive, np.arange(len(p)), 10)
    assert [group.observed for group in found] == pytest.approx(theirs["frac"], rel=1e-9)
    assert [group.predicted for group in found] == pytest.approx(theirs["mean"], rel=1e-9)


@pytest.mark.parametrize(
    ("table", "outcome", "columns", "key"),
    [
        ("calibration", "y", ["p", "p2"], "calibration_csv"),
        ("dcurves_df_binary", "cancer", ["famhistory", "cancerpredmarker"], "df_binary"),
    ],
)
def test_net_benefit_is_that_of_dcurves(reference, table, outcome, columns, key):
    rows, known = reference(table, "decision_curve")
    positive, alone = rows[outcome].to_numpy() == 1, np.arange(len(rows))
    for column in columns:
        theirs = known[key][column]
        curve = decision_curve(rows[column].to_numpy(float), positive, alone, tuple(theirs["threshold"]))
        assert curve.model == pytest.approx(theirs["net_benefit"], **CLOSE)
        assert curve.treat_all == pytest.approx(known[key]["Treat All"]["net_benefit"], **CLOSE)


def test_net_benefit_at_another_prevalence_and_interventions_avoided_are_those_of_dcurves(reference):
    rows, known = reference("calibration", "decision_curve")
    positive, alone = (rows["y"] == 1).to_numpy(), np.arange(len(rows))
    theirs = known["prevalence_0.2"]
    curve = decision_curve(rows["p"].to_numpy(float), positive, alone, tuple(theirs["p"]["threshold"]), prevalence=0.2)
    assert curve.model == pytest.approx(theirs["p"]["net_benefit"], **CLOSE)
    assert curve.treat_all == pytest.approx(theirs["Treat All"]["net_benefit"], **CLOSE)
    for column in ("p", "p2"):
        avoided = {
            row["threshold"]: row["net_intervention_avoided"]
            for row in known["net_intervention_avoided"]
            if row["label"] == column
        }
        curve = decision_curve(rows[column].to_numpy(float), positive, alone, tuple(avoided))
        assert curve.avoided == pytest.approx(list(avoided.values()), **CLOSE)


def test_reclassification_is_that_of_hmisc(reference):
    rows, known = reference("roc_binary", "delong_binary")
    known = known["nri_idi_m1_to_m2"]
    first, second = rows["m1"].to_numpy(float), rows["m2"].to_numpy(float)
    # m1 has the larger AUC: the positive numbers of the reference are those of m1 over m2
    found = reclassification(second, first, (rows["y"] == 1).to_numpy(), np.arange(len(rows)))
    assert found.nri == pytest.approx(known["nri"], **CLOSE)
    assert found.nri_error == pytest.approx(known["se.nri"], **CLOSE)
    assert found.idi == pytest.approx(known["idi"], **CLOSE)
    assert found.idi_error == pytest.approx(known["se.idi"], **CLOSE)
    ratios = [found.nri / found.nri_error, found.idi / found.idi_error]
    assert ratios == pytest.approx([known["z.nri"], known["z.idi"]], **CLOSE)


def test_brier_of_one_class_is_that_of_r(reference):
    rows, known = reference("roc_binary", "delong_binary")
    for name, theirs in known["brier"].items():
        found = brier_parts(
            rows[name].to_numpy(float),
            (rows["y"] == 1).to_numpy(),
            np.arange(len(rows)),
            draw_resamples(len(rows), 9, 0),
        )
        assert next(iter(found)).value == pytest.approx(theirs, **CLOSE)


# Efron and Tibshirani 1993, An Introduction to the Bootstrap, table 14.1: spatial test A of 26 children
SPATIAL = [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41]


def variance(sums):
    count, total, squares = np.moveaxis(sums, -1, 0)
    return squares / count - (total / count) ** 2


def test_the_bca_interval_is_that_of_efron_and_tibshirani():
    """Table 14.2: variance 171.5, acceleration 0.061, 90 % interval 115.8 to 259.6 with 2,000 resamples."""
    values = np.array(SPATIAL, float)
    sums = np.stack([np.ones(26), values, values**2], axis=1)
    assert variance(sums.sum(axis=0)) == pytest.approx(171.5, abs=0.05)
    assert acceleration(variance(sums.sum(axis=0) - sums)) == pytest.approx(0.061, abs=5e-4)
    value, low, high, defined = bca_interval(variance, sums, draw_resamples(26, 200_000, 1), level=0.9)
    assert value == pytest.approx(171.5, abs=0.05)
    assert [low, high] == pytest.approx([115.8, 259.6], rel=0.03)  # theirs has the chance of 2,000 resamples
    assert defined == 200_000
