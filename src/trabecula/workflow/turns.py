"""One at a time: the second run of a study waits for the first. What a killed run held is free at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..settings import FILE_NAME
from ..storage import writing
from .check import Tell, silent

WAITS = "waits for another run"


@contextmanager
def alone_in(study: Path, tell: Tell = silent, *, new: bool = False) -> Iterator[None]:
    """Within the block nothing else runs this study; a folder without study.yaml is none unless it is to be ``new``."""
    if not new and not (study / FILE_NAME).exists():
        yield
        return
    with _alone(study / ".lock", tell):
        yield


@contextmanager
def alone_with(run: Path, tell: Tell = silent) -> Iterator[None]:
    """Within the block nothing else makes the report of this finished run."""
    with _alone(run.with_name(f".{run.name}.lock"), tell):
        yield


@contextmanager
def _alone(lock: Path, tell: Tell) -> Iterator[None]:
    """Within the block nobody else holds the file, which stays. The system lets go of it when its holder dies."""
    held = FileLock(lock.resolve(), mode=0o666)  # a colleague's run is waited for too
    with writing(lock):
        try:
            held.acquire(blocking=False)
        except Timeout:
            tell(WAITS, 0, 1)
            held.acquire(poll_interval=0.2)
            tell(WAITS, 1, 1)
    try:
        yield
    finally:
        held.release()
