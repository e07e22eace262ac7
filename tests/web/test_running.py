import sys
import time

import pytest

from trabecula.web import running
from trabecula.web.running import LOG, Runner


@pytest.fixture
def play(monkeypatch, tmp_path):
    """Let a script stand in for the command, and give the runner of it."""

    def start(script):
        real = running.subprocess.Popen
        monkeypatch.setattr(
            running.subprocess, "Popen", lambda command, **how: real([sys.executable, "-u", "-c", script], **how)
        )
        runner = Runner(tmp_path)
        assert runner.start("run")
        return runner

    return start


def until(runner, *how, seconds=300):
    end = time.monotonic() + seconds
    while (now := runner.progress()).how not in how and time.monotonic() < end:
        time.sleep(0.05)
    assert now.how in how
    return now


def heard(folder, words, seconds=300):
    """Wait until the child has said so."""
    end = time.monotonic() + seconds
    while words not in (folder / LOG).read_text():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_steps_are_told_from_other_lines_and_the_last_of_each_counts(play):
    runner = play("print('check 1/3\\nnote  3/4 of it\\ncheck 3/3\\nmodels lr 2/9\\n/a/report.html')")
    now = until(runner, "done")
    assert [(step.name, step.done, step.total) for step in now.steps] == [("check", 3, 3), ("models lr", 2, 9)]
    assert now.lines == ("note  3/4 of it", "/a/report.html")
    assert now.result == "/a/report.html"


@pytest.mark.parametrize(("code", "how"), [(0, "done"), (3, "faults"), (1, "failed"), (130, "stopped")])
def test_how_it_ended_is_told_by_the_exit_code(play, code, how):
    until(play(f"raise SystemExit({code})"), how)


def test_one_at_a_time_and_a_stopped_one_makes_room(play, tmp_path):
    runner = play(
        "import time\nprint('begun', flush=True)\ntry:\n time.sleep(600)\n"
        "except KeyboardInterrupt:\n print('kept'); raise SystemExit(130)"
    )
    assert not runner.start("run")
    heard(tmp_path, "begun")
    assert runner.stop()
    assert until(runner, "stopped").result == "kept"
    assert not runner.stop()
    assert runner.start("run")
    runner.close()
    assert runner.progress().how == "stopped"


def test_a_child_that_does_not_hear_is_ended(play, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_PATIENCE", 0.5)
    runner = play("import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('deaf')\ntime.sleep(600)")
    heard(tmp_path, "deaf")
    runner.close()
    until(runner, "stopped")


def test_before_anything_ran_there_is_nothing_to_tell(tmp_path):
    now = Runner(tmp_path).progress()
    assert (now.how, now.steps, now.lines) == ("none", (), ())


def test_the_real_command_checks_the_study_and_its_faults_are_in_the_log(study_folder, open_app):
    study_folder.rows[0]["label"] = "9"
    study_folder.save()
    client = open_app(study=study_folder.folder)
    assert client.post("/api/run/start", json={"work": "check"}).json()["started"]
    assert not client.post("/api/run/start", json={"work": "run"}).json()["started"]
    end = time.monotonic() + 600
    while (now := client.get("/api/run").json())["how"] == "running" and time.monotonic() < end:
        time.sleep(0.05)
    assert now["how"] == "faults"
    assert "unknown class '9'" in "\n".join(now["lines"])
    assert [step["name"] for step in now["steps"]] == ["check"]
    assert now["unfinished"] is False
    assert client.post("/api/run/start", json={"work": "rm -rf"}).status_code == 422
