"""The report of a finished run, from the files in its folder: `run` and `report` make the same bytes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import Fault, InvalidInput
from ..reporting import FORMATS, blinded, recorded, write_exports, write_page
from ..storage import write_atomically
from .check import Tell, silent
from .finished import find_run, write_manifest
from .pictures import Images, draw_pictures
from .turns import alone_with

BLIND = "blind"  # the folder of the report without names, in that of the run
_MADE = "report.json"  # how the page of a run was asked for


def report_study(
    folder: Path,
    *,
    run: str | None = None,
    blind: bool = False,
    formats: Sequence[str] = (),
    images: Images | None = None,
    jobs: int = 1,
    tell: Tell = silent,
) -> Path:
    """Make the report of a finished run again, the newest unless named, and return the page's path.

    ``images`` None: the pictures that its page was last asked for with.
    """
    unknown = [Fault(f"--formats {one}", "no such format", f"one of {', '.join(FORMATS)}")
               for one in formats if one not in FORMATS]  # fmt: skip
    if unknown:
        raise InvalidInput(unknown)
    place = find_run(folder, run, modelled=False)
    with alone_with(place, tell):
        images = images or images_of(place) or "full"
        tell("report", 0, 1)
        if not blind:
            (place / _MADE).unlink(missing_ok=True)  # where this is cut off, the next run makes the page again
        draw_pictures(folder, place, images=images, jobs=jobs, tell=tell)
        page = make_report(place, blind=blind, formats=formats, images=images)
        write_manifest(place)
        tell("report", 1, 1)
    return page


def make_report(run: Path, *, blind: bool = False, formats: Sequence[str] = (), images: Images = "full") -> Path:
    """Write the page, its figures, and what a paper takes from a run with models, from what is in its folder."""
    found = recorded(run)
    found = replace(found, pictures=found.pictures.as_asked(images))
    folder = run / BLIND if blind else run
    shown = blinded(found) if blind else found
    if not found.facts.lacking:
        write_exports(folder, shown, formats)
    page = write_page(folder, shown)
    if not blind:
        write_atomically(run / _MADE, json.dumps({"images": images}))
    return page


def images_of(run: Path) -> Images | None:
    """The pictures that the page of a run was asked for with, None where nothing says."""
    made = run / _MADE
    return json.loads(made.read_text(encoding="utf-8"))["images"] if made.exists() else None
