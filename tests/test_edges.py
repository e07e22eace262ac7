"""Data at the edge: what cannot be computed is said in words, and the rest of the study goes on, in both protocols."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from tests.conftest import StudyFolder
from trabecula.cli import app
from trabecula.errors import InvalidInput
from trabecula.workflow.bundling import make_bundle
from trabecula.workflow.check import check_study
from trabecula.workflow.permute import permute_study
from trabecula.workflow.report import report_study
from trabecula.workflow.run import run_study

SHARES = ["p_0", "p_1", "p_2"]


class TableStudy:
    """A study of a table of features: ``counts`` has cohort -> cases of class 0, 1, 2; a case is a patient."""

    def __init__(self, folder, counts, seed=0):
        rng = np.random.default_rng(seed)
        rows = [(cohort, k) for cohort, of in counts.items() for k, n in enumerate(of) for _ in range(n)]
        self.table = pd.DataFrame({"case_id": [f"c{i:03d}" for i in range(len(rows))]})
        self.table["cohort"], self.table["label"] = [cohort for cohort, _ in rows], [str(k) for _, k in rows]
        for j in range(6):
            signal = np.array([k for _, k in rows]) * (1.0 if j < 2 else 0.0)
            self.table[f"original_firstorder_F{j}"] = signal + rng.normal(size=len(rows))
        self.folder = folder
        self.settings = {
            "classes": ["0", "1", "2"],
            "data": {"features": "features.csv"},
            "signatures": ["radiomics"],
            "models": ["lr", "svm", "knn"],
            "tuning": {"folds": 5, "inner_folds": 3},
            "protocol": "both",
            "evaluation": {"resamples": 200},
        }

    def save(self):
        self.folder.mkdir(exist_ok=True)
        self.table.to_csv(self.folder / "features.csv", index=False)
        (self.folder / "study.yaml").write_text(yaml.safe_dump(self.settings), encoding="utf-8")
        return self

    def run(self):
        """The run folder, and the text of its page."""
        page = run_study(self.save().folder)
        return page.parent, words_of(page)


def words_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8")).replace("&#39;", "'").split())


def metrics(run, name, **where):
    table = pd.read_csv(run / "metrics" / f"{name}.csv", dtype={"class": str}, keep_default_na=True)
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def test_a_class_that_a_cohort_lacks_has_no_auc_there_and_the_rest_is_computed(tmp_path):
    study = TableStudy(tmp_path / "study", {"training": (12, 12, 12), "internal": (6, 6, 6), "external": (8, 8, 0)})
    run, page = study.run()
    for folder in (run, run / "published"):
        auc = metrics(folder, "auc", cohort="external", signature="radiomics", model="lr").set_index("class")
        assert auc.loc[["2", "macro"], "auc"].isna().all()
        assert auc.loc["2", "method"] == "not computed: the class, or every other, is absent"
        assert auc.loc[["0", "1"], "auc"].notna().all()
        whole = metrics(folder, "performance", cohort="external", signature="radiomics", model="lr", metric="accuracy")
        assert whole["value"].notna().all()
        inside = metrics(folder, "auc", cohort="internal", signature="radiomics", model="lr")
        assert inside["auc"].notna().all()
    assert "cohort external has no case of class '2': no AUC of that class and no macro AUC there" in page
    assert "Class 2 cannot be compared with the others here: no macro AUC." in page


def test_a_constant_feature_leaves_with_its_reason_and_the_rest_is_computed(tmp_path):
    study = TableStudy(tmp_path / "study", {"training": (12, 12, 12), "internal": (6, 6, 6)})
    study.table["original_firstorder_Flat"] = 7.5
    run, _ = study.run()
    ledger = pd.read_csv(run / "selection" / "ledger.csv").set_index("feature")
    assert ledger.loc["original_firstorder_Flat", "left_at"] == "variance"
    assert ledger.loc["original_firstorder_Flat", "reason"] == "variance 0"
    theirs = pd.read_csv(run / "published" / "selection" / "ledger.csv").set_index("feature")
    assert theirs.loc["original_firstorder_Flat", "left_at"] == "scaling"
    assert metrics(run, "auc", signature="radiomics")["auc"].notna().all()


def test_perfect_separation_is_said_where_it_takes_a_number_away(tmp_path):
    study = TableStudy(tmp_path / "study", {"training": (12, 12, 12), "internal": (6, 6, 6)})
    study.table["original_firstorder_Apart"] = study.table["label"].astype(float) * 100
    run, page = study.run()
    for folder in (run, run / "published"):
        ledger = pd.read_csv(folder / "selection" / "ledger.csv", keep_default_na=False).set_index("feature")
        assert ledger.loc["original_firstorder_Apart", "left_at"] == ""
        auc = metrics(folder, "auc", cohort="internal", signature="radiomics", model="lr")
        assert (auc["auc"] == 1).all()
        of_classes = auc[auc["class"].isin(["0", "1", "2"])]
        assert of_classes[["low", "high"]].isna().all(axis=None)
        assert of_classes["method"].str.contains("no interval: the classes are separated perfectly").all()
        slopes = metrics(folder, "calibration", cohort="internal", signature="radiomics", model="lr", metric="slope")
        assert slopes["value"].isna().all()
        assert slopes["method"].str.contains("separate the class perfectly").all()
    assert "separated perfectly" in page


def test_a_class_of_four_patients_makes_fewer_folds_and_says_so(tmp_path):
    study = TableStudy(tmp_path / "study", {"training": (12, 12, 4), "internal": (6, 6, 1)})
    study.settings["tuning"] = {"folds": 6, "inner_folds": 4}
    run, page = study.run()
    folds = pd.read_csv(run / "splits.csv", dtype={"truth": str}).query("cohort == 'training' and truth == '2'")["fold"]
    assert folds.value_counts().to_dict() == {1: 1, 2: 1, 3: 1, 4: 1}
    assert "4 training folds, not 6: class '2' has 4 training patients" in page
    assert "the training cohort was scored in 4 patient-grouped outer folds" in page
    assert "Where a class had fewer patients than that, there were fewer inner folds." in page
    tuning = pd.read_csv(run / "selection" / "tuning.csv").query("signature == 'radiomics' and model == 'lr'")
    notes = tuning.set_index("fold")["note"]
    assert "3 in place of 4 inner folds: a class has no more patients" in notes["1"]
    assert "3 in place of 5 folds for the LASSO penalty: a class has no more patients" in notes["1"]
    assert "4 in place of 5 folds for the LASSO penalty" in notes["final"]
    assert "fits had fewer inner folds than asked: selection/tuning.csv says which" in page
    alone = metrics(run, "auc", cohort="internal", signature="radiomics", model="lr").set_index("class").loc["2"]
    assert np.isfinite(alone["auc"])
    assert np.isnan(alone["low"])
    assert "no interval: fewer than two patients of the class, or of the others" in alone["method"]
    assert alone["warning"] == "1 case of a class or of the others: too few for an interval"
    slopes = metrics(run, "calibration", cohort="internal", signature="radiomics", model="lr", **{"class": "2"})
    assert slopes["value"].isna().all()
    assert set(slopes["method"]) == {"not computed: fewer than two patients of the class, or of the others"}
    assert metrics(run, "calibration", cohort="internal", metric="ici", **{"class": "1"})["value"].notna().any()


def test_the_published_flow_says_that_it_has_fewer_splits(tmp_path):
    study = TableStudy(tmp_path / "study", {"training": (12, 12, 4), "external": (6, 6, 6)})
    _, page = study.run()
    assert "the flow as published: 4 splits, not 5: class '2' has 4 cases" in page


@pytest.mark.parametrize("protocol", ["sound", "published", "both"])
def test_three_patients_have_features_and_words_and_no_model(tmp_path, protocol):
    study = StudyFolder(tmp_path / "study", patients=3, cohorts=("training",))
    study.settings["protocol"] = protocol
    study.save()
    checked = CliRunner().invoke(app, ["check", str(study.folder), "--jobs", "1"])
    assert checked.exit_code == 4
    asked = CliRunner().invoke(app, ["run", str(study.folder), "--jobs", "1"])
    assert asked.exit_code == 4, asked.output
    for label in "012":
        said = f"class '{label}': 1 training patient; expected at least 4, so that three nested folds have patients"
        assert f"no model can be made: {said}" in " ".join(checked.output.split())
        assert f"no model could be made: {said}" in " ".join(asked.output.split())
    (run,) = (study.folder / "runs").iterdir()
    page = words_of(run / "report.html")
    assert "Too few patients: no model was made." in page
    assert "Add at least 3 patients of this class to the training cohort." in page
    assert "AUC" not in page.replace("there is no AUC", "")
    assert "too good" not in page
    for name in ("features/radiomics.parquet", "features/morphometry.parquet", "metrics/table1.csv", "splits.csv",
                 "quality/films.csv", "manifest.json"):  # fmt: skip
        assert (run / name).exists(), name
    assert not (run / "predictions.csv").exists()
    assert not (run / "fits").exists()
    assert not (study.folder / "cohorts.json").exists(), "nothing was learnt: the cohorts are open"


def test_a_run_without_models_is_reported_again_and_refuses_what_needs_a_model(tmp_path):
    study = StudyFolder(tmp_path / "study", patients=3, cohorts=("training",))
    page = run_study(study.folder)
    drawn = page.read_text(encoding="utf-8").count("data:image/webp")
    assert drawn == len(list((page.parent / "cases" / "thumbnails").iterdir())) == len(study.rows)
    before = {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}
    assert run_study(study.folder) == page
    assert report_study(study.folder) == page
    assert {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()} == before
    assert "No model could be made" in words_of(report_study(study.folder, blind=True))
    with pytest.raises(InvalidInput, match=r"no model: class '0': 1 training patient(.|\n)*a run with models"):
        make_bundle(study.folder)
    with pytest.raises(InvalidInput, match=r"class '0': 1 training patient"):
        permute_study(study.folder)


def test_one_patient_of_a_class_in_training_stops_no_more_than_the_models(tmp_path):
    study = TableStudy(tmp_path / "study", {"training": (12, 12, 1), "external": (6, 6, 2)})
    run, page = study.run()
    assert "class '2': 1 training patient (2 more in other cohorts); expected at least 4" in page
    assert "class '0'" not in page
    assert (run / "metrics" / "table1.csv").exists()
    assert not (run / "published").exists()


def test_patients_that_are_added_make_models_without_a_redraw(tmp_path):
    study = TableStudy(tmp_path / "study", {"training": (10, 10, 3)})
    study.settings |= {"split": {"internal": 0.25}, "protocol": "sound"}
    run, page = study.run()
    assert "the internal cohort is one of 3 parts of the patients, not one of 4: class '2' has 3 patients" in page
    more = TableStudy(tmp_path / "study", {"training": (10, 10, 10)})
    more.settings = study.settings
    again, page = more.run()
    assert again != run
    assert (again / "predictions.csv").exists()
    assert "not one of 4" not in page
    assert check_study(more.folder).too_few == ()
