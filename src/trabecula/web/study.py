"""Screen Study: study.yaml as a form and as text, checked as it is written; its run started, watched and stopped."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from ..errors import Fault, InvalidInput
from ..plain_text import yaml_of
from ..settings import FILE_NAME, settings_of
from ..storage import write_atomically
from ..workflow.finished import MANIFEST
from . import form
from .cases import study_folder
from .page import render
from .running import Runner, Work
from .yaml_text import set_key

router = APIRouter()
_LARGEST = 10**6  # signs of a study.yaml


class Text(BaseModel):
    """The text as the page has it."""

    text: str = Field(max_length=_LARGEST)


class Change(Text):
    """One field of the form, as typed."""

    name: str
    typed: str = Field(max_length=10_000)


class Save(Text):
    """The text to keep; ``digest`` is of the file that the page was made from."""

    digest: str
    anyway: bool = False


class Start(BaseModel):
    """What to do with the study."""

    work: Work


@router.get("/study")
def study_page(asked: Request) -> Response:
    """The form, the text and the run."""
    if not (study_folder(asked) / FILE_NAME).exists():
        return Response(status_code=303, headers={"Location": "/cases"})
    return render(asked, "study.html", groups=form.groups())


@router.get("/api/study")
def study(asked: Request) -> dict[str, Any]:
    """The file as it is."""
    text, digest = _file(study_folder(asked))
    return {"digest": digest, **_examined(text)}


@router.post("/api/study/check")
def check(wish: Text) -> dict[str, Any]:
    """What a text says, and every fault of it."""
    return _examined(wish.text)


@router.post("/api/study/set")
def set_entry(wish: Change) -> dict[str, Any]:
    """The text with one field set; nothing is written."""
    entry = form.entries().get(wish.name)
    if entry is None:
        raise HTTPException(404)
    return _examined(set_key(wish.text, entry.keys, form.typed(entry, wish.typed)))


@router.post("/api/study/save")
def save(asked: Request, wish: Save) -> dict[str, Any]:
    """Write the file, where it has no faults or that is asked for, and is still what the page was made from."""
    folder = study_folder(asked)
    _, digest = _file(folder)
    made = _examined(wish.text)
    if digest != wish.digest:
        return {"saved": False, "elsewhere": True, "digest": digest, **made}
    if made["faults"] and not wish.anyway:
        return {"saved": False, "elsewhere": False, "digest": digest, **made}
    write_atomically(folder / FILE_NAME, wish.text)
    return {"saved": True, "elsewhere": False, "digest": _file(folder)[1], **made}


@router.get("/api/run")
def progress(asked: Request) -> dict[str, Any]:
    """How far the work is; `unfinished` where a run can be gone on with, `finished` where one has its report."""
    folder = study_folder(asked)
    runs = [path.parent for path in (folder / "runs").glob("*/run.json")]
    finished = [(run / MANIFEST).exists() for run in runs]
    told = dataclasses.asdict(_runner(asked).progress())
    return {**told, "unfinished": not all(finished), "finished": any(finished)}


@router.post("/api/run/start")
def start(asked: Request, wish: Start) -> dict[str, Any]:
    """Start it; `started` is false where one is under way."""
    return {"started": _runner(asked).start(wish.work)}


@router.post("/api/run/stop")
def stop(asked: Request) -> dict[str, Any]:
    """Ask it to stop."""
    return {"stopped": _runner(asked).stop()}


def _runner(asked: Request) -> Runner:
    runner = asked.app.state.runner
    if runner is None:
        raise HTTPException(404)
    assert isinstance(runner, Runner), "make_app sets it"
    return runner


def _file(folder: Path) -> tuple[str, str]:
    path = folder / FILE_NAME
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        words = " ".join(str(error).split())[:120]
        raise InvalidInput([Fault(FILE_NAME, f"cannot be read ({words})", "a text in UTF-8")]) from None
    return text, hashlib.sha256(content).hexdigest()


def _examined(text: str) -> dict[str, Any]:
    _, faults = settings_of(text)
    try:
        content = yaml_of(text)
    except ValueError:
        content = None
    return {"text": text, "values": form.values(content), "faults": [dataclasses.asdict(fault) for fault in faults]}
