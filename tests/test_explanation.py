"""What a run says of the model that it leads with, on a study that begins with a table of features."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import expit, softmax

from trabecula.errors import InvalidInput
from trabecula.evaluation.nomogram import TOTAL
from trabecula.records import Predictions
from trabecula.workflow.check import silent
from trabecula.workflow.explain import FOLDER, _check, explain_run, read_explanation, write_explanation
from trabecula.workflow.fitting import fit_sound
from trabecula.workflow.prepare import prepare
from trabecula.workflow.run import run_study

CLASSES = ["0", "1", "2"]


def write_study(folder):
    """90 vertebrae of 75 patients; the first two columns of radiomics tell of the class and are nearly the same."""
    rng = np.random.default_rng(3)
    patients = np.arange(90) % 75
    label = patients % 3
    table = pd.DataFrame({"case_id": [f"c{i:03d}" for i in range(90)], "patient_id": [f"p{i}" for i in patients]})
    table["label"], table["cohort"] = label, np.where(patients % 5 == 4, "external", "training")
    table["age"], table["sex"] = 60 + 6 * label + rng.integers(0, 15, 90), np.array(["F", "M"])[rng.integers(0, 2, 90)]
    values = rng.normal(size=(90, 24))
    values[:, 0] += 0.9 * label
    values[:, 1] = values[:, 0] + rng.normal(0, 0.55, 90)
    values[:, 12] += 0.5 * label
    for k in range(24):
        table[f"original_firstorder_F{k:02d}" if k < 12 else f"DL_{k:02d}"] = values[:, k]
    folder.mkdir()
    table.to_csv(folder / "table.csv", index=False)
    settings = {
        "classes": CLASSES,
        "data": {"features": "table.csv", "deep": {"net": "DL_"}, "clinical": ["age", "sex"]},
        "models": ["lr"],
        "tuning": {"folds": 3, "inner_folds": 2},
        "selection": {"lasso": {"folds": 2, "resamples": 0}, "correlation": 0.99},
        "evaluation": {"resamples": 200},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run's folder, its explanation and the predictions of its leading model."""
    folder = run_study(write_study(tmp_path_factory.mktemp("explain") / "study")).parent
    found = read_explanation(folder)
    rows = pd.read_csv(folder / "predictions.csv", dtype={"truth": str})
    signature, model = found.methods["explained"].partition(":")[0].split(", ")
    return folder, found, rows, rows[(rows["signature"] == signature) & (rows["model"] == model)].set_index("case_id")


def test_contributions_add_up_to_the_probability_of_every_case(run):
    _, found, _, led = run
    sums = found.shap.groupby(["case_id", "class"]).agg({"shap": "sum", "base": "first"}).sum(axis=1)
    scores = pd.DataFrame({label: sums.xs(label, level="class") for label in CLASSES})
    assert set(scores.index) == set(led.index)
    said = led.loc[scores.index, [f"p_{name}" for name in CLASSES]].to_numpy()
    assert softmax(scores.to_numpy(), axis=1) == pytest.approx(said, abs=1e-5)
    folds = found.shap.groupby("case_id")["fold"].agg(["min", "max"])
    assert (folds["min"] == led.loc[folds.index, "fold"]).all()
    assert (folds["min"] == folds["max"]).all()


def test_neighbours_are_training_cases_of_other_patients_nearest_first(run):
    _, found, _, led = run
    near = found.nearest
    assert near.groupby("case_id").size().eq(5).all()
    assert (led.loc[near["neighbour"], "cohort"] == "training").all()
    assert (led.loc[near["case_id"], "patient_id"].to_numpy() != led.loc[near["neighbour"], "patient_id"]).all()
    assert (led.loc[near["neighbour"], "truth"].to_numpy() == near["truth"]).all()
    assert (near.groupby("case_id")["distance"].diff().dropna() >= 0).all()


def test_importance_is_of_both_cohorts_and_finds_the_pair_as_one_group(run):
    _, found, _, _ = run
    table = found.importance
    assert table.groupby("cohort", sort=False)["scored"].first().to_dict() == {
        "training": "out of fold",
        "external": "held out",
    }
    first = table[table["group"] == 1]
    assert (first["lost"] > 0.05).all()
    assert table.loc[table["cohort"] == "training", "lost"].is_monotonic_decreasing
    unused = table[table["used"] == 0]
    assert (unused["lost"].abs() + unused["spread"]).eq(0).all()


def test_the_nomogram_gives_the_probabilities_of_the_clinical_model(run):
    folder, found, rows, _ = run
    table = pd.read_csv(folder.parents[1] / "table.csv").set_index("case_id")
    values = pd.DataFrame({"age": table["age"].astype(float), "sex=M": (table["sex"] == "M") * 1.0})
    odds = np.zeros((len(table), 3))
    for k, label in enumerate(CLASSES[1:], start=1):
        one = found.nomogram[(found.nomogram["signature"] == "clinical") & (found.nomogram["class"] == label)]
        total = np.zeros(len(table))
        for name in values:
            axis = one[one["predictor"] == name]
            slope, start = np.polyfit(axis["value"].astype(float), axis["points"], 1)
            total += start + slope * values[name]
        whole = one[one["predictor"] == TOTAL]
        assert whole["probability"].to_numpy() == pytest.approx(expit(whole["linear_predictor"]))
        odds[:, k] = np.polyval(np.polyfit(whole["points"], whole["linear_predictor"], 1), total)
        assert one[one["predictor"] != TOTAL]["points"].max() == pytest.approx(100)
    said = rows.query("signature == 'clinical' and cohort == 'external'").set_index("case_id")
    ours = pd.DataFrame(softmax(odds, axis=1), table.index).loc[said.index].to_numpy()
    assert ours == pytest.approx(said[["p_0", "p_1", "p_2"]].to_numpy(), abs=1e-9)
    assert set(found.nomogram["signature"]) == {"clinical", "combined-net"}
    assert "fusion-net score, class 2" in set(found.nomogram["predictor"])


def test_coefficients_come_without_intervals_and_say_over_how_many_folds(run):
    _, found, _, _ = run
    table = found.coefficients
    ours = table[table["source"] == "lr"].set_index(["feature", "class"])
    assert len(ours) >= 6
    for feature in ours.index.unique(0):
        b = ours.loc[feature]
        assert b["odds_ratio"].to_numpy() == pytest.approx(np.exp(b["coefficient"] - b["coefficient"].loc["0"]))
    assert table["fits"].between(0, 3).all()
    assert (table["least"] <= table["most"]).all()
    assert "no intervals" in found.methods["coefficients"]


def test_the_explanation_has_the_same_bytes_with_any_number_of_jobs(run, tmp_path):
    folder, found, *_ = run
    ready = prepare(folder.parents[1], jobs=1)
    known = fit_sound(folder / "fits", ready.signatures, ready.split, ready.settings, 1, silent)
    chosen = tuple(found.methods["explained"].partition(":")[0].split(", "))
    write_explanation(tmp_path, explain_run(folder / "fits", ready, *known, chosen, 2, silent))
    names = sorted(path.name for path in (folder / FOLDER).iterdir())
    expected = ["coefficients.csv", "importance.csv", "methods.json", "nearest.csv", "nomogram.csv", "shap.csv"]
    assert names == expected
    assert all((folder / FOLDER / name).read_bytes() == (tmp_path / FOLDER / name).read_bytes() for name in names)


def test_a_combined_score_is_one_group_and_a_model_of_nothing_has_nothing_to_explain(run):
    folder, *_ = run
    ready = prepare(folder.parents[1], jobs=1)
    known = fit_sound(folder / "fits", ready.signatures, ready.split, ready.settings, 1, silent)
    combined = explain_run(folder / "fits", ready, *known, ("combined-net", "lr"), 1, silent)
    groups = set(combined.importance["features"])
    assert groups == {"age", "sex=M", "score_1; score_2"}
    assert set(combined.nearest["neighbour"]) <= set(ready.split.table.index[ready.split.table["fold"] > 0])
    none = explain_run(folder / "fits", ready, *known, ("majority", "lr"), 1, silent)
    assert none.importance.empty
    assert none.nearest.empty
    assert none.shap.empty
    assert none.methods["shap"] == "nothing was kept"


def test_a_model_that_does_not_repeat_its_predictions_is_refused_with_what_to_do():
    unseen = pd.DataFrame({"x": [1.0]}, index=["c1"])
    model = SimpleNamespace(unseen=unseen, predict=lambda _: np.array([[0.4, 0.6]]))
    rows = pd.DataFrame([{"case_id": "c1", "signature": "radiomics", "model": "lr", "p_0": 0.5, "p_1": 0.5}])
    with pytest.raises(InvalidInput, match=r"does not repeat .* Delete the run's folder"):
        _check([SimpleNamespace(model=model)], Predictions(rows, ("0", "1")), ("radiomics", "lr"))
