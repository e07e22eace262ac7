"""Pictures of a run's cases and the case browser: what they show, and what they must not."""

import base64
import hashlib
import io
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import StudyFolder
from trabecula.workflow.permute import permute_study
from trabecula.workflow.pictures import draw_pictures
from trabecula.workflow.report import images_of, report_study
from trabecula.workflow.run import run_study


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run with deep and radiomic features."""
    study = StudyFolder(tmp_path_factory.mktemp("pictures") / "study")
    deep = {"weights": ["untrained"], "size": 32}
    study.settings |= {"deep": deep, "signatures": ["fusion"], "models": ["lr"]}
    study.settings["radiomics"] = {"filters": ["original", "log"], "log_sigma_px": [1.0, 2.0]}
    study.save()
    return run_study(study.folder).parent


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it that a test may spoil; the study is two folders above."""
    shutil.copytree(finished.parents[1], tmp_path / "study")
    return tmp_path / "study" / "runs" / finished.name


def page_of(run):
    return (run / "report.html").read_text(encoding="utf-8")


def test_every_case_has_a_small_picture_and_a_place_on_the_page(finished):
    page = page_of(finished)
    for k in range(27):
        content = (finished / "cases" / "thumbnails" / f"c{k:02d}.webp").read_bytes()
        assert len(content) <= 5_000
        assert Image.open(io.BytesIO(content)).size == (112, 112)
        assert page.count(f'id="case-c{k:02d}"') == 1
        assert base64.b64encode(content).decode() in page


def test_instructive_cases_are_large_in_the_page_and_each_case_has_a_file(finished):
    page = page_of(finished)
    assert len(re.findall(r'<article class="large"', page)) == 24
    marks = pd.read_csv(finished / "metrics" / "cases.csv")
    chosen = marks[marks["rank"] > 0]
    assert set(re.findall(r'<article class="large" id="large-case-(\w+)"', page)) == set(chosen["case_id"])
    other = (finished / "cases" / f"{marks[marks['rank'] == 0]['case_id'].iloc[0]}.html").read_text(encoding="utf-8")
    for words in ("region", "log-sigma-", "Research use only", "../report.html#case-"):
        assert words in other
    assert "://" not in other


def test_neither_page_names_a_file_or_a_patient(finished):
    for path in [finished / "report.html", *(finished / "cases").glob("*.html")]:
        text = re.sub(r"data:image/webp;base64,[\w+/=]+", "", path.read_text(encoding="utf-8"))
        assert not re.search(r"p\d\d(_mask)?\.png|\bp(0\d|1\d|2[0-6])\b", text), path.name


def test_what_is_drawn_is_not_drawn_again_and_what_is_wanting_comes_back_with_the_same_bytes(run):
    study = run.parents[1]
    report_study(study)
    before = {path: path.read_bytes() for path in (run / "cases").rglob("*.*")} | {run: page_of(run)}
    times = {path: path.stat().st_mtime_ns for path in (run / "cases").rglob("*.*")}
    report_study(study)
    assert times == {path: path.stat().st_mtime_ns for path in (run / "cases").rglob("*.*")}
    for names in (("c07.html",), ("thumbnails/c03.webp",), ("c07.html", "large.json")):
        for name in names:
            (run / "cases" / name).unlink()
        draw_pictures(study, run, jobs=2)
        assert before == {path: path.read_bytes() for path in (run / "cases").rglob("*.*")} | {run: page_of(run)}


def test_pictures_in_full_come_after_thumbnails_alone(run):
    study = run.parents[1]
    report_study(study)
    before = {path: path.read_bytes() for path in (run / "cases").rglob("*.*")}
    shutil.rmtree(run / "cases")
    draw_pictures(study, run, images="thumbs")
    assert not (run / "cases" / "large.json").exists()
    report_study(study)
    assert before == {path: path.read_bytes() for path in (run / "cases").rglob("*.*")}


def test_a_film_that_changed_or_went_is_left_out_and_the_report_still_comes(run):
    study = run.parents[1]
    Image.fromarray(np.full((40, 50), 7, np.uint16)).save(study / "images" / "p03.png")
    (study / "images" / "p05.png").unlink()
    shutil.rmtree(run / "cases")
    draw_pictures(study, run)
    there = {path.stem for path in (run / "cases" / "thumbnails").iterdir()}
    assert there == {f"c{k:02d}" for k in range(27)} - {"c03", "c05"}
    assert 'id="case-c03"' in report_study(study).read_text(encoding="utf-8")


def test_fewer_pictures_or_none_can_be_asked_for(run):
    study = run.parents[1]
    thumbs = report_study(study, images="thumbs").read_text(encoding="utf-8")
    assert thumbs.count("data:image/webp") == 27
    none = report_study(study, images="none").read_text(encoding="utf-8")
    assert "data:image/webp" not in none
    assert none.count('class="case ') == 27


def test_a_finished_run_asked_for_without_pictures_shows_none_and_keeps_to_it(run):
    study = run.parents[1]
    predictions = (run / "predictions.csv").stat().st_mtime_ns
    for images, count in (("none", 0), ("thumbs", 27), ("none", 0)):
        assert run_study(study, images=images) == run / "report.html"
        assert page_of(run).count("data:image/webp") == count
    permute_study(study, deals=1)
    assert "Labels dealt anew" in page_of(run)
    assert "data:image/webp" not in page_of(run)
    report_study(study)
    assert "data:image/webp" not in page_of(run), "what the page was asked for with stays"
    report_study(study, blind=True)
    assert "data:image/webp" not in page_of(run / "blind")
    report_study(study, blind=True, images="full")
    assert "data:image/webp" in page_of(run / "blind")
    assert images_of(run) == "none", "the blinded page is another"
    digest = hashlib.sha256(page_of(run).encode()).hexdigest()
    assert json.loads((run / "manifest.json").read_text())["report.html"] == digest
    assert (run / "predictions.csv").stat().st_mtime_ns == predictions


def test_a_blinded_report_shows_pictures_under_numbers_and_links_no_file(run):
    page = report_study(run.parents[1], blind=True).read_text(encoding="utf-8")
    assert 'id="case-case_01"' in page
    assert not re.search(r"\bc\d\d\b", re.sub(r"data:image/webp;base64,[\w+/=]+", "", page))
    assert "cases/" not in re.sub(r"data:image/webp;base64,[\w+/=]+", "", page).replace("metrics/cases.csv", "")


def test_filters_leave_what_they_say(finished):
    page = page_of(finished)
    marks = pd.read_csv(finished / "metrics" / "cases.csv")
    rows = pd.read_csv(finished / "predictions.csv", dtype=str).drop_duplicates("case_id")
    assert len(re.findall(r'<li class="case [^"]*\bwrong\b', page)) == (~marks["right"]).sum()
    assert len(re.findall(r'<li class="case k1 ', page)) == (rows["cohort"] == "internal").sum()
    for kind in re.findall(r"#show-(\w+):checked\) \.case:not\(\.(\w+)\)", page):
        assert kind[0] == kind[1]
        assert f'id="show-{kind[0]}"' in page
