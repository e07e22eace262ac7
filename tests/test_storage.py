import errno
import os

import pytest

from trabecula.errors import NotWritten
from trabecula.storage import drop_unfinished, write_atomically


def test_the_folder_is_made_and_the_text_is_whole(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_atomically(path, "größer")
    assert path.read_text(encoding="utf-8") == "größer"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "The disk is full: .*b.txt cannot be written. Nothing is half-written, .* goes on"),
        (errno.EDQUOT, "The disk is full"),
        (errno.EROFS, "The folder may only be read: .* Copy it to a place where you may write"),
        (errno.EIO, "Input/output error: .*b.txt cannot be written"),
    ],
)
def test_a_failure_leaves_the_old_file_and_nothing_beside_it_and_is_told_in_words(tmp_path, monkeypatch, number, words):
    path = tmp_path / "b.txt"
    write_atomically(path, "old")
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError(number, os.strerror(number))))
    with pytest.raises(NotWritten, match=words):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_had_begun_is_dropped_and_nothing_else(tmp_path):
    write_atomically(tmp_path / "a" / "b.part", "whole")
    (tmp_path / "a" / ".hidden").touch()
    process = os.fork()
    if process == 0:
        os.fsync = lambda _: os._exit(9)
        write_atomically(tmp_path / "a" / "c.txt", "never whole")
    os.waitpid(process, 0)
    assert len(list((tmp_path / "a").iterdir())) == 3
    drop_unfinished(tmp_path)
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"b.part", ".hidden"}
