"""labelme: one JSON a film beside it; polygons, six points, and small masks where a region has holes."""

import base64
import binascii
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import Fault, InvalidInput
from ...records import Inside
from ...storage import write_atomically
from ..outline import ORDER, Points
from ..picture import words
from ..sixteen import png
from .contours import filled, trace
from .levels import level_of
from .maps import stem_of
from .marks import About, Cut, Film, Found, Haul, Mark
from .numbers import ring_of, shape_of
from .plain import write_film
from .text import read_json

_VERSION = "5.5.0"


def write_labelme(films: Iterable[Film], folder: Path, about: About) -> None:  # noqa: ARG001 all are called alike
    """FILM.png and FILM.json; the case's id stands in each shape's description."""
    for film in films:
        write_film(folder / f"{film.name}.png", film)
        rows, columns = film.xray.pixels.shape
        content = {
            "version": _VERSION,
            "flags": {},
            "shapes": [shape for number, mark in enumerate(film.marks) for shape in _shapes(mark, number)],
            "imagePath": f"{film.name}.png",
            "imageData": None,
            "imageHeight": rows,
            "imageWidth": columns,
        }
        write_atomically(folder / f"{film.name}.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_labelme(source: Path) -> Haul:
    """One file, or every JSON of a folder that has shapes."""
    found: list[Found] = []
    faults: list[Fault] = []
    for path in [source] if source.is_file() else sorted(source.rglob("*.json")):
        try:
            content = read_json(path)
            if "shapes" not in content and source.is_dir():
                continue
            haul = _read(path, content)
            found += haul.found
            faults += haul.faults
        except InvalidInput as error:
            faults += error.faults
    return Haul(tuple(found), tuple(faults))


def is_labelme(source: Path) -> bool:
    """A JSON with shapes, or a folder with one."""
    files = [source] if source.is_file() and source.suffix == ".json" else sorted(source.rglob("*.json"))
    for path in files:
        try:
            if "shapes" in read_json(path):
                return True
        except InvalidInput:
            continue
    return False


def _shapes(mark: Mark, group: int) -> list[dict[str, Any]]:
    about = {"label": mark.name, "description": mark.case_id, "group_id": group, "flags": {}}
    outlines = trace(mark.cut.whole)
    if outlines.holes:
        left, top, width, height = mark.cut.box
        corners = [[left, top], [left + width - 1, top + height - 1]]
        picture = base64.b64encode(png(mark.cut.inside.astype(np.uint8))).decode()
        shapes = [about | {"shape_type": "mask", "points": corners, "mask": picture}]
    else:
        shapes = [about | {"shape_type": "polygon", "points": ring.tolist(), "mask": None} for ring in outlines.outer]
    for name, point in zip(ORDER, [] if mark.points is None else (mark.points + 0.5).tolist(), strict=False):
        shapes.append(about | {"label": name, "shape_type": "point", "points": [point], "mask": None})
    return shapes


def _read(path: Path, content: dict[str, Any]) -> Haul:
    shape = shape_of(path.name, content.get("imageHeight"), content.get("imageWidth"))
    film = stem_of(Path(str(content.get("imagePath") or path.name).replace("\\", "/")))
    shapes = content["shapes"]
    if not isinstance(shapes, list):
        raise InvalidInput([Fault(f"{path.name}, shapes", f"a {type(shapes).__name__}", "a list of shapes")])
    found: list[Found] = []
    faults: list[Fault] = []
    clicks: dict[tuple[str, str], dict[str, Any]] = {}
    for number, one in enumerate(shapes):
        where = f"{path.name}, shapes[{number}]"
        try:
            kind = one.get("shape_type", "polygon") if isinstance(one, dict) else type(one).__name__
            if kind not in _KINDS and kind != "point":
                raise ValueError(f"the shape {kind!r}; known are {', '.join(_KINDS)} and point")
            label, said = str(one.get("label", "")), str(one.get("description") or "")
            group = "" if one.get("group_id") is None else str(one["group_id"])
            if kind == "point":
                clicks.setdefault((said, group), {})[label] = one.get("points")
                continue
            cut = Cut.of(_KINDS[kind](one, shape))
            found.append(Found(where, film, cut, (said, label), level_of(label), group=group))
        except (ValueError, TypeError, OverflowError) as error:
            faults.append(Fault(where, words(error), "a polygon, a rectangle or a mask on the film"))
    drawn = {(one.named[0], one.group) for one in found}
    for (said, group), named in clicks.items():
        points = _points(named)
        if points is not None and (said, group) not in drawn:
            found.append(Found(path.name, film, None, (said,), group=group, points=points))
    return Haul(tuple(found), tuple(faults))


def _points(named: dict[str, Any]) -> Points | None:
    """Six points, by the names in ``outline.ORDER``; none where one is missing."""
    try:
        points = np.array([named[name][0] for name in ORDER], dtype=np.float64) - 0.5
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return points if points.shape == (len(ORDER), 2) else None


def _polygon(one: dict[str, Any], shape: tuple[int, int]) -> Inside:
    return filled([ring_of(one.get("points"))], shape)


def _rectangle(one: dict[str, Any], shape: tuple[int, int]) -> Inside:
    points = np.asarray(one.get("points"), dtype=np.float64)
    if points.shape != (2, 2):
        raise ValueError("a rectangle without two corners")
    (x0, y0), (x1, y1) = points
    return filled([ring_of([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])], shape)


def _mask(one: dict[str, Any], shape: tuple[int, int]) -> Inside:
    from PIL import Image

    points = np.rint(np.asarray(one.get("points"), dtype=np.float64))
    if points.shape != (2, 2) or not np.isfinite(points).all():
        raise ValueError("a mask without two corners")
    (left, top), (right, bottom) = points.astype(np.int64).tolist()
    if not (0 <= left <= right < shape[1] and 0 <= top <= bottom < shape[0]):
        raise ValueError("a mask beyond the film")
    try:
        with Image.open(io.BytesIO(base64.b64decode(str(one.get("mask")), validate=True)), formats=["PNG"]) as image:
            if image.size != (right - left + 1, bottom - top + 1):
                raise ValueError("a mask of another size than its corners say")
            inside = np.asarray(image.convert("I")) != 0
    except (OSError, binascii.Error, SyntaxError) as error:
        raise ValueError(f"a mask that cannot be decoded ({words(error)})") from None
    return Cut(shape, top, left, inside).whole


_KINDS = {"polygon": _polygon, "rectangle": _rectangle, "mask": _mask}
