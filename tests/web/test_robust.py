"""What strangers may send: mutated films, requests made from the API's description. No traceback, no file, no 500."""

import io
import os
import random
import struct
import zlib

import hypothesis
import nibabel
import numpy as np
import pytest
import schemathesis
from PIL import Image
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.fuzz.mutators import by_bytes
from tests.fuzz.seeds import dicom, written
from trabecula.errors import InvalidInput
from trabecula.reading import read_film, read_labels
from trabecula.settings import ImageSettings

from .conftest import HOME
from .test_service import SIX, client, service  # noqa: F401 fixtures

MANY = 1000


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    """The same film in each format, by suffix."""
    pixels = np.random.default_rng(0).normal(1000, 60, (40, 50)).astype(np.uint16)
    found = {".dcm": written(dicom(pixels))}
    for suffix, form, options in [(".png", "PNG", {}), (".tif", "TIFF", {"compression": "tiff_lzw"})]:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, form, **options)
        found[suffix] = stream.getvalue()
    stream = io.BytesIO()
    Image.fromarray((pixels / 8).astype(np.uint8)).save(stream, "JPEG")
    found[".jpg"] = stream.getvalue()
    path = tmp_path_factory.mktemp("nifti") / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(pixels.T.astype(np.int16), np.eye(4)), path)
    found[".nii.gz"] = path.read_bytes()
    return found


def check_many(films, folder, count):
    """Every mutated film is read, or refused in words; nothing else happens on the disk."""
    said = []
    for number in range(count):
        chance = random.Random(number)
        suffix = chance.choice(sorted(films))
        path = folder / f"film{suffix}"
        path.write_bytes(by_bytes(films[suffix], chance))
        for read in (read_film, read_labels):
            try:
                read(path, ImageSettings())
            except InvalidInput as error:
                said.append(str(error))
        path.unlink()
        assert list(folder.iterdir()) == []
    assert not any(word in text for text in said for word in ("Traceback", str(folder)))
    return len(said)


@pytest.mark.filterwarnings("ignore")
def test_mutated_films_are_read_or_refused_in_words(films, tmp_path):
    assert check_many(films, tmp_path, 200) > 50


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_thousand_mutated_films_are_read_or_refused_in_words(films, tmp_path):
    assert check_many(films, tmp_path, MANY) > 200


def send_many(client, films, count):  # noqa: F811
    codes = []
    for number in range(count):
        chance = random.Random(f"sent {number}")
        image = by_bytes(films[chance.choice(sorted(films))], chance)
        files = {"image": ("a", image)}
        data = {"points": SIX}
        if chance.random() < 0.3:
            files, data = files | {"mask": ("b", by_bytes(films[".png"], chance))}, {}
        got = client.post("/api/v1/predict", files=files, data=data)
        assert got.status_code in {200, 422}, (number, got.text)
        assert "Traceback" not in got.text
        assert "/tmp" not in got.text
        codes.append(got.status_code)
    return codes


@pytest.mark.filterwarnings("ignore")
def test_mutated_films_that_are_sent_leave_nothing_behind(client, films, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert set(send_many(client, films, 60)) == {200, 422}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_thousand_mutated_films_that_are_sent_leave_nothing_behind(client, films, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert set(send_many(client, films, MANY)) == {200, 422}
    assert list(tmp_path.iterdir()) == []


def test_a_deflated_film_that_would_fill_memory_is_refused(tmp_path, films, monkeypatch):
    import pydicom

    monkeypatch.setattr("trabecula.reading.dicom.SWOLLEN", 1 << 22)
    data = pydicom.dcmread(io.BytesIO(films[".dcm"]))
    data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    data.save_as(tmp_path / "good.dcm")
    assert read_film(tmp_path / "good.dcm", ImageSettings()).pixels.shape == (40, 50)
    head = (tmp_path / "good.dcm").read_bytes()
    meta = 132 + 12 + struct.unpack("<I", head[140:144])[0]
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    (tmp_path / "bomb.dcm").write_bytes(head[:meta] + squeezer.compress(bytes(1 << 23)) + squeezer.flush())
    with pytest.raises(InvalidInput, match="4 MiB when unpacked"):
        read_film(tmp_path / "bomb.dcm", ImageSettings())


# bytes at random are no film, and are refused though the description allows them
LEFT_OUT = [positive_data_acceptance]
EXAMPLES = int(os.environ.get("TRABECULA_EXAMPLES", "20"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=str)
def test_whatever_the_description_allows_or_forbids_is_answered_as_it_says(client, service, mode):  # noqa: F811
    headers = {"Authorization": f"Bearer {service.state.token}", "Origin": HOME}
    described = schemathesis.openapi.from_asgi("/api/v1/openapi.json", client.app, headers=headers)
    for result in described.get_all_operations():
        operation = result.ok()
        if mode.is_negative and operation.method.upper() == "GET":
            continue  # takes nothing that could be wrong
        cases = operation.as_strategy(generation_mode=mode)

        @hypothesis.given(case=cases)
        @hypothesis.settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
        )
        def answered(case):
            case.call_and_validate(headers=headers, excluded_checks=LEFT_OUT)

        answered()
