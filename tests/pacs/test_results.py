import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.pacs.films import answers_of, film, write
from trabecula.bundle import read_bundle
from trabecula.cli import app
from trabecula.errors import InvalidInput
from trabecula.pacs import capture
from trabecula.pacs.capture import draw_capture
from trabecula.pacs.finding import Finding, outline, read_header
from trabecula.pacs.results import asked_kinds, make_result
from trabecula.reading import read_film
from trabecula.records import Region
from trabecula.reporting.fonts import face_with
from trabecula.workflow.predict import Predictor

pytest.importorskip("highdicom")
INSIDE = np.zeros((40, 50), bool)
INSIDE[10:28, 12:34] = True


@pytest.fixture(scope="module")
def predictor(made):
    return Predictor.of(read_bundle(made.path))


@pytest.fixture
def finding(predictor, tmp_path):
    def of(inside=INSIDE, asked=None, **about):
        path = write(film(**about), tmp_path / "film.dcm")
        xray = read_film(path, predictor.bundle.manifest.image)
        region = Region(inside, "film", "mask", "")
        return Finding(read_header(path), xray, region, predictor.answer(xray, region, {}), asked or {})

    return of


@pytest.fixture
def asked(made, tmp_path):
    def of(*more, dataset=None):
        write(dataset or film(), tmp_path / "film.dcm")
        Image.fromarray(INSIDE.astype(np.uint8)).save(tmp_path / "mask.png")
        given = ["predict", str(made.path), str(tmp_path / "film.dcm"), "--mask", str(tmp_path / "mask.png"), *more]
        return CliRunner().invoke(app, given)

    return of


def test_a_region_comes_back_from_the_segmentation_as_it_was(finding):
    made_of = finding(dark=True)
    segmentation = make_result(made_of, "seg")
    assert (segmentation.pixel_array.squeeze() == INSIDE).all()
    assert segmentation.StudyInstanceUID == made_of.header.StudyInstanceUID
    assert segmentation.SeriesInstanceUID != made_of.header.SeriesInstanceUID
    source = segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    assert source.ReferencedSOPInstanceUID == made_of.header.SOPInstanceUID


def test_a_report_holds_class_probabilities_outline_and_every_warning(finding):
    made_of = finding()
    report = make_result(made_of, "sr")
    assert (report.PreliminaryFlag, report.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    said, answer = answers_of(report), made_of.answer
    assert said["Most probable class"] == f"Class {answer.predicted}"
    for name, p in answer.probabilities.items():
        assert said[f"Probability of class {name}"] == pytest.approx(p, abs=1e-9)
    assert said["Comment"][0] == "Research use only; not a medical device."
    assert answer.warnings
    assert [words.removeprefix("Warning: ") for words in said["Comment"][2:]] == list(answer.warnings)
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    drawn = said["Image Region"]
    assert drawn.min(axis=0).tolist() == [12, 10]
    assert drawn.max(axis=0).tolist() == [34, 28]


def test_an_outline_runs_through_the_borders_of_pixels_and_takes_the_largest_piece():
    inside = np.zeros((6, 8), bool)
    inside[0, 0] = inside[2:5, 3:7] = True
    line = outline(inside)
    assert (line[0] == line[-1]).all()
    assert line.min(axis=0).tolist() == [3, 2]
    assert line.max(axis=0).tolist() == [7, 5]


def test_a_capture_shows_film_outline_and_heat_bright_where_dense(finding):
    plain, dark = (make_result(finding(dark=dark), "sc").pixel_array for dark in (False, True))
    assert (plain == dark).all(), "MONOCHROME1 is drawn as MONOCHROME2"
    assert plain.shape[2] == 3
    made_of = finding()
    heat = np.where(INSIDE, 1.0, 0.0).astype(np.float32)
    hot = make_result(Finding(made_of.header, made_of.xray, made_of.region, made_of.answer, {}, heat), "sc").pixel_array
    assert (hot[-20, 20] != plain[-20, 20]).any(), "the heat map colours the region"


def test_a_capture_says_class_names_in_the_letters_they_have(finding, monkeypatch):
    made_of, larger = finding(), np.ones((16, 16))  # a film on which there is room for words
    xray = replace(made_of.xray, pixels=np.kron(made_of.xray.pixels, larger).astype(np.float32))
    made_of = replace(made_of, xray=xray, region=Region(np.kron(INSIDE, larger) > 0, "film", "mask", ""))

    def drawn(first, second):
        said = {first: 0.7, second: 0.3}
        answer = replace(made_of.answer, predicted=first, probabilities=said, warnings=())
        return draw_capture(replace(made_of, answer=answer))

    latin, fallen = drawn("0", "1"), []
    monkeypatch.setattr(capture, "face_with", lambda letters: fallen.append(letters))
    assert (drawn("0", "1") == latin).all()
    assert not fallen, "no font is sought for Latin letters"
    boxes = drawn("轻度", "重度")
    assert (boxes == drawn("中度", "重度")).all(), "without a font all letters are question marks"
    assert boxes.shape[0] > latin.shape[0], "and a line says what to install"
    monkeypatch.undo()
    if face_with("轻中重度a?") is not None:
        assert (drawn("轻度", "重度") != drawn("中度", "重度")).any()
        assert drawn("轻度", "重度").shape == latin.shape


def test_results_have_the_same_names_when_made_again_and_others_for_another_question(finding):
    again, other = finding(), finding(asked={"age": "71"})
    smaller = INSIDE.copy()
    smaller[10] = False
    for kind in ("seg", "sr", "sc"):
        first, second = make_result(finding(), kind), make_result(again, kind)
        assert first.SOPInstanceUID == second.SOPInstanceUID
        assert first.SeriesInstanceUID == second.SeriesInstanceUID
        assert len(first.SOPInstanceUID) <= 64
        for tag in ("InstanceCreationDate", "InstanceCreationTime", "ContentDate", "ContentTime"):
            for one in (first, second):
                one.pop(tag, None)
        first.pop("ContributingEquipmentSequence", None)
        second.pop("ContributingEquipmentSequence", None)
        if kind == "sr":
            assert first.ContentSequence == second.ContentSequence
        assert first.get("PixelData") == second.get("PixelData")
        different = {make_result(one, kind).SOPInstanceUID for one in (again, other, finding(smaller), finding(seed=1))}
        assert len(different) == 4, "film, region and question each have their own"


def test_a_name_in_another_character_set_arrives_whole(finding):
    named = make_result(finding(name="王^小东"), "seg")
    assert named.SpecificCharacterSet == "ISO_IR 192"
    assert str(named.PatientName) == "王^小东"


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools are not installed")
@pytest.mark.parametrize("modality", ["CR", "DX"])
@pytest.mark.parametrize("kind", ["seg", "sr", "sc"])
def test_dciodvfy_finds_no_error(finding, tmp_path, modality, kind):
    path = write(make_result(finding(modality=modality, dark=True), kind), tmp_path / "result.dcm")
    said = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    lines = (said.stderr + said.stdout).splitlines()
    assert [line for line in lines if line.startswith(("Error", "Abort"))] == []
    assert any(line in ("Segmentation", "ComprehensiveSR", "SCImage") for line in lines), lines


def test_the_command_writes_each_kind_and_the_answer(asked, tmp_path):
    result = asked("--dicom", "seg,sr,sc", "-o", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["film-sc.dcm", "film-seg.dcm", "film-sr.dcm", "film.json"]
    answer = json.loads((tmp_path / "out/film.json").read_text())
    report = answers_of(pydicom.dcmread(tmp_path / "out/film-sr.dcm"))
    assert report["Most probable class"] == f"Class {answer['predicted']}"


def test_a_film_that_does_not_name_itself_is_refused_with_every_fault(asked, tmp_path):
    nameless = film()
    del nameless.StudyInstanceUID, nameless.SeriesInstanceUID
    error = asked("--dicom", "seg", "-o", str(tmp_path / "out"), dataset=nameless).exception
    assert isinstance(error, InvalidInput)
    assert str(error).splitlines() == [
        "film.dcm: no StudyInstanceUID; expected a film that names itself. Export the film from the PACS again.",
        "film.dcm: no SeriesInstanceUID; expected a film that names itself. Export the film from the PACS again.",
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_header_that_breaks_a_rule_is_refused_in_words(finding):
    with pytest.raises(InvalidInput, match=r"the film's header: .*; expected values that DICOM allows"):
        make_result(finding(StudyDate="2nd of May"), "seg")


def test_kinds_that_are_not_known_are_named():
    with pytest.raises(InvalidInput, match=r"--dicom: 'gsps'; expected some of seg, sr, sc, with commas between\."):
        asked_kinds("seg,gsps")


def test_dicom_results_need_a_folder(asked):
    assert asked("--dicom", "seg").exit_code == 2
