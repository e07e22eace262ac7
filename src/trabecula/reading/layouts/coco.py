"""COCO instances: polygons, lengths of runs where a region has holes, and the six points as keypoints."""

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
from .contours import filled, trace
from .levels import level_of
from .maps import stem_of
from .marks import About, Cut, Film, Found, Haul, Mark
from .numbers import ring_of, shape_of
from .plain import write_film
from .runs import coco_counts, coco_text, from_coco
from .text import read_json

FILE = "annotations.json"
_VISIBLE = 2


def write_coco(films: Iterable[Film], folder: Path, about: About) -> None:
    """images/FILM.png and annotations.json; the case's id stands in each annotation as case_id."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, film in enumerate(films, start=1):
        write_film(folder / "images" / f"{film.name}.png", film)
        rows, columns = film.xray.pixels.shape
        images.append({"id": number, "file_name": f"{film.name}.png", "height": rows, "width": columns})
        for mark in film.marks:
            annotations.append({"id": len(annotations) + 1, "image_id": number, **_annotation(mark)})
    categories = [
        {"id": value, "name": name, "supercategory": "vertebra", "keypoints": list(ORDER), "skeleton": _ROUND}
        for value, name in sorted(about.names.items())
    ]
    content = {"info": {"description": about.study}, "images": images, "annotations": annotations}
    write_atomically(folder / FILE, json.dumps(content | {"categories": categories}, ensure_ascii=False) + "\n")


def read_coco(source: Path) -> Haul:
    """Every annotation with a segmentation, or with six visible keypoints."""
    path = _file(source)
    content = read_json(path)
    lists = {key: content.get(key) for key in ("images", "annotations", "categories")}
    wrong = [
        Fault(f"{path.name}, {key}", f"a {type(value).__name__}", "a list of objects")
        for key, value in lists.items()
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value)
    ]
    if wrong:
        raise InvalidInput(wrong)
    images = {one.get("id"): one for one in content["images"] if isinstance(one.get("id"), int)}
    levels = {
        one.get("id"): str(one.get("name", "")) for one in content["categories"] if isinstance(one.get("id"), int)
    }
    found: list[Found] = []
    faults: list[Fault] = []
    for number, one in enumerate(content["annotations"]):
        where = f"{path.name}, annotations[{number}]"
        try:
            image = images.get(_key(one.get("image_id")))
            if image is None:
                raise ValueError(f"image_id {one.get('image_id')!r}, which no image has")
            shape = shape_of(where, image.get("height"), image.get("width"))
            film = stem_of(Path(str(image.get("file_name", "")).replace("\\", "/")))
            points = _points(one.get("keypoints"))
            given = one.get("segmentation")
            cut = Cut.of(_segmentation(given, shape)) if given or points is None else None
            named = (str(one.get("case_id", "")),)
            level = level_of(levels.get(_key(one.get("category_id")), ""))
            found.append(Found(where, film, cut, named, level, points=points))
        except InvalidInput as error:
            faults += error.faults
        except (ValueError, TypeError, OverflowError) as error:
            faults.append(Fault(where, words(error), "polygons or lengths of runs on an image"))
    return Haul(tuple(found), tuple(faults))


def is_coco(source: Path) -> bool:
    """A JSON with images and annotations, or a folder with it."""
    try:
        content = read_json(_file(source))
    except InvalidInput:
        return False
    return isinstance(content.get("images"), list) and isinstance(content.get("annotations"), list)


def _annotation(mark: Mark) -> dict[str, Any]:
    whole = mark.cut.whole
    outlines = trace(whole)
    if outlines.holes:
        segmentation: Any = {"counts": coco_counts(whole), "size": list(mark.cut.shape)}
    else:
        segmentation = [ring.ravel().tolist() for ring in outlines.outer]
    made: dict[str, Any] = {
        "category_id": mark.value,
        "case_id": mark.case_id,
        "segmentation": segmentation,
        "area": int(mark.cut.inside.sum()),
        "bbox": list(mark.cut.box),
        "iscrowd": 0,
    }
    if mark.points is not None:
        triples = np.column_stack([mark.points + 0.5, np.full(len(ORDER), _VISIBLE)])
        made |= {"keypoints": triples.ravel().tolist(), "num_keypoints": len(ORDER)}
    return made


def _segmentation(given: Any, shape: tuple[int, int]) -> Inside:
    if isinstance(given, dict):
        if list(given.get("size") or []) != list(shape):
            raise ValueError(f"size {given.get('size')!r} on a film of {shape[0]} x {shape[1]}")
        counts = given.get("counts")
        return from_coco(coco_text(counts) if isinstance(counts, str) else list(counts or []), shape)
    if not isinstance(given, list) or not given:
        raise ValueError("no segmentation")
    out = np.zeros(shape, dtype=bool)
    for flat in given:
        out |= filled([ring_of(np.asarray(flat, dtype=np.float64).reshape(-1, 2))], shape)
    return out


def _points(given: Any) -> Points | None:
    """Six visible keypoints, else none."""
    if not isinstance(given, list) or len(given) != 3 * len(ORDER):
        return None
    triples = np.asarray(given, dtype=np.float64).reshape(-1, 3)
    if not np.isfinite(triples).all() or (triples[:, 2] == 0).any():
        return None
    return np.ascontiguousarray(triples[:, :2] - 0.5)


def _file(source: Path) -> Path:
    if source.is_file():
        return source
    files = sorted(source.glob("*.json")) + sorted(source.glob("annotations/*.json"))
    return source / FILE if (source / FILE).is_file() or not files else files[0]


def _key(value: Any) -> int | None:
    return value if isinstance(value, int) else None


_ROUND = [[n + 1, (n + 1) % len(ORDER) + 1] for n in range(len(ORDER))]
