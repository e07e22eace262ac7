"""Films that came, in the service: listed, opened, asked about, accepted; nothing of a patient in the audit."""

import json

import pydicom
import pytest
from typer.testing import CliRunner

from tests.bundles import predict_points
from tests.pacs.films import answers_of, film, write
from trabecula.cli import app as cli
from trabecula.errors import ArchiveUnavailable, InvalidInput
from trabecula.pacs import node as room
from trabecula.pacs.archive import Stored
from trabecula.web import serve
from trabecula.web.serve import Receiving, Service, make_service
from trabecula.workflow.predict import Predictor

from .conftest import HOME, TestClient
from .test_service import SIX

pytest.importorskip("pynetdicom")
NAME = "1.2.3.1.1.1"
OTHER = "12,11 22,11 33,11 33,27 22,27 12,27"


class Archive:
    """Holds files by their names in DICOM; gone at first."""

    def __init__(self):
        self.gone, self.held = True, {}

    def store(self, paths):
        if self.gone:
            raise ArchiveUnavailable("No PACS answers at pacs:104.")
        for path in paths:
            read = pydicom.dcmread(path)
            self.held.setdefault(str(read.SOPInstanceUID), []).append(read)
            yield Stored(path)


@pytest.fixture
def archive(monkeypatch):
    archive = Archive()
    monkeypatch.setattr(serve, "reply_to", lambda *_: archive)
    return archive


@pytest.fixture
def receives(made, tmp_path, archive):
    """The service: a client whose link is open, and its node, with two films and a file kept apart."""

    def start():
        receiving = Receiving("TRABECULA:11112", "PACS@127.0.0.1:104", inbox=tmp_path / "inbox")
        service = Service((made.path,), audit=tmp_path / "audit.jsonl", a_minute=10_000, receiving=receiving)
        application = make_service(service)
        client = TestClient(application, base_url=HOME, headers={"Authorization": f"Bearer {service.state.token}"})
        return client, application.state.node

    client, node = start()
    for seed in range(2):
        content = write(film(seed=seed, dark=seed == 1), tmp_path / "film.dcm").read_bytes()
        assert node.inbox.receive(f"1.2.3.{seed + 1}.1.1", content) == "received"
    node.inbox.receive("1.2.9", b"no film")
    return client, node, start


def of(client, name=NAME):
    films = client.get("/api/v1/received").json()["films"]
    return next(one for one in films if one["film"] == name)


def asked(client, name=NAME, **more):
    return client.post(f"/api/v1/received/{name}/predict", data={"points": SIX} | more)


def test_films_are_listed_with_what_a_person_knows_them_by_and_what_is_kept_apart(receives):
    client, *_ = receives
    said = client.get("/api/v1/received").json()
    assert said["more"] == 0
    assert {one["film"] for one in said["films"]} == {NAME, "1.2.3.2.1.1"}
    one = of(client)
    assert (one["PatientName"], one["PatientID"], one["StudyDate"], one["state"]) == (
        "DOE^JANE",
        "P0",
        "20260102",
        "received",
    )
    assert said["quarantined"] == [{"film": "1.2.9", "reason": "no DICOM file"}]


def test_the_list_ends_somewhere_and_says_how_many_more_there_are(receives, monkeypatch):
    monkeypatch.setattr("trabecula.web.received.MOST", 1)
    said = receives[0].get("/api/v1/received").json()
    assert (len(said["films"]), said["more"]) == (1, 1)


def test_a_received_film_is_seen_and_answered_as_one_that_is_sent_along(receives, made, tmp_path):
    client, node, _ = receives
    sent = write(film(), tmp_path / "film.dcm")
    files = {"image": ("film.dcm", sent.read_bytes())}
    mine, its = client.get(f"/api/v1/received/{NAME}/film"), client.post("/api/v1/film", files=files)
    assert (mine.content, mine.headers["x-film"]) == (its.content, its.headers["x-film"])
    got = asked(client)
    assert got.status_code == 200, got.text
    said = got.json()
    key = said.pop("key")
    assert said == client.post("/api/v1/predict", files=files, data={"points": SIX}).json()
    assert json.loads(predict_points(Predictor.of(made), sent, SIX).to_json())["probabilities"] == said["probabilities"]
    assert node.inbox.asked(NAME).key == key
    assert asked(client).json()["key"] == key


def test_an_answer_waits_over_a_restart_and_is_sent_once_it_is_accepted(receives, archive):
    client, node, start = receives
    key = asked(client, value="age=71").status_code
    assert key == 422, "this model takes no such value"
    key = asked(client).json()["key"]
    client, node, _ = *start(), None  # as after kill -9: nothing but the folder is left
    one = of(client)
    assert (one["state"], one["question"]) == (
        "answered",
        {"model": one["question"]["model"], "points": SIX, "values": {}, "site": ""},
    )
    assert client.post(f"/api/v1/received/{NAME}/accept", json={"key": key}).json() == {"state": "accepted"}
    assert node.sender.send() == 0
    assert (of(client)["state"], of(client)["trouble"]) == ("accepted", "No PACS answers at pacs:104.")
    client, node = start()
    archive.gone = False
    assert node.sender.send() == 1
    assert (of(client)["state"], of(client)["sent"], of(client)["trouble"]) == ("sent", 1, "")
    kinds = sorted(one.Modality for (one,) in archive.held.values())
    assert kinds == ["OT", "SEG", "SR"]
    report = next(one for (one,) in archive.held.values() if one.Modality == "SR")
    assert (report.PreliminaryFlag, report.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert "Most probable class" in answers_of(report)


def test_the_same_accepted_again_is_the_same_and_another_vertebra_is_another(receives, archive):
    client, node, _ = receives
    archive.gone = False
    for points in (SIX, SIX, OTHER):
        key = asked(client, points=points).json()["key"]
        assert of(client)["state"] == "answered"
        assert client.post(f"/api/v1/received/{NAME}/accept", json={"key": key}).status_code == 200
        node.sender.send()
    assert len(archive.held) == 6
    assert sorted(len(times) for times in archive.held.values()) == [1, 1, 1, 2, 2, 2]
    assert of(client)["sent"] == 2


def test_only_the_answer_that_was_shown_last_can_be_accepted(receives):
    client, node, _ = receives
    first = asked(client).json()["key"]
    asked(client, points=OTHER)
    for key in (first, "0" * 16):
        got = client.post(f"/api/v1/received/{NAME}/accept", json={"key": key})
        assert got.status_code == 422
        assert "Ask again, look, and accept then." in got.json()["message"]
    assert client.post("/api/v1/received/1.2.3.2.1.1/accept", json={"key": first}).status_code == 422
    assert client.post(f"/api/v1/received/{NAME}/accept", json={"key": "../x"}).status_code == 422
    assert node.inbox.waiting == []


def test_an_answer_that_the_model_would_not_give_any_more_is_not_sent(receives, monkeypatch):
    client, node, _ = receives
    key = asked(client).json()["key"]
    monkeypatch.setattr(room, "_plain", lambda answer: {"predicted": "other"})
    got = client.post(f"/api/v1/received/{NAME}/accept", json={"key": key})
    assert got.json()["faults"][0]["found"] == "another answer than the one shown"
    assert node.inbox.waiting == []


@pytest.mark.parametrize("name", ["1.2.4", "..%2F..%2Fetc%2Fpasswd", "%2e%2e", "x"])
def test_a_film_that_did_not_come_is_not_there(receives, name):
    client, *_ = receives
    assert client.get(f"/api/v1/received/{name}/film").status_code in (404, 405)
    assert asked(client, name).status_code in (404, 405, 422)


def test_the_audit_says_who_did_what_and_nothing_of_the_film(receives, tmp_path, archive):
    client, node, _ = receives
    key = asked(client).json()["key"]
    client.post(f"/api/v1/received/{NAME}/accept", json={"key": key})
    node.sender.send()
    archive.gone = False
    node.sender.send()
    node.told("PACS", "receive", "received")
    text = (tmp_path / "audit.jsonl").read_text()
    for secret in (NAME, "1.2.3.1", "DOE", "JANE", "P0", "A0", SIX[:5], key):
        assert secret not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["route"] for line in lines} >= {"/api/v1/received/{film}/predict", "/api/v1/received/{film}/accept"}
    assert [(line["user"], line["route"], line["status"]) for line in lines if line["method"] == "DIMSE"] == [
        ("", "reply", "not sent: the PACS cannot be reached or refuses"),
        ("", "reply", "sent"),
        ("PACS", "receive", "received"),
    ]
    (said,) = (tmp_path / "inbox/sent").iterdir()
    assert json.loads(said.read_text())["accepted_by"] == "local"


def test_two_programs_do_not_share_an_inbox(receives, monkeypatch):
    *_, start = receives
    monkeypatch.setattr(room.Listener, "start", lambda *_: type("Quiet", (), {"close": lambda self: None})())
    (_, one), (_, other) = start(), start()
    with one.open(), pytest.raises(InvalidInput, match="another trabecula serve works on it"), other.open():
        pass
    _, later = start()
    with later.open():
        pass


def test_the_page_lists_films_only_where_they_are_received(receives, made, tmp_path):
    service = Service((made.path,), audit=tmp_path / "audit.jsonl")
    plain = TestClient(make_service(service), base_url=HOME, headers={"Authorization": f"Bearer {service.state.token}"})
    assert 'id="received"' not in plain.get("/predict").text
    assert plain.get("/api/v1/received").status_code == 404
    got = receives[0].get("/predict")
    assert 'id="received"' in got.text
    assert "default-src 'self'" in got.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--listen", "A:11112"], "--listen needs --reply"),
        (["--listen", "A@0.0.0.0:11112", "--reply", "B@pacs:104"], "name who may send (--from AET,AET...)"),
        (["--from", "PACS"], "--from and --reply belong to --listen AET:PORT"),
        (["--listen", "A:11112", "--reply", "B@pacs:104", "--from", "B,FAR-TOO-LONG-A-TITLE"], "an AE title has 16"),
        (["--listen", "A@hospital.lan:11112", "--reply", "B@pacs:104"], "name who may send (--from AET,AET...)"),
    ],
)
def test_what_must_not_be_open_does_not_start(made, more, words):
    result = CliRunner().invoke(cli, ["serve", str(made.path), *more])
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


def test_who_starts_it_is_told_that_dimse_is_not_encrypted(made):
    said = Receiving("A@0.0.0.0:11112", "B@pacs:104", ("PACS",)).said
    assert "from PACS and lie in trabecula-inbox" in said
    assert "DIMSE is not encrypted, and an AE title is no password" in said
