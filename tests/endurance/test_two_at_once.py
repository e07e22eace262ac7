"""Two runs of one study at once: the second waits for the first, and what a killed one held is free."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.test_study import start
from trabecula.errors import InvalidInput
from trabecula.workflow.make import make_demo
from trabecula.workflow.permute import permute_study
from trabecula.workflow.report import report_study
from trabecula.workflow.run import run_study
from trabecula.workflow.turns import WAITS, alone_in, alone_with

HOLDER = """
import sys, time
from pathlib import Path
from trabecula.workflow.turns import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(study_folder):
    """Another process that holds the study."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, study_folder.folder], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def told_of():
    """What was told, in order, and an event that is set when something waits."""
    waits, told = threading.Event(), []

    def tell(*said):
        told.append(said)
        if said[0] == WAITS:
            waits.set()

    return waits, told, tell


def test_the_second_of_two_runs_waits_and_says_so_and_both_give_one_run(study_folder):
    command = ("run", study_folder.folder, "--jobs", "1", "--images", "none")
    first, until = start(*command), time.monotonic() + 600
    while not list(study_folder.folder.glob("runs/*/run.json")) and time.monotonic() < until:
        time.sleep(0.002)
    os.killpg(first.pid, signal.SIGSTOP)  # so that it is in the midst of it, however fast
    second = start(*command)
    assert second.stderr.readline() == f"{WAITS} 0/1\n"
    os.killpg(first.pid, signal.SIGCONT)
    (out_a, err_a), (out_b, err_b) = first.communicate(timeout=600), second.communicate(timeout=600)
    assert (first.returncode, second.returncode) == (0, 0), err_a + err_b
    assert f"{WAITS} 1/1" in err_b
    assert WAITS not in err_a
    assert out_a == out_b
    assert len(list(study_folder.folder.glob("runs/*/manifest.json"))) == 1


@pytest.mark.parametrize("work", [run_study, permute_study])
def test_what_runs_the_study_waits_and_goes_on_as_soon_as_the_other_is_killed(study_folder, holder, told_of, work):
    waits, told, tell = told_of
    study_folder.rows[0]["label"] = "9"
    study_folder.save()
    ended = []

    def refused():
        try:
            work(study_folder.folder, tell=tell)
        except InvalidInput as error:
            ended.append(str(error))

    running = threading.Thread(target=refused)
    running.start()
    assert waits.wait(300)
    assert not ended
    assert told == [(WAITS, 0, 1)]
    os.kill(holder.pid, signal.SIGKILL)
    running.join(300)
    assert "unknown class '9'" in ended[0]
    assert told[:2] == [(WAITS, 0, 1), (WAITS, 1, 1)]


def test_a_run_of_the_same_study_by_another_name_of_its_folder_waits_too(study_folder, holder, told_of, tmp_path):
    (tmp_path / "link").symlink_to(study_folder.folder)
    waits, _, tell = told_of
    threading.Thread(target=lambda: alone_in(tmp_path / "link", tell).__enter__(), daemon=True).start()
    assert waits.wait(300)


def test_two_demos_in_one_folder_wait_for_each_other(tmp_path, told_of, monkeypatch):
    waits, _, tell = told_of
    monkeypatch.setattr("trabecula.workflow.make.write_study", lambda *_, **__: None)
    monkeypatch.setattr("trabecula.workflow.make.run_study", lambda *_, **__: tmp_path)
    ended = threading.Event()

    def second():
        make_demo(tmp_path, cases=36, seed=1, tell=tell)
        ended.set()

    with alone_in(tmp_path, new=True):
        threading.Thread(target=second).start()
        assert waits.wait(300)
        assert not ended.is_set()
    assert ended.wait(300)


def test_two_reports_of_one_run_wait_for_each_other_and_another_run_of_the_study_does_not(ran, told_of):
    waits, told, tell = told_of
    with alone_in(ran.folder):
        report_study(ran.folder, tell=tell)
    assert not waits.is_set()
    with alone_with(ran.run):
        second = threading.Thread(target=report_study, args=(ran.folder,), kwargs={"tell": tell})
        second.start()
        assert waits.wait(300)
        assert told[-1] == (WAITS, 0, 1)
    second.join(300)
    assert told[-1] == ("report", 1, 1)


def test_a_folder_that_is_no_study_is_left_as_it_is(tmp_path):
    with alone_in(tmp_path), alone_in(tmp_path):
        assert list(tmp_path.iterdir()) == []
