"""The protocol cannot leak: what learns never sees what it is tested on."""

import numpy as np
import pandas as pd
import pytest
import sklearn

from trabecula.evaluation import evaluate
from trabecula.modelling import fit_task, gather, plan_tasks
from trabecula.modelling.filters import RedundancyFilter
from trabecula.modelling.outcome import ModelFit, SelectionTrace
from trabecula.modelling.selection import selection_steps
from trabecula.modelling.split import grouped_folds
from trabecula.records import Split
from trabecula.settings import THE_EIGHT, Settings

CLASSES = ("0", "1", "2")
STEPS = ["extracted", "stability", "missing", "variance", "univariate", "redundancy", "lasso"]


def make_settings(**more):
    return Settings.model_validate({"classes": list(CLASSES), "data": {"cases": "c.csv"}, **more})


def make_split(rng, cohorts, folds=3):
    """Vertebrae of patients (1.14 each), classes at random, outer folds for training."""
    rows = []
    for cohort, n in cohorts.items():
        patient = 0
        while sum(row["cohort"] == cohort for row in rows) < n:
            for _ in range(1 + (rng.random() < 0.14)):
                name = f"{cohort[0]}{patient}"
                rows.append({"patient_id": name, "cohort": cohort, "truth": CLASSES[rng.integers(3)]})
            patient += 1
    table = pd.DataFrame(rows, index=pd.Index([f"c{i}" for i in range(len(rows))], name="case_id"))
    training = (table["cohort"] == "training").to_numpy()
    fold = np.zeros(len(table), dtype=int)
    numbers = np.zeros(training.sum(), dtype=int)
    y, groups = table["truth"].to_numpy(str)[training], table["patient_id"].to_numpy(str)[training]
    for number, test in enumerate(grouped_folds(y, groups, folds, 0), start=1):
        numbers[test] = number
    fold[training] = numbers
    table["fold"] = fold
    return Split(table, CLASSES, 0)


def study(features, split, settings):
    results = [r for t in plan_tasks(["radiomics"], split) for r in fit_task(t, features, split, settings)]
    fits = [result for result in results if isinstance(result, ModelFit)]
    traces = [result for result in results if isinstance(result, SelectionTrace)]
    return gather(fits, traces, split)


def macro(predictions):
    auc = evaluate(predictions).auc
    return auc[auc["class"] == "macro"].set_index(["model", "cohort"])["auc"]


def test_pure_noise_stays_at_one_half():
    """300 training vertebrae x 500 columns; mean over 10 seeds within 0.05 of 0.5 on every cohort."""
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        split = make_split(rng, {"training": 300, "internal": 150, "external": 150})
        names = [f"f{i}" for i in range(500)]
        features = pd.DataFrame(rng.normal(size=(len(split.table), 500)), split.table.index, names)
        predictions, _ = study(features, split, make_settings(models=["lr"], seed=seed))
        found.append(macro(predictions)["lr"])
    means = pd.DataFrame(found).mean()
    assert set(means.index) == {"training", "internal", "external"}
    assert (abs(means - 0.5) < 0.05).all(), means


@pytest.fixture(scope="module")
def planted():
    rng = np.random.default_rng(5)
    split = make_split(rng, {"training": 150, "internal": 60})
    features = pd.DataFrame(rng.normal(size=(len(split.table), 60)), split.table.index, [f"f{i}" for i in range(60)])
    truth = split.table["truth"].astype(int).to_numpy()
    features["f7"] += truth * 1.5
    features["f8"] += (truth == 1) * 2.0
    features["f9"] = features["f7"] + rng.normal(size=len(features)) * 0.01
    features.iloc[::17, 3] = np.nan
    return features, split, *study(features, split, make_settings())


def test_a_planted_signal_is_found_by_every_model(planted):
    features, _, predictions, selection = planted
    auc = macro(predictions)
    assert set(auc.index.get_level_values("model")) == set(THE_EIGHT)
    assert (auc > 0.75).all(), auc
    kept = set(selection.ledger.query("left_at == ''")["feature"])
    assert "f8" in kept
    assert len(kept & {"f7", "f9"}) == 1, "of two copies one is kept"
    assert set(selection.ledger["feature"]) == set(features.columns)


def test_every_case_is_scored_once_by_each_model(planted):
    _, split, predictions, _ = planted
    counts = predictions.rows.groupby("model")["case_id"].agg(["size", "nunique"])
    assert (counts == len(split.table)).all(axis=None)
    sums = predictions.rows[[f"p_{name}" for name in CLASSES]].sum(axis=1)
    assert np.allclose(sums, 1, atol=1e-6)


def test_what_is_scored_was_never_seen(planted):
    """Changing a fold's rows changes no prediction made for them but through their own features."""
    features, split, _, _ = planted
    settings = make_settings(models=["lr"])
    held = split.table.index[split.table["fold"].isin([0, 1])]
    changed = split.table.copy()
    changed.loc[held, "truth"] = np.roll(changed.loc[held, "truth"].to_numpy(), 1)
    task = plan_tasks(["radiomics"], split)[0]
    (_, before), (_, after) = (list(fit_task(task, features, s, settings)) for s in (split, Split(changed, CLASSES, 0)))
    assert task.fold == 1
    after_ids = dict(zip(after.case_ids, after.probabilities, strict=True))
    assert [after_ids[case] for case in before.case_ids] == before.probabilities
    others = features.copy()
    others.loc[held] *= 100
    _, scaled = list(fit_task(task, others, split, settings))
    _, again = list(fit_task(task, features, split, settings))
    assert again.probabilities == before.probabilities
    assert scaled.parameters == before.parameters
    assert scaled.score == before.score


def test_stability_is_learnt_from_training_rows_alone(planted):
    """A feature that a second drawing turns to noise leaves; what befalls the held-out rows changes nothing."""
    features, split, *_ = planted
    asked = make_settings(models=["lr"], selection={"stability": {"minimum": 0.75}, "lasso": {"folds": 3}})
    rng = np.random.default_rng(0)
    task = plan_tasks(["radiomics"], split)[-1]
    shaky = features.columns[::2]
    second = features + rng.normal(0, 0.01, features.shape)
    second[shaky] = rng.normal(size=(len(second), len(shaky)))
    trace, _ = list(fit_task(task, features, split, asked, redrawn=[second]))
    assert {row["feature"] for row in trace.ledger if row["left_at"] == "stability"} == set(shaky)
    assert [row["step"] for row in trace.funnel] == STEPS
    first = plan_tasks(["radiomics"], split)[0]
    held = split.table.index[split.table["fold"].isin([0, first.fold])]
    wild = second.copy()
    wild.loc[held] = rng.normal(size=wild.loc[held].shape) * 1e3
    (_, before), (_, after) = (list(fit_task(first, features, split, asked, redrawn=[t])) for t in (second, wild))
    assert before.to_json() == after.to_json()
    few = second.iloc[::2]
    trace, _ = list(fit_task(task, features, split, asked, redrawn=[few, few * 1.001]))
    assert {row["feature"] for row in trace.ledger if row["left_at"] == "stability"} == set(shaky)


def test_coefficients_along_the_path_are_those_that_the_chosen_penalty_keeps(planted):
    features, split, *_ = planted
    task = plan_tasks(["radiomics"], split)[-1]
    trace, _ = list(fit_task(task, features, split, make_settings(models=["lr"])))
    along, steps = pd.DataFrame(trace.lasso_path), pd.DataFrame(trace.path)
    sizes = along.groupby("penalty")["feature"].nunique().reindex(steps["penalty"], fill_value=0)
    assert sizes.tolist() == steps["features"].tolist(), "each penalty's features are counted on the path as well"
    at = along[along["penalty"] == steps.loc[steps["chosen"], "penalty"].iloc[0]]
    found = at.set_index(["feature", "class"])["coefficient"].to_dict()
    kept = {(row["feature"], row["class"]): row["coefficient"] for row in trace.coefficients if row["coefficient"]}
    assert found == kept
    of_fold, _ = list(fit_task(plan_tasks(["radiomics"], split)[0], features, split, make_settings(models=["lr"])))
    assert of_fold.lasso_path == [], "the final fit's alone is drawn"


def test_no_patient_is_on_two_sides_of_a_fold():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 40, 120).astype(str)
    y = rng.integers(0, 3, 120)
    folds = grouped_folds(y, groups, 5, 1)
    assert sorted(np.concatenate(folds)) == list(range(120))
    homes = [set(groups[fold]) for fold in folds]
    assert sum(len(home) for home in homes) == len(set(groups))


def test_results_come_back_from_json_to_the_bit(planted):
    features, split, *_ = planted
    task = plan_tasks(["radiomics"], split)[-1]
    trace, fit = list(fit_task(task, features, split, make_settings(models=["lr"])))
    assert ModelFit.from_json(fit.to_json()).to_json() == fit.to_json()
    assert SelectionTrace.from_json(trace.to_json()).to_json() == trace.to_json()


def test_a_selection_that_keeps_nothing_answers_with_class_frequencies():
    rng = np.random.default_rng(0)
    split = make_split(rng, {"training": 60, "internal": 20})
    features = pd.DataFrame({"flat": np.ones(len(split.table))}, index=split.table.index)
    predictions, selection = study(features, split, make_settings(models=["lr", "svm"]))
    training = split.table.query("cohort == 'training'")["truth"].value_counts(normalize=True)
    internal = predictions.rows.query("cohort == 'internal'")
    for name in CLASSES:
        assert np.allclose(internal[f"p_{name}"], training[name])
    assert selection.tuning["note"].str.contains("the LASSO kept no feature").all()


def test_two_copies_of_the_rows_give_the_order_independent_choice():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 90)
    x = rng.normal(size=(90, 6)) + y[:, None] * [0.2, 0.4, 0.6, 0.8, 1.0, 1.2]
    x[:, 3] = x[:, 5] * 2 + 1
    table = pd.DataFrame(x, columns=list("abcdef"))
    for order in (rng.permutation(6) for _ in range(10)):
        for kind in ("spearman", "pearson"):
            kept = RedundancyFilter(0.9, kind).fit(table.iloc[:, order], y).get_feature_names_out()
            assert sorted(kept) == list("abcde"), "of the equal d and f the earlier name"


def test_scaling_and_imputation_learn_from_training_rows_alone():
    rng = np.random.default_rng(2)
    x, y = rng.normal(5, 3, (80, 4)), np.tile([0, 1, 2, 1], 20)
    x[0, 0] = np.nan
    with sklearn.config_context(enable_metadata_routing=True):
        fitted = selection_steps(make_settings().selection, 0).fit(x, y)
    assert fitted.named_steps["standardise"].median_[0] == pytest.approx(np.nanmedian(x[:, 0]))


def test_the_order_of_the_columns_changes_no_prediction(planted):
    features, split, *_ = planted
    task = plan_tasks(["radiomics"], split)[-1]
    mixed = features[np.random.default_rng(1).permutation(features.columns)]
    one, two = (list(fit_task(task, table, split, make_settings(models=["lr"]))) for table in (features, mixed))
    assert one[1].probabilities == two[1].probabilities
    assert one[0].to_json() == two[0].to_json()


def test_the_ledger_says_when_and_why_each_feature_left(planted):
    _, _, _, selection = planted
    ledger = selection.ledger.set_index("feature")
    assert set(ledger["left_at"]) <= {"", *STEPS}
    assert (ledger.loc[ledger["left_at"] != "", "reason"].str.len() > 0).all()
    left = ledger[ledger["left_at"] == "redundancy"]
    assert left["reason"].str.match(r"\|r\| 0\.\d+ with f\d+, which is more related|\|r\| 1\.00 with f").all()
    assert {"f7", "f9"} & set(left.index)
    final = selection.funnel[selection.funnel["fold"] == "final"].sort_values("order")
    for before, after, step in zip(final["kept"], final["kept"].iloc[1:], final["step"].iloc[1:], strict=False):
        assert before - after == (ledger["left_at"] == step).sum(), step
    often = ledger.loc["f8", "frequency"]
    assert often > 0.8, "a strong feature is kept in nearly every half of the patients"
    assert ledger.loc[ledger["left_at"] == "univariate", "frequency"].isna().all()


@pytest.mark.parametrize(
    "more",
    [
        {"class_weights": "balanced"},
        {"calibration": "sigmoid"},
        {"calibration": "isotonic"},
        {"calibration": "temperature"},
        {"selection": {"lasso": {"family": "ovr", "rule": "1se"}}},
        {"selection": {"univariate_test": "kruskal", "univariate_correction": "fdr", "mrmr": 10}},
        {"selection": {"mrmr": {"features": 10, "relevance": "mutual_information", "scheme": "difference"}}},
        {"selection": {"correlation_kind": "pearson", "missing": 0.01, "variance": 0.5}},
        {"models": ["ordinal", "svm", "knn", "xgb"], "class_weights": "balanced", "calibration": "sigmoid"},
    ],
)
def test_every_option_finds_the_planted_signal(planted, more):
    features, split, *_ = planted
    settings = make_settings(**{"models": ["lr"], **more})
    predictions, _ = study(features, split, settings)
    assert (macro(predictions) > 0.75).all()
    sums = predictions.rows[[f"p_{name}" for name in CLASSES]].sum(axis=1)
    assert np.allclose(sums, 1, atol=1e-6)


def test_components_stand_in_for_deep_features_and_the_ledger_says_so(planted):
    features, split, *_ = planted
    deep = [f"f{i}" for i in range(20, 60)]
    settings = make_settings(models=["lr"], selection={"pca": 5})
    trace, _ = list(fit_task(plan_tasks(["fusion"], split)[-1], features, split, settings, deep=deep))
    ledger = {row["feature"]: row for row in trace.ledger}
    assert all(ledger[name]["left_at"] == "pca" for name in deep)
    assert "compressed into principal components" in ledger["f20"]["reason"]
    assert [row["kept"] for row in trace.funnel if row["step"] == "pca"] == [25]
    assert {name for name in ledger if name.startswith("component_")} == {f"component_{k:03d}" for k in range(1, 6)}


def test_given_columns_are_all_kept_and_beside_others_they_meet_their_score(planted):
    features, split, *_ = planted
    task = plan_tasks(["clinical"], split)[-1]
    settings = make_settings(models=["lr"])
    alone = features[["f0", "f1"]]
    trace, fit = list(fit_task(task, alone, split, settings, given=["f0", "f1"]))
    assert [row["feature"] for row in trace.ledger if row["left_at"] == ""] == ["f0", "f1"]
    assert len(fit.case_ids) == (split.table["cohort"] == "internal").sum()
    _, both = list(fit_task(task, features, split, settings, given=["f0", "f1"]))
    truth = split.table.loc[both.case_ids, "truth"].astype(int).to_numpy()
    right = (np.array(both.probabilities).argmax(axis=1) == truth).mean()
    assert right > 0.5 > (np.array(fit.probabilities).argmax(axis=1) == truth).mean()


def test_a_signature_without_columns_is_the_class_frequencies(planted):
    _, split, *_ = planted
    nothing = pd.DataFrame(index=split.table.index)
    trace, fit = list(fit_task(plan_tasks(["majority"], split)[-1], nothing, split, make_settings(models=["lr"])))
    shares = split.table.query("cohort == 'training'")["truth"].value_counts(normalize=True).sort_index()
    assert np.allclose(fit.probabilities, shares.to_numpy())
    assert "no features" in fit.note
    assert trace.ledger == []


def test_little_or_odd_data_still_comes_to_an_answer():
    """A class of few patients, so that some inner fold has one or none; constants; perfect separation."""
    rng = np.random.default_rng(0)
    split = make_split(rng, {"training": 60, "internal": 20}, folds=4)
    table = split.table.copy()
    rare = table.index[(table["truth"] == "2") & (table["cohort"] == "training")][4:]
    table.loc[rare, "truth"] = "1"
    truth = table["truth"].astype(int)
    features = pd.DataFrame(rng.normal(size=(len(table), 20)), table.index, [f"f{i:02d}" for i in range(20)])
    features["apart"], features["flat"] = truth * 10.0, 1.0
    odd = Split(table, CLASSES, 0)
    predictions, selection = study(features, odd, make_settings(models=["lr", "svm", "knn", "lgbm"]))
    right = predictions.rows.query("cohort == 'internal' and model == 'lr'")
    known = right[right["truth"] != "2"]
    assert (known["truth"] == known["predicted"]).mean() > 0.9
    assert selection.tuning["note"].str.contains("a class has a single patient, or none, in an inner fold").any()
    ledger = selection.ledger.set_index("feature")
    assert ledger.loc["apart", "left_at"] == ""
    assert ledger.loc["flat", "left_at"] == "variance"
