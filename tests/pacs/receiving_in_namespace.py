"""A real Orthanc sends films to a real `trabecula serve`, which is killed, and gets results back, once each."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import numpy as np
import pydicom
import pytest

from tests.pacs.films import answers_of, film, write
from tests.pacs.in_namespace import orthanc, phantom, server, trabecula  # noqa: F401 fixtures

FLAGS = ("--listen", "TRABECULA:11112", "--from", "ORTHANC,TRABECULA", "--reply", "ORTHANC@127.0.0.1:14242")


class Serving:
    """`trabecula serve`, asked by its API."""

    def __init__(self, folder):
        self.folder = folder
        command = [sys.executable, "-m", "trabecula", "serve", os.environ["TRABECULA_BUNDLE"], *FLAGS]
        self._log = (folder / "serve.log").open("ab")
        self._process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=self._log, text=True)
        link = self._process.stdout.readline().strip()
        assert link, (folder / "serve.log").read_text()
        self._base, self._token = link.split("/?token=")
        until(lambda: self.ask("api/v1/health")["status"] == "ok", OSError)

    def ask(self, path, data=None, kind="application/x-www-form-urlencoded"):
        headers = {"Authorization": f"Bearer {self._token}", "Origin": self._base, "Content-Type": kind}
        request = urllib.request.Request(f"{self._base}/{path}", data, headers)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)

    @property
    def states(self):
        return {one["film"]: one["state"] for one in self.ask("api/v1/received")["films"]}

    def answer(self, film, points):
        sent = urllib.parse.urlencode({"points": points, "heat": "true"}).encode()
        return self.ask(f"api/v1/received/{film}/predict", sent)

    def accept(self, film, key):
        return self.ask(f"api/v1/received/{film}/accept", json.dumps({"key": key}).encode(), "application/json")

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._end()

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        self._end()

    def _end(self):
        self._process.wait(timeout=300)
        self._process.stdout.close()
        self._log.close()


def until(said, *failures, seconds=300):
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(*failures):
            if said():
                return
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def serve(tmp_path):
    """Start it; ended afterwards."""
    begun = []

    def start():
        begun.append(Serving(tmp_path))
        return begun[-1]

    yield start
    if begun and begun[-1]._process.poll() is None:
        begun[-1].stop()


@pytest.fixture
def stored(orthanc, trabecula, phantom):  # noqa: F811
    """A film in Orthanc: its names there and in DICOM, and six points around its first vertebra."""
    path, _, _, inside = phantom
    assert trabecula("pacs", "push", "get", path)[0] == 0
    rows, columns = np.nonzero(inside)
    left, middle, right = columns.min(), (columns.min() + columns.max()) // 2, columns.max()
    top, bottom = rows.min(), rows.max()
    corners = [(left, top), (middle, top), (right, top), (right, bottom), (middle, bottom), (left, bottom)]
    (instance,) = orthanc("instances")
    return instance, str(pydicom.dcmread(path).SOPInstanceUID), " ".join(f"{x},{y}" for x, y in corners)


def send(orthanc, instance):  # noqa: F811
    """Have Orthanc send it to us by C-STORE."""
    said = orthanc("modalities/trabecula/store", "POST", instance.encode())
    assert said["FailedInstancesCount"] == 0
    return said


def test_a_film_comes_is_answered_accepted_and_its_results_are_in_the_pacs_once(orthanc, stored, serve, tmp_path):  # noqa: F811
    instance, name, points = stored
    serving = serve()
    send(orthanc, instance)
    assert serving.states == {name: "received"}
    for _ in range(2):
        answer = serving.answer(name, points)
        serving.accept(name, answer["key"])
        until(lambda: serving.states == {name: "sent"})
        assert len(orthanc("instances")) == 4, "the film, SEG, SR and SC, each once"
        assert len(orthanc("studies")) == 1
    send(orthanc, instance)
    assert serving.states == {name: "sent"}, "a film that comes again is no new one"
    back = {}
    for one in orthanc("instances"):
        path = tmp_path / "back" / f"{one}.dcm"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(orthanc.file(one))
        back[pydicom.dcmread(path).Modality] = path
    assert set(back) == {"DX", "SEG", "SR", "OT"}
    report = pydicom.dcmread(back["SR"])
    assert (report.PreliminaryFlag, report.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert report.StudyInstanceUID == pydicom.dcmread(back["DX"]).StudyInstanceUID
    assert answers_of(report)["Most probable class"] == f"Class {answer['predicted']}"
    if shutil.which("dciodvfy"):
        for kind in ("SEG", "SR", "OT"):
            said = subprocess.run(["dciodvfy", "-new", back[kind]], capture_output=True, text=True, check=False)
            lines = (said.stderr + said.stdout).splitlines()
            assert [line for line in lines if line.startswith(("Error", "Abort"))] == [], kind
    text = (tmp_path / "trabecula-audit.jsonl").read_text() + (tmp_path / "serve.log").read_text()
    assert name not in text
    assert "P1" not in text


def test_killed_between_any_two_steps_and_the_pacs_gone_nothing_is_lost(orthanc, stored, serve):  # noqa: F811
    instance, name, points = stored
    serving = serve()
    send(orthanc, instance)
    serving.kill()
    serving = serve()
    assert serving.states == {name: "received"}
    key = serving.answer(name, points)["key"]
    serving.kill()
    serving = serve()
    assert serving.states == {name: "answered"}
    orthanc.stop()
    try:
        serving.accept(name, key)
        until(
            lambda: serving.ask("api/v1/received")["films"][0]["trouble"].startswith(
                "No PACS answers at 127.0.0.1:14242"
            )
        )
        serving.kill()
        serving = serve()
        assert serving.states == {name: "accepted"}
    finally:
        orthanc.start()
    until(lambda: serving.states == {name: "sent"})
    assert len(orthanc("instances")) == 4


def test_killed_while_films_come_every_one_whose_receipt_was_told_is_kept(serve, tmp_path):
    for seed in range(12):
        write(film(seed=seed), tmp_path / f"out/{seed:02}.dcm")
    told, films = set(), tmp_path / "trabecula-inbox/films"

    def send_all(most=12, killed=None):
        for seed in range(12):
            if seed == most + 1:
                killed.wait()  # so that there are some left to be sent by then
            command = ["storescu", "-aet", "ORTHANC", "-aec", "TRABECULA", "127.0.0.1", "11112", f"{seed:02}.dcm"]
            done = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, check=False)
            told.update([f"1.2.3.{seed + 1}.1.1"] if done.returncode == 0 else [])

    for most in (2, 5, 9):
        serving = serve()
        killed = threading.Event()
        sending = threading.Thread(target=send_all, args=(most, killed))
        sending.start()
        until(lambda most=most: len(list(films.glob("[0-9]*.dcm"))) >= most)
        serving.kill()
        killed.set()
        sending.join()
        assert told <= {path.stem for path in films.glob("[0-9]*.dcm")}
        assert most - 1 <= len(told) < 12, "it was killed among them"
    serving = serve()
    send_all()
    assert told == set(serving.states)
    assert len(told) == 12


def test_what_is_no_film_is_kept_apart_and_strangers_are_refused(serve, tmp_path):
    serving = serve()
    write(film("MR", sop_class="1.2.840.10008.5.1.4.1.1.4"), tmp_path / "mr.dcm")
    address = ("-aec", "TRABECULA", "127.0.0.1", "11112")
    assert subprocess.run(["storescu", "-aet", "ORTHANC", *address, tmp_path / "mr.dcm"], check=False).returncode == 0
    (one,) = serving.ask("api/v1/received")["quarantined"]
    assert one["reason"] == "modality MR; expected CR or DX"
    for command in ("storescu", "echoscu"):
        files = [tmp_path / "mr.dcm"] if command == "storescu" else []
        stranger = subprocess.run([command, "-aet", "STRANGER", *address, *files], capture_output=True, check=False)
        assert stranger.returncode != 0
    assert subprocess.run(["echoscu", "-aet", "ORTHANC", *address], check=False).returncode == 0
    assert "refused" in (tmp_path / "trabecula-audit.jsonl").read_text()
