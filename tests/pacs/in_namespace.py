"""What runs beside a real Orthanc, in a network of its own; `test_orthanc.py` starts it there."""

import json
import os
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pydicom
import pytest
import yaml
from PIL import Image

from tests.pacs.films import film, write
from trabecula import cli
from trabecula.phantom.design import plan_study
from trabecula.phantom.film import HOSPITALS
from trabecula.phantom.write import _dicom, render

WAYS = ["get", "move", "web"]
PROFILES = {
    "get": {"host": "127.0.0.1", "port": 14242, "ae_title": "ORTHANC"},
    "move": {"host": "127.0.0.1", "port": 14242, "ae_title": "ORTHANC", "retrieve": "move"},
    "web": {"url": "http://127.0.0.1:18042/dicom-web"},
    "stranger": {"host": "127.0.0.1", "port": 14242, "ae_title": "ORTHANC", "our_ae_title": "STRANGER"},
    "misnamed": {"host": "127.0.0.1", "port": 14242, "ae_title": "OTHER"},
    "nobody": {"host": "127.0.0.1", "port": 14999, "ae_title": "ORTHANC", "timeout_s": 3},
    "noweb": {"url": "http://127.0.0.1:14999/dicom-web", "timeout_s": 3},
    "wrongweb": {"url": "http://127.0.0.1:18042/elsewhere"},
}


class Orthanc:
    """The real one; called, it asks its own interface."""

    def __init__(self, folder):
        self.folder = folder
        settings = {
            "Name": "trabecula-test",
            "StorageDirectory": str(folder / "db"),
            "IndexDirectory": str(folder / "db"),
            "HttpPort": 18042,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAet": "ORTHANC",
            "DicomPort": 14242,
            "DicomCheckCalledAet": True,
            "DicomCheckModalityHost": True,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": False,
            "DicomModalities": {"trabecula": ["TRABECULA", "127.0.0.1", 11112]},
            "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))

    def __call__(self, path, method="GET", data=None):
        request = urllib.request.Request(f"http://127.0.0.1:18042/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)

    def file(self, instance):
        """One of its files as bytes."""
        with urllib.request.urlopen(f"http://127.0.0.1:18042/instances/{instance}/file", timeout=300) as answer:
            return answer.read()

    def start(self):
        with (self.folder / "log").open("wb") as log:
            command = [os.environ["TRABECULA_ORTHANC"], self.folder / "orthanc.json"]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        end = time.monotonic() + 300
        while True:
            try:
                self("system")
                break
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < end, "it does not answer"
                time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=300)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Orthanc; a function asks its own interface."""
    orthanc = Orthanc(tmp_path_factory.mktemp("orthanc"))
    orthanc.start()
    yield orthanc
    orthanc.stop()


@pytest.fixture
def orthanc(server):
    """The same, empty."""
    for patient in server("patients"):
        server(f"patients/{patient}", "DELETE")
    return server


@pytest.fixture
def trabecula(tmp_path, monkeypatch, capsys):
    """The command line: exit code, stdout, stderr on one line."""
    (tmp_path / "pacs.yaml").write_text(yaml.safe_dump(PROFILES))
    monkeypatch.setenv("TRABECULA_PACS", str(tmp_path / "pacs.yaml"))

    def run(*arguments):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["trabecula", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return left.value.code or 0, said.out, " ".join(said.err.split())

    return run


@pytest.fixture
def phantom(tmp_path):
    """A phantom film, MONOCHROME1, and the mask of its first vertebra."""
    patient = next(one for one in plan_study(36, 2024) if one.hospital == "C")
    stored, labels = render(patient)
    (tmp_path / "phantom.dcm").write_bytes(_dicom(stored, "P1", HOSPITALS["C"]))
    mask = labels == labels[labels > 0].min()
    Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "mask.png")
    return tmp_path / "phantom.dcm", tmp_path / "mask.png", stored, mask


@pytest.mark.parametrize("way", ["get", "web"])
def test_echo_says_that_ping_and_query_are_answered(orthanc, trabecula, way):
    code, said, _ = trabecula("pacs", "echo", way)
    assert code == 0
    assert "the query" in said


def test_a_pacs_that_does_not_know_us_answers_the_ping_and_the_words_say_what_to_ask_for(orthanc, trabecula):
    code, _, said = trabecula("pacs", "echo", "stranger")
    assert code == 5
    assert "answered the ping but refused the query" in said
    assert "Usually it does not know our AE title STRANGER." in said
    assert "Ask the PACS administrator to add: AE STRANGER, this computer's address, port 11112." in said


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("misnamed", "The PACS refused the connection: it does not answer to the AE title OTHER."),
        ("nobody", "No PACS answers at 127.0.0.1:14999."),
        ("noweb", "No PACS answers at http://127.0.0.1:14999/dicom-web."),
        ("wrongweb", "refused: nothing is at this address (HTTP 404)"),
    ],
)
def test_a_pacs_that_cannot_be_reached_ends_with_5_and_words(orthanc, trabecula, profile, words, tmp_path):
    film_path = write(film(), tmp_path / "film.dcm")
    for command in (["echo", profile], ["find", profile], ["push", profile, film_path]):
        code, _, said = trabecula("pacs", *command)
        assert code == 5, command
        assert words in said, command


@pytest.mark.parametrize("way", WAYS)
def test_a_film_is_stored_found_and_pulled_with_the_same_pixels_once(orthanc, trabecula, phantom, tmp_path, way):
    path, _, stored, _ = phantom
    assert trabecula("pacs", "push", way, path)[:2] == (0, "1 of 1 files stored\n")
    code, said, _ = trabecula("pacs", "find", way, "--patient", "P1", "--json")
    (row,) = json.loads(said)
    assert (row["PatientID"], row["ModalitiesInStudy"]) == ("P1", "DX")
    assert json.loads(trabecula("pacs", "find", way, "--patient", "NOBODY", "--json")[1]) == []
    code, _, said = trabecula("pacs", "pull", way, "--study", row["StudyInstanceUID"], "-o", tmp_path / "in")
    assert (code, "1 films brought, 0 were here, 0 quarantined" in said) == (0, True), said
    (pulled,) = (tmp_path / "in/films").iterdir()
    assert (pydicom.dcmread(pulled).pixel_array == stored).all()
    before = pulled.stat().st_mtime_ns
    _, _, said = trabecula("pacs", "pull", way, "--study", row["StudyInstanceUID"], "-o", tmp_path / "in")
    assert "0 films brought, 1 were here, 0 quarantined" in said
    assert pulled.stat().st_mtime_ns == before


@pytest.mark.parametrize("way", WAYS)
def test_a_pull_goes_on_where_it_was_cut_off(orthanc, trabecula, tmp_path, way):
    for seed in range(3):
        same = {"PatientID": "P9", "StudyInstanceUID": "1.2.9", "SeriesInstanceUID": "1.2.9.1"}
        write(film("CR", seed=seed, dark=seed == 1, **same), tmp_path / f"out/{seed}.dcm")
    assert trabecula("pacs", "push", way, tmp_path / "out")[1] == "3 of 3 files stored\n"
    pull = ("pacs", "pull", way, "--patient", "P9", "-o", tmp_path / "in")
    assert "3 films brought, 0 were here" in trabecula(*pull)[2]
    lost = sorted((tmp_path / "in/films").iterdir())[1]
    lost.rename(tmp_path / "in/quarantine" / lost.name)  # as when it was killed before the film was looked at
    assert "1 films brought, 2 were here" in trabecula(*pull)[2]
    assert lost.exists()


def test_pulled_films_go_on_without_names(orthanc, trabecula, tmp_path):
    write(film(name="PLANTED^NAME", PatientID="PLANTED-ID"), tmp_path / "out/film.dcm")
    trabecula("pacs", "push", "get", tmp_path / "out")
    pull = ("pacs", "pull", "get", "--patient", "PLANTED-ID", "-o", tmp_path / "in", "--deid", tmp_path / "deid.key")
    for _ in range(2):
        code, _, said = trabecula(*pull)
        assert code == 0, said
    assert "pass on" in said
    made = [path for path in (tmp_path / "in/without-names").rglob("*") if path.is_file()]
    assert {path.suffix for path in made} == {".png", ".json", ".csv", ".html"}
    assert len([path for path in made if path.parent.name == "films" and path.suffix == ".png"]) == 1
    for path in made:
        assert b"PLANTED" not in path.read_bytes(), path
        assert "1.2.3.1" not in path.name, "no name of the film's own"
    code, _, said = trabecula(*pull[:-1], tmp_path / "in/films/deid.key")
    assert code == 3, "a key is not kept beside the films"


@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_film_is_quarantined_with_the_reason_or_left(orthanc, trabecula, tmp_path, way):
    many = film(seed=1, NumberOfFrames=2)
    many.PixelData = many.PixelData * 2
    write(many, tmp_path / "out/many.dcm")
    write(film("MR", seed=2, sop_class="1.2.840.10008.5.1.4.1.1.4", PatientID="P1"), tmp_path / "out/mr.dcm")
    trabecula("pacs", "push", way, tmp_path / "out")
    _, _, said = trabecula("pacs", "pull", way, "--patient", "P1", "-o", tmp_path / "in")
    assert "0 films brought, 0 were here, 1 quarantined" in said
    assert "quarantined 1.2.3.2.1.1: 2 frames; expected one film a file" in said
    assert "left series MR" in said
    assert (tmp_path / "in/quarantine/1.2.3.2.1.1.txt").read_text() == "2 frames; expected one film a file\n"
    assert "0 films brought, 1 were here" in trabecula("pacs", "pull", way, "--patient", "P1", "-o", tmp_path / "in")[2]


@pytest.mark.parametrize("way", ["get", "web"])
def test_a_file_that_cannot_be_sent_is_listed_and_the_others_are_stored(orthanc, trabecula, tmp_path, way):
    write(film(), tmp_path / "out/film.dcm")
    (tmp_path / "out/note.dcm").write_text("no film")
    code, said, told = trabecula("pacs", "push", way, tmp_path / "out")
    assert (code, said) == (4, "1 of 2 files stored\n")
    assert "note.dcm: no DICOM file that names itself" in told


@pytest.mark.parametrize("way", WAYS)
def test_a_prediction_goes_back_to_the_pacs_and_a_resend_makes_no_duplicate(orthanc, trabecula, phantom, tmp_path, way):
    path, mask, _, inside = phantom
    trabecula("pacs", "push", way, path)
    trabecula("pacs", "pull", way, "--patient", "P1", "-o", tmp_path / "in")
    (pulled,) = (tmp_path / "in/films").iterdir()
    bundle = os.environ["TRABECULA_BUNDLE"]
    for folder in ("results", "again"):
        code, _, said = trabecula(
            "predict", bundle, pulled, "--mask", mask, "--dicom", "seg,sr,sc", "-o", tmp_path / folder
        )
        assert code == 0, said
        assert trabecula("pacs", "push", way, tmp_path / folder)[:2] == (0, "3 of 3 files stored\n")
    series = orthanc("series?expand")
    assert {one["MainDicomTags"]["Modality"] for one in series} >= {"DX", "SEG", "SR"}
    assert len(series) == 4
    assert len(orthanc("instances")) == 4
    assert len(orthanc("studies")) == 1
    for one in series:
        if one["MainDicomTags"]["Modality"] == "DX":
            continue
        assert one["MainDicomTags"]["SeriesDescription"] == "Trabecula (research use only)"
        (tmp_path / "back.dcm").write_bytes(orthanc.file(one["Instances"][0]))
        back = pydicom.dcmread(tmp_path / "back.dcm")
        kind = {"SEG": "seg", "SR": "sr"}.get(back.Modality, "sc")
        sent = tmp_path / f"results/{pulled.stem}-{kind}.dcm"
        assert back.get("PixelData") == pydicom.dcmread(sent).get("PixelData")
        if back.Modality == "SEG":
            assert (back.pixel_array.squeeze() == inside).all()
        if back.Modality == "SR":
            assert back.ContentSequence == pydicom.dcmread(sent).ContentSequence
