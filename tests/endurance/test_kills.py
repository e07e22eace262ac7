"""kill -9 at random moments: every file is whole at each of them, and the same bytes come out in the end."""

import hashlib
import json
import os
import shutil
import subprocess
import time

import numpy as np
import pytest

from tests.endurance.conftest import TWO_FILMS_A_PART, begin, kill_all, leftovers, other_than, run_of, same, whole_files
from trabecula.workflow.finished import MANIFEST
from trabecula.workflow.report import report_study
from trabecula.workflow.run import run_study

SEED = 20241125  # of the moments


def of_run(study, turn):
    """Two jobs and one take turns."""
    return begin(*run_of(study, jobs=1 + turn % 2), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def of_extract(study, turn):
    asked = ("extract", study, "-o", study / "features", "--jobs", 1 + turn % 2)
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return begin(*asked, program=("-c", TWO_FILMS_A_PART), **silent)


def killed_at_random(pristine, place, start, tops, wanted, seconds, kills):
    """Kill a command at random moments within the time of an undisturbed one, until so many kills have hit.

    After each kill the same command goes on with what is there; when it comes to its end between two kills, what it
    left is compared and the next one begins afresh.
    """
    rng = np.random.default_rng(SEED)
    hit, ended, finished = 0, 0, False
    while hit < kills or not finished:
        if not place.exists():
            shutil.copytree(pristine, place)
        process = start(place, hit)
        try:
            process.wait(rng.uniform(0, seconds) if hit < kills else None)
        except subprocess.TimeoutExpired:
            kill_all(process)
            hit += 1
        now = whole_files(place, tops)
        assert other_than(wanted, now) == [], f"kill {hit}"
        print(f"kill {hit}: {len(now)} of {len(wanted)} files are there, all whole", flush=True)
        finished = process.returncode == 0
        if finished:
            assert same(wanted, now)
            assert not leftovers(place)
            ended += 1
            shutil.rmtree(place)
        else:
            assert process.returncode == -9
    print(
        f"{hit} kills, seed {SEED}, each within {seconds:.1f} s; {ended} runs came to their end, the same to the byte"
    )


def test_a_run_killed_at_three_random_moments_leaves_whole_files_and_ends_with_the_same_bytes(
    pristine, undisturbed, tmp_path
):
    killed_at_random(pristine, tmp_path / "study", of_run, ("runs", "cache"), *undisturbed, kills=3)


@pytest.mark.slow
def test_a_run_killed_at_100_random_moments_leaves_whole_files_and_ends_with_the_same_bytes(
    pristine, undisturbed, tmp_path
):
    kills = int(os.environ.get("TRABECULA_KILLS", "100"))
    killed_at_random(pristine, tmp_path / "study", of_run, ("runs", "cache"), *undisturbed, kills=kills)


def test_features_killed_at_three_random_moments_leave_whole_parts_and_end_with_the_same_bytes(
    pristine, study, tmp_path
):
    # a part is known by size and time of its files: those of the first study are those of every copy
    begun = time.monotonic()
    assert of_extract(study, 0).wait(300) == 0
    seconds, wanted = time.monotonic() - begun, whole_files(study, ("features",))
    assert len([name for name in wanted if name.startswith("features/features/")]) == 9
    killed_at_random(pristine, tmp_path / "copy", of_extract, ("features",), wanted, seconds, kills=3)


def test_two_extractions_to_one_folder_at_once_end_with_the_bytes_of_one(pristine, study, tmp_path):
    assert of_extract(study, 0).wait(300) == 0
    shutil.copytree(pristine, tmp_path / "copy")
    both = [of_extract(tmp_path / "copy", turn) for turn in (0, 1)]
    assert [one.wait(300) for one in both] == [0, 0]
    assert whole_files(tmp_path / "copy", ("features",)) == whole_files(study, ("features",))


def test_a_report_of_a_finished_run_that_is_cut_off_is_made_again_by_the_next_run(ran, monkeypatch):
    page = ran.run / "report.html"
    before = whole_files(ran.folder)

    def cut_off(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("trabecula.workflow.report.write_page", cut_off)
        with pytest.raises(KeyboardInterrupt):
            report_study(ran.folder, formats=("tex",))
    assert whole_files(ran.folder) != before
    assert run_study(ran.folder) == page
    now = whole_files(ran.folder)
    digests = json.loads(now.pop(f"runs/{page.parent.name}/{MANIFEST}"))
    said = {f"runs/{page.parent.name}/{name}": digest for name, digest in digests.items()}
    run = {name: content for name, content in now.items() if name.startswith("runs/")}
    assert said == {name: hashlib.sha256(content).hexdigest() for name, content in run.items()}
