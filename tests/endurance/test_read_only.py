"""A study folder that may only be read: what only reads works, what would write there says so, nothing changes."""

import pandas as pd

from tests.endurance.conftest import with_mounts

ONLY_READ = """
study=$1; shift
mount --bind "$study" "$study"
mount -o remount,ro,bind "$study"
trabecula "$@"
"""


def everything(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def only_read(study, *command):
    before = everything(study)
    ran = with_mounts(ONLY_READ, study, *command)
    assert everything(study) == before
    assert "Traceback" not in ran.stderr
    return ran.returncode, " ".join(ran.stderr.split())


def test_a_run_says_that_the_folder_may_only_be_read(study):
    code, words = only_read(study, "run", study, "--jobs", "1")
    assert code == 1
    assert "The folder may only be read: " in words
    assert "Copy it to a place where you may write" in words


def test_what_only_reads_works_and_features_go_elsewhere(study, tmp_path):
    code, words = only_read(study, "check", study, "--jobs", "1")
    assert code == 0, words
    code, words = only_read(study, "extract", study, "-o", tmp_path / "out" / "f.csv", "--jobs", "1")
    assert code == 0, words
    assert len(pd.read_csv(tmp_path / "out" / "f.csv")) == 18
    code, words = only_read(study, "extract", study, "-o", study / "f.csv", "--jobs", "1")
    assert code == 1
    assert "The folder may only be read: " in words
