"""The flow as published: each unsound step is there, is named, and shows on noise what it costs."""

import json

import numpy as np
import pandas as pd
import pytest
from tests.modelling.test_protocol import CLASSES, macro, make_settings, make_split, study

from trabecula.evaluation import evaluate, protocol_gap
from trabecula.modelling import UNSOUND, PublishedFit, gather_published, gather_selection, published_task
from trabecula.modelling.outcome import SelectionTrace
from trabecula.modelling.published import by_pearson, scaled_by_cohort


def publish(features, split, models=("lr",), seed=0):
    results = list(published_task("radiomics", features, split, list(models), seed))
    fits = [result for result in results if isinstance(result, PublishedFit)]
    traces = [result for result in results if isinstance(result, SelectionTrace)]
    predictions, redrawn = gather_published(fits, split, seed)
    return predictions, gather_selection(traces), redrawn


def noise(seed, columns, cohorts):
    rng = np.random.default_rng(seed)
    split = make_split(rng, cohorts, folds=5)
    names = [f"f{i:04d}" for i in range(columns)]
    return pd.DataFrame(rng.normal(size=(len(split.table), columns)), split.table.index, names), split


def both_on_noise(seed, columns, cohorts):
    """Macro AUC of logistic regression by each protocol and cohort; published pools training and internal."""
    features, split = noise(seed, columns, cohorts)
    sound, _ = study(features, split, make_settings(models=["lr"], seed=seed, tuning={"folds": 5}))
    published, _, _ = publish(features, split, seed=seed)
    return {
        **{f"sound {name}": value for name, value in macro(sound)["lr"].items()},
        **{f"published {name}": value for name, value in macro(published)["lr"].items()},
    }


def test_on_noise_the_published_flow_finds_what_is_not_there():
    """150 x 400 noise, 4 seeds: the internal cohort by far above chance, the external at it."""
    found = pd.DataFrame([both_on_noise(s, 400, {"training": 120, "internal": 30, "external": 100}) for s in range(4)])
    means = found.mean()
    assert means["published internal"] > 0.6
    assert abs(means["published external"] - 0.5) < 0.06
    assert abs(means["sound internal"] - 0.5) < 0.12
    assert abs(means["sound external"] - 0.5) < 0.06


@pytest.mark.slow
def test_leak_alarm_at_the_size_of_the_paper(capsys):
    """3,336 noise columns, 890 + 111 + 75 vertebrae, 20 seeds, logistic regression; the figures are in docs."""
    cohorts = {"training": 712, "internal": 178, "external": 111, "prospective": 75}
    found = pd.DataFrame([both_on_noise(seed, 3336, cohorts) for seed in range(20)])
    mean, error = found.mean(), found.std(ddof=1) / np.sqrt(len(found))
    with capsys.disabled():
        print(pd.DataFrame({"mean": mean, "standard error": error}).round(4).to_string())
    for cohort in cohorts:
        assert abs(mean[f"sound {cohort}"] - 0.5) < 2.5 * error[f"sound {cohort}"], cohort
    assert 0.65 < mean["published internal"] < 0.8
    for cohort in ("external", "prospective"):
        assert abs(mean[f"published {cohort}"] - 0.5) < 0.05


@pytest.fixture(scope="module")
def planted():
    features, split = noise(3, 40, {"training": 100, "internal": 40, "external": 40})
    features["f0001"] += split.table["truth"].astype(int) * 1.5
    features.iloc[-1, 5] = np.nan
    features["flat"] = 1.0
    return features, split


def test_training_rows_are_marked_as_resubstitution_and_the_split_is_redrawn(planted):
    features, split = planted
    predictions, _, redrawn = publish(features, split)
    rows = predictions.rows
    assert set(rows.loc[rows["cohort"] == "training", "scored"]) == {"resubstitution"}
    assert set(rows.loc[rows["cohort"] != "training", "scored"]) == {"held out"}
    assert set(rows["protocol"]) == {"published"}
    before, after = split.table["cohort"], redrawn.table["cohort"]
    assert (before[before == "external"] == after[before == "external"]).all()
    moved = (before == "internal") != (after == "internal")
    assert moved.any()
    assert (after == "internal").sum() == pytest.approx(140 / 5, abs=3)


def test_of_the_five_splits_the_best_one_is_kept(planted):
    features, split = planted
    results = list(published_task("radiomics", features, split, ["lr", "knn"], 0))
    fits = [result for result in results if isinstance(result, PublishedFit)]
    predictions, _ = gather_published(fits, split, 0)
    internal = macro(predictions).xs("internal", level="cohort")
    assert internal.max() == pytest.approx(max(max(fit.scores) for fit in fits))
    assert all(PublishedFit.from_json(fit.to_json()).to_json() == fit.to_json() for fit in fits)


def test_each_cohort_is_scaled_by_itself_and_a_missing_value_anywhere_costs_the_column(planted):
    features, split = planted
    pooled = split.table["cohort"].isin(["training", "internal"]).to_numpy()
    scaled = scaled_by_cohort(features, split.table, pooled)
    assert features.columns[5] not in scaled.columns
    assert "flat" not in scaled.columns
    for rows in (pooled, ~pooled):
        assert np.allclose(scaled[rows].mean(), 0)
        assert np.allclose(scaled[rows].std(ddof=0), 1)
    _, selection, _ = publish(features, split)
    assert set(selection.ledger.query("left_at == 'scaling'")["feature"]) == {features.columns[5], "flat"}
    assert set(selection.ledger["left_at"]) <= {"", *UNSOUND}


def test_its_redundancy_filter_depends_on_the_order_of_the_columns():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 1)) + rng.normal(size=(50, 3)) * [0.01, 0.02, 0.03]
    assert by_pearson(x, np.zeros(50)).tolist() == [True, False, False]
    assert by_pearson(x[:, ::-1], np.zeros(50)).tolist() == [True, False, False]


def test_cut_offs_are_found_anew_on_each_cohort(planted):
    features, split = planted
    evaluation = evaluate(publish(features, split)[0])
    youden = protocol_gap(evaluation, evaluation).query("measure == 'youden' and cohort == 'external'")
    roc = evaluation.roc.query("cohort == 'external'")
    best = (roc["tpr"] - roc["fpr"]).groupby(roc["class"]).max()
    assert youden.set_index("class")["published"].to_dict() == pytest.approx(best.to_dict())
    assert set(evaluation.auc.query("cohort == 'training'")["method"].str.contains("learnt from")) == {True}


def test_the_gap_stands_beside_training_where_there_is_no_internal_cohort(planted):
    features, split = planted
    table = split.table[split.table["cohort"] != "internal"]
    alone = type(split)(table, CLASSES, 0)
    values = features.loc[table.index]
    sound, _ = study(values, alone, make_settings(models=["lr"]))
    gap = protocol_gap(evaluate(sound), evaluate(publish(values, alone)[0]))
    macro_rows = gap.query("`class` == 'macro' and measure == 'auc'").set_index("cohort")
    assert macro_rows.loc["internal", "sound_rows"] == "training, out of fold"
    assert set(macro_rows.index) == {"training", "internal", "external"}
    assert np.allclose(macro_rows["gap"], macro_rows["published"] - macro_rows["sound"])


def test_every_unsound_step_of_the_method_is_named():
    steps = ["scaling", "univariate", "redundancy", "lasso", "split", "models", "cut-offs"]
    assert list(UNSOUND) == steps
    assert json.dumps(UNSOUND)


def test_a_class_of_two_cases_and_a_cohort_of_one_still_come_to_an_answer(planted):
    features, split = planted
    table = split.table.copy()
    rare = table.index[(table["truth"] == "2") & (table["cohort"] != "external")]
    table.loc[rare[2:], "truth"] = "1"
    lone = table.index[table["cohort"] == "external"][0]
    table.loc[lone, "cohort"] = "prospective"
    predictions, _, redrawn = publish(features, type(split)(table, CLASSES, 0), ["lr", "svm", "knn", "xgb"])
    scores = predictions.rows[[f"p_{name}" for name in CLASSES]]
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert len(predictions.rows) == 4 * len(table)
    assert redrawn.table.loc[lone, "cohort"] == "prospective"
