"""What a reader drew: each step appended to a journal as it is made, and of a finished case the region and its JSON.

    rois/<reader>/<case>.steps.jsonl    one step a line, on disk before it is answered; nothing is ever taken out
    rois/<reader>/<case>.json           six points, outline, tools, time, window, hash of the film, state, note
    masks/<reader>/<case>.png           the region, 255 inside, on the film's own grid
    masks/<reader>.csv                  all regions of a reader, as the study takes those of a second reader

Coordinates are (x, y) in pixels, whole numbers at pixel centres.
"""

import csv
import functools
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
from jaxtyping import Bool

from ..errors import Fault, InvalidInput
from ..plain_text import json_of
from ..storage import write_atomically, writing
from .outline import fill
from .regions import FEWEST_PIXELS
from .sixteen import png

Mask = Bool[np.ndarray, "rows cols"]
Place = tuple[float, float]
State = Literal["not started", "in progress", "completed", "flagged"]

CONSENSUS = "consensus"  # a reader whose drawings are chosen among others'
_SCHEMA = 1
_READER = re.compile(r"[^\W_][\w-]{0,31}")
_FARTHEST, _WIDEST = 1e6, 2000.0  # pixels: of a place, of a stroke's radius
_LONGEST = 150  # bytes of a file's name before its suffix
KEEPS_STROKES = frozenset({"drag", "move"})  # tools that change an outline and leave what was painted


@dataclass(frozen=True)
class Stroke:
    """A disc of a radius moved along a path, added to the region or taken from it."""

    radius: float
    path: tuple[Place, ...]
    adds: bool


@dataclass(frozen=True)
class Drawing:
    """What is drawn after a step: the points so far, an outline that encloses once it is closed, strokes upon it."""

    points: tuple[Place, ...] = ()
    outline: tuple[Place, ...] = ()
    closed: bool = False
    strokes: tuple[Stroke, ...] = ()


Step = Mapping[str, Any]
_Stamp = tuple[int, int, int] | None  # of a file as it is now; None where there is none


def reader_named(name: str) -> str:
    """The name, if it can be a folder's; anything that could lead elsewhere is refused."""
    if not _READER.fullmatch(name):
        expected = "a letter or figure, then up to 31 letters, figures, - or _"
        raise InvalidInput([Fault("reader", repr(name[:60]), expected, "Start with --reader R1, for instance.")])
    return name


def drawn_after(steps: Sequence[Step]) -> Drawing:
    """The drawing after the last step; an undo is a step too."""
    made, at = [Drawing()], 0
    for step in steps:
        if step["kind"] == "undo":
            at = max(at - 1, 0)
        elif step["kind"] == "redo":
            at = min(at + 1, len(made) - 1)
        else:
            made[at + 1 :] = [_DRAW[step["kind"]](made[at], step)]
            at += 1
    return made[at]


def region_of(drawing: Drawing, shape: tuple[int, int]) -> Mask:
    """The pixels within the closed outline, then with each stroke in turn."""
    inside = np.zeros(shape, dtype=bool)
    if drawing.closed and len(drawing.outline) > 2:
        inside = fill(np.array(drawing.outline, dtype=np.float64), shape)
    for stroke in drawing.strokes:
        _paint(inside, stroke)
    return inside


def append_step(folder: Path, reader: str, case_id: str, after: int, step: Step, at: str) -> list[Step]:
    """Write a step that follows ``after`` others; all steps then. One that was written already is not again.

    ``at`` is the time. Refused where another window has drawn in the meantime.
    """
    path = _journal(folder, reader, case_id)
    known = steps_of(folder, reader, case_id)
    if len(known) == after + 1 and known[-1] == step:
        return known
    if len(known) != after:
        found = f"{len(known)} steps on disk, {after} in this window"
        raise InvalidInput(
            [Fault(f"case {case_id}", found, "the same number", "It was drawn in another window too: open it again.")]
        )
    line = json.dumps({"at": at, "step": step}, ensure_ascii=False, separators=(",", ":")) + "\n"
    with writing(path):
        _append(path, line.encode())
    return [*known, step]


def steps_of(folder: Path, reader: str, case_id: str) -> list[Step]:
    """Every whole line of the journal; a line that was cut by a crash was never answered for, and is passed over.

    InvalidInput where a whole line is no step that the app writes.
    """
    path = _journal(folder, reader, case_id)
    steps = [line["step"] for line in _lines(path)] if path.is_file() else []
    for number, step in enumerate(steps, start=1):
        try:
            _check(step)
        except (ValueError, KeyError, TypeError, OverflowError):
            action = "Move this file away, and draw the case again."
            where = f"rois/{reader}/{path.name}, step {number}"
            raise InvalidInput([Fault(where, "no step of a drawing", "steps as they were written", action)]) from None
    return steps


def save_drawn(
    folder: Path, reader: str, case_id: str, drawing: Drawing, shape: tuple[int, int], about: Mapping[str, Any]
) -> Path | None:
    """The region, then its JSON, each whole or not at all; the mask's path, None where nothing is enclosed.

    ``about`` has state, note, steps and all that is to be known of the reading.
    """
    inside = region_of(drawing, shape)
    if about["state"] == "completed" and inside.sum() < FEWEST_PIXELS:
        found = f"{int(inside.sum())} pixels inside"
        raise InvalidInput(
            [Fault(f"case {case_id}", found, f"at least {FEWEST_PIXELS}", "Draw the vertebra, or flag it.")]
        )
    mask = mask_path(folder, reader, case_id) if inside.any() else None
    if mask is not None:
        write_atomically(mask, png(inside.astype(np.uint8) * 255))
    else:
        mask_path(folder, reader, case_id).unlink(missing_ok=True)
    content = {"schema": _SCHEMA, "case_id": case_id, "reader": reader, **about, **_as_json(drawing)}
    write_atomically(_saved(folder, reader, case_id), json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    return mask


def saved_of(folder: Path, reader: str, case_id: str) -> dict[str, Any] | None:
    """The JSON of a case as it was last saved, None where it never was."""
    path = _saved(folder, reader, case_id)
    if not path.is_file():
        return None
    try:
        content = json_of(path.read_text(encoding="utf-8"))
        if content["schema"] != _SCHEMA or content["case_id"] != case_id:
            raise ValueError(f"schema {content['schema']}, case {content['case_id']}")
        drawing_saved(content)
        if content["state"] not in ("completed", "flagged") or type(content["steps"]) is not int:
            raise ValueError("neither completed nor flagged after a number of steps")
        if not all(isinstance(content.get(name, ""), str) for name in ("note", "level", "view")):
            raise TypeError("a note, level or view that is no text")
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        found = f"cannot be read ({' '.join(str(error).split())[:100]})"
        action = "The steps beside it are whole: move this file away, and complete the case again."
        raise InvalidInput([Fault(f"rois/{reader}/{path.name}", found, f"schema {_SCHEMA}", action)]) from None
    return content


def drawing_saved(content: Mapping[str, Any]) -> Drawing:
    """What a saved JSON holds; ValueError, KeyError or TypeError where that is no drawing."""
    strokes = tuple(_stroke_of(one["radius"], one["path"], one["adds"]) for one in content["strokes"])
    return Drawing(_places(content["points"]), _places(content["outline"]), _flag(content["closed"]), strokes)


def state_of_case(folder: Path, reader: str, case_id: str) -> State:
    """Completed or flagged as last saved, in progress where steps came since; read again where a file has changed."""
    stamps = tuple(_stamp(path) for path in (_journal(folder, reader, case_id), _saved(folder, reader, case_id)))
    return _state(folder, reader, case_id, stamps) if any(stamps) else "not started"


def write_reader_table(folder: Path, reader: str, case_ids: Sequence[str]) -> None:
    """masks/<reader>.csv: the regions of a reader, as the setting selection.stability.second_reader takes them."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case_id", "region"])
    for case_id in case_ids:
        if (path := mask_path(folder, reader, case_id)).is_file():
            writer.writerow([case_id, path.relative_to(folder).as_posix()])
    write_atomically(folder / "masks" / f"{reader}.csv", text.getvalue())


def readers_of(folder: Path) -> tuple[str, ...]:
    """Everyone who has drawn, the consensus apart."""
    found = sorted(path.name for path in (folder / "rois").glob("*") if path.is_dir())
    return tuple(name for name in found if _READER.fullmatch(name) and name != CONSENSUS)


def mask_path(folder: Path, reader: str, case_id: str) -> Path:
    """Where the region of a case lies."""
    return folder / "masks" / reader_named(reader) / f"{file_name(case_id)}.png"


def file_name(case_id: str) -> str:
    """The case's name as a file's: it stays as it is, but what a file system could misread is escaped."""
    kept = "".join(
        sign if _harmless(sign) and (at or sign != ".") else _escaped(sign) for at, sign in enumerate(case_id)
    )
    if not kept or len(kept.encode()) > _LONGEST:
        found = f"{case_id[:40]!r}, {len(kept.encode())} bytes long as a file's name"
        raise InvalidInput([Fault("case_id", found, f"1 to {_LONGEST} bytes", "Give the case a shorter name.")])
    return kept


def _harmless(sign: str) -> bool:
    return sign.isprintable() and sign not in '/\\:*?"<>|%'


def _escaped(sign: str) -> str:
    return quote(sign, safe="") if sign != "." else "%2E"


@functools.lru_cache(maxsize=2**16)
def _state(folder: Path, reader: str, case_id: str, _stamps: tuple[_Stamp, ...]) -> State:
    steps = len(steps_of(folder, reader, case_id))
    saved = saved_of(folder, reader, case_id)
    if saved is None:
        return "in progress" if steps else "not started"
    return saved["state"] if saved["steps"] == steps else "in progress"


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _saved(folder: Path, reader: str, case_id: str) -> Path:
    return folder / "rois" / reader_named(reader) / f"{file_name(case_id)}.json"


def _journal(folder: Path, reader: str, case_id: str) -> Path:
    return folder / "rois" / reader_named(reader) / f"{file_name(case_id)}.steps.jsonl"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines():
        try:
            found = json_of(line)
        except ValueError:
            continue
        if isinstance(found, dict) and "step" in found:
            yield found


def _append(path: Path, line: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if _torn(path):
            file.write(b"\n")
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _torn(path: Path) -> bool:
    """Whether the last line has no end: whoever wrote it was killed."""
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _shape(before: Drawing, step: Step) -> Drawing:
    strokes = before.strokes if step["tool"] in KEEPS_STROKES else ()
    return Drawing(_places(step["points"]), _places(step["outline"]), _flag(step["closed"]), strokes)


def _stroke(before: Drawing, step: Step) -> Drawing:
    stroke = _stroke_of(step["radius"], step["path"], step["tool"] == "brush")
    return replace(before, strokes=(*before.strokes, stroke))


_DRAW = {"shape": _shape, "stroke": _stroke}
_TURNS = ("undo", "redo")


def _check(step: Step) -> None:
    if step["kind"] not in _TURNS:
        _DRAW[step["kind"]](Drawing(), step)


def _stroke_of(radius: float, path: Sequence[Sequence[float]], adds: bool) -> Stroke:
    if not 0 < radius <= _WIDEST or not path:
        raise ValueError("a stroke without a width or a path")
    return Stroke(radius, _places(path), _flag(adds))


def _flag(value: bool) -> bool:
    if not isinstance(value, bool):
        raise TypeError("neither true nor false")
    return value


def _paint(inside: Mask, stroke: Stroke) -> None:
    """Every pixel whose centre is within the radius of the path."""
    path = np.array(stroke.path, dtype=np.float64)
    for start, end in zip(path, path[1:] if len(path) > 1 else path, strict=False):
        low = np.floor(np.minimum(start, end) - stroke.radius).astype(int)
        high = np.ceil(np.maximum(start, end) + stroke.radius).astype(int) + 1
        rows, columns = (slice(max(low[axis], 0), max(high[axis], 0)) for axis in (1, 0))
        part = inside[rows, columns]
        y, x = np.mgrid[rows.start : rows.start + part.shape[0], columns.start : columns.start + part.shape[1]]
        along = end - start
        length = float(along @ along)
        share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length, 0, 1) if length else 0.0
        near = (x - start[0] - share * along[0]) ** 2 + (y - start[1] - share * along[1]) ** 2 <= stroke.radius**2
        part[near] = stroke.adds


def _places(pairs: Sequence[Sequence[float]]) -> tuple[Place, ...]:
    if not isinstance(pairs, list | tuple):
        raise TypeError("places that are no list")
    places = tuple((float(x), float(y)) for x, y in pairs)
    if not all(abs(one) <= _FARTHEST for place in places for one in place):
        raise ValueError("a place that is on no film")
    return places


def _as_json(drawing: Drawing) -> dict[str, Any]:
    return {
        "points": drawing.points,
        "outline": drawing.outline,
        "closed": drawing.closed,
        "strokes": [{"adds": s.adds, "radius": s.radius, "path": s.path} for s in drawing.strokes],
    }
