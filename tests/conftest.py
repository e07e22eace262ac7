"""Shapes and types are checked while tests run; shared material is found by TRABECULA_SHARED."""

import copy
import gc
import os
import shutil
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import yaml
from jaxtyping import install_import_hook
from PIL import Image

with install_import_hook("trabecula", "beartype.beartype"):
    import trabecula  # noqa: F401

# the same examples every time, so that a commit passes or fails for good; search for new ones now and then with
# `pytest --hypothesis-profile=search`
hypothesis.settings.register_profile("search", deadline=None, max_examples=500)
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.load_profile("same")

os.fsync = lambda _handle: (
    None
)  # takes effect where the power fails, which no test can try, and costs a quarter of a run

pytest_plugins = ["tests.bundles"]  # a finished study and its bundle
SHARED = Path(os.environ.get("TRABECULA_SHARED", Path(__file__).parents[2] / "shared"))
REQUIRED = os.environ.get("TRABECULA_REQUIRE_SHARED") == "1"


@pytest.fixture(scope="session")
def shared():
    """Give a function that finds a path in the shared material, or skips the test."""

    def find(*parts: str) -> Path:
        path = SHARED.joinpath(*parts)
        if not path.exists():
            message = f"shared material absent: {'/'.join(parts)}"
            if REQUIRED:
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """What libraries leave open is thrown away where tests forgive it, and not in the midst of one that does not."""
    result = yield
    last = nextitem is None or nextitem.path != item.path
    if last and any("ResourceWarning" in mark.args[0] for mark in item.iter_markers("filterwarnings")):
        gc.collect()
    return result


def pytest_unconfigure(config):
    """Say last how many tests were skipped for want of the shared material."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(config, "workerinput"):
        skipped = [r for r in reporter.stats.get("skipped", []) if "shared material absent" in str(r.longrepr)]
        reporter.write_line(f"skipped because the shared material is absent: {len(skipped)}")


class StudyFolder:
    """A small study on disk: noise films of 40 x 50 pixels with one square region each, brighter by class."""

    def __init__(self, folder, patients=27, cohorts=("training", "training", "internal"), seed=0):
        rng = np.random.default_rng(seed)
        self.folder = folder
        self.rows = []
        (folder / "images").mkdir(parents=True)
        for i in range(patients):
            label = i // len(cohorts) % 3
            film = rng.normal(1000 + 20 * i, 60, (40, 50)).astype(np.uint16)
            mask = np.zeros((40, 50), np.uint8)
            mask[10:28, 12:34] = 20
            film[mask > 0] += np.uint16(40 * label)
            self.write(f"images/p{i:02d}.png", film)
            self.write(f"images/p{i:02d}_mask.png", mask)
            image, region = f"images/p{i:02d}.png", f"images/p{i:02d}_mask.png"
            row = {"case_id": f"c{i:02d}", "patient_id": f"p{i:02d}", "image": image, "region": region}
            self.rows.append(row | {"region_value": "20", "label": str(label), "cohort": cohorts[i % len(cohorts)]})
        self.settings = {
            "classes": ["0", "1", "2"],
            "data": {"cases": "cases.csv"},
            "deep": {"weights": []},
            "signatures": ["radiomics"],
            "radiomics": {"filters": ["original"]},
            "models": ["lr", "knn"],
            "tuning": {"folds": 2, "inner_folds": 2},
            "selection": {"lasso": {"folds": 2}},
        }
        self.save()

    @property
    def run(self):
        """The folder of its only run."""
        (one,) = self.folder.glob("runs/[0-9]*")
        return one

    def copied(self, folder):
        """The same elsewhere, with all that was made of it."""
        other = copy.deepcopy(self)
        other.folder = shutil.copytree(self.folder, folder)
        return other

    def write(self, name, array):
        Image.fromarray(array).save(self.folder / name)

    def save(self, text=None):
        headings = list(dict.fromkeys(key for row in self.rows for key in row))
        lines = [";".join(headings), *(";".join(row.get(key, "") for key in headings) for row in self.rows)]
        (self.folder / "cases.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self.folder / "study.yaml").write_text(text or yaml.safe_dump(self.settings), encoding="utf-8")


@pytest.fixture
def study_folder(tmp_path):
    return StudyFolder(tmp_path / "study")


@pytest.fixture(scope="session")
def ran_once(tmp_path_factory):
    """That study after a run, made once for all tests that begin with one."""
    from trabecula.workflow.run import run_study

    study = StudyFolder(tmp_path_factory.mktemp("ran") / "study")
    run_study(study.folder)
    return study


@pytest.fixture
def ran(ran_once, tmp_path):
    """A copy of it that a test may go on with."""
    return ran_once.copied(tmp_path / "ran" / "study")
