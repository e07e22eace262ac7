"""Every fault of a study is named in one run of ``check``, in words, with exit 3 and no traceback."""

import subprocess
import sys

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian


def trabecula(*arguments):
    command = [sys.executable, "-m", "trabecula", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def dicom_without_pixels(path):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.Modality, dataset.SOPClassUID, dataset.SOPInstanceUID = "SR", CTImageStorage, "1.2.3"
    dataset.save_as(path, enforce_file_format=True)


@pytest.fixture
def ten_faults(study_folder):
    """Ten faults, one of each kind."""
    study = study_folder
    rows = study.rows
    rows[0]["patient_id"] = rows[2]["patient_id"]  # training and internal
    rows[1]["image"] = "images/p1.png"
    study.write("images/p03_mask.png", np.full((50, 40), 20, np.uint8))
    study.write("images/p04_mask.png", np.zeros((40, 50), np.uint8))
    rows[6]["label"] = "9"
    rows[13]["case_id"] = rows[12]["case_id"]
    rows[7]["age"] = "71,5"
    film = study.folder / "images/p09.png"
    film.write_bytes(film.read_bytes()[:900])
    rows[10]["image"] = "images/p10.dcm"
    dicom_without_pixels(study.folder / "images/p10.dcm")
    study.settings["modells"] = ["lr"]
    study.save()
    return study.folder


def test_ten_kinds_of_fault_are_named_in_one_run(ten_faults):
    run = trabecula("check", ten_faults, "--jobs", "1")
    text = " ".join(run.stderr.split())
    assert run.returncode == 3, run.stderr
    assert "Traceback" not in run.stderr
    for words in (
        "patient p02",
        "in training (case c00) and internal (case c02)",
        "no file images/p1.png expected a file that exists do Did you mean p",
        "case c03, p03_mask.png",
        "the mask is 50 x 40, the film 40 x 50",
        "case c04, p04_mask.png",
        "an empty region",
        "case c06, label",
        "unknown class '9'",
        "case c12",
        "2 rows",
        "a decimal comma in '71,5'",
        "case c09, p09.png",
        "case c10, p10.dcm",
        "a SR file without pixels",
        "study.yaml, modells",
        "Did you mean 'models'?",
        "10 faults. Nothing was changed.",
    ):
        assert words in text, words
    assert max(len(line) for line in run.stderr.splitlines()) <= 80


def test_a_study_without_faults_exits_0_and_says_what_it_is(study_folder):
    run = trabecula("check", study_folder.folder, "--jobs", "1")
    assert run.returncode == 0, run.stderr
    assert "27 cases, 27 patients, 27 films, 3 classes" in run.stdout


def test_run_stops_at_the_same_faults(ten_faults):
    run = trabecula("run", ten_faults, "--jobs", "1")
    assert run.returncode == 3
    assert "10 faults" in run.stderr
    assert not (ten_faults / "runs").exists()


@pytest.mark.parametrize("command", ["check", "run", "extract"])
def test_a_folder_that_is_not_there_is_said_so(tmp_path, command):
    more = ["-o", tmp_path / "f.csv"] if command == "extract" else []
    run = trabecula(command, tmp_path / "absent", *more)
    assert run.returncode == 3
    assert "Traceback" not in run.stderr
    assert "no such file" in run.stderr
