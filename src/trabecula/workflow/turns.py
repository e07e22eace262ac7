"""One at a time: who comes second waits for the first, or is refused. What a killed process held is free at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import Fault, InvalidInput
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
    with alone(study / ".lock", tell):
        yield


@contextmanager
def alone_with(run: Path, tell: Tell = silent) -> Iterator[None]:
    """Within the block nothing else makes the report of this finished run."""
    with alone(run.with_name(f".{run.name}.lock"), tell):
        yield


@contextmanager
def alone(lock: Path, tell: Tell = silent, *, refusal: Fault | None = None) -> Iterator[None]:
    """Within the block nobody else holds the file, which stays. The system lets go of it when its holder dies.

    Who comes second waits, or is told the ``refusal``.
    """
    held = FileLock(lock.resolve(), mode=0o666)  # a colleague's run is waited for too
    with writing(lock):
        try:
            held.acquire(blocking=False)
        except Timeout:
            if refusal is not None:
                raise InvalidInput([refusal]) from None
            tell(WAITS, 0, 1)
            held.acquire(poll_interval=0.2)
            tell(WAITS, 1, 1)
    try:
        yield
    finally:
        held.release()
