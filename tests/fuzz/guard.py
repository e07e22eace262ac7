"""One input after another in a process of its own: what it said, how much memory and time it took, what it touched.

python -m tests.fuzz.guard FIRST STOP FOLDER [READER]    a line of JSON an input on standard output
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from trabecula.errors import InvalidInput, MissingExtra

from .inputs import made, written
from .readers import READERS, Nothing, _check_cause

MEMORY = 1 << 30  # bytes beyond what was there before
SECONDS = 20  # of processor time, after which the process ends
SLOW = 5.0
_KEEPERS = ("numba.", "matplotlib.")  # keep what they compiled or found, and open it again
_LONGEST = 4000  # letters of one fault
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Guard:
    """Sees what is opened for writing, run, connected to or unpickled while an input is read."""

    def __init__(self, place):
        self.place, self.seen, self.on = str(place.resolve()), [], False
        sys.addaudithook(self._hear)

    def _hear(self, event, arguments):
        if not self.on or event not in _HEARD or _within(_KEEPERS):
            return
        said = _HEARD[event](*arguments)
        if said is None or (not said.startswith("!") and str(Path(said).resolve()).startswith(self.place)):
            return
        if "__pycache__" not in said:
            self.seen.append(f"{event} {said}")


def _within(packages):
    frame = sys._getframe(2)
    while frame is not None and not frame.f_globals.get("__name__", "").startswith(packages):
        frame = frame.f_back
    return frame is not None


def _opened(path, mode, flags):
    if not isinstance(path, str | bytes | os.PathLike) or not (flags or 0) & _WRITES:
        return None
    said = os.fsdecode(path)
    return None if said.startswith(("/dev/null", "/proc/")) else said


_HEARD = {
    "open": _opened,
    "os.rename": lambda _from, to, *_: os.fsdecode(to),
    "os.remove": lambda path, *_: os.fsdecode(path),
    "os.mkdir": lambda path, *_: os.fsdecode(path),
    "subprocess.Popen": lambda program, *_: f"!{program}",
    "os.system": lambda command: f"!{command}",
    "os.exec": lambda path, *_: f"!{path}",
    "os.posix_spawn": lambda path, *_: f"!{path}",
    "socket.connect": lambda _, address: f"!{address}",
    "pickle.find_class": lambda module, name: f"!{module}.{name}",
}


def limit_memory():
    """No more than so much beyond what is there now: a decoder that asks for more is told that there is none."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 2 * MEMORY, resource.RLIM_INFINITY))


def measured(run):
    """Bytes of the highest peak above the start, and processor seconds, of a call."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before, began = _status("VmRSS"), time.process_time()
    run()
    return _status("VmHWM") - before, time.process_time() - began


def _status(name):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def tried(seed, folder, guard):
    """What the reader of a seed said: ``read``, ``refused`` or ``FAULT``, and why."""
    said = ["read", ""]

    def read():
        try:
            READERS[seed.reader](folder, seed.changed)
        except InvalidInput as error:
            try:
                _check_cause(error)
            except MemoryError:
                said[:] = "FAULT", f"asks for more than there is: {error}"[:300]
            else:
                said[:] = "refused", _amiss(error)
        except (MissingExtra, Nothing):
            said[0] = "refused"
        except BaseException as error:  # noqa: BLE001 this is what is looked for
            ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/trabecula/" in frame.filename]
            at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "the check"
            said[:] = "FAULT", f"{type(error).__name__} at {at}: {str(error)[:200]}"

    guard.on = True
    peak, seconds = measured(read)
    guard.on = False
    amiss = [said[1]] if said[1] else []
    amiss += [f"{peak >> 20} MiB"] * (peak > MEMORY) + [f"{seconds:.1f} s"] * (seconds > SLOW) + guard.seen
    guard.seen = []
    return ("FAULT" if amiss else said[0]), "; ".join(amiss)


def _amiss(error):
    """What is wrong with the words of a refusal, if anything."""
    for fault in error.faults:
        if not (fault.where and fault.found and fault.expected):
            return f"a fault without words: {fault!r}"[:300]
        if len(str(fault)) > _LONGEST:
            return f"a fault of {len(str(fault)):,} letters: {fault}"[:300]
        if "Traceback" in str(fault):
            return f"a traceback: {fault}"[:300]
    return ""


def main(first, stop, place, reader=None):
    """Try each number; the last line begun is the one that ended the process, if one did."""
    guard = Guard(place)
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    folder, spare = place / "input", place / "tmp"
    spare.mkdir(parents=True)
    tempfile.tempdir = str(spare)
    os.environ["TRABECULA_WEIGHTS"] = str(place / "store")
    os.chdir(spare)
    warnings.simplefilter("ignore")
    for number in range(first, stop):
        seed = made(number, reader)
        folder.mkdir()
        written(seed, folder)
        limit_memory()
        out.write(json.dumps({"number": number, "reader": seed.reader, "name": seed.name}) + "\n")
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.alarm(6 * SECONDS)
        said, why = tried(seed, folder, guard)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        left = sorted(path.name for path in spare.iterdir())
        if left or {path.name for path in place.iterdir()} - {"input", "tmp", "out", "key"}:
            said, why = "FAULT", f"{why}; left behind: {left}"
        out.write(json.dumps({"said": said, "why": why}) + "\n")
        shutil.rmtree(folder)
        for path in (*spare.iterdir(), place / "out", place / "key"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
