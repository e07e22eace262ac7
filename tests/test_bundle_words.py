"""Bundles of a study whose words are its own: a column of hospitals of another name, classes that look like nothing."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from tests.bundles import predict_film
from tests.conftest import StudyFolder
from tests.features.narrow import narrow_weights
from trabecula.bundle import WEIGHTS, read_bundle
from trabecula.errors import InvalidInput
from trabecula.features.weights import pack_tuned
from trabecula.features.weights.tuned import Head
from trabecula.reporting import read_table
from trabecula.workflow.batch import predict_many
from trabecula.workflow.bundling import make_bundle
from trabecula.workflow.gradcam import draw_maps
from trabecula.workflow.predict import Predictor
from trabecula.workflow.rebuild import extractors_of, training_scores
from trabecula.workflow.run import run_study
from trabecula.workflow.validate import KEY, validate

CLASSES = ["None", "NA", "null"]
DEEP = "deep-größe(1)"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of two hospitals, brought together by ComBat, and a narrow network in a file whose name is no plain one."""
    study = StudyFolder(tmp_path_factory.mktemp("words") / "study", patients=36)
    for number, row in enumerate(study.rows):
        row |= {"hospital": "AB"[number // 9 % 2], "label": CLASSES[int(row["label"])]}
    study.settings |= {"classes": CLASSES, "models": ["lr"], "signatures": ["radiomics", "deep"]}
    study.settings |= {"deep": {"weights": ["größe(1).safetensors"], "size": 32}, "split": {"site": "hospital"}}
    study.settings["harmonise"] = {"new_site": "reference", "reference": "A"}
    study.save()
    weights = narrow_weights()
    head = Head((), np.zeros((0, 8), np.float32), np.zeros(0, np.float32))
    (study.folder / "größe(1).safetensors").write_bytes(pack_tuned(weights, head, {}))
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


def test_classes_that_look_like_nothing_are_words(finished, made, tmp_path):
    assert training_scores(made)["truth"].value_counts().to_dict() == dict.fromkeys(CLASSES, 8)
    assert set(made.manifest.cutoffs) == set(CLASSES)
    card = made.parts["card.md"].decode()
    assert "| internal | 12 | 12 | NA: 4, None: 4, null: 4 | by the final model |" in card
    assert "n/a" not in card.split("## Performance")[1].split("Cut-offs")[0]
    drawn = draw_maps(finished.folder, ["c00"], tmp_path)
    assert [one.label for one in drawn] == CLASSES


def test_a_baseline_is_bundled_only_where_it_is_asked_for(finished, tmp_path):
    study = shutil.copytree(finished.folder, tmp_path / "study")
    (run,) = (study / "runs").glob("*")
    auc = read_table(run / "metrics" / "auc.csv")
    auc.loc[auc["signature"] == "height", "auc"] = 1.0
    auc.to_csv(run / "metrics" / "auc.csv", index=False)
    chosen = json.loads((run / "metrics" / "chosen.json").read_text())["chosen"]
    made = make_bundle(study).manifest
    assert [made.signature, made.model] == chosen
    assert make_bundle(study, signature="height").manifest.signature == "height"


@pytest.mark.parametrize(
    ("said", "found", "action"),
    [
        ({"device": "cuda"}, "on cuda;", "--device cpu and bundle that run"),
        (
            {"device": "cuda", "precision": "bfloat16"},
            "on cuda in bfloat16;",
            "--device cpu and without deep.precision and bundle that run",
        ),
    ],
)
def test_deep_features_of_another_device_are_refused(finished, tmp_path, said, found, action):
    study = shutil.copytree(finished.folder, tmp_path / "study")
    (record,) = study.glob("runs/*/features/deep-größe(1).json")
    record.write_text(json.dumps(json.loads(record.read_text()) | said))
    config = record.parents[1] / "config.resolved.yaml"
    config.write_text(
        config.read_text().replace("precision: float32", f"precision: {said.get('precision', 'float32')}")
    )
    with pytest.raises(InvalidInput) as caught:
        make_bundle(study, signature=DEEP)
    words = f"deep features computed {found} expected features of the processor. Run the study with {action}."
    assert str(caught.value) == f"run {record.parents[1].name}: {words}"
    assert make_bundle(study, signature="radiomics").manifest.deep is None


def test_weights_of_any_name_are_packed(finished, tmp_path):
    bundle = make_bundle(finished.folder, tmp_path / "b.trabecula", signature=DEEP, with_weights=True)
    assert bundle.manifest.deep.file == WEIGHTS
    assert bundle.parts[WEIGHTS] == (finished.folder / "größe(1).safetensors").read_bytes()
    (network,) = extractors_of(read_bundle(bundle.path))
    assert f"Input policy {network.policy.name}." in bundle.manifest.deep.statement


def test_a_hospital_that_was_not_in_training_is_told(finished, made):
    film, mask = (finished.folder / finished.rows[2][name] for name in ("image", "region"))
    predictor = Predictor.of(made)
    said = "the hospital 'C' was not in training: its values are not harmonised"
    assert predict_film(predictor, film, mask, site="C").warnings[0] == said
    assert said.replace("C", "A") not in predict_film(predictor, film, mask, site="A").warnings
