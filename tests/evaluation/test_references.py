"""Every statistic against the number that R (pROC, caret, Hmisc) or scikit-learn gives for the same rows."""

import json

import numpy as np
import pandas as pd
import pytest

from trabecula.evaluation import evaluate
from trabecula.evaluation.delong import interval, structural_components, unpaired_test, z_test
from trabecula.evaluation.discrimination import (
    balanced_accuracy,
    class_measures,
    kappa,
    macro_f1,
    overall_measures,
    roc_points,
    youden_cutoff,
)
from trabecula.evaluation.multiplicity import holm
from trabecula.evaluation.proportions import proportion
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


@pytest.mark.parametrize("name", ["m1", "m2", "m3"])
def test_delong_of_two_cohorts_is_that_of_proc(reference, name):
    rows, known = reference("roc_binary", "delong_binary")
    sides = [rows[rows["cohort"] == cohort] for cohort in ("internal", "external")]
    first, second = (curves(side, [name], side["y"] == 1) for side in sides)
    t, freedom, p = unpaired_test(first, second)
    expected = known["unpaired_internal_vs_external"][name]
    found = [t[0, 0], freedom[0, 0], p[0, 0]]
    assert found == pytest.approx([expected["statistic"], expected["parameter"], expected["p"]], **CLOSE)


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
    _, multi = reference("multiclass_probs", "multiclass_roc")
    p = np.array([row["paired"]["p"] for row in multi["ovr"]])
    assert holm(p) == pytest.approx(multi["holm"], **CLOSE)


def test_measures_at_a_cutoff_are_those_of_caret(reference):
    rows, known = reference("roc_binary", "delong_binary")
    known = known["confusion_m1_at_0.5"]
    positive, called = (rows["y"] == 1).to_numpy(), (rows["m1"] >= 0.5).to_numpy()
    patients = np.arange(len(rows))
    found = {name: (value, low, high) for name, value, low, high, _ in class_measures(called, positive, patients)}
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


def test_the_exact_interval_is_that_of_hmisc(reference):
    _, known = reference("roc_binary", "delong_binary")
    one = known["binconf_sens_m1"]
    hits = np.zeros((one["n"], 1))
    hits[: one["x"]] = 1
    assert [float(v[0]) for v in proportion(hits, np.ones_like(hits))] == pytest.approx(one["exact"], **CLOSE)


def test_several_classes_are_those_of_proc(reference):
    rows, known = reference("multiclass_probs", "multiclass_roc")
    scores = np.stack([rows[["a0", "a1", "a2"]], rows[["b0", "b1", "b2"]]], axis=1)
    positive = rows["y"].to_numpy()[:, None] == np.arange(3)
    parts = structural_components(scores, positive, np.arange(len(rows)))
    for c, row in enumerate(known["ovr"]):
        for k, arm in enumerate("AB"):
            assert parts.auc[k, c] == pytest.approx(row[arm]["auc"], **CLOSE)
            assert parts.variance[k, c] == pytest.approx(row[arm]["var_delong"], **CLOSE)
    assert parts.macro == pytest.approx([known["macro_auc"]["A"], known["macro_auc"]["B"]], **CLOSE)


def test_the_confusion_and_kappa_of_several_classes_are_those_of_caret(reference):
    rows, known = reference("multiclass_probs", "multiclass_roc")
    predicted = rows[["a0", "a1", "a2"]].to_numpy().argmax(axis=1)
    found = {n: v for n, v, *_ in overall_measures(rows["y"].to_numpy(), predicted, np.arange(len(rows)), 3)}
    theirs = np.array(known["confusion_A"]["table_pred_rows_true_cols"])
    assert found["accuracy"] == pytest.approx(known["confusion_A"]["overall"]["Accuracy"], **CLOSE)
    assert found["kappa"] == pytest.approx(known["confusion_A"]["overall"]["Kappa"], **CLOSE)
    assert np.array_equal(pd.crosstab(predicted, rows["y"]).to_numpy(), theirs)


def test_scikit_learns_own_example(reference):
    rows, known = reference("sklearn_roc_example", "sklearn_roc_example")
    scores = rows[["p0", "p1", "p2"]].to_numpy()
    truth = rows["y"].to_numpy()
    parts = structural_components(scores[:, None, :], truth[:, None] == np.arange(3), np.arange(len(rows)))
    assert parts.auc[0] == pytest.approx(known["ovr"], rel=1e-9)
    assert parts.macro[0] == pytest.approx(known["macro_mean_of_auc"], rel=1e-9)
    confusion = pd.crosstab(truth, scores.argmax(axis=1)).to_numpy().astype(float)
    assert kappa(confusion) == pytest.approx(known["kappa"], rel=1e-9)
    assert macro_f1(confusion) == pytest.approx(known["f1_macro"], rel=1e-9)
    assert balanced_accuracy(confusion) == pytest.approx(known["balanced_accuracy"], rel=1e-9)


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
        assert [found["auc"], found["low"], found["high"]] == pytest.approx(
            [row["A"]["auc"], row["A"]["ci_delong"][0], row["A"]["ci_delong"][2]], **CLOSE
        )
        paired = row["paired"]
        assert delong.loc[str(c), "z"] == pytest.approx(paired["statistic"], **CLOSE)
        assert delong.loc[str(c), "p"] == pytest.approx(paired["p"], **CLOSE)
    assert auc.loc[("radiomics", "macro"), "auc"] == pytest.approx(known["macro_auc"]["A"], **CLOSE)
    assert (delong["p_adjusted"] >= delong["p"]).all()
