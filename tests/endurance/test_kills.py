"""kill -9 at random moments: every file is whole at each of them, and the same bytes come out in the end."""

import os
import shutil
import subprocess

import numpy as np
import pytest

from tests.endurance.conftest import begin, kill_all, leftovers, run_of, whole_files

SEED = 20241125  # of the moments


def killed_at_random(pristine, place, wanted, seconds, kills):
    """Kill runs at random moments within the time of an undisturbed one, until so many kills have hit.

    After each kill the same command goes on with what is there; when it comes to its end between two kills, what it
    left is compared and the next one begins afresh. Two jobs and one take turns.
    """
    rng = np.random.default_rng(SEED)
    hit, ended, there, place_ended = 0, 0, [], False
    while hit < kills or not place_ended:
        if not place.exists():
            shutil.copytree(pristine, place)
        process = begin(*run_of(place, jobs=1 + hit % 2), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(0, seconds) if hit < kills else None)
        except subprocess.TimeoutExpired:
            kill_all(process)
            hit += 1
        now = whole_files(place)
        there.append(len(now))
        assert not [name for name, content in now.items() if wanted.get(name) != content], f"kill {hit}"
        place_ended = process.returncode == 0
        if place_ended:
            assert set(now) == set(wanted)
            assert not leftovers(place)
            ended += 1
            shutil.rmtree(place)
        else:
            assert process.returncode == -9
        print(f"kill {hit}: {there[-1]} of {len(wanted)} files are there, all whole", flush=True)
    print(
        f"{hit} kills, seed {SEED}, each within {seconds:.1f} s; {ended} runs came to their end, the same to the byte"
    )


def test_a_run_killed_at_three_random_moments_leaves_whole_files_and_ends_with_the_same_bytes(
    pristine, undisturbed, tmp_path
):
    killed_at_random(pristine, tmp_path / "study", *undisturbed, kills=3)


@pytest.mark.slow
def test_a_run_killed_at_100_random_moments_leaves_whole_files_and_ends_with_the_same_bytes(
    pristine, undisturbed, tmp_path
):
    killed_at_random(pristine, tmp_path / "study", *undisturbed, kills=int(os.environ.get("TRABECULA_KILLS", "100")))
