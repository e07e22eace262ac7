"""The report of a finished run, from the files in its folder: `run` and `report` make the same bytes."""

from dataclasses import replace
from pathlib import Path

from ..reporting import blinded, recorded, write_page
from .check import Tell, silent
from .finished import find_run, write_manifest
from .pictures import Images, draw_pictures

BLIND = "blind"  # the folder of the report without names, in that of the run


def report_study(
    folder: Path,
    *,
    run: str | None = None,
    blind: bool = False,
    images: Images = "full",
    jobs: int = 1,
    tell: Tell = silent,
) -> Path:
    """Make the report of a finished run again, the newest unless named, and return the page's path."""
    place = find_run(folder, run)
    tell("report", 0, 1)
    draw_pictures(folder, place, images=images, jobs=jobs, tell=tell)
    page = make_report(place, blind=blind, images=images)
    write_manifest(place)
    tell("report", 1, 1)
    return page


def make_report(run: Path, *, blind: bool = False, images: Images = "full") -> Path:
    """Write the page and its figures from what is in the run's folder."""
    found = recorded(run)
    found = replace(found, pictures=found.pictures.as_asked(images))
    return write_page(run / BLIND, blinded(found)) if blind else write_page(run, found)
