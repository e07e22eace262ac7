"""A study that runs in seconds, and what an undisturbed run of it leaves: what every disturbed one is compared with."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import StudyFolder
from trabecula.workflow.finished import MANIFEST


def small_study(folder):
    """18 films, two models: everything a run does, in little."""
    study = StudyFolder(folder, patients=18)
    study.settings |= {"models": ["lr", "knn"], "evaluation": {"resamples": 200}}
    study.save()
    return study


def run_of(folder, jobs=2):
    """The command that is disturbed."""
    return "run", folder, "--jobs", jobs, "--images", "thumbs"


TWO_FILMS_A_PART = """
from trabecula.reading import stream
stream.FILMS = 2
from trabecula.cli import main
main()
"""


def begin(*command, program=("-m", "trabecula"), **how):
    """Start `trabecula` in a process group of its own."""
    line = [sys.executable, *program, *map(str, command)]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(line, start_new_session=True, **{**piped, **how})


def kill_all(process):
    """kill -9 for the process and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()


def whole_files(folder, tops=("runs", "cache")):
    """Every file below runs/ and cache/ that has its place, by its path: what is still being written has none."""
    found = {}
    for top in tops:
        for path in sorted((folder / top).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def other_than(wanted, files):
    """Names of those files that are not as wanted; where midnight came between, but for the day of the run."""
    if _days(files) - _days(wanted):
        wanted, files = without_days(wanted), without_days(files)
    return sorted(name for name, content in files.items() if wanted.get(name) != content)


def same(wanted, files):
    """Whether all files are there as wanted, and none else."""
    return not other_than(wanted, files) and len(wanted) == len(files)


def without_days(files):
    """All files but the list of their checksums, with the day that the run is named by as if it were another."""
    found = {name: content for name, content in files.items() if not name.endswith(MANIFEST)}
    for day in _days(files):
        found = {name.replace(day, "DAY"): content.replace(day.encode(), b"DAY") for name, content in found.items()}
    return found


def _days(files):
    return {name.split("/")[1][:10] for name in files if name.startswith("runs/")}


def leftovers(folder):
    """What nobody finished writing, in the folders of runs."""
    return [path for path in (folder / "runs").rglob(".*") if path.is_file()]


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    """The small study as it is before any run."""
    folder = tmp_path_factory.mktemp("pristine") / "study"
    small_study(folder)
    return folder


@pytest.fixture(scope="session")
def undisturbed(pristine, tmp_path_factory):
    """All files that a run of the small study leaves when nothing happens, and how many seconds it takes."""
    folder = tmp_path_factory.mktemp("undisturbed") / "study"
    shutil.copytree(pristine, folder)
    begin("extract", pristine, "-o", folder.parent / "f.csv").communicate(timeout=600)  # what is compiled once, is
    start = time.monotonic()
    process = begin(*run_of(folder))
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return whole_files(folder), time.monotonic() - start


@pytest.fixture
def study(pristine, tmp_path):
    """A copy of the small study."""
    shutil.copytree(pristine, tmp_path / "study")
    return tmp_path / "study"


def with_mounts(script, *arguments, timeout=600):
    """Run a shell script where it may mount what it likes and nobody else sees it, or skip the test."""
    private = ["unshare", "-rm", "sh", "-eu", "-c"]
    try:
        tried = subprocess.run([*private, "mount -t tmpfs none /mnt"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("unshare (util-linux) is not installed: no file system of its own")
    if tried.returncode:
        pytest.skip(f"no file system of its own here: {tried.stderr.strip()}")
    trabecula = f'trabecula() {{ "{sys.executable}" -m trabecula "$@"; }}\n'
    line = [*private, trabecula + script, "sh", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=timeout)
