"""The report of a finished run, from the files in its folder: `run` and `report` make the same bytes."""

from pathlib import Path

from ..reporting import blinded, recorded, write_page
from .check import Tell, silent
from .finished import find_run, write_manifest

BLIND = "blind"  # the folder of the report without names, in that of the run


def report_study(
    folder: Path,
    *,
    run: str | None = None,
    blind: bool = False,
    tell: Tell = silent,
) -> Path:
    """Make the report of a finished run again, the newest unless named, and return the page's path."""
    place = find_run(folder, run)
    tell("report", 0, 1)
    page = make_report(place, blind=blind)
    write_manifest(place)
    tell("report", 1, 1)
    return page


def make_report(run: Path, *, blind: bool = False) -> Path:
    """Write the page and its figures from what is in the run's folder."""
    found = recorded(run)
    return write_page(run / BLIND, blinded(found)) if blind else write_page(run, found)
