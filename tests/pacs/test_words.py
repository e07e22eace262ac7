from types import SimpleNamespace

import pydicom
import pytest
import requests
from pydicom.dataset import Dataset

from tests.pacs.films import film, write
from trabecula.errors import ArchiveUnavailable, InvalidInput
from trabecula.pacs import words
from trabecula.pacs.dicomweb import WebArchive
from trabecula.pacs.files import file_away, inbox_has
from trabecula.pacs.profiles import DimseProfile, WebProfile, password, read_profile

PROFILES = """
ward: {host: pacs.hospital, port: 104, ae_title: PACS}
web: {url: "https://pacs.hospital/dicom-web", user: trabecula, password_file: secret}
wrong: {host: pacs.hospital, port: 70000, ae_title: "far too long an AE title", password: hunter2}
"""


@pytest.fixture
def profiles(tmp_path):
    (tmp_path / "pacs.yaml").write_text(PROFILES)
    return tmp_path / "pacs.yaml"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (0x0122, "it does not take this kind of file (0x0122)"),
        (0xA700, "it is out of resources, such as disk space (0xA700)"),
        (0xA801, "it does not know where to send films: its name for us is missing (0xA801)"),
        (0xA900, "the file does not fit its kind (0xA900)"),
        (0xC123, "it cannot understand or process it (0xC123)"),
        (0x1234, "it gave a reason of its own (0x1234)"),
    ],
)
def test_a_status_is_told_in_words_and_keeps_its_code(status, said):
    assert words.status_in_words(status) == said


def test_a_profile_is_read_with_its_defaults(profiles):
    ward = read_profile("ward", profiles)
    assert isinstance(ward, DimseProfile)
    assert (ward.our_ae_title, ward.our_port, ward.retrieve) == ("TRABECULA", 11112, "get")
    assert isinstance(read_profile("web", profiles), WebProfile)


def test_every_fault_of_a_profile_is_named_and_no_secret_repeated(profiles):
    with pytest.raises(InvalidInput) as caught:
        read_profile("wrong", profiles)
    wheres = [fault.where for fault in caught.value.faults]
    assert wheres == ["pacs.yaml, wrong.port", "pacs.yaml, wrong.ae_title", "pacs.yaml, wrong.password"]
    assert "Put it into TRABECULA_PACS_WRONG_PASSWORD or into a password_file of mode 600." in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_profile_that_is_not_there_and_a_file_that_is_not_there_are_told(profiles, tmp_path):
    with pytest.raises(InvalidInput, match="profile: 'night'; expected one of ward, web, wrong"):
        read_profile("night", profiles)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_profile("ward", tmp_path / "none.yaml")


def test_a_password_comes_from_the_environment_or_from_a_file_that_nobody_else_may_read(tmp_path, monkeypatch):
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    profile = WebProfile(url="https://pacs.hospital", user="trabecula", password_file=file)
    file.chmod(0o644)
    with pytest.raises(InvalidInput, match="others may read it"):
        password(profile, "web")
    file.chmod(0o600)
    assert password(profile, "web") == "hunter2"
    monkeypatch.setenv("TRABECULA_PACS_WEB_PASSWORD", "other")
    assert password(profile, "web") == "other"


def answered(code, content):
    """An archive whose every store is answered so."""
    response = requests.Response()
    response.status_code, response._content = code, content
    archive = WebArchive(WebProfile(url="https://pacs.hospital"), SimpleNamespace())

    def store_instances(datasets):
        response.raise_for_status()
        return Dataset.from_json(response.json())

    archive.client.store_instances = store_instances
    return archive


def failed(reason):
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID, item.FailureReason = "1.2.3", "1.2.4", reason
    said = Dataset()
    said.FailedSOPSequence = [item]
    return said.to_json().encode()


@pytest.mark.parametrize("code", [200, 202, 409])
def test_a_file_that_a_web_archive_did_not_store_is_listed_with_its_reason(tmp_path, code):
    path = write(film(), tmp_path / "film.dcm")
    (one,) = answered(code, failed(0x0122)).store([path])
    assert one.reason == "it does not take this kind of file (0x0122)"
    (one,) = answered(code, failed(0x0111)).store([path])
    assert one.reason == "", "it is there already"


def test_a_web_archive_without_the_right_password_is_unavailable(tmp_path):
    path = write(film(), tmp_path / "film.dcm")
    with pytest.raises(ArchiveUnavailable, match="user name or password is missing or wrong"):
        list(answered(401, b"").store([path]))
    (one,) = answered(413, b"<html>").store([path])
    assert "the file is too large for it (HTTP 413)" in one.reason


def test_a_file_whose_name_is_no_uid_is_written_nowhere(tmp_path):
    assert file_away(tmp_path, "../outside", b"") == "its name '../outside' is no UID"
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_no_dicom_are_quarantined(tmp_path):
    assert file_away(tmp_path, "1.2.3", b"no film") == "no DICOM file"
    assert inbox_has(tmp_path, "1.2.3")
    assert not inbox_has(tmp_path, "1.2.4")
    with pytest.raises(pydicom.errors.InvalidDicomError):
        pydicom.dcmread(tmp_path / "quarantine/1.2.3.dcm")
