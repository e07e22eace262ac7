"""Files that are whole or absent, so that a run killed at any moment leaves nothing half-written."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import NotWritten

_PART = ".part"  # how names end of files that are being written
_FULL = "The disk is full", "Free some space; the same command then goes on."
_SHUT = "The folder may only be read", "Copy it to a place where you may write, or ask for the right to write here."
_WHY = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _SHUT,
    errno.EACCES: _SHUT,
    errno.EPERM: _SHUT,
}


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write the file beside its place and move it there in one step; folders are made."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    with writing(path):
        _write(path, data)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in words why a file cannot be written: NotWritten in place of the system's error."""
    try:
        yield
    except OSError as error:
        found, action = _WHY.get(error.errno or 0, (error.strerror or str(error), ""))
        kept = "Nothing is half-written, and what was finished is kept."
        raise NotWritten(f"{found}: {path} cannot be written. {kept} {action}".rstrip()) from None


def drop_unfinished(folder: Path) -> None:
    """Remove what killed processes had begun to write, below a folder in which nobody else writes."""
    for beside in folder.rglob(f".*{_PART}"):
        beside.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def settle(folder: Path) -> None:
    """Have the disk keep what was renamed into or out of a folder, also where the power fails in the next moment."""
    if os.name == "nt":  # a folder cannot be opened there; renames are kept by the file system's own log
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
