"""Values that were computed with other versions of a library are never mixed with new ones."""

import json

import pytest

from trabecula import versions
from trabecula.workflow import fitting
from trabecula.workflow.prepare import prepare
from trabecula.workflow.run import run_study


@pytest.fixture
def upgraded(monkeypatch):
    """Give a function after which a library seems to have another version."""
    known = versions._version

    def upgrade(name, to="999.0"):
        monkeypatch.setattr(versions, "_version", lambda asked: to if asked == name else known(asked))

    return upgrade


def begun(run):
    return json.loads((run / "run.json").read_text(encoding="utf-8"))


def test_a_stopped_run_is_not_gone_on_with_by_another_version(study_folder, upgraded, monkeypatch):
    store, stored = fitting._store, []

    def stopped(folder, result):
        if len(stored) == 3:
            raise KeyboardInterrupt
        stored.append(folder)
        store(folder, result)

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "_store", stopped)
        with pytest.raises(KeyboardInterrupt):
            run_study(study_folder.folder)
    (first,) = (study_folder.folder / "runs").iterdir()
    kept = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    had = begun(first)["versions"]["scikit-learn"]
    upgraded("scikit-learn")
    page = run_study(study_folder.folder)
    assert page.parent != first
    assert {path: path.read_bytes() for path in first.rglob("*") if path.is_file()} == kept
    said = f"begun afresh: the run {first.name} of the same inputs was made with other versions of libraries"
    assert begun(page.parent)["afresh"] == f"{said} (scikit-learn {had}, now 999.0)"
    assert said in page.read_text(encoding="utf-8")


def test_the_same_versions_go_on_and_say_nothing(ran):
    page = ran.run / "report.html"
    assert begun(page.parent)["afresh"] == ""
    assert run_study(ran.folder) == page
    assert "begun afresh" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("library", "rows"), [("numpy", 2), ("scikit-learn", 1)])
def test_features_are_computed_again_where_a_library_of_theirs_is_another(ran, upgraded, library, rows):
    upgraded(library)
    prepare(ran.folder, jobs=1)
    kept = list((ran.folder / "cache" / "radiomics").iterdir())
    assert len(kept) == rows
    assert {len(list(folder.glob("*.row"))) for folder in kept} == {27}
