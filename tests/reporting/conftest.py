"""One finished run of both protocols, read back; made once for all tests of a process."""

import pytest

from tests.conftest import StudyFolder
from trabecula.reporting import recorded
from trabecula.workflow.run import run_study


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The folder of a run with radiomics, clinical columns, stability and three cohorts at two hospitals."""
    folder = tmp_path_factory.mktemp("finished") / "study"
    study = StudyFolder(folder, patients=36, cohorts=("training", "training", "internal", "external"))
    for number, row in enumerate(study.rows):
        row |= {"site": "C" if row["cohort"] == "external" else "AB"[number % 2], "age": str(60 + number % 20)}
        row |= {"sex": "FM"[number % 3 == 0]}
    study.settings["selection"] |= {"stability": {"minimum": 0.2, "repeats": 1, "cases": 20}}
    study.settings["evaluation"] = {"resamples": 200}
    study.settings["data"]["clinical"] = ["age", "sex"]  # a second signature, to compare with
    study.settings["protocol"] = "both"
    study.save()
    return run_study(folder).parent


@pytest.fixture
def run(finished):
    """The same as a record."""
    return recorded(finished)
