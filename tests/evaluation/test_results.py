"""The tables of a study as a whole: families of tests, subgroups, and what cannot be computed."""

import numpy as np
import pandas as pd
import pytest

from trabecula.evaluation import evaluate, results
from trabecula.evaluation.multiplicity import holm
from trabecula.records import Predictions
from trabecula.settings import EvaluationSettings

FEW = EvaluationSettings(resamples=200)
CLASSES = ("0", "1", "2")
PAIR = ["signature_a", "model_a", "signature_b", "model_b"]


def predictions(n=90, signatures=("radiomics", "deep", "fusion"), models=("lr", "knn"), score=None, truth=None, seed=0):
    """Thirds of training (two folds), internal and external; two vertebrae a patient."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n) if truth is None else np.asarray(truth)
    case, frames = np.arange(n), []
    for signature in signatures:
        for model in models:
            p = rng.dirichlet([1, 1, 1], n) + 0.4 * np.eye(3)[truth]
            p = p / p.sum(axis=1, keepdims=True) if score is None else score(truth, p)
            frame = pd.DataFrame(p, columns=["p_0", "p_1", "p_2"])
            frame.insert(0, "case_id", [f"c{i:03d}" for i in case])
            frame["patient_id"] = [f"p{i // 2}" for i in case]
            frame["cohort"] = np.repeat(["training", "internal", "external"], n // 3)
            frame["fold"] = np.where(frame["cohort"] == "training", 1 + case // 2 % 2, 0)
            frame = frame.assign(protocol="sound", signature=signature, model=model, truth=truth.astype(str))
            frames.append(frame.assign(predicted=p.argmax(axis=1).astype(str)))
    return Predictions(pd.concat(frames, ignore_index=True), CLASSES)


@pytest.fixture(scope="module")
def result():
    return evaluate(predictions(), settings=FEW)


def test_all_pairs_of_models_are_compared_and_one_family_was_planned(result):
    table = result.delong[result.delong["cohort"] == "internal"]
    assert len(table) == 15 * 4
    primary = table[table["family"] == "primary"]
    assert len(primary) == 3 * 4
    assert set(primary["model_a"]) | set(primary["model_b"]) == {result.chosen[1]}
    assert set(primary["class"]) == {*CLASSES, "macro"}


def test_each_family_has_a_holm_of_its_own_in_each_cohort(result):
    for _, family in result.delong.groupby(["cohort", "family"]):
        assert np.allclose(family["p_adjusted"], holm(family["p"].to_numpy()), equal_nan=True)
        assert family["method"].str.endswith(f"{family['family'].iloc[0]} family").all()


def test_of_two_classes_a_pair_is_one_test_and_holm_counts_it_once():
    rows = predictions(
        n=180
    ).rows  # two vertebrae a patient: Obuchowski's form, whose macro mean must be either class's
    two = rows[rows["truth"] != "2"].drop(columns="p_2")
    two["p_1"] = 1 - two["p_0"]
    two["predicted"] = np.where(two["p_0"] > 0.5, "0", "1")
    made = evaluate(Predictions(two, CLASSES[:2]), settings=FEW)
    for _, family in made.delong.groupby(["cohort", "family"]):
        pairs = family.pivot_table(index=PAIR, columns="class", values=["p", "p_adjusted"])
        p = pairs["p"]["macro"].to_numpy(np.float64)
        for name in ("0", "1", "macro"):
            np.testing.assert_allclose(pairs["p"][name].to_numpy(np.float64), p, rtol=1e-9)
            np.testing.assert_array_equal(pairs["p_adjusted"][name].to_numpy(np.float64), holm(p))
        assert family["method"].str.contains("; Holm, one test a pair, |, t; Holm, one test a pair, ").all()
    planned = made.tests.query("family == 'primary' and cohort == 'internal'")
    assert len(planned) == 3, "three signatures, three pairs"
    smallest = made.delong.query("family == 'primary' and cohort == 'internal'")["p"].min()
    assert planned["p_adjusted"].min() == pytest.approx(min(1, 3 * smallest))


def test_a_difference_without_variance_has_no_p_value_and_takes_none_of_the_others():
    rows = predictions(models=("lr",)).rows
    of = {name: rows["signature"] == name for name in ("radiomics", "deep")}
    columns = ["p_0", "p_1", "p_2"]
    rows.loc[of["radiomics"], columns] = 0.05 + 0.85 * pd.get_dummies(rows["truth"][of["radiomics"]]).to_numpy(float)
    rows.loc[of["deep"], columns] = 1 / 3
    rows["predicted"] = rows[columns].to_numpy().argmax(axis=1).astype(str)
    table = evaluate(Predictions(rows, CLASSES), settings=FEW).delong.query("cohort == 'internal'")
    unseen = (table["signature_a"] == "radiomics") & (table["signature_b"] == "deep")
    assert (table.loc[unseen, "difference"] == 0.5).all()
    assert table.loc[unseen, ["low", "high", "z", "p", "p_adjusted"]].isna().all(axis=None)
    assert table.loc[unseen, "method"].str.endswith("not tested: no variance can be seen").all()
    others = table[~unseen]
    assert others[["low", "high", "p"]].notna().all(axis=None)
    assert others["p_adjusted"].to_numpy() == pytest.approx(holm(others["p"].to_numpy()))


def test_the_primary_family_depends_on_training_rows_alone():
    rows = predictions().rows
    held_out = rows["cohort"] != "training"
    swapped = rows.copy()
    for name in ("p_0", "p_1", "p_2", "predicted"):
        swapped.loc[held_out & (rows["model"] == "lr"), name] = rows.loc[
            held_out & (rows["model"] == "knn"), name
        ].to_numpy()
    one, two = (evaluate(Predictions(table, CLASSES), settings=FEW) for table in (rows, swapped))
    assert one.chosen == two.chosen
    key = ["cohort", "class", "signature_a", "model_a", "signature_b", "model_b", "family"]
    assert one.delong[key].equals(two.delong[key])


def test_baselines_are_never_chosen_and_in_no_planned_comparison_however_good():
    rows = predictions(models=("lr",)).rows
    best = rows[rows["signature"] == "deep"].copy()
    best[["p_0", "p_1", "p_2"]] = 0.05 + 0.85 * pd.get_dummies(best["truth"]).to_numpy(float)
    best["predicted"] = best["truth"]
    names = ("majority", "age-sex", "height")
    made = evaluate(
        Predictions(pd.concat([*(best.assign(signature=name) for name in names), rows], ignore_index=True), CLASSES),
        settings=EvaluationSettings(resamples=200, reclassification=True),
    )
    assert made.chosen == evaluate(Predictions(rows, CLASSES), settings=FEW).chosen
    primary = made.delong[made.delong["family"] == "primary"]
    assert len(primary) == 3 * 3 * 4
    signatures = {"radiomics", "deep", "fusion"}
    for table in (primary, made.reclassification):
        assert set(table["signature_a"]) | set(table["signature_b"]) == signatures
    of_chosen = made.auc.query(f"cohort == 'training' and `class` == 'macro' and signature == '{made.chosen[0]}'")
    said = "; ".join(f"the baseline {name} does as well (1.000)" for name in names)
    assert of_chosen["warning"].iloc[0].endswith(said)
    assert made.auc["warning"].str.contains("baseline").sum() == 1


def test_where_there_are_baselines_alone_the_best_of_them_is_chosen():
    rows = predictions(signatures=("majority",), models=("lr",)).rows
    assert evaluate(Predictions(rows, CLASSES), settings=FEW).chosen == ("majority", "lr")


def test_methods_name_the_clustered_form_where_patients_have_several_vertebrae(result):
    assert result.auc["method"].str.contains("clustered by patient (Obuchowski)", regex=False).all()
    alone = predictions().rows.assign(patient_id=lambda rows: rows["case_id"])
    plain = evaluate(Predictions(alone, CLASSES), settings=FEW)
    assert not plain.auc["method"].str.contains("clustered").any()


def test_a_second_protocol_is_evaluated_and_chooses_nothing():
    rows = predictions().rows
    published = rows.assign(protocol="published", fold=0)
    best = pd.get_dummies(published["truth"]).to_numpy(float)
    published[["p_0", "p_1", "p_2"]] = best
    published["predicted"] = published["truth"]
    both = evaluate(Predictions(pd.concat([published, rows], ignore_index=True), CLASSES), settings=FEW)
    assert both.chosen == evaluate(Predictions(rows, CLASSES), settings=FEW).chosen
    assert set(both.delong[both.delong["family"] == "primary"]["protocol"]) == {"sound"}
    training = both.auc.query("protocol == 'published' and cohort == 'training'")
    assert training["method"].str.startswith("resubstitution").all()


def test_a_class_that_a_cohort_lacks_has_a_reason_everywhere_and_the_rest_goes_on():
    truth = np.arange(90) % 3
    truth[60:][truth[60:] == 2] = 0
    made = evaluate(predictions(truth=truth), settings=FEW)
    auc = made.auc.query("cohort == 'external'").set_index(["signature", "model", "class"])
    assert auc.xs("2", level="class")[["auc", "low", "high"]].isna().all(axis=None)
    assert auc.xs("2", level="class")["method"].eq("not computed: the class, or every other, is absent").all()
    assert auc.xs("0", level="class")[["auc", "low", "high"]].notna().all(axis=None)
    for table in (made.calibration, made.performance):
        missing = table[table["value"].isna()]
        assert len(missing)
        assert missing["method"].str.startswith("not computed: ").all()
    assert made.auc.query("cohort == 'internal'")["auc"].notna().all()


def test_constant_scores_have_an_auc_of_one_half_and_no_interval():
    made = evaluate(predictions(score=lambda truth, p: np.full_like(p, 1 / 3)), settings=FEW)
    assert (made.auc["auc"] == 0.5).all()
    assert made.auc[["low", "high"]].isna().all(axis=None)
    of_classes = made.auc[made.auc["class"].isin(CLASSES)]
    assert of_classes["method"].str.contains("all scores are equal").all()
    assert (made.delong["p"] == 1).all()
    slope = made.calibration[made.calibration["metric"] == "slope"]
    assert slope["value"].isna().all()
    assert slope["method"].eq("not computed: all probabilities are equal").all()


def test_perfect_separation_is_said_and_given_no_width():
    made = evaluate(predictions(score=lambda truth, p: 0.05 + 0.85 * np.eye(3)[truth]), settings=FEW)
    of_classes = made.auc[made.auc["class"].isin(CLASSES)]
    assert (of_classes["auc"] == 1).all()
    assert of_classes[["low", "high"]].isna().all(axis=None)
    assert (of_classes[["low_plain", "high_plain"]] == 1).all(axis=None)
    assert of_classes["method"].str.contains("separated perfectly").all()
    slope = made.calibration[made.calibration["metric"] == "slope"]
    assert slope["method"].str.contains("separate the class perfectly").all()


def test_a_class_of_a_single_patient_has_no_interval_and_says_why():
    truth = np.arange(90) % 2
    truth[[0, 1, 4, 5, 10, 11, 14, 15, 30, 31, 34, 35, 60, 61]] = 2  # one patient in the external cohort
    made = evaluate(predictions(truth=truth), settings=FEW)
    external = made.auc.query("cohort == 'external' and `class` == '2'")
    assert external["auc"].notna().all()
    assert external[["low", "high"]].isna().all(axis=None)
    assert external["method"].str.contains("fewer than two patients of the class").all()


def test_few_cases_and_large_aucs_are_warned_of(result):
    assert result.auc["warning"].str.contains("fewer than 20").all()
    many = evaluate(predictions(n=360, score=lambda truth, p: p + 0.2 * np.eye(3)[truth]), settings=FEW)
    large = many.auc[(many.auc["auc"] > 0.9) & many.auc["low"].notna()]
    assert len(large)
    assert large["warning"].str.contains("above 0.9").all()
    assert many.auc.loc[(many.auc["auc"] <= 0.9) & many.auc["low"].notna(), "warning"].eq("").all()


def test_subgroups_are_those_of_free_columns_and_numbers_are_cut_at_thirds():
    given = predictions()
    ids = given.rows["case_id"].drop_duplicates()
    number = ids.str[1:].astype(int)
    cases = pd.DataFrame(
        {"sex": np.where(number % 4 < 2, "F", "M"), "age": (50 + number % 30).astype(str), "note": "x"}
    ).set_index(pd.Index(ids, name="case_id"))
    table = evaluate(given, cases, FEW).subgroups
    assert set(table["column"]) == {"sex", "age"}
    assert set(table.query("column == 'sex'")["group"]) == {"F", "M"}
    assert table.query("column == 'age'")["group"].nunique() == 3
    whole = evaluate(given, cases, EvaluationSettings(resamples=200, subgroups=("note",)))
    one = whole.subgroups.query("cohort == 'internal'").set_index("class")["auc"]
    same = whole.auc.query("cohort == 'internal' and signature == @whole.chosen[0] and model == @whole.chosen[1]")
    assert one["macro"] == pytest.approx(same.set_index("class")["auc"]["macro"])


def test_reclassification_is_computed_only_when_asked_for_and_never_without_its_warning(result):
    assert result.reclassification.empty
    asked = evaluate(predictions(), settings=EvaluationSettings(resamples=200, reclassification=True))
    assert len(asked.reclassification) == 3 * 3 * 3
    assert asked.reclassification["warning"].str.contains("net benefit instead").all()


def test_the_order_of_the_rows_of_predictions_does_not_matter(result):
    rows = predictions().rows
    mixed = rows.iloc[np.random.default_rng(1).permutation(len(rows))]
    order = [*zip(rows["signature"], rows["model"], strict=True)]
    mixed = pd.concat([mixed[(mixed["signature"] == s) & (mixed["model"] == m)] for s, m in dict.fromkeys(order)])
    again = evaluate(Predictions(mixed.reset_index(drop=True), CLASSES), settings=FEW)
    for name in ("auc", "delong", "performance", "calibration", "reliability", "decision_curve"):
        assert getattr(again, name).equals(getattr(result, name)), name


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_cohort_of_one_two_or_three_cases_goes_through_with_reasons(kept):
    rows = predictions().rows
    place = rows.groupby(["signature", "model", "cohort"]).cumcount()
    made = evaluate(
        Predictions(rows[(rows["cohort"] != "external") | (place < kept)].reset_index(drop=True), CLASSES), settings=FEW
    )
    external = made.auc[(made.auc["cohort"] == "external") & (made.auc["class"] != "micro")]  # micro has pairs enough
    assert (external["n"] == kept).all()
    assert external["low"].isna().all()
    assert external["method"].str.contains("not computed|no interval").all()
    assert made.auc.query("cohort == 'internal'")["low"].notna().all()


def test_three_patients_in_all_go_through():
    rows = predictions().rows
    rows = rows[rows["patient_id"].isin(["p0", "p1", "p2", "p15", "p30"])].reset_index(drop=True)
    made = evaluate(Predictions(rows, CLASSES), settings=FEW)
    assert set(made.auc["cohort"]) == {"training", "internal", "external"}


def test_a_perfect_auc_is_warned_of_as_one_without_an_interval():
    warning = results._warning
    assert warning(1.0, 0.0, 30) == "the classes are separated perfectly: no interval, since no variance can be seen"
    assert warning(0.5, 0.0, 30) == "all scores are equal: no interval, since no variance can be seen"
    assert warning(0.95, 1e-4, 30) == "an AUC above 0.9: the interval may cover less than 95 %"
    assert warning(0.8, 1e-3, 30) == ""
