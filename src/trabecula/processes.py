"""Work shared among processes or threads: one place that says what they hear and what they leave alone."""

import functools
import gc
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Literal

import joblib

from .errors import WorkerLost

_AHEAD = 4  # calls a thread that are begun or done, and not yet taken


def share(
    work: Iterable[Any],
    jobs: int,
    *,
    ordered: bool = True,
    batch: int | Literal["auto"] = "auto",
    threads: bool = False,
) -> Iterator[Any]:
    """What each of the ``joblib.delayed`` calls returns; ``batch`` calls are handed to a process at once.

    Ctrl-C is heard by this process alone, which ends the others: theirs would write over its words. ``threads`` of
    this process do for work that leaves Python's lock alone; they never run far ahead of who takes the results.
    """
    order = "generator" if ordered else "generator_unordered"
    if threads:
        yield from _by_threads(work, jobs)
        return
    with _lost_in_words():
        with deaf_to_ctrl_c():
            results = joblib.Parallel(n_jobs=jobs, return_as=order, batch_size=batch, initializer=_hear_nothing)(
                joblib.delayed(settled)(*call) for call in work
            )
        yield from results


@contextmanager
def _lost_in_words() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise WorkerLost(
            "A process that shared the work was ended from outside, as a system does that runs out of memory. What was "
            "finished is kept; the same command goes on from there, and with fewer --jobs it takes less memory."
        ) from None


@contextmanager
def loading() -> Iterator[None]:
    """Load libraries and models in here: nothing of them is garbage, and to look for it takes a sixth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes begun in here never hear Ctrl-C, nor does this one for that moment: they inherit what it ignores."""
    if threading.current_thread() is not threading.main_thread():  # no other may say what is heard
        yield
        return
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)


def settled(function: Any, arguments: Any, named: Any) -> Any:
    """One call, where it was handed to."""
    with joblib.parallel_config(backend="sequential"):  # a call that was shared shares nothing further
        result = function(*arguments, **named)
    _settle()
    return result


def _by_threads(work: Iterable[Any], jobs: int) -> Iterator[Any]:
    begun: deque[Future[Any]] = deque()
    pool = ThreadPoolExecutor(jobs)
    try:
        for function, arguments, named in work:
            begun.append(pool.submit(function, *arguments, **named))
            if len(begun) == _AHEAD * jobs:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _hear_nothing() -> None:
    """Where joblib itself starts a process, in place of one that it ended for its memory, nothing is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@functools.cache
def _settle() -> None:
    """Leave what this process has loaded so far out of every later look for garbage.

    joblib's workers look once a second, through all libraries: a tenth of their time.
    """
    gc.freeze()
