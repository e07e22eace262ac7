"""A film, a mask or a table that changes while the study is run: refused in words or of no consequence, never mixed."""

import shutil

import numpy as np
import pandas as pd
import pytest

from tests.endurance.conftest import whole_files
from trabecula.errors import InvalidInput
from trabecula.reading import load_film
from trabecula.workflow.extract import extract_table
from trabecula.workflow.prepare import RunWishes
from trabecula.workflow.run import run_study

CHANGED = "changed while it was read; expected a file that stays as it is. Give the same command again"


@pytest.fixture
def at_stage(study_folder):
    """A `tell` that does something once, when a stage begins."""

    def make(stage, act):
        did = []

        def tell(name, _done, _total):
            if name == stage and not did:
                did.append(act())

        return tell

    return make


def other_film(study_folder, name="images/p04.png"):
    before = (study_folder.folder / name).read_bytes()
    study_folder.write(name, np.random.default_rng(7).normal(1000, 60, (40, 50)).astype(np.uint16))
    return before


def test_a_film_that_changes_while_it_is_decoded_is_refused(study_folder, monkeypatch):
    from trabecula.reading import study as reading

    read = reading.read_picture

    def read_and_change(path, settings):
        picture = read(path, settings)
        if path.name == "p04.png":
            other_film(study_folder)
        return picture

    monkeypatch.setattr(reading, "read_picture", read_and_change)
    with pytest.raises(InvalidInput, match=f"case c04, p04.png: {CHANGED}"):
        extract_table(study_folder.folder, study_folder.folder / "f.csv")
    assert not (study_folder.folder / "f.csv").exists()


@pytest.mark.parametrize("name", ["images/p04.png", "images/p04_mask.png"])
def test_a_row_is_never_stored_under_the_name_of_another_film(study_folder, tmp_path, monkeypatch, name):
    """The film changes after its digest was taken and before it is read."""

    def change_and_load(film, settings):
        if film[0].case_id == "c04" and not first:
            first.append((study_folder.folder / name).read_bytes())
            study_folder.write(name, np.full((40, 50), 20, np.uint8))
        return load_film(film, settings)

    first = []
    extract_table(study_folder.folder, tmp_path / "a" / "f.csv")
    with monkeypatch.context() as patched:
        patched.setattr("trabecula.workflow.extract.load_film", change_and_load)
        with pytest.raises(InvalidInput, match=f"p04.png: {CHANGED}"):
            extract_table(study_folder.folder, tmp_path / "b" / "f.csv")
    (study_folder.folder / name).write_bytes(first[0])
    extract_table(study_folder.folder, tmp_path / "b" / "f.csv")
    assert (tmp_path / "b" / "f.csv").read_bytes() == (tmp_path / "a" / "f.csv").read_bytes()


@pytest.mark.parametrize("stage", ["features", "models"])
def test_a_film_that_changes_between_two_steps_is_refused_or_makes_no_difference(study_folder, at_stage, stage):
    kept = []
    tell = at_stage(stage, lambda: kept.append(other_film(study_folder)))
    if stage == "features":  # of the film that was checked nothing is known any more
        with pytest.raises(InvalidInput, match=r"case c04, p04.png: changed while the study was run"):
            run_study(study_folder.folder, images="none", tell=tell)
        assert not (study_folder.folder / "runs").exists()
        (study_folder.folder / "images" / "p04.png").write_bytes(kept[0])
        report = run_study(study_folder.folder, images="none")
    else:
        report = run_study(study_folder.folder, images="none", tell=tell)
        (study_folder.folder / "images" / "p04.png").write_bytes(kept[0])
    before = whole_files(study_folder.folder)
    assert kept
    shutil.rmtree(study_folder.folder / "runs")
    shutil.rmtree(study_folder.folder / "cache")
    assert run_study(study_folder.folder, images="none") == report
    assert {n: c for n, c in whole_files(study_folder.folder).items() if n.startswith("runs")} == {
        n: c for n, c in before.items() if n.startswith("runs")
    }


def test_a_film_that_changes_before_regions_are_drawn_again_stops_the_run_and_nothing_of_it_is_recorded(
    study_folder, at_stage
):
    study_folder.settings["evaluation"] = {
        "resamples": 200,
        "sensitivity": {"grow": [0.1], "redrawings": 1, "seeds": 1},
    }
    study_folder.save()
    kept = []
    tell = at_stage("explanation", lambda: kept.append(other_film(study_folder)))
    with pytest.raises(InvalidInput, match=r"case c04, p04.png: changed while the study was run"):
        run_study(study_folder.folder, images="none", tell=tell)
    assert not list(study_folder.folder.glob("runs/*/metrics/sensitivity.csv"))
    (study_folder.folder / "images" / "p04.png").write_bytes(kept[0])
    table = pd.read_csv(run_study(study_folder.folder, images="none").parent / "metrics" / "sensitivity.csv")
    assert len(list(study_folder.folder.glob("runs/*"))) == 1
    assert table["auc"].notna().all()


def test_a_table_or_settings_that_change_during_a_run_are_those_of_the_next_one(study_folder, at_stage):
    def change():
        study_folder.rows[0]["label"] = "1"
        study_folder.settings["models"] = ["knn"]
        study_folder.save()

    first = run_study(study_folder.folder, images="none", tell=at_stage("features", change)).parent
    assert set(pd.read_csv(first / "predictions.csv")["model"]) == {"lr", "knn"}
    assert pd.read_csv(first / "predictions.csv", dtype=str).set_index("case_id").loc["c00", "truth"].iloc[0] == "0"
    with pytest.raises(InvalidInput, match="frozen for another table"):
        run_study(study_folder.folder, images="none")
    second = run_study(study_folder.folder, RunWishes(redraw=True), images="none").parent
    assert second != first
    rows = pd.read_csv(second / "predictions.csv")
    assert set(rows.loc[rows["signature"] == "radiomics", "model"]) == {"knn"}
