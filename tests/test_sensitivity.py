"""What the chosen model says of regions that are drawn otherwise, and with other seeds."""

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.conftest import StudyFolder
from tests.test_explanation import write_study
from trabecula.settings import EvaluationSettings
from trabecula.workflow.run import run_study
from trabecula.workflow.sensitivity import AS_IT_IS, JITTERED, NARROWER, SEED, WIDER


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    study = StudyFolder(tmp_path_factory.mktemp("sensitive") / "study", patients=30)
    study.settings["models"] = ["lr"]
    asked = {"grow": [-0.4, 0.001, 0.4], "jitter": 0.2, "redrawings": 1, "seeds": 1}
    study.settings["evaluation"] = {"resamples": 200, "sensitivity": asked}
    study.save()
    return run_study(study.folder).parent


@pytest.fixture
def table(run):
    return pd.read_csv(run / "metrics" / "sensitivity.csv")


def test_every_change_has_a_row_in_every_cohort(table):
    changes = [(AS_IT_IS, 0.0), (NARROWER, -0.4), (WIDER, 0.001), (WIDER, 0.4), (JITTERED, 0.2), (SEED, 2025)]
    assert list(zip(table["change"], table["amount"], strict=True)) == [one for one in changes for _ in range(2)]
    assert table["cohort"].tolist() == ["training", "internal"] * 6
    assert table["n"].tolist() == [20, 10] * 6


def test_unchanged_it_is_the_auc_of_the_report(run, table):
    auc = pd.read_csv(run / "metrics" / "auc.csv", dtype=str)
    auc = auc[(auc["class"] == "macro") & (auc["signature"] == "radiomics")].astype({"auc": float})
    said = dict(zip(auc["cohort"], auc["auc"], strict=True))
    as_it_is = table[table["change"] == AS_IT_IS]
    assert as_it_is["auc"].tolist() == pytest.approx([said["training"], said["internal"]], abs=1e-12)
    assert as_it_is["moved"].tolist() == [0, 0]


def test_a_model_that_stays_as_it_was_says_the_same_of_regions_that_stay_as_they_were(table):
    """Growing by less than a pixel changes no region: the frozen fits give the very AUC of the run."""
    assert table[(table["change"] == WIDER) & (table["amount"] == 0.001)]["moved"].tolist() == [0, 0]


def test_other_regions_and_other_chance_move_it(table):
    for change in (NARROWER, WIDER, JITTERED, SEED):
        assert (table[table["change"] == change]["moved"] != 0).any(), change
    finite = table.dropna(subset="auc")
    before = finite["cohort"].map(finite[finite["change"] == AS_IT_IS].set_index("cohort")["auc"])
    assert np.allclose(finite["moved"], finite["auc"] - before)


def test_the_page_shows_it(run):
    page = (run / "report.html").read_text(encoding="utf-8")
    for words in ("regions 40 % narrower", "regions astray by 20 %, drawing 1", "fitted with seed 2025"):
        assert words in page


def test_it_is_off_unless_asked_for():
    assert EvaluationSettings().sensitivity is None
    assert EvaluationSettings(sensitivity=False).sensitivity is None
    assert EvaluationSettings(sensitivity=True).sensitivity.seeds == 3
    with pytest.raises(ValueError, match="and not 0"):
        EvaluationSettings(sensitivity={"grow": [0.0]})


def test_a_study_without_films_is_tried_with_other_seeds_alone(tmp_path):
    folder = write_study(tmp_path / "study")
    settings = yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8"))
    settings["evaluation"]["sensitivity"] = {"seeds": 1}
    settings["signatures"] = ["radiomics"]
    del settings["data"]["clinical"], settings["data"]["deep"]
    (folder / "study.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    table = pd.read_csv(run_study(folder).parent / "metrics" / "sensitivity.csv")
    assert list(dict.fromkeys(table["change"])) == [AS_IT_IS, SEED]
    assert table["auc"].between(0.3, 1).all()
