import json
import os
import signal
import stat
import subprocess
import sys
import time

import dask
import joblib
import pytest
from distributed import Client, LocalCluster
from typer.testing import CliRunner

from trabecula import cluster
from trabecula.cli import app
from trabecula.cluster import on_cluster
from trabecula.errors import InvalidInput, TrabeculaError
from trabecula.processes import share
from trabecula.workflow.extract import extract_table
from trabecula.workflow.parts import extract_parts
from trabecula.workflow.run import run_study
from trabecula.workflow.shard import Shard

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # of Dask's sockets, when a worker is killed


@pytest.fixture(scope="module", autouse=True)
def patient():
    """On a busy computer a worker may take a minute to begin."""
    with dask.config.set({"distributed.comm.timeouts.connect": "600s"}):
        yield


@pytest.fixture(scope="module")
def cluster_of_two(patient):
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as started:
        yield started


@pytest.fixture
def two_workers(cluster_of_two):
    """Both there, also after a test that killed one."""
    with Client(cluster_of_two, set_as_default=False) as client:
        _until(lambda: len(_alive(client)) == 2)
    return cluster_of_two


@pytest.fixture
def three_films_a_part(monkeypatch):
    monkeypatch.setattr("trabecula.reading.stream.FILMS", 3)


def _files(folder, *names):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (not names or path.suffix in names)
        if not path.name.startswith(".")  # what a killed process had begun to write beside its place
    }


def _alive(client):
    """Numbers of the workers' processes; those that are just ending answer nothing."""
    pids = client.run(os.getpid, on_error="return").values()
    return sorted(pid for pid in pids if isinstance(pid, int))


def _pids(address):
    with Client(address, set_as_default=False) as client:
        return _alive(client)


def _until(holds, seconds=600):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_workers_of_a_cluster_give_the_parts_of_one_process(two_workers, study_folder, tmp_path, three_films_a_part):
    extract_parts(study_folder.folder, tmp_path / "one")
    told = []
    with on_cluster(two_workers.scheduler_address, 1, [study_folder.folder]) as spread:
        made = extract_parts(study_folder.folder, tmp_path / "two", spread=spread, tell=lambda *said: told.append(said))
    assert made.cases == 27
    assert told[-1] == ("features", 9, 9)
    assert _files(tmp_path / "two") == _files(tmp_path / "one")


def test_a_worker_killed_in_the_middle_changes_no_byte(two_workers, study_folder, tmp_path, three_films_a_part):
    extract_parts(study_folder.folder, tmp_path / "one")
    killed = _pids(two_workers.scheduler_address)[0]

    def kill_once(stage, done, _total):
        if (stage, done) == ("features", 2):
            os.kill(killed, signal.SIGKILL)

    with on_cluster(two_workers.scheduler_address, 1, [study_folder.folder]) as spread:
        extract_parts(study_folder.folder, tmp_path / "two", spread=spread, tell=kill_once)
    assert killed not in _pids(two_workers.scheduler_address)
    assert _files(tmp_path / "two") == _files(tmp_path / "one")


def test_a_single_table_and_a_whole_run_are_the_same_on_a_cluster(two_workers, study_folder, tmp_path):
    table = tmp_path / "one" / "f.csv"
    extract_table(study_folder.folder, table)
    here = run_study(study_folder.folder, images="none").parent
    kept = _files(here, ".csv", ".json", ".skops", ".parquet")
    (study_folder.folder / "cache").rename(tmp_path / "cache")
    (study_folder.folder / "runs").rename(tmp_path / "runs")
    with on_cluster(two_workers.scheduler_address, 1, [study_folder.folder]):
        extract_table(study_folder.folder, tmp_path / "two" / "f.csv")
        there = run_study(study_folder.folder, images="none").parent
    assert _files(tmp_path / "two") == _files(tmp_path / "one")
    assert _files(there, ".csv", ".json", ".skops", ".parquet") == kept


def _where():
    return os.getpid()


def test_all_that_is_shared_is_shared_among_the_workers(two_workers):
    pids = _pids(two_workers.scheduler_address)
    with on_cluster(two_workers.scheduler_address, 1, []):
        assert set(share([joblib.delayed(_where)() for _ in range(8)], jobs=1, batch=1)) <= set(pids)


def _share_again():
    return list(joblib.Parallel(n_jobs=2)(joblib.delayed(_where)() for _ in range(4))) == [os.getpid()] * 4


def test_what_was_handed_to_a_worker_is_shared_no_further(two_workers):
    with on_cluster(two_workers.scheduler_address, 1, []) as spread:
        assert list(share([joblib.delayed(_share_again)()] * 2, jobs=1)) == [True, True]
        assert list(spread([joblib.delayed(_share_again)()])) == [True]


def test_a_bad_film_stops_no_other_on_workers_and_in_array_jobs(
    two_workers, study_folder, tmp_path, three_films_a_part
):
    (study_folder.folder / "images" / "p01.png").write_bytes(b"no picture")
    (study_folder.folder / "images" / "p08_mask.png").unlink()
    one = extract_parts(study_folder.folder, tmp_path / "one")
    with on_cluster(two_workers.scheduler_address, 1, [study_folder.folder]) as spread:
        two = extract_parts(study_folder.folder, tmp_path / "two", spread=spread)
    for number in (2, 1):
        extract_parts(study_folder.folder, tmp_path / "array", shard=Shard(number, 2))
    assert extract_parts(study_folder.folder, tmp_path / "array") == two == one
    assert (one.cases, one.left_out, len(one.faults)) == (25, 2, 2)
    assert _files(tmp_path / "array") == _files(tmp_path / "two") == _files(tmp_path / "one")


def test_the_command_starts_its_own_workers(study_folder, tmp_path, three_films_a_part):
    asked = ["extract", str(study_folder.folder), "-o", str(tmp_path / "new" / "large"), "--jobs", "2"]
    ended = CliRunner().invoke(app, [*asked, "--cluster", "local"])
    assert ended.exit_code == 0, ended.output
    extract_parts(study_folder.folder, tmp_path / "one")
    assert _files(tmp_path / "new" / "large") == _files(tmp_path / "one")


def test_more_than_the_bound_is_never_handed_out(two_workers):
    begun = []

    def calls():
        for number in range(40):
            begun.append(number)
            yield joblib.delayed(abs)(-number)

    with on_cluster(two_workers.scheduler_address, 1, []) as spread:
        results = spread(calls())
        next(results)
        assert len(begun) <= 4
        assert max([*results, 0]) == 39


def test_what_fails_on_a_worker_fails_here(two_workers):
    with on_cluster(two_workers.scheduler_address, 1, []) as spread, pytest.raises(ZeroDivisionError):
        list(spread([joblib.delayed(divmod)(1, 0)]))


def test_workers_that_would_give_other_bits_or_see_other_files_are_refused(two_workers, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_versions", lambda: dict.fromkeys(cluster._DECIDING, "0.0"))
    with pytest.raises(InvalidInput) as refused, on_cluster(two_workers.scheduler_address, 1, [tmp_path / "absent"]):
        pass
    words = str(refused.value)
    assert "expected trabecula 0.0, numpy 0.0" in words
    assert f"does not see {tmp_path / 'absent'}; expected the same files at the same place" in words


def test_an_address_without_a_scheduler_is_refused_in_words():
    with (
        pytest.raises(InvalidInput, match=r"--cluster nonsense: no scheduler answers .* tcp://HOST:8786"),
        on_cluster("nonsense", 1, []),
    ):
        pass


def test_slurm_without_slurm_is_refused_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(InvalidInput, match="--cluster slurm: no command sbatch on this machine"),
        on_cluster("slurm", 2, []),
    ):
        pass


def test_slurm_jobs_are_asked_for_and_do_the_work(study_folder, tmp_path, three_films_a_part, monkeypatch):
    """Against a queue of one machine: an sbatch that begins each job at once, in a process of its own."""
    queue = tmp_path / "bin"
    queue.mkdir()
    jobs = tmp_path / "jobs"
    sbatch = f"""cp "$1" {queue}/script.$$
setsid sh {queue}/script.$$ >/dev/null 2>&1 &
echo $! >> {jobs}
echo Submitted batch job $!"""
    scancel = """for job in "$@"; do kill -- -$job; done 2>/dev/null
true"""
    for name, lines in {"sbatch": sbatch, "scancel": scancel}.items():
        (queue / name).write_text(f"#!/bin/sh\n{lines}\n")
        (queue / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{queue}:{os.environ['PATH']}")
    with on_cluster("slurm", 2, [study_folder.folder]) as spread:
        extract_parts(study_folder.folder, tmp_path / "two", spread=spread)
        _until(lambda: len(jobs.read_text().split()) == 2)
    extract_parts(study_folder.folder, tmp_path / "one")
    assert _files(tmp_path / "two") == _files(tmp_path / "one")


@pytest.fixture
def by_hand(tmp_path):
    """Give the address of a scheduler with one worker, both begun as from a command line, and the scheduler."""
    begun = []

    def begin(*words):
        begun.append(subprocess.Popen([sys.executable, "-m", *words, "--no-dashboard"], stderr=subprocess.DEVNULL))
        return begun[-1]

    named = tmp_path / "scheduler.json"
    scheduler = begin("distributed.cli.dask_scheduler", "--port", "0", "--scheduler-file", str(named))
    begin("distributed.cli.dask_worker", "--scheduler-file", str(named), "--nthreads", "1", "--local-directory",
          str(tmp_path / "worker"))  # fmt: skip
    try:
        _until(lambda: scheduler.poll() is not None or _address_in(named))
        yield _address_in(named), scheduler
    finally:
        for process in begun:
            process.kill()
            process.wait()


def _address_in(named):
    """What the scheduler wrote there, once it has written all of it."""
    try:
        return json.loads(named.read_text())["address"]
    except (OSError, ValueError):
        return ""


def test_a_scheduler_that_is_killed_ends_the_work_in_words_and_loses_nothing(
    by_hand, study_folder, tmp_path, three_films_a_part
):
    address, scheduler = by_hand

    def kill(_stage, done, _total):
        if done == 2:
            scheduler.kill()

    with (
        pytest.raises(TrabeculaError, match=r"The scheduler of .* is gone\. What was finished is kept"),
        on_cluster(address, 1, [study_folder.folder]) as spread,
    ):
        extract_parts(study_folder.folder, tmp_path / "two", spread=spread, tell=kill)
    assert len(list((tmp_path / "two" / "done").iterdir())) >= 2
    extract_parts(study_folder.folder, tmp_path / "one")
    extract_parts(study_folder.folder, tmp_path / "two")
    assert _files(tmp_path / "two") == _files(tmp_path / "one")


def test_work_that_ends_its_worker_again_and_again_is_told_in_words(two_workers):
    with (
        pytest.raises(TrabeculaError, match="ended its worker again and again"),
        on_cluster(two_workers.scheduler_address, 1, []) as spread,
    ):
        list(spread([joblib.delayed(os._exit)(1)]))
