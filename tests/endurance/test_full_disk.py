"""The disk is full: told in words, nothing half-written, and with more room the same command ends as ever."""

import subprocess

import pandas as pd
import pytest

from tests.endurance.conftest import leftovers, other_than, same, whole_files, with_mounts

ON_SMALL_DISK = """
study=$1 place=$2 room=$3
mkdir -p "$place"
mount -t tmpfs -o "size=${room}k" none "$place"
cp -a "$study/." "$place"
code=0
trabecula run "$place" --jobs 2 --images thumbs || code=$?
cp -a "$place/." "$study"
exit $code
"""
EXTRACT_TO_SMALL_DISK = """
study=$1 place=$2 room=$3
mkdir -p "$place"
mount -t tmpfs -o "size=${room}k" none "$place"
code=0
trabecula extract "$study" -o "$place/features" --jobs 2 || code=$?
rm -rf "$4"
cp -a "$place/features" "$4" || true
exit $code
"""


def run_on(study, tmp_path, room):
    """Run the study on a disk of so many KiB and bring back what is there then."""
    ran = with_mounts(ON_SMALL_DISK, study, tmp_path / "disk" / "study", room)
    words = " ".join(ran.stderr.split())
    assert "Traceback" not in words
    if ran.returncode:
        assert ran.returncode == 1, words
        assert "The disk is full: " in words
        assert "Nothing is half-written, and what was finished is kept. Free some space" in words
    return ran.returncode


def used(folder):
    return int(subprocess.run(["du", "-sk", folder], capture_output=True, text=True, check=True).stdout.split()[0])


def fill_up(study, undisturbed, tmp_path, more):
    """Give a little more room each time until the run comes to its end; how often it found the disk full."""
    wanted, _ = undisturbed
    room, full = used(study) + 40, 0
    while run_on(study, tmp_path, room):
        now = whole_files(study)
        assert other_than(wanted, now) == []
        assert not leftovers(study), "what could not be written whole takes no room"
        print(f"full at {room} KiB: {len(now)} of {len(wanted)} files are there, all whole", flush=True)
        room, full = room + more, full + 1
    assert same(wanted, whole_files(study))
    return full


def test_a_run_on_a_full_disk_goes_on_to_the_same_bytes_when_there_is_room(study, undisturbed, tmp_path):
    assert fill_up(study, undisturbed, tmp_path, 8192) == 1


@pytest.mark.slow
def test_a_run_finds_the_disk_full_again_and_again_and_ends_with_the_same_bytes(study, undisturbed, tmp_path):
    assert fill_up(study, undisturbed, tmp_path, 800) >= 3


def test_features_on_a_full_disk_are_whole_or_absent_and_the_same_when_there_is_room(study, tmp_path):
    asked = (EXTRACT_TO_SMALL_DISK, study, tmp_path / "disk")
    ran = with_mounts(*asked, 12, tmp_path / "full")
    assert ran.returncode == 1, ran.stderr
    assert "The disk is full: " in " ".join(ran.stderr.split())
    assert "Traceback" not in ran.stderr
    assert not list((tmp_path / "full").rglob("*.parquet")) or pd.read_parquet(tmp_path / "full" / "features").size
    assert with_mounts(*asked, 4096, tmp_path / "roomy").returncode == 0
    assert len(pd.read_parquet(tmp_path / "roomy" / "features")) == 18
