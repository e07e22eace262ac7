"""What is sent to us is kept, judged and passed on by steps, whatever stops the program between two of them."""

import contextlib
import json
import socket
import struct
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from tests.pacs.films import film, write
from trabecula.errors import ArchiveUnavailable, InvalidInput
from trabecula.pacs import files, listening
from trabecula.pacs import inbox as room
from trabecula.pacs.archive import Stored
from trabecula.pacs.dimse import DimseArchive
from trabecula.pacs.inbox import Asked, Inbox
from trabecula.pacs.listening import Listener, Place, reply_to
from trabecula.pacs.profiles import DimseProfile
from trabecula.pacs.sending import Sender

RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
NAME = "1.2.3.1.1.1"


def content(dataset, tmp_path):
    path = write(dataset, tmp_path / "sent" / "film.dcm")
    data = path.read_bytes()
    path.unlink()
    return data


def rt_structure():
    dataset = film("RTSTRUCT", sop_class=RTSTRUCT)
    for name in ("PixelData", "Rows", "Columns"):
        delattr(dataset, name)
    return dataset


def bomb():
    """10^10 pixels in a few bytes."""
    dataset = film()
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.Rows = dataset.Columns = 60_000
    dataset.PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(60)])
    return dataset


def cut():
    dataset = film()
    dataset.PixelData = dataset.PixelData[:1000]
    return dataset


def nameless():
    dataset = film()
    del dataset.StudyInstanceUID
    return dataset


def renamed():
    dataset = film()
    dataset.SOPInstanceUID = "1.2.9"
    return dataset


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (rt_structure, "modality RTSTRUCT; expected CR or DX"),
        (lambda: film("MR", sop_class="1.2.840.10008.5.1.4.1.1.4"), "modality MR; expected CR or DX"),
        (bomb, "60000 x 60000 pixels; expected between 1 and 100,000,000 pixels"),
        (cut, "cannot be decoded"),
        (nameless, "no StudyInstanceUID; expected a film that names itself"),
        (renamed, "it was sent under another SOP instance UID than its own"),
        (lambda: film(SamplesPerPixel=3, PhotometricInterpretation="RGB"), "colours (RGB); expected MONOCHROME1"),
    ],
)
def test_what_is_no_film_is_kept_apart_with_the_reason_in_words(tmp_path, make, reason):
    kept = Inbox(tmp_path / "in")
    sent = content(make(), tmp_path)
    assert kept.receive(NAME, sent) == "quarantined"
    assert reason in kept.quarantined[NAME]
    assert (tmp_path / f"in/quarantine/{NAME}.dcm").read_bytes() == sent
    assert kept.films == []


def test_bytes_that_are_no_dicom_are_kept_apart_and_a_name_that_is_no_uid_is_refused(tmp_path):
    kept = Inbox(tmp_path / "in")
    assert kept.receive("1.2.3", b"no film") == "quarantined"
    assert kept.quarantined == {"1.2.3": "no DICOM file"}
    assert kept.receive("../../outside", b"no film") == "nameless"
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_film_is_kept_once_and_one_that_was_damaged_takes_its_place_when_it_comes_whole(tmp_path):
    kept = Inbox(tmp_path / "in")
    assert kept.receive(NAME, content(cut(), tmp_path)) == "quarantined"
    assert kept.receive(NAME, content(film(), tmp_path)) == "received"
    assert kept.quarantined == {}
    assert list((tmp_path / "in/quarantine").iterdir()) == []
    before = kept.path(NAME).stat().st_mtime_ns
    assert kept.receive(NAME, content(film(), tmp_path)) == "known"
    assert kept.path(NAME).stat().st_mtime_ns == before
    (one,) = kept.films
    assert (one.state, one.about["PatientID"], one.about["PatientName"]) == ("received", "P0", "DOE^JANE")
    assert (tmp_path / "in").stat().st_mode & 0o077 == 0


def asked(**more):
    given = {"film": NAME, "model": "m", "points": "1,2 3,4", "values": {"age": "71"}, "site": "", "level": 0.9}
    return Asked(**given | {"answer": {"predicted": "1"}} | more)


def test_the_key_of_an_answer_follows_from_film_question_and_answer_alone():
    assert asked().key == asked(model="renamed").key
    changes = [{"points": "1,2 3,5"}, {"values": {}}, {"site": "A"}, {"level": 0.8}, {"film": "1.2"}]
    assert len({asked(**change).key for change in [{}, {"answer": {"predicted": "2"}}, *changes]}) == 7


class Killed(BaseException):
    """The program ends here."""


def walk(folder, data, n, monkeypatch):
    """All steps, killed at the n-th thing done on the disk (none at all where fewer are done); how many steps ended."""
    done, ended = 0, []

    def counted(work):
        def step(*arguments, **more):
            nonlocal done
            done += 1
            if done == n:
                raise Killed
            return work(*arguments, **more)

        return step

    with monkeypatch.context() as patch:
        for module in (room, files):
            for name in ("write_atomically", "settle"):
                patch.setattr(module, name, counted(getattr(module, name)))
        patch.setattr(Path, "replace", counted(Path.replace))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        kept = Inbox(folder)
        try:
            kept.resume()
            for step in steps(kept, data):
                step()
                ended.append(step)
        except Killed:
            return len(ended), False
    return len(ended), True


def steps(kept, data):
    def accept():
        write(film(), kept.results(asked().name) / "film-seg.dcm")
        kept.accept(asked(), "wang")

    todo = {
        "received": lambda: kept.answer(asked()),
        "answered": accept,
        "accepted": lambda: kept.sent(asked().name),
    }
    yield lambda: kept.receive(NAME, data)
    while (state := kept.films[0].state) != "sent":
        yield todo[state]


def test_killed_at_any_moment_a_film_is_at_one_step_and_the_next_start_goes_on(tmp_path, monkeypatch):
    data = content(film(), tmp_path)
    order = ["received", "answered", "accepted", "sent"]
    n, whole = 0, False
    while not whole:
        n += 1
        folder = tmp_path / f"in{n}"
        ended, whole = walk(folder, data, n, monkeypatch)
        kept = Inbox(folder)
        kept.resume()
        states = [one.state for one in kept.films]
        if ended == 0:
            assert states in ([], ["received"])  # no success was told: it is sent again
        else:
            assert states[0] in order[ended - 1 : ended + 1], (n, ended, states)
        walk(folder, data, 0, monkeypatch)
        assert [one.state for one in Inbox(folder).films] == ["sent"]
        found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        key = asked().name
        assert found == [f"films/{NAME}.dcm", f"results/{key}/film-seg.dcm", f"sent/{key}.json"]
    assert n > 15, "each thing done on the disk had its turn"


def test_what_is_accepted_without_results_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="no results"):
        Inbox(tmp_path).accept(asked(), "")


class Archive:
    """Holds files by name; gone for so many calls."""

    def __init__(self, gone=0, refuses=()):
        self.gone, self.refuses, self.held, self.calls = gone, refuses, [], []

    def store(self, paths):
        self.calls.append(time.monotonic())
        if len(self.calls) <= self.gone:
            raise ArchiveUnavailable("No PACS answers at pacs:104.")
        for path in paths:
            reason = "it is out of resources, such as disk space (0xA700)" if path.name in self.refuses else ""
            self.held += [] if reason else [path]
            yield Stored(path, reason)


@pytest.fixture
def accepted(tmp_path):
    """An inbox with two accepted answers."""
    kept = Inbox(tmp_path / "in")
    kept.receive(NAME, content(film(), tmp_path))
    for site in "AB":
        one = asked(site=site)
        for kind in ("seg", "sr"):
            write(film(), kept.results(one.name) / f"{NAME}-{kind}.dcm")
        kept.accept(one, "")
    return kept


def test_a_pacs_that_is_gone_is_tried_again_with_growing_waits_and_nothing_is_lost(accepted):
    archive, said = Archive(gone=4), []
    sender = Sender(accepted, archive, said.append, first=0.05)
    sender.start()
    until(lambda: not accepted.waiting)
    sender.close()
    assert len(archive.held) == 4
    waits = np.diff(archive.calls[:5])
    assert (waits > [0.05, 0.1, 0.2, 0.4]).all(), "each wait is twice the one before"
    assert sender.trouble == {}
    assert said == ["not sent: the PACS cannot be reached or refuses"] * 4 + ["sent"] * 2


def test_while_it_is_not_sent_the_reason_is_told(accepted):
    sender = Sender(accepted, Archive(gone=1), lambda said: None)
    assert sender.send() == 0
    assert set(sender.trouble) == set(accepted.waiting)
    assert set(sender.trouble.values()) == {"No PACS answers at pacs:104."}
    assert accepted.films[0].state == "accepted"


def test_a_file_that_is_refused_waits_and_the_other_answers_go(accepted):
    first, _ = accepted.waiting
    (accepted.results(first) / f"{NAME}-sr.dcm").rename(accepted.results(first) / f"{NAME}-sc.dcm")
    sender = Sender(accepted, Archive(refuses=(f"{NAME}-sc.dcm",)), lambda said: None)
    assert sender.send() == 1
    assert accepted.waiting == [first]
    assert sender.trouble == {first: "sc: it is out of resources, such as disk space (0xA700)"}
    for path in accepted.results(first).iterdir():
        path.unlink()
    sender.send()
    assert sender.trouble == {first: "its results are gone from the inbox; accept the answer again"}


def test_killed_after_it_was_stored_the_same_files_are_sent_again(accepted, monkeypatch):
    archive = Archive()
    with monkeypatch.context() as patch:
        patch.setattr(Inbox, "sent", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            Sender(accepted, archive, lambda said: None).send()
    again = Archive()
    Sender(Inbox(accepted.folder), again, lambda said: None).send()
    assert set(archive.held) < set(again.held)
    assert len(again.held) == 4


def test_a_mistake_of_ours_does_not_end_the_sender(accepted, caplog):
    archive = Archive()
    store, calls = archive.store, []

    def once(paths):
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("DOE^JANE")
        return store(paths)

    archive.store = once
    sender = Sender(accepted, archive, lambda said: None, first=0.01)
    sender.start()
    until(lambda: not accepted.waiting)
    sender.close()
    assert "DOE" not in caplog.text


def until(said, seconds=300):
    end = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def listening_at(tmp_path):
    """Listen at any free port: the archive that sends there, the inbox, and what was told."""
    begun = []

    def start(callers=(), port=0):
        kept, told = Inbox(tmp_path / "in"), []
        listener = Listener.start(Place("TRABECULA", "127.0.0.1", port), callers, kept, lambda *one: told.append(one))
        begun.append(listener)
        port = listener.server.server_address[1]
        profile = DimseProfile(host="127.0.0.1", port=port, ae_title="TRABECULA", our_ae_title="PACS", timeout_s=300)
        return DimseArchive(profile), kept, told

    yield start
    for one in begun:
        one.close()


def test_films_come_by_dicom_once_and_the_rest_is_kept_apart(listening_at, tmp_path):
    pacs, kept, told = listening_at(("OTHER", "PACS"))
    for number, dataset in enumerate([film(), film("CR", seed=1), rt_structure()]):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.{number}"
        write(dataset, tmp_path / f"out/{number}.dcm")
    for became in (["received", "received", "quarantined"], ["known", "known", "quarantined"]):
        stored = list(pacs.store(sorted((tmp_path / "out").iterdir())))
        assert [one.reason for one in stored] == [""] * 3
        assert sorted(said for _, said in told) == sorted(became)
        assert {who for who, _ in told} == {"PACS"}
        told.clear()
    assert sorted(one.film for one in kept.films) == ["1.2.0", "1.2.1"]
    assert list(kept.quarantined) == ["1.2.2"]


def test_a_ping_is_answered(listening_at):
    from pynetdicom import AE
    from pynetdicom.sop_class import Verification

    pacs, *_ = listening_at()
    entity = AE("ANY")
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", pacs.profile.port, ae_title="TRABECULA")
    assert association.send_c_echo().Status == 0
    association.release()


def test_a_caller_who_is_not_named_is_refused_and_so_is_another_name_for_us(listening_at, tmp_path):
    path = write(film(), tmp_path / "film.dcm")
    pacs, kept, told = listening_at(("WARD",))
    with pytest.raises(ArchiveUnavailable, match="does not know our AE title"):
        list(pacs.store([path]))
    until(lambda: told)
    assert told[0][0] == "PACS"
    assert told[0][1].startswith("refused")
    profile = pacs.profile.model_copy(update={"our_ae_title": "WARD", "ae_title": "ELSE"})
    with pytest.raises(ArchiveUnavailable, match="does not answer to the AE title ELSE"):
        list(DimseArchive(profile).store([path]))
    assert kept.films == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a socket of pynetdicom's other side
def test_a_file_larger_than_a_film_is_broken_off(listening_at, tmp_path, monkeypatch):
    monkeypatch.setattr(listening, "LARGEST", 100_000)
    pacs, kept, told = listening_at()
    path = write(film(PixelData=bytes(400_000)), tmp_path / "film.dcm")
    (one,) = pacs.store([path])
    assert one.reason == "the PACS broke the connection off"
    until(lambda: told)
    assert told == [("PACS", "broken off: too large")]
    assert kept.films == []
    assert kept.quarantined == {}
    small = write(film(), tmp_path / "small.dcm")
    for _ in range(40):  # many small ones over one connection after another are no large one
        assert [one.reason for one in pacs.store([small, small])] == ["", ""]


def test_a_message_that_says_to_be_huge_takes_no_memory(listening_at):
    pacs, *_, told = listening_at()
    with socket.create_connection(("127.0.0.1", pacs.profile.port), timeout=300) as caller:
        caller.sendall(struct.pack(">BBL", 1, 0, 2**32 - 1))
        caller.sendall(bytes(1000))
        with contextlib.suppress(ConnectionResetError):
            assert caller.recv(1) == b"", "it hangs up"
    assert [said for _, said in told] == ["broken off: too large"]


def test_a_caller_who_stalls_within_a_message_is_hung_up_on(listening_at, monkeypatch):
    monkeypatch.setattr(listening, "_SECONDS", 0.3)
    pacs, *_ = listening_at()
    with socket.create_connection(("127.0.0.1", pacs.profile.port), timeout=300) as caller:
        caller.sendall(struct.pack(">BBL", 1, 0, 200) + bytes(10))
        with contextlib.suppress(ConnectionResetError):
            assert caller.recv(1) == b""


def test_a_full_disk_is_told_to_the_sender_who_keeps_the_film(listening_at, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room, "file_away", full)
    pacs, _, told = listening_at()
    (one,) = pacs.store([write(film(), tmp_path / "film.dcm")])
    assert one.reason == "it is out of resources, such as disk space (0xA700)"
    assert told == [("PACS", "not kept: the disk refuses")]


def test_many_senders_of_one_film_at_once_leave_one(listening_at, tmp_path):
    pacs, kept, told = listening_at()
    path = write(film(), tmp_path / "film.dcm")
    senders = [threading.Thread(target=lambda: list(pacs.store([path]))) for _ in range(6)]
    for one in senders:
        one.start()
    for one in senders:
        one.join()
    assert sorted(said for _, said in told) == ["known"] * 5 + ["received"]
    assert len(kept.films) == 1


def test_a_port_that_is_taken_is_told_in_words(listening_at):
    pacs, *_ = listening_at()
    with pytest.raises(ArchiveUnavailable, match=r"cannot be listened at .*: set another port in --listen\."):
        listening_at(port=pacs.profile.port)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("TRABECULA:11112", ("TRABECULA", "127.0.0.1", 11112)),
        ("AI NODE@0.0.0.0:104", ("AI NODE", "0.0.0.0", 104)),
        ("A@::1:104", ("A", "::1", 104)),
    ],
)
def test_a_place_to_listen_at_is_read(text, place):
    found = Place.of(text)
    assert (found.title, found.host, found.port) == place


@pytest.mark.parametrize(
    "text", ["", "TRABECULA", ":104", " :104", "A:0", "A:70000", "FAR TOO LONG A TITLE:104", "A@:104"]
)
def test_what_is_no_place_is_refused_with_an_example(text):
    with pytest.raises(InvalidInput, match=r"expected AET:PORT or AET@ADDRESS:PORT, as TRABECULA:11112"):
        Place.of(text)


def test_results_go_to_an_address_or_to_a_profile(tmp_path):
    ours = Place.of("US:104")
    archive = reply_to("PACS@pacs.hospital:11113", ours)
    about = archive.profile
    assert (about.ae_title, about.host, about.port, about.our_ae_title) == ("PACS", "pacs.hospital", 11113, "US")
    (tmp_path / "pacs.yaml").write_text('web: {url: "https://pacs.hospital/dicom-web"}')
    assert reply_to("web", ours, tmp_path / "pacs.yaml").profile.url == "https://pacs.hospital/dicom-web"
    with pytest.raises(InvalidInput, match="expected a port from 1 to 65535"):
        reply_to("PACS@pacs.hospital:70000", ours)
    with pytest.raises(InvalidInput, match="expected one of web"):
        reply_to("night", ours, tmp_path / "pacs.yaml")


def test_an_answer_of_another_version_is_as_none(tmp_path):
    kept = Inbox(tmp_path)
    (tmp_path / "answered" / f"{NAME}.json").write_text(json.dumps({"other": 1}))
    assert kept.asked(NAME) is None


def test_a_dataset_that_no_parser_can_read_is_kept_apart(tmp_path, monkeypatch):
    def breaks(*_, **__):
        raise RecursionError

    monkeypatch.setattr("pydicom.dcmread", breaks)
    kept = Inbox(tmp_path)
    assert kept.receive(NAME, b"x" * 200) == "quarantined"
    assert kept.quarantined == {NAME: "cannot be read (RecursionError); expected a whole DICOM image"}
