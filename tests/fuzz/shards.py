"""Inputs shared among processes that may die of them: what ends one is counted, named and passed over."""

import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

_SIZE = 2500  # inputs of a process, unless one ends it
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Said:
    """What came of an input: ``said`` is ``read``, ``refused`` or ``FAULT``, and ``why`` the fault."""

    number: int
    reader: str
    name: str
    said: str
    why: str = ""

    def __str__(self):
        return f"{self.number}: {self.reader}, {self.name}: {self.why}"


def run(numbers, jobs, reader=None):
    """Every input once, in no order; of one reader alone, where it is said which."""
    found, left = queue.Queue(), queue.Queue()
    size = min(_SIZE, -(-len(numbers) // jobs)) or 1
    shards = [numbers[at : at + size] for at in range(0, len(numbers), size)]
    for shard in shards:
        left.put(shard)
    for _ in range(jobs):
        threading.Thread(target=_work, args=(left, found, [reader] if reader else []), daemon=True).start()
    for _ in range(len(numbers)):
        one = found.get()
        if isinstance(one, BaseException):
            raise one
        yield one


def _work(left, found, reader):
    try:
        while True:
            try:
                shard = left.get_nowait()
            except queue.Empty:
                return
            while shard:
                shard = _shard(shard, found, reader)
    except BaseException as error:  # noqa: BLE001 told to whoever waits
        found.put(error)


def _shard(shard, found, reader):
    """Run it as far as its process lives; what is left of it then."""
    begun, done = None, 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place, tempfile.TemporaryFile("w+") as errors:
        command = [sys.executable, "-m", "tests.fuzz.guard", str(shard[0]), str(shard[-1] + 1), place, *reader]
        with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as child:
            for line in child.stdout:
                told = json.loads(line)
                if "number" in told:
                    begun = told
                else:
                    found.put(Said(**begun, **told))
                    begun, done = None, done + 1
        if child.returncode == 0:
            return ()
        if begun is None:
            errors.seek(0)
            raise RuntimeError(f"a process ended with {child.returncode} before an input: {errors.read()[-2000:]}")
        found.put(Said(**begun, said="FAULT", why=_end_of(child.returncode)))
        return shard[done + 1 :]


def _end_of(code):
    if code in (-signal.SIGPROF, -signal.SIGALRM):
        return "the process hung"
    return f"the process ended with {signal.Signals(-code).name if code < 0 else code}"
