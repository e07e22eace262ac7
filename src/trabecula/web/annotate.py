"""Draw the region of each case: films, six clicks to an outline, every step to disk, a case saved and its heights.

A reader sees neither class nor cohort nor what another reader drew. Whose drawings these are is the reader that the app
was started for.
"""

import datetime
import functools
import threading
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from .. import __version__
from ..errors import Fault, InvalidInput
from ..reading import outline, read_film
from ..reading.drawn import (
    CONSENSUS,
    Drawing,
    append_step,
    drawn_after,
    mask_path,
    reader_named,
    readers_of,
    save_drawn,
    saved_of,
    state_of_case,
    steps_of,
    write_reader_table,
)
from ..reading.regions import check_points
from ..reading.windows import Window, windows_of
from ..reading.worklist import ToDraw, Worklist, read_worklist
from ..records import Xray
from ..settings import ImageSettings
from .film import film_answer
from .measures import measures_of
from .page import render
from .state import state_of

_KEPT = 3  # films in memory
writing = threading.Lock()  # one process serves one reader, in several windows perhaps
router = APIRouter()

Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Places = Annotated[list[tuple[Number, Number]], Field(max_length=20_000)]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ShapeStep(_Sent):
    """The points and the outline as they are now."""

    kind: Literal["shape"]
    tool: Literal["six", "move", "drag", "polygon", "wire", "clear"]
    points: Annotated[Places, Field(max_length=6)]
    outline: Places
    closed: bool


class StrokeStep(_Sent):
    """A disc moved along a path."""

    kind: Literal["stroke"]
    tool: Literal["brush", "eraser"]
    radius: float = Field(gt=0, le=2000, allow_inf_nan=False)
    path: Annotated[Places, Field(min_length=1)]


class TurnStep(_Sent):
    """One step back or forth."""

    kind: Literal["undo", "redo"]


class SentStep(_Sent):
    """A step that follows ``after`` others."""

    after: int = Field(ge=0)
    step: ShapeStep | StrokeStep | TurnStep = Field(discriminator="kind")


class SentPoints(_Sent):
    """Six points in the order of ``outline.ORDER``."""

    points: Annotated[Places, Field(min_length=6, max_length=6)]


class ShownWindow(_Sent):
    """The greys that were shown when the case was saved."""

    level: float = Field(allow_inf_nan=False)
    width: float = Field(gt=0, allow_inf_nan=False)
    inverted: bool


class SentSave(_Sent):
    """What is said of a case when it is completed or flagged."""

    state: Literal["completed", "flagged"]
    steps: int = Field(ge=0)
    note: str = Field("", max_length=2000)
    level: str = Field("", max_length=40)
    view: str = Field("", max_length=40)
    seconds: float = Field(ge=0, le=1e6, allow_inf_nan=False)
    window: ShownWindow


@router.get("/annotate")
def page(asked: Request) -> Response:
    """The screen."""
    reader_named(state_of(asked).reader)
    return render(asked, "annotate.html", levels=_LEVELS, views=_VIEWS, help=_HELP)


_LEVELS = (*(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 7)), "S1")
_VIEWS = ("lateral", "ap")
_HELP = (  # keys, and the words that follow annotate_help_
    (("left button",), "left"),
    (("right drag", "W + left drag"), "window"),
    (("W + arrows",), "window_keys"),
    (("wheel", "+", "-"), "zoom"),
    (("middle drag", "Shift + left drag"), "pan"),
    (("arrows", "Enter"), "arrows"),
    (("1", "2", "3", "4", "5"), "presets"),
    (("i",), "invert"),
    (("Space", "="), "reset"),
    (("h", "v"), "flip"),
    (("p", "s", "g", "b", "e"), "tools"),
    (("[", "]"), "brush_size"),
    (("Ctrl+Z", "Ctrl+Y", "Ctrl+Shift+Z"), "undo"),
    (("x", "Backspace"), "delete"),
    (("Enter",), "accept"),
    (("Esc",), "cancel"),
    (("o",), "overlay"),
    (("PageUp", "PageDown", "n"), "cases"),
    (("f",), "flag"),
    (("?",), "help"),
)


@router.get("/api/annotate/cases")
def cases(asked: Request) -> dict[str, Any]:
    """Every case and how far each reader is with it; nobody's drawing."""
    work, reader = worklist_of(asked)
    readers = dict.fromkeys((reader, *readers_of(work.folder)))
    listed = [
        {
            "case_id": case.case_id,
            "level": case.level,
            "view": case.view,
            "states": {name: state_of_case(work.folder, name, case.case_id) for name in readers},
        }
        for case in work.cases
    ]
    return {"reader": reader, "readers": list(readers), "cases": listed}


@router.get("/api/annotate/film/{case_id:path}")
def film(asked: Request, case_id: str) -> Response:
    """The film of a case with all its greys; see ``film_answer``."""
    work, _ = worklist_of(asked)
    xray, windows = film_of(work, case_named(work, case_id))
    return film_answer(asked, xray, windows)


@router.get("/api/annotate/case/{case_id:path}")
def opened(asked: Request, case_id: str) -> dict[str, Any]:
    """What this reader has drawn: every step, and what was said when the case was saved."""
    work, reader = worklist_of(asked)
    case = case_named(work, case_id)
    saved = saved_of(work.folder, reader, case_id) or {}
    steps = steps_of(work.folder, reader, case_id)
    xray, _ = film_of(work, case)
    changed = bool(saved) and saved["image"]["sha256"] != xray.digest
    return {
        "case_id": case_id,
        "level": saved.get("level") or case.level,
        "view": saved.get("view") or case.view,
        "note": saved.get("note", ""),
        "seconds": saved.get("seconds", 0.0),
        "state": state_of_case(work.folder, reader, case_id),
        "steps": steps,
        "measures": _measured(work, case, drawn_after(steps)),
        "warnings": ["annotate_film_changed"] if changed else [],
    }


@router.post("/api/annotate/snap/{case_id:path}")
def snap(asked: Request, case_id: str, sent: SentPoints) -> dict[str, Any]:
    """Six points -> the outline snapped to the edge, and the heights."""
    work, _ = worklist_of(asked)
    case = case_named(work, case_id)
    xray, _ = film_of(work, case)
    points = np.array(sent.points, dtype=np.float64)
    text = " ".join(f"{x:g},{y:g}" for x, y in sent.points)
    found = outline.snap(xray.pixels, check_points(points, text, xray.pixels.shape))
    drawing = Drawing(tuple(sent.points), tuple(map(tuple, found.tolist())), closed=True)
    return {"outline": np.round(found, 2).tolist(), "measures": _measured(work, case, drawing)}


@router.post("/api/annotate/step/{case_id:path}")
def step(asked: Request, case_id: str, sent: SentStep) -> dict[str, Any]:
    """Put a step on disk; answered once it is there."""
    work, reader = worklist_of(asked)
    case = case_named(work, case_id)
    with writing:
        steps = append_step(work.folder, reader, case_id, sent.after, _plain(sent.step), now())
    return {"steps": len(steps), "measures": _measured(work, case, drawn_after(steps))}


@router.post("/api/annotate/save/{case_id:path}")
def save(asked: Request, case_id: str, sent: SentSave) -> dict[str, Any]:
    """Write mask and JSON of a case from its steps; a row of the table without a region gets this one."""
    work, reader = worklist_of(asked)
    case = case_named(work, case_id)
    xray, _ = film_of(work, case)
    with writing:
        steps = steps_of(work.folder, reader, case_id)
        if len(steps) != sent.steps:
            found = f"{len(steps)} steps on disk, {sent.steps} in this window"
            action = "Wait until all steps are sent, or open the case again."
            raise InvalidInput([Fault(f"case {case_id}", found, "the same number", action)])
        drawing = drawn_after(steps)
        measures = measures_of(drawing, xray, anterior_of(case, xray))
        about = sent.model_dump() | {
            "tools": _tools(steps),
            "measures": measures.as_json() if measures else None,
            "image": _about_image(case, xray),
            "order": outline.ORDER,
            "outline_parameters": outline.PARAMETERS,
            "version": __version__,
            "saved": now(),
        }
        mask = save_drawn(work.folder, reader, case_id, drawing, _shape(xray), about)
        write_reader_table(work.folder, reader, [one.case_id for one in work.cases])
        entered = sent.state == "completed" and mask is not None and _enter_region(work, reader, case)
    return {"state": sent.state, "entered": entered, "measures": about["measures"]}


def worklist_of(asked: Request) -> tuple[Worklist, str]:
    """The cases of the study that the app was started with, and who reads."""
    state = state_of(asked)
    if state.study is None:
        raise InvalidInput([Fault("study", "none", "a study folder", "Start with one: trabecula app STUDY.")])
    reader = reader_named(state.reader)
    if reader == CONSENSUS:
        raise InvalidInput([Fault("reader", reader, "a person", "Consensus is chosen on the screen Agreement.")])
    return read_worklist(state.study), reader


def case_named(work: Worklist, case_id: str) -> ToDraw:
    """The case, or a refusal in words."""
    case = work.case(case_id)
    if case is None:
        raise InvalidInput([Fault("case", repr(case_id[:80]), f"a case_id of {work.table.path.name}")])
    return case


def film_of(work: Worklist, case: ToDraw) -> tuple[Xray, tuple[Window, ...]]:
    """The film of a case and the windows to show it in, kept in memory while it is drawn on."""
    if not case.image.is_file():
        where = f"{work.table.path.name}, case {case.case_id}, image"
        raise InvalidInput([Fault(where, f"no file {case.image.name}", "a film that exists")])
    now = case.image.stat()
    return _film(case.image, work.image, (now.st_ino, now.st_size, now.st_mtime_ns))


def anterior_of(case: ToDraw, xray: Xray) -> str | None:
    """The side that the patient faces: as the table says, else the film."""
    said = case.anterior.strip().lower()
    return said if said in {"left", "right"} else xray.anterior


def now() -> str:
    """The time as records have it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@functools.lru_cache(maxsize=_KEPT)
def _film(path: Path, settings: ImageSettings, _state: tuple[int, ...]) -> tuple[Xray, tuple[Window, ...]]:
    xray = read_film(path, settings)
    return xray, windows_of(xray, path)


def _measured(work: Worklist, case: ToDraw, drawing: Drawing) -> dict[str, object] | None:
    if not drawing.closed and len(drawing.points) < len(outline.ORDER):
        return None
    xray, _ = film_of(work, case)
    found = measures_of(drawing, xray, anterior_of(case, xray))
    return found.as_json() if found else None


def _plain(step: BaseModel) -> dict[str, Any]:
    """As JSON would give it back, so that a step sent twice is known again."""
    return step.model_dump(mode="json")


def _tools(steps: list[Any]) -> dict[str, int]:
    """How often each tool was used."""
    used: dict[str, int] = {}
    for one in steps:
        name = one.get("tool", one["kind"])
        used[name] = used.get(name, 0) + 1
    return used


def _about_image(case: ToDraw, xray: Xray) -> dict[str, Any]:
    rows, columns = _shape(xray)
    return {
        "name": case.image.name,
        "sha256": xray.digest,
        "rows": rows,
        "columns": columns,
        "spacing_mm": xray.spacing_mm,
        "spacing_source": xray.spacing_source,
    }


def _enter_region(work: Worklist, reader: str, case: ToDraw) -> bool:
    """A second reader's drawings do not enter a table that holds the first one's."""
    if case.region:
        return False
    owners = {name for name in readers_of(work.folder) for one in work.cases if one.region.startswith(f"masks/{name}/")}
    if owners - {reader}:
        return False
    region = mask_path(work.folder, reader, case.case_id).relative_to(work.folder).as_posix()
    return bool(work.table.set_regions({case.case_id: region}))


def _shape(xray: Xray) -> tuple[int, int]:
    return xray.pixels.shape[0], xray.pixels.shape[1]
