"""A bundle's answers: those of the study for its own films, and words where a film is unlike them."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.bundles import predict_film, predict_points
from trabecula.bundle import read_bundle
from trabecula.errors import InvalidInput
from trabecula.workflow.batch import predict_many
from trabecula.workflow.bundling import make_bundle
from trabecula.workflow.predict import Predictor, told
from trabecula.workflow.validate import KEY, validate
from trabecula.workflow.verify import verify


def of_run(study, signature, model):
    (path,) = (study.folder / "runs").glob("*/predictions.csv")
    rows = pd.read_csv(path, dtype={"truth": str})
    return rows[(rows["signature"] == signature) & (rows["model"] == model)].set_index("case_id")


def mask_of(study, case, tmp_path):
    """The region of a case as a mask of its own."""
    row = next(row for row in study.rows if row["case_id"] == case)
    return study.folder / row["image"], study.folder / row["region"], row


@pytest.mark.parametrize(
    ("signature", "model"),
    [
        ("radiomics", "lr"),
        ("radiomics", "xgb"),
        ("radiomics", "rf"),
        ("clinical", "lr"),
        ("height", "lr"),
        ("majority", "lr"),
    ],
)
def test_a_held_out_case_is_answered_as_in_the_study_to_the_bit(finished, tmp_path, signature, model):
    bundle = make_bundle(finished.folder, tmp_path / "b.trabecula", signature=signature, model=model)
    predictor = Predictor.of(bundle)
    rows = of_run(finished, signature, model)
    held_out = rows[rows["scored"] == "held out"]
    assert len(held_out) == 12
    for case in held_out.index[:3]:
        film, mask, row = mask_of(finished, case, tmp_path)
        values = {name: row[name] for name in bundle.manifest.words}
        answer = predict_film(predictor, film, mask, values)
        assert list(answer.probabilities.values()) == held_out.loc[case, ["p_0", "p_1", "p_2"]].tolist()
        assert answer.predicted == str(held_out.loc[case, "predicted"])


def test_a_fresh_process_gives_the_same_numbers_as_json(finished, made, tmp_path):
    film, mask, _ = mask_of(finished, "c02", tmp_path)
    command = [sys.executable, "-m", "trabecula", "predict", made.path, film, "--mask", mask, "--json"]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    here = predict_film(Predictor.of(made), film, mask)
    assert said == json.loads(here.to_json())
    assert said["bundle"] == made.id
    assert "not a medical device" in said["use"]


def test_what_drove_an_answer_is_what_the_study_says_drove_it(finished, tmp_path):
    (run,) = (finished.folder / "runs").glob("*")
    predictor = Predictor.of(make_bundle(finished.folder, tmp_path / "b.trabecula"))
    film, mask, row = mask_of(finished, "c02", tmp_path)
    answer = predict_film(predictor, film, mask, {name: row[name] for name in predictor.bundle.manifest.words})
    shap = pd.read_csv(run / "explain" / "shap.csv", dtype={"class": str})
    shap = shap[(shap["case_id"] == "c02") & (shap["class"] == answer.predicted)].set_index("feature")
    assert len(answer.drivers) == min(10, len(shap)) > 0
    for one in answer.drivers:
        assert (one.value, one.added) == pytest.approx(tuple(shap.loc[one.feature, ["value", "shap"]]), abs=1e-9)
    sizes = [abs(one.added) for one in answer.drivers]
    assert sizes == sorted(sizes, reverse=True)


def test_a_forest_has_parts(finished, tmp_path):
    bundle = make_bundle(finished.folder, tmp_path / "rf.trabecula", signature="radiomics", model="rf")
    film, mask, _ = mask_of(finished, "c02", tmp_path)
    answer = predict_film(Predictor.of(bundle), film, mask)
    assert answer.drivers
    assert answer.drivers_scale == "TreeSHAP; absent features as the training cases went; score: probability"


def test_six_points_stand_in_for_a_mask_and_the_answer_says_so(finished, made):
    film = finished.folder / "images" / "p08.png"
    answer = predict_points(Predictor.of(made), film, "12,10 22,10 33,10 33,27 22,27 12,27")
    assert answer.case_id == "p08"
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-12)
    assert answer.warnings[-1].startswith("the region was drawn from six points")


def test_weights_are_taken_from_the_bundle_or_from_the_file_that_is_named(made, tmp_path, monkeypatch):
    from safetensors.numpy import save

    from trabecula.bundle import WEIGHTS, Bundle, DeepInput
    from trabecula.features import ResNetFeatures
    from trabecula.features.weights import draw_untrained
    from trabecula.settings import DeepSettings
    from trabecula.workflow.rebuild import extractors_of

    monkeypatch.setenv("TRABECULA_WEIGHTS", str(tmp_path / "none"))
    content = save(dict(draw_untrained(seed=5).state))
    (tmp_path / "mine.safetensors").write_bytes(content)
    settings = DeepSettings(weights=("mine.safetensors",))
    (network,) = ResNetFeatures.from_settings(settings, tmp_path)
    about = {"settings": settings, "digest": network.digest, "sha256": network.sha256, "statement": "", "file": None}

    def asked(parts, weights=None, **other):
        manifest = made.manifest.model_copy(update={"deep": DeepInput(**(about | other)), "radiomics": None})
        (found,) = extractors_of(Bundle(tmp_path / "b", "", manifest, parts), weights)
        return found.digest

    assert asked({WEIGHTS: content}, file="mine.safetensors") == network.digest
    assert asked({}, str(tmp_path / "mine.safetensors")) == network.digest
    (tmp_path / "other.safetensors").write_bytes(save(dict(draw_untrained(seed=6).state)))
    with pytest.raises(InvalidInput, match="would give other values than in training"):
        asked({}, str(tmp_path / "other.safetensors"))


def test_a_model_without_parts_says_so(finished, tmp_path):
    bundle = make_bundle(finished.folder, tmp_path / "majority.trabecula", signature="majority", model="lr")
    film, mask, _ = mask_of(finished, "c02", tmp_path)
    answer = predict_film(Predictor.of(bundle), film, mask)
    assert answer.drivers == ()
    assert answer.drivers_scale == "not computed: the answer of lr is no sum of parts, one a feature"


def test_a_training_film_raises_no_warning_of_its_kind_and_another_film_does(finished, made, tmp_path):
    predictor = Predictor.of(made)
    film, mask, _ = mask_of(finished, "c00", tmp_path)
    assert predict_film(predictor, film, mask).warnings == ()
    pixels = np.asarray(Image.open(film)).astype(np.float64)
    other = tmp_path / "other.png"
    Image.fromarray((65535 - pixels).astype(np.uint16)).save(other)
    (tmp_path / "other.json").write_text('{"spacing_mm": 0.2}')
    warnings = " | ".join(predict_film(predictor, other, mask).warnings)
    assert "pixel spacing, mm: known here, but not so in training" in warnings
    assert "grey of the region, share of the film's range" in warnings
    assert "features outside their range in training" in warnings


def test_values_of_the_table_are_asked_for_and_checked(finished, tmp_path):
    bundle = make_bundle(finished.folder, tmp_path / "clinical.trabecula", signature="clinical", model="lr")
    assert bundle.manifest.words == {"age": (), "sex": ("F", "M")}
    predictor = Predictor.of(bundle)
    film, mask, _ = mask_of(finished, "c02", tmp_path)
    answer = predict_film(predictor, film, mask, {"age": "60"})
    assert answer.warnings[0] == "sex was not given: the training median stands in"
    with pytest.raises(InvalidInput) as caught:
        predict_film(predictor, film, mask, {"age": "old", "sex": "X", "weight": "70"})
    assert [str(fault) for fault in caught.value.faults] == [
        "age: 'old'; expected a number.",
        "sex: 'X'; expected one of F, M.",
        "weight: a value that the model does not take; expected one of age, sex.",
    ]
    with pytest.raises(InvalidInput, match="name=value, such as age=71"):
        told(["age 71"])


def test_a_folder_of_films_is_answered_in_one_table_and_a_damaged_film_has_its_fault(finished, made, tmp_path):
    shutil.copytree(finished.folder / "images", tmp_path / "films")
    (tmp_path / "films" / "p03.png").write_bytes(b"no film")
    table = predict_many(Predictor.of(made), tmp_path / "films").set_index("case_id")
    rows = of_run(finished, "radiomics", "lr")
    assert len(table) == 36
    assert "cannot be decoded" in table.loc["p03", "fault"]
    assert table.loc["p02", ["p_0", "p_1", "p_2"]].tolist() == rows.loc["c02", ["p_0", "p_1", "p_2"]].tolist()
    assert predict_many(Predictor.of(made), finished.folder)["fault"].eq("").all()


def test_validation_gives_the_studys_own_measures_and_holds_no_name(finished, made, tmp_path):
    """On the study's own held-out cohort, the frozen bundle must give the cohort's numbers again."""
    folder = tmp_path / "hospital"
    shutil.copytree(finished.folder / "images", folder / "images")
    lines = (finished.folder / "cases.csv").read_text().splitlines()
    (folder / "cases.csv").write_text("\n".join([lines[0], *(line for line in lines if "internal" in line)]) + "\n")
    page = validate(Predictor.of(made), folder)
    auc = pd.read_csv(page.parent / "metrics" / "auc.csv", dtype={"class": str})
    (run,) = (finished.folder / "runs").glob("*")
    before = pd.read_csv(run / "metrics" / "auc.csv", dtype={"class": str})
    before = before[(before["signature"] == "radiomics") & (before["model"] == "lr") & (before["cohort"] == "internal")]
    here = auc[auc["cohort"] == "validation"]
    assert np.allclose(here["auc"], before["auc"], rtol=0, atol=1e-12)
    assert np.allclose(here["low"], before["low"], rtol=0, atol=1e-12, equal_nan=True)
    cutoffs = pd.read_csv(page.parent / "metrics" / "cutoffs.csv", dtype={"class": str}).set_index("class")["cutoff"]
    assert {name: one if np.isfinite(one) else None for name, one in cutoffs.items()} == made.manifest.cutoffs
    key = pd.read_csv(page.parent.parent / KEY)
    assert len(key) == 12
    text = page.read_text(encoding="utf-8")
    assert "Tested outside the development data: validation" in text
    assert "No external or prospective cohort" not in text
    assert not re.search(r'id="(methods|checklists)"|manifest\.json|began with a table|the hospital (shows|can)', text)
    links = set(re.findall(r'href="#([^"]+)"', text))
    assert links <= set(re.findall(r'\bid="([^"]+)"', text)), "every link leads somewhere"
    named = set(re.findall(r"<code>([\w/.-]+\.(?:csv|json|md))</code>", text))
    assert all((page.parent / name).exists() for name in named), "every file that the page names is sent"
    sent = [path for path in page.parent.rglob("*") if path.is_file()]
    assert {path.suffix for path in sent} <= {".csv", ".html", ".svg", ".pdf", ".json"}
    for path in sent:
        text = path.read_bytes()
        for name in (*key["case"], *key["patient"]):
            assert f">{name}<".encode() not in text
            assert f",{name},".encode() not in text
            assert not text.startswith(f"{name},".encode())


def test_labels_that_the_bundle_does_not_know_are_refused(finished, made, tmp_path):
    folder = tmp_path / "hospital"
    shutil.copytree(finished.folder / "images", folder / "images")
    text = (
        (finished.folder / "cases.csv")
        .read_text()
        .replace(
            "c05;p05;images/p05.png;images/p05_mask.png;20;1", "c05;p05;images/p05.png;images/p05_mask.png;20;severe"
        )
    )
    (folder / "cases.csv").write_text(text)
    with pytest.raises(InvalidInput, match="unknown class 'severe'"):
        validate(Predictor.of(made), folder)


def test_verify_answers_the_example_again_and_compares_the_id(made):
    lines = verify(made.path, expected=made.id)
    assert f"id {made.id}" in lines
    assert "to within 0.0e+00 of what is written (1e-09 is asked: the same versions and kind of machine)" in lines[2]
    assert "its id was not compared: give --id with the one that you were told" in verify(made.path)
    with pytest.raises(InvalidInput, match="not the one that you were told of"):
        verify(made.path, expected="0" * 64)


def test_a_run_whose_films_have_changed_gives_no_bundle(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "study")
    row = next(row for row in finished.rows if row["cohort"] == "internal")
    film = tmp_path / "study" / row["image"]
    Image.fromarray(np.asarray(Image.open(film)) // 2).save(film)
    with pytest.raises(InvalidInput, match="features that differ from those of the run"):
        make_bundle(tmp_path / "study", signature="radiomics", model="lr")


def test_what_cannot_be_bundled_is_told_in_words(finished, tmp_path):
    for said, words in (
        ({"run": "2020-01-01_01"}, "no finished run '2020-01-01_01'"),
        ({"signature": "deep"}, "signature: 'deep'; expected one of"),
        ({"signature": "radiomics", "model": "svm"}, "model: 'svm'; expected one of lr, rf, xgb"),
        ({"signature": "radiomics", "with_weights": True}, "a signature without a network"),
    ):
        with pytest.raises(InvalidInput, match=words):
            make_bundle(finished.folder, tmp_path / "b.trabecula", **said)


def test_a_bundle_is_the_same_bytes_whenever_it_is_made(finished, made, tmp_path):
    again = make_bundle(finished.folder, tmp_path / "again.trabecula", signature="radiomics", model="lr")
    assert again.path.read_bytes() == made.path.read_bytes()
    assert read_bundle(made.path).id == made.id


def test_a_mask_of_several_vertebrae_is_no_region(finished, made, tmp_path):
    film, mask, _ = mask_of(finished, "c02", tmp_path)
    one = np.asarray(Image.open(mask)) > 0
    half = np.arange(one.shape[0])[:, None] < 19
    Image.fromarray(np.where(one, 255, 0).astype(np.uint8)).save(tmp_path / "one.png")
    Image.fromarray(np.where(one, np.where(half, 1, 3), 0).astype(np.uint8)).save(tmp_path / "two.png")
    predictor = Predictor.of(made)
    assert predict_film(predictor, film, tmp_path / "one.png").probabilities
    with pytest.raises(InvalidInput) as caught:
        predict_film(predictor, film, tmp_path / "two.png")
    action = "Give a mask of one vertebra, or a table with region_value."
    assert str(caught.value) == f"two.png: values 1, 3; expected one region. {action}"
