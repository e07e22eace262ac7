"""Bundles of a study whose words are its own: a column of hospitals of another name."""

import shutil

import numpy as np
import pandas as pd
import pytest

from tests.conftest import StudyFolder
from trabecula.workflow.batch import predict_many
from trabecula.workflow.bundling import make_bundle
from trabecula.workflow.predict import Predictor
from trabecula.workflow.run import run_study
from trabecula.workflow.validate import KEY, validate


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of two hospitals whose greys differ, brought together by ComBat."""
    study = StudyFolder(tmp_path_factory.mktemp("words") / "study", patients=36)
    for number, row in enumerate(study.rows):
        row["hospital"] = "AB"[number // 9 % 2]
    study.settings |= {
        "models": ["lr"],
        "split": {"site": "hospital"},
        "harmonise": {"new_site": "reference", "reference": "A"},
    }
    study.save()
    run_study(study.folder)
    return study


@pytest.fixture(scope="module")
def made(finished):
    return make_bundle(finished.folder, signature="radiomics", model="lr")


def test_predict_and_validate_harmonise_by_the_column_that_the_study_names(finished, made, tmp_path):
    """ComBat must know each case's hospital, or the answers are not those of the study."""
    (run,) = (finished.folder / "runs").glob("*")
    before = pd.read_csv(run / "predictions.csv", dtype=str, keep_default_na=False)
    before = before[(before["signature"] == "radiomics") & (before["scored"] == "held out")].set_index("case_id")
    probabilities = [f"p_{name}" for name in made.manifest.classes]
    wanted = before[probabilities].astype(float)
    here = predict_many(Predictor.of(made), finished.folder).set_index("case_id").loc[wanted.index, probabilities]
    assert np.allclose(here, wanted, rtol=0, atol=1e-9)
    folder = tmp_path / "hospital"
    shutil.copytree(finished.folder / "images", folder / "images")
    text = (finished.folder / "cases.csv").read_text()
    for column in ("hospital", "clinic"):  # as in the bundle; as a study.yaml says
        (folder / "cases.csv").write_text(text.replace("hospital", column))
        if column == "clinic":
            (folder / "study.yaml").write_text("data: {cases: cases.csv}\nsplit: {site: clinic}\nclasses: [a, b]\n")
        page = validate(Predictor.of(made), folder, tmp_path / column / "send")
        key = pd.read_csv(tmp_path / column / KEY).set_index("case")["case_id"]
        scored = pd.read_csv(page.parent / "predictions.csv").set_index("case_id")
        assert np.allclose(scored.loc[key[wanted.index], probabilities], wanted, rtol=0, atol=1e-9)
