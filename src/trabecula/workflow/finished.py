"""Runs that are finished: which they are, and the checksums of all their files."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import Fault, InvalidInput
from ..reporting import FACTS
from ..storage import drop_unfinished, write_atomically

BEGUN = "run.json"  # written first
MANIFEST = "manifest.json"  # written last: a run folder that has it is finished
_NAME = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)_(?P<number>\d{2,})")


def find_run(folder: Path, name: str | None = None, *, modelled: bool = True) -> Path:
    """The finished run of this name of a study, by default the newest; one that has models, unless that is no matter.

    InvalidInput says why no model could be made, where that is so.
    """
    finished = sorted(
        (path.parent for path in (folder / "runs").glob(f"*/{MANIFEST}")), key=lambda run: in_order(run.name)
    )
    if not finished:
        found, action = "no finished run", f"Run it first: trabecula run {folder}."
        raise InvalidInput([Fault(str(folder), found, "a run that came to its end", action)])
    chosen = [run for run in finished if name in {None, run.name}]
    if not chosen:
        there = ", ".join(run.name for run in finished)
        raise InvalidInput([Fault(f"{folder}, --run", f"no finished run {name!r}", f"one of: {there}")])
    usable = [run for run in chosen if not (modelled and lacking(run))]
    if not usable:
        found = f"no model: {' '.join(lacking(chosen[-1]))}"
        raise InvalidInput([Fault(f"run {chosen[-1].name}", found.rstrip("."), "a run with models")])
    return usable[-1]


def next_name(names: Sequence[str], today: str) -> str:
    """A name for a new run: the day and a number; where the clock was set back, the day of the last run goes on."""
    known = [(match["day"], int(match["number"])) for name in names if (match := _NAME.fullmatch(name))]
    day = max([today, *(day for day, _ in known)])
    number = 1 + max((number for of, number in known if of == day), default=0)
    return f"{day}_{number:02d}"


def in_order(name: str) -> tuple[str, int, str]:
    """By this runs are sorted, the newest last: by day, then by number."""
    return name[:10], len(name), name


def lacking(run: Path) -> tuple[str, ...]:
    """Why no model could be made in a finished run, a sentence a class; empty where models were made."""
    return tuple(json.loads((run / FACTS).read_text(encoding="utf-8")).get("lacking", ()))


def begun_afresh(run: Path) -> tuple[str, ...]:
    """That a run of the same inputs is left alone, as libraries have other versions now; empty where there is none."""
    said = json.loads((run / BEGUN).read_text(encoding="utf-8")).get("afresh")
    return (said,) if said else ()


def write_manifest(run: Path) -> None:
    """The SHA-256 of everything in the run folder; written last, when nobody else writes there."""
    drop_unfinished(run)
    digests = {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    write_atomically(run / MANIFEST, json.dumps(digests, indent=1))
