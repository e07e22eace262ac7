"""A process that shares the work is killed: told in words or done again by others, and the same bytes come out."""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import time

import joblib
import psutil
import pytest

from tests.endurance.conftest import begin, other_than, run_of, same, whole_files
from trabecula.errors import WorkerLost
from trabecula.processes import share


def kill_oneself(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("ordered", [True, False])
def test_a_lost_process_is_told_in_words_and_the_next_work_is_shared_as_ever(ordered):
    with pytest.raises(WorkerLost, match=r"out of memory. What was finished is kept; the same command goes on"):
        list(share([joblib.delayed(kill_oneself)(n) for n in range(8)], jobs=2, ordered=ordered, batch=1))
    assert sorted(share([joblib.delayed(abs)(n) for n in range(8)], jobs=2, ordered=ordered)) == list(range(8))


@pytest.mark.parametrize("stage", ["cache/radiomics/*/*.row", "runs/*/fits/*/*/*.json"])
def test_a_run_that_loses_a_worker_says_so_and_goes_on_to_the_same_bytes(pristine, undisturbed, tmp_path, stage):
    wanted, _ = undisturbed
    for attempt in itertools.count(1):
        study = shutil.copytree(pristine, tmp_path / str(attempt) / "study")
        code, err = without_a_worker(study, stage)
        if code:
            break
        assert same(wanted, whole_files(study)), "a process that had nothing to do any more was not missed"
        assert attempt < 20, "none was lost at work"
    assert code == 1, err
    assert "ended from outside" in " ".join(err.split())
    assert "Traceback" not in err
    assert other_than(wanted, whole_files(study)) == []
    again = begin(*run_of(study), stderr=subprocess.DEVNULL)
    again.communicate(timeout=600)
    assert same(wanted, whole_files(study))


def without_a_worker(study, stage):
    """Run the study and kill a process that shares its work once it has come so far: how it ended, and its words."""
    process = begin(*run_of(study))
    until = time.monotonic() + 600
    while not list(study.glob(stage)) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    with contextlib.suppress(psutil.Error):  # one that ends in this moment
        for one in psutil.Process(process.pid).children():
            if "LokyProcess" in " ".join(one.cmdline()):
                one.kill()
                break
    _, err = process.communicate(timeout=600)
    return process.returncode, err


def test_models_whose_dask_worker_is_killed_are_fitted_by_others_to_the_same_bytes(study, undisturbed):
    distributed = pytest.importorskip("distributed")
    from trabecula.cluster import on_cluster
    from trabecula.workflow.run import run_study

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
        ) as started,
        distributed.Client(started, set_as_default=False) as client,
    ):
        killed, lost = min(client.run(os.getpid).values()), []

        def kill_once(stage, done, _total):
            if stage == "models" and done and not lost:
                os.kill(killed, signal.SIGKILL)
                lost.append(killed)

        with on_cluster(started.scheduler_address, 1, [study]):
            run_study(study, images="thumbs", tell=kill_once)
        assert lost
    assert same(undisturbed[0], whole_files(study))
