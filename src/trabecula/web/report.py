"""Screen Report: the runs of a study, the page of each in a frame of its own, two of them side by side."""

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from ..workflow.compare import compare_study
from ..workflow.finished import MANIFEST, in_order
from .cases import study_folder
from .page import render

router = APIRouter()
# a report is a file that may lie in a study for years: its style works, a script would not, and no other host is asked
REPORT_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-downloads"
)
_KINDS = {
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".csv": "text/csv",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".R": "text/plain",
    ".tex": "text/plain",
    ".md": "text/plain",
    ".tiff": "image/tiff",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


@dataclass(frozen=True)
class Run:
    """A folder of runs/."""

    name: str
    created: str
    finished: bool


@router.get("/report")
def report_page(asked: Request) -> Response:
    """Every run, the newest first."""
    return render(asked, "reports.html", runs=runs_of(study_folder(asked)))


@router.get("/report/run/{name}")
def one_report(asked: Request, name: str) -> Response:
    """The page of one run in a frame."""
    run = next((run for run in runs_of(study_folder(asked)) if run.name == name and run.finished), None)
    if run is None:
        raise HTTPException(404)
    return render(asked, "report.html", title=run.name, source=f"/files/runs/{run.name}/report.html")


@router.post("/report/compare")
def compare(asked: Request, first: Annotated[str, Form()], second: Annotated[str, Form()]) -> Response:
    """Set two runs side by side; every fault in words."""
    names = {run.name for run in runs_of(study_folder(asked)) if run.finished}
    if not {first, second} <= names:
        raise HTTPException(404)
    compare_study(study_folder(asked), first, second)
    return RedirectResponse(f"/report/compared/{first}_{second}", 303)


@router.get("/report/compared/{name}")
def compared(asked: Request, name: str) -> Response:
    """Two runs side by side in a frame."""
    if name not in {path.name for path in (study_folder(asked) / "compare").glob("*")}:
        raise HTTPException(404)
    return render(asked, "report.html", title=name, source=f"/files/compare/{name}/compare.html")


@router.get("/files/{place}/{path:path}")
def file_of(asked: Request, place: str, path: str) -> Response:
    """A file that a run or a comparison made, under rules that let its page do nothing but be read."""
    if place not in {"runs", "compare"} or not path.isprintable():
        raise HTTPException(404)
    above = (study_folder(asked) / place).resolve()
    found = (above / path).resolve()
    if not found.is_relative_to(above) or found.suffix not in _KINDS or not found.is_file():
        raise HTTPException(404)
    return FileResponse(found, media_type=_KINDS[found.suffix], headers={"Content-Security-Policy": REPORT_CSP})


def runs_of(folder: Path) -> list[Run]:
    """The runs of a study, the newest first."""
    made = []
    for path in (folder / "runs").glob("*/run.json"):
        try:
            created = str(json.loads(path.read_text(encoding="utf-8")).get("created", ""))
        except (OSError, ValueError, AttributeError):
            created = datetime.date.fromtimestamp(path.stat().st_mtime).isoformat()
        made.append(Run(path.parent.name, created, (path.parent / MANIFEST).exists()))
    return sorted(made, key=lambda run: in_order(run.name), reverse=True)
