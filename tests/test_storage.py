import pytest

from trabecula.storage import write_atomically


def test_the_folder_is_made_and_the_text_is_whole(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_atomically(path, "größer")
    assert path.read_text(encoding="utf-8") == "größer"


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "b.txt"
    write_atomically(path, "old")
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
