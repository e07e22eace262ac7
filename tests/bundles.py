"""A small finished study and its bundle, made once for all tests that ask one."""

import shutil

import pytest

from tests.conftest import StudyFolder
from trabecula.workflow.bundling import make_bundle
from trabecula.workflow.predict import by_mask, by_points
from trabecula.workflow.run import run_study


def predict_film(predictor, image, mask, values=None, site=""):
    """The answer about a film and its mask, as the command line and the service ask for it."""
    return predictor.answer(*by_mask(predictor.bundle, image, mask), values or {}, site)


def predict_points(predictor, image, points, values=None, site=""):
    """The same about six points on it, "x,y x,y ..."."""
    return predictor.answer(*by_points(predictor.bundle, image, points), values or {}, site)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A run of noise films brighter by class, of 36 patients, a third of them held out."""
    study = StudyFolder(tmp_path_factory.mktemp("finished") / "study", patients=36)
    for number, row in enumerate(study.rows):
        row |= {"age": str(50 + number), "sex": "FM"[number % 2], "site": "AB"[number % 2]}
    study.settings |= {"models": ["lr", "xgb", "rf"], "data": {"cases": "cases.csv", "clinical": ["age", "sex"]}}
    study.save()
    run_study(study.folder)
    return study


@pytest.fixture(scope="session")
def made(finished):
    """The bundle of its logistic regression on radiomics."""
    return make_bundle(finished.folder, signature="radiomics", model="lr")


@pytest.fixture
def copied(made, tmp_path):
    """The same file elsewhere."""
    return shutil.copy(made.path, tmp_path / "copy.trabecula")
