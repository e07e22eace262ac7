"""The bundles that may be asked, those of them in memory, and the few threads that ask them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ..bundle import read_bundle
from ..errors import Fault, InvalidInput, TrabeculaError
from ..workflow.predict import Predictor

WORKERS = 2
WAITING = 64  # requests that are begun or wait their turn; one more is refused
Made = TypeVar("Made")


class BusyError(TrabeculaError):
    """More is asked at once than may wait."""


class Models:
    """Bundles by name, each read when it is first asked; the last ``kept`` stay in memory."""

    def __init__(self, paths: Mapping[str, Path], *, kept: int = 1, workers: int = WORKERS, weights: str | None = None):
        self._paths = dict(paths)
        self._kept = kept
        self._weights = weights
        self._built: OrderedDict[str, Predictor] = OrderedDict()
        self._lock = threading.Lock()
        self._places = threading.Semaphore(WAITING)
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, "predict")

    @property
    def names(self) -> tuple[str, ...]:
        """What a request may name, in order; the first is asked where it names none."""
        return tuple(self._paths)

    def get(self, name: str = "", level: float | None = None) -> Predictor:
        """The predictor of a bundle; InvalidInput where there is no such bundle, or it cannot be read."""
        name = name or next(iter(self._paths), "")
        if name not in self._paths:
            action = "" if self._paths else "Make one: trabecula bundle make STUDY."
            expected = f"one of {', '.join(self._paths)}" if self._paths else "a bundle"
            raise InvalidInput([Fault("bundle", repr(name) if name else "none", expected, action)])
        with self._lock:
            if name not in self._built:
                self._built[name] = Predictor.of(read_bundle(self._paths[name]), weights=self._weights)
            self._built.move_to_end(name)
            while len(self._built) > self._kept:
                self._built.popitem(last=False)
            found = self._built[name]
        return found if level is None else replace(found, level=level)

    def begin(self, work: Callable[[], Made]) -> Future[Made]:
        """Do this in one of the threads as soon as one is free."""
        if not self._places.acquire(blocking=False):
            raise BusyError(f"{WAITING} requests are waiting; ask again in a moment.")
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: self._places.release())
        return future

    def close(self) -> None:
        """End the threads once what they have begun is done; what is asked afterwards has new ones."""
        self._pool.shutdown()
        self._pool = ThreadPoolExecutor(self._workers, "predict")


def named(paths: list[Path]) -> dict[str, Path]:
    """Each bundle under its file's name without the suffix; InvalidInput where two are called the same."""
    found: dict[str, Path] = {}
    for path in paths:
        if path.stem in found:
            raise InvalidInput([Fault(str(path), f"two bundles named {path.stem}", "one name each", "Rename one.")])
        found[path.stem] = path
    return found
