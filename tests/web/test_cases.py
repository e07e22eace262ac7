import io

import numpy as np
import pytest
from PIL import Image

from trabecula.reading import read_table
from trabecula.web import thumbnails


def film(path, side=40):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(side).integers(0, 60000, (side, side + 10)).astype(np.uint16)).save(path)


@pytest.fixture
def films(tmp_path):
    for name in ("L1_001.png", "L1_002.png", "more/L1_002.png"):
        film(tmp_path / name)
    return tmp_path


@pytest.fixture
def study(films, open_app):
    client = open_app(study=films, reader="R2")
    assert client.post("/api/study/new", json={"name": "spine", "classes": ["0", " 1 ", ""]}).json()["cases"] == 3
    return client


def test_a_folder_of_films_is_offered_to_become_a_study(films, open_app):
    page = open_app(study=films).get("/cases").text
    assert "3 films were found" in page
    assert "more/L1_002.png" in page
    assert not (films / "study.yaml").exists()


def test_an_empty_folder_says_what_to_put_there(tmp_path, open_app):
    assert "There is no film in" in open_app(study=tmp_path).get("/cases").text
    refused = open_app(study=tmp_path).post("/api/study/new", json={"classes": ["0", "1"]})
    assert refused.status_code == 422
    assert "no film" in refused.json()["message"]
    assert list(tmp_path.iterdir()) == []


def test_the_study_has_a_case_a_film_and_its_settings_are_fine(study, films):
    _, rows = read_table(films / "cases.csv")
    assert [row["case_id"] for row in rows] == ["L1_001", "L1_002", "more_L1_002"]
    assert [row["patient_id"] for row in rows] == [row["case_id"] for row in rows]
    assert {(row["region"], row["label"]) for row in rows} == {("", "")}
    told = study.get("/api/study").json()
    assert told["faults"] == []
    assert told["values"]["classes"] == "0, 1"
    assert told["values"]["name"] == "spine"


@pytest.mark.parametrize(("classes", "word"), [(["0"], "at least 2"), (["0", "0"], "each name once")])
def test_classes_that_cannot_be_are_refused_and_nothing_is_written(films, open_app, classes, word):
    refused = open_app(study=films).post("/api/study/new", json={"classes": classes})
    assert refused.status_code == 422
    assert word in refused.json()["message"]
    assert not (films / "cases.csv").exists()
    assert not (films / "study.yaml").exists()


def test_a_study_is_never_made_over_another(study, films):
    before = (films / "study.yaml").read_bytes()
    refused = study.post("/api/study/new", json={"classes": ["a", "b"]})
    assert refused.status_code == 422
    assert "exists already" in refused.json()["message"]
    assert (films / "study.yaml").read_bytes() == before


def test_a_class_and_a_patient_are_set_in_the_table_and_all_else_stays(study, films):
    text = (films / "cases.csv").read_text()
    study.post("/api/cases/edit", json={"case_id": "L1_002", "cells": {"label": "1", "patient_id": " P7 "}})
    line = "L1_002,L1_002,L1_002.png,,,\n"
    assert line in text
    assert (films / "cases.csv").read_text() == text.replace(f"\n{line}", "\nL1_002,P7,L1_002.png,,,1\n")


@pytest.mark.parametrize(
    ("case", "cells", "word"),
    [
        ("L1_001", {"label": "2"}, "one of 0, 1"),
        ("L1_001", {"patient_id": " "}, "1 to 100 signs"),
        ("L1_001", {"patient_id": "a\nb"}, "on one line"),
        ("L1_001", {"region": "../x.png"}, "not edited here"),
        ("absent", {"label": "1"}, "0 rows"),
    ],
)
def test_what_the_table_cannot_hold_is_refused_in_words(study, films, case, cells, word):
    before = (films / "cases.csv").read_bytes()
    refused = study.post("/api/cases/edit", json={"case_id": case, "cells": cells})
    assert refused.status_code == 422
    assert word in refused.json()["message"]
    assert (films / "cases.csv").read_bytes() == before


def test_each_reader_has_a_state_for_each_case(study):
    told = study.get("/api/cases").json()
    assert told["reader"] == "R2"
    assert {case["state"] for case in told["cases"]} == {"not_started"}
    assert told["progress"] == {"R2": {"not started": 3}}


def test_what_is_amiss_with_a_row_is_said(study, films):
    (films / "cases.csv").write_text(
        "case_id,patient_id,image,region,label,cohort\n"
        "a,p,L1_001.png,gone.png,9,training\na,p,none.png,,,internal\n,q,L1_002.png,,0,training\n"
    )
    amiss = [dict(case["amiss"]) for case in study.get("/api/cases").json()["cases"]]
    assert amiss == [
        {"amiss_twice": "", "amiss_region": "gone.png", "amiss_label": "9", "amiss_cohorts": ""},
        {"amiss_twice": "", "amiss_film": "none.png", "amiss_cohorts": ""},
        {"amiss_no_id": ""},
    ]


def test_a_thumbnail_is_made_once_and_again_when_the_film_changes(study, films, monkeypatch):
    made = []
    whole = thumbnails._made
    monkeypatch.setattr(thumbnails, "_made", lambda *asked: made.append(asked) or whole(*asked))
    first = study.get("/api/cases/thumbnail", params={"case_id": "L1_001"})
    assert study.get("/api/cases/thumbnail", params={"case_id": "L1_001"}).content == first.content
    assert len(made) == 1
    with Image.open(io.BytesIO(first.content)) as picture:
        assert (picture.mode, picture.size) == ("L", (50, 40))
    film(films / "L1_001.png", side=700)
    with Image.open(io.BytesIO(study.get("/api/cases/thumbnail", params={"case_id": "L1_001"}).content)) as picture:
        assert max(picture.size) == 192
    assert len(made) == 2


def test_a_film_that_cannot_be_read_has_no_thumbnail_and_says_why(study, films):
    (films / "L1_001.png").write_bytes(b"no picture")
    assert study.get("/api/cases/thumbnail", params={"case_id": "L1_001"}).status_code == 404
    (note,) = study.get("/api/cases/notes", params={"case_id": "L1_001"}).json()["notes"]
    assert "cannot be decoded" in note


@pytest.mark.parametrize("case", ["", "absent", "../../etc/passwd", "L1_001.png", "<b>"])
def test_only_cases_of_the_table_have_thumbnails(study, case):
    assert study.get("/api/cases/thumbnail", params={"case_id": case}).status_code == 404


def test_a_name_of_a_file_never_becomes_markup(tmp_path, open_app):
    film(tmp_path / "<img src=x onerror=alert(1)>.png")
    page = open_app(study=tmp_path).get("/cases").text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_without_a_study_the_table_says_how_to_begin(films, open_app):
    assert open_app(study=films).get("/api/cases").status_code == 422
    assert open_app(study=films).get("/study").headers["location"] == "/cases"
