"""Runs that are finished: which they are, and the checksums of all their files."""

import hashlib
import json
from pathlib import Path

from ..errors import Fault, InvalidInput
from ..storage import write_atomically

MANIFEST = "manifest.json"  # written last: a run folder that has it is finished


def find_run(folder: Path, name: str | None = None) -> Path:
    """The finished run of this name of a study, by default the newest one that has results."""
    finished = [path.parent for path in sorted((folder / "runs").glob(f"*/{MANIFEST}"))]
    if not finished:
        found, action = "no finished run", f"Run it first: trabecula run {folder}."
        raise InvalidInput([Fault(str(folder), found, "a run that came to its end", action)])
    chosen = [run for run in finished if name in {None, run.name}]
    if not chosen:
        there = ", ".join(run.name for run in finished)
        raise InvalidInput([Fault(f"{folder}, --run", f"no finished run {name!r}", f"one of: {there}")])
    return chosen[-1]


def write_manifest(run: Path) -> None:
    """The SHA-256 of everything in the run folder; written last."""
    digests = {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    write_atomically(run / MANIFEST, json.dumps(digests, indent=1))
