"""The clock is set back and forward while a study is run: nothing depends on it but the day that a run is named by."""

import datetime
import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import StudyFolder
from tests.endurance.conftest import begin, run_of, whole_files, without_days
from trabecula.reading.drawn import append_step, drawn_after, steps_of
from trabecula.storage import write_atomically
from trabecula.workflow.finished import find_run, next_name
from trabecula.workflow.prepare import RunWishes
from trabecula.workflow.run import run_study

YEAR = 365 * 24 * 3600
NOON = datetime.date(2026, 3, 1)


def set_clock(monkeypatch, day):
    shown = SimpleNamespace(date=SimpleNamespace(today=lambda: day))
    monkeypatch.setattr("trabecula.workflow.run.datetime", shown)


@pytest.mark.parametrize(
    ("names", "name"),
    [
        ([], "2026-03-01_01"),
        (["2026-02-28_07", ".2026-02-28_07.lock"], "2026-03-01_01"),
        (["2026-03-01_01", "2026-03-01_02 copy"], "2026-03-01_02"),
        (["2026-03-01_99"], "2026-03-01_100"),
        (["2026-03-01_99", "2026-03-01_100"], "2026-03-01_101"),
        (["2026-03-01_01", "2027-01-01_03"], "2027-01-01_04"),
    ],
)
def test_a_new_run_comes_after_all_others_by_its_name(names, name):
    assert next_name(names, NOON.isoformat()) == name


def test_the_newest_run_is_the_last_one_made_whatever_the_clock_said(tmp_path, monkeypatch):
    folder = StudyFolder(tmp_path / "study", patients=3, cohorts=("training",)).folder  # too few for models: quick
    for number, day in enumerate((NOON, NOON.replace(year=1970), NOON.replace(year=2030), NOON), start=1):
        set_clock(monkeypatch, day)
        newest = run_study(folder, RunWishes(seed=number), images="none").parent
        assert find_run(folder, modelled=False) == newest
    assert run_study(folder, RunWishes(seed=4), images="none").parent == newest
    names = sorted(path.name for path in (folder / "runs").iterdir())
    assert names == ["2026-03-01_01", "2026-03-01_02", "2030-03-01_01", "2030-03-01_02"]


def test_steps_of_a_drawing_stay_in_the_order_they_were_made_in(tmp_path):
    points = [[n, n] for n in range(4)]
    for number, at in enumerate(("2026-03-01T12:00:00", "1970-01-01T00:00:00", "2030-01-01T00:00:00")):
        step = {"kind": "shape", "tool": "six", "points": points[: number + 1], "outline": [], "closed": False}
        assert len(append_step(tmp_path, "R1", "c00", number, step, at)) == number + 1
    steps = steps_of(tmp_path, "R1", "c00")
    assert [len(step["points"]) for step in steps] == [1, 2, 3]
    assert len(drawn_after(steps).points) == 3


@pytest.fixture
def clock(tmp_path):
    """What makes a process see another time of day, and the file that says how many seconds off it is."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("no C compiler, or no Linux: the clock of a process cannot be set here")
    library, off = tmp_path / "clock.so", tmp_path / "off"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    off.write_text("0")
    return os.environ | {"LD_PRELOAD": str(library), "CLOCK_FILE": str(off)}, off


def test_a_run_under_a_clock_that_jumps_by_years_gives_the_same_bytes(study, undisturbed, clock):
    wanted, _ = undisturbed
    env, off = clock
    process, years = begin(*run_of(study), env=env), set()
    for jumps, seconds in enumerate(itertools.cycle((-25 * YEAR, 25 * YEAR, -YEAR))):
        write_atomically(off, str(seconds))
        if jumps < 3:
            asked = [sys.executable, "-c", "import datetime; print(datetime.date.today().year)"]
            years.add(subprocess.run(asked, env=env, capture_output=True, text=True, check=True).stdout)
        time.sleep(0.2)
        if process.poll() is not None:
            break
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert len(years) == 3
    assert jumps > 5
    assert without_days(whole_files(study)) == without_days(wanted)
