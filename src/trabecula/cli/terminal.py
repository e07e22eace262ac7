"""What the command line writes: results to stdout, progress and words to stderr."""

import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from ..errors import Fault, Interrupted

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)


@contextmanager
def progress() -> Iterator["_Teller"]:
    """Bars for what a workflow tells, lines where the output is a file; Ctrl-C ends it with a word."""
    bar = Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )
    try:
        with bar:
            yield _Teller(bar)
    except KeyboardInterrupt:
        raise Interrupted("Stopped. What was finished is kept; the same command goes on from there.") from None


def workers(cluster: str | None, jobs: int, *folders: Path) -> AbstractContextManager[Any]:
    """The workers of the cluster that is asked for, which must see the folders; None where none is."""
    if cluster is None:
        return nullcontext()
    from ..cluster import on_cluster

    return on_cluster(cluster, jobs, folders)


def print_faults(faults: Iterable[Fault]) -> None:
    """Every fault once: where, what was found, what was expected, what to do."""
    listed = _print_each(faults)
    err.print(f"{len(listed)} fault{'s' * (len(listed) != 1)}. Nothing was changed.")


def print_left_out(faults: Iterable[Fault], cases: int, table: Path | None) -> None:
    """The first faults of cases that were left out, how many those are, and where all are listed."""
    _print_each(faults)
    where = "" if table is None else f": see {table}"
    err.print(Text(f"{cases:,} case{'s' * (cases != 1)} left out{where}. All others are done."))


def _print_each(faults: Iterable[Fault]) -> list[Fault]:
    listed = list(dict.fromkeys(faults))
    for fault in listed:
        err.print(Text(fault.where, style="bold red"))
        rows = Table.grid(padding=(0, 1))
        rows.add_column(width=10)
        rows.add_column(overflow="fold")  # an address can be copied whole
        for word, text in (("  found", fault.found), ("  expected", fault.expected), ("  do", fault.action)):
            if text:
                rows.add_row(word, Text(text))
        err.print(rows)
    return listed


def print_notes(notes: Iterable[str]) -> None:
    """What is worth knowing and no fault."""
    for note in notes:
        err.print(Text(f"note  {note}", style="yellow"))


def print_result(report: Path) -> None:
    """The path of what was made, alone on stdout."""
    err.print("Research use only; not a medical device.")
    out.print(str(report), markup=False)


def hear_again(unheard: "sys.UnraisableHookArgs") -> None:
    """Repeat a Ctrl-C that came where Python must pass over it, in a finaliser; tell of others as ever."""
    if isinstance(unheard.exc_value, KeyboardInterrupt):
        threading.Timer(0.5, _interrupt).start()
    else:
        sys.__unraisablehook__(unheard)


def _interrupt() -> None:
    """Send Ctrl-C to the main thread; only a signal of its own wakes it from waiting, which Windows does not have."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


class _Teller:
    """Told (stage, done, total) by the workflow; keeps one bar a stage, or writes lines where no bar is seen.

    A line is written when a stage begins and ends, and once a second in between, so that a log can be followed.
    """

    def __init__(self, bar: Progress):
        self._bar = bar
        self._stages: dict[str, TaskID] = {}
        self._last = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        begins = stage not in self._stages
        if begins:
            self._stages[stage] = self._bar.add_task(stage, total=total)
        self._bar.update(self._stages[stage], completed=done, total=total)
        if self._bar.disable and (begins or done == total or time.monotonic() - self._last >= 1):
            self._last = time.monotonic()
            err.print(f"{stage} {done}/{total}", markup=False)
