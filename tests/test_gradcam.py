"""`trabecula gradcam`: pictures of a finished run, on the film's own pixels."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import StudyFolder
from trabecula.errors import InvalidInput
from trabecula.modelling import seen_by_learner, unpack
from trabecula.workflow.gradcam import draw_maps
from trabecula.workflow.run import run_study

ODD = "../c/0 0"


def deep_study(folder):
    study = StudyFolder(folder)
    deep = {"weights": ["untrained"], "size": 32}
    study.settings |= {"deep": deep, "signatures": ["deep"], "models": ["lr"]}
    study.rows[0]["case_id"] = ODD
    study.save()
    return study


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    study = deep_study(tmp_path_factory.mktemp("maps") / "study")
    run_study(study.folder, images="none")
    return study


@pytest.fixture
def study(finished, tmp_path):
    """A copy of a finished study of deep features; one of its cases has an odd name."""
    return finished.copied(tmp_path / "study")


def test_pictures_lie_on_the_film_and_their_scores_are_the_models(study, tmp_path):
    run = study.run
    drawn = draw_maps(study.folder, ["c01", "c05"], tmp_path / "maps")
    assert [(one.case_id, one.label) for one in drawn] == [(c, k) for c in ("c01", "c05") for k in "012"]
    features = pd.read_parquet(run / "features" / "deep-untrained.parquet")
    cohort = pd.read_csv(run / "splits.csv").set_index("case_id")["cohort"]
    spread = features[cohort.loc[features.index] == "training"].std(ddof=0)
    table = pd.read_csv(run / "selection" / "coefficients.csv", dtype={"class": str})
    table = table[(table["signature"] == "deep-untrained") & (table["fold"] == "final")]
    for one in drawn:
        rows = table[table["class"] == one.label].set_index("feature")["coefficient"]
        wanted = (rows * features.loc[one.case_id, rows.index] / spread[rows.index]).sum()
        assert one.score == pytest.approx(wanted, rel=1e-4)
        picture = np.asarray(Image.open(one.path))
        assert picture.shape == (40, 50, 3)
        outside = np.concatenate([picture[:, :8].reshape(-1, 3), picture[:, -8:].reshape(-1, 3)])
        assert (np.ptp(outside, axis=1) == 0).all(), "beyond the crop the film is grey as it was"
    record = run / "features" / "deep-untrained.json"
    on_gpu = {"device": "cuda", "precision": "bfloat16", "runtime": "torch 2.13.0"}
    record.write_text(json.dumps(json.loads(record.read_text()) | on_gpu))
    assert draw_maps(study.folder, ["c01", "c05"], tmp_path / "maps") == drawn, "the network is the same on any device"


def test_components_that_stand_for_the_deep_features_are_traced_back_to_them(tmp_path):
    """A map's score is that of the components, as the fitted pipeline makes them, but for one constant a class."""
    study = deep_study(tmp_path / "study")
    study.settings["selection"] = {"pca": 4, "univariate_p": 1.0}
    study.save()
    run = run_study(study.folder, images="none").parent
    names = ["c01", "c05", "c09"]
    drawn = pd.DataFrame(draw_maps(study.folder, names, tmp_path / "maps")).pivot_table(
        index="case_id", columns="label", values="score"
    )
    fitted = unpack((run / "fits" / "deep-untrained" / "final" / "lr.skops").read_bytes())
    seen = seen_by_learner(fitted, pd.read_parquet(run / "features" / "deep-untrained.parquet").loc[names])
    table = pd.read_csv(run / "selection" / "coefficients.csv", dtype={"class": str})
    table = table[(table["signature"] == "deep-untrained") & (table["fold"] == "final")]
    weights = table.pivot_table(index="feature", columns="class", values="coefficient").loc[list(seen)]
    assert weights.index.str.startswith("component_").all()
    wanted = seen.loc[names] @ weights
    assert wanted.to_numpy().std(axis=0).max() > 0.01
    assert np.allclose(drawn - drawn.mean(), wanted - wanted.mean(), rtol=1e-4, atol=1e-6)


def test_what_cannot_be_drawn_is_said(study, tmp_path):
    with pytest.raises(InvalidInput, match="no finished run"):
        draw_maps(deep_study(tmp_path / "fresh").folder, ["c01"], tmp_path)
    with pytest.raises(InvalidInput, match="case nobody: not in the table of cases"):
        draw_maps(study.folder, ["nobody"], tmp_path)
    with pytest.raises(InvalidInput, match="no signature radiomics with deep features; expected one of: deep-untr"):
        draw_maps(study.folder, ["c01"], tmp_path, signature="radiomics")
    study.settings["deep"]["margin"] = 0.3
    study.save()
    with pytest.raises(InvalidInput, match="an input policy that have changed since"):
        draw_maps(study.folder, ["c01"], tmp_path)


def test_a_map_s_file_stays_in_its_folder(study, tmp_path):
    drawn = draw_maps(study.folder, [ODD], tmp_path / "maps")
    assert [one.path for one in drawn] == [tmp_path / "maps" / f"..+2Fc+2F0+200-{label}.png" for label in "012"]
    assert all(one.path.exists() for one in drawn)
