"""`trabecula run`, `check` and `bundle make` as a child of the app: one at a time, watched, stopped, taken up again."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Work = Literal["check", "run", "bundle"]
How = Literal["none", "running", "stopping", "stopped", "done", "faults", "failed"]
LOG = Path("cache") / "app" / "run.log"
_COMMANDS: dict[Work, tuple[str, ...]] = {"check": ("check",), "run": ("run",), "bundle": ("bundle", "make")}
_STEP = re.compile(r"(?P<name>\S.*?) (?P<done>\d+)/(?P<total>\d+)")
_ENDS: dict[int, How] = {0: "done", 3: "faults", 130: "stopped"}
_PATIENCE = 20.0  # seconds between asking a child to stop and ending it
_MOST_LINES = 400


@dataclass(frozen=True)
class Step:
    """A stage of the work and how far it is."""

    name: str
    done: int
    total: int


@dataclass(frozen=True)
class Progress:
    """What the child does or did; ``lines`` are those of its log that are no steps, ``result`` what it printed last."""

    work: Work | None
    how: How
    seconds: float
    steps: tuple[Step, ...]
    lines: tuple[str, ...]
    result: str


class Runner:
    """Keeps the child of one study; the log is in a file, so that it outlives the page and the app."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self._work: Work | None = None
        self._began = self._ended = 0.0
        self._stopping = False
        self._lock = threading.Lock()

    def start(self, work: Work, arguments: Sequence[str] = ()) -> bool:
        """Start the work on the study; False where one is under way."""
        with self._lock:
            if self._child is not None and self._child.poll() is None:
                return False
            log = self._folder / LOG
            log.parent.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", "trabecula", *_COMMANDS[work], str(self._folder.resolve()), *arguments]
            told = os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "120", "NO_COLOR": "1"}
            with log.open("wb") as file:
                self._child = subprocess.Popen(  # noqa: S603 our own program on our own folder
                    command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=told, **_APART
                )
            self._work, self._stopping, self._began, self._ended = work, False, time.monotonic(), 0.0
            threading.Thread(target=self._wait, args=(self._child,), daemon=True).start()
            return True

    def stop(self) -> bool:
        """Ask the child to stop, as Ctrl-C would: what is finished is kept; False where nothing is under way."""
        with self._lock:
            child = self._child
            if child is None or child.poll() is not None:
                return False
            self._stopping = True
            child.send_signal(_CTRL_C)
            ending = threading.Timer(_PATIENCE, _end, args=(child,))
            ending.daemon = True
            ending.start()
            return True

    def close(self) -> None:
        """Stop the child and wait for it."""
        if self.stop() and self._child is not None:
            try:
                self._child.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                _end(self._child)

    def progress(self) -> Progress:
        """How far it is, from its log."""
        child, how = self._child, self._how()
        seconds = 0.0 if child is None else (self._ended or time.monotonic()) - self._began
        try:
            text = (self._folder / LOG).read_text(encoding="utf-8", errors="replace")
        except OSError:
            text = ""
        steps: dict[str, Step] = {}
        lines = []
        for line in text.splitlines():
            if match := _STEP.fullmatch(line):
                steps[match["name"]] = Step(match["name"], int(match["done"]), int(match["total"]))
            elif line.strip():
                lines.append(line)
        return Progress(self._work, how, seconds, tuple(steps.values()), tuple(lines[-_MOST_LINES:]), _last(lines))

    def _how(self) -> How:
        if self._child is None:
            return "none"
        code = self._child.poll()
        if code is None:
            return "stopping" if self._stopping else "running"
        return "stopped" if self._stopping and code != 0 else _ENDS.get(code, "failed")

    def _wait(self, child: subprocess.Popen[bytes]) -> None:
        child.wait()
        if child is self._child:
            self._ended = time.monotonic()


_APART = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)} if os.name == "nt" else {
    "start_new_session": True}  # fmt: skip
_CTRL_C = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child that did not stop when asked; what it started ends with it where sessions have groups."""
    if child.poll() is None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):  # it ended in this moment
                os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()


def _last(lines: Sequence[str]) -> str:
    return lines[-1] if lines else ""
