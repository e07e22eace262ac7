"""CVAT for images 1.1: one XML with polygons, points, and masks where a region has holes."""

import json
import re
import xml.etree.ElementTree as ElementTree  # noqa: ICN001 written here; read by text.read_xml alone
from collections.abc import Iterable
from pathlib import Path

from ...errors import Fault, InvalidInput
from ...records import Inside
from ...storage import write_atomically
from ..outline import ORDER
from ..picture import words
from .contours import filled, trace
from .levels import level_of
from .maps import stem_of
from .marks import About, Cut, Film, Found, Haul, Mark
from .numbers import ring_of, shape_of
from .plain import write_film
from .runs import cvat_counts, from_cvat
from .text import read_xml

FILE = "annotations.xml"
_CASE = "case_id"
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # no XML can hold them


def write_cvat(films: Iterable[Film], folder: Path, about: About) -> None:
    """images/FILM.png, annotations.xml, and labels.json to paste into a new CVAT task."""
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    for number, film in enumerate(films):
        write_film(folder / "images" / f"{film.name}.png", film)
        rows, columns = film.xray.pixels.shape
        about_film = {"id": str(number), "name": f"{film.name}.png", "width": str(columns), "height": str(rows)}
        image = ElementTree.SubElement(root, "image", about_film)
        for group, mark in enumerate(film.marks, start=1):
            _write_mark(image, mark, group)
    ElementTree.indent(root, " ")
    write_atomically(folder / FILE, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))
    attribute = {"name": _CASE, "mutable": False, "input_type": "text", "default_value": "", "values": [""]}
    labels = [{"name": name, "attributes": [attribute]} for name in [*about.names.values(), *ORDER]]
    write_atomically(folder / "labels.json", json.dumps(labels, indent=1, ensure_ascii=False) + "\n")


def read_cvat(source: Path) -> Haul:
    """Every polygon, box and mask of every image."""
    path = source / FILE if source.is_dir() else source
    root = read_xml(path)
    if root.tag != "annotations":
        raise InvalidInput([Fault(path.name, f"<{root.tag}>", "<annotations>, CVAT for images 1.1")])
    found: list[Found] = []
    faults: list[Fault] = []
    for number, image in enumerate(root.iter("image")):
        where = f"{path.name}, image[{number}]"
        try:
            shape = shape_of(where, image.get("height"), image.get("width"))
        except InvalidInput as error:
            faults += error.faults
            continue
        film = stem_of(Path(image.get("name", "").replace("\\", "/")))
        for place, one in enumerate(image):
            at = f"{where}, {one.tag}[{place}]"
            if one.tag not in _KINDS:
                if one.tag not in _PASSED:
                    expected = f"one of {', '.join([*_KINDS, *_PASSED])}"
                    faults.append(Fault(at, f"a shape {one.tag!r}", expected))
                continue
            try:
                cut = Cut.of(_KINDS[one.tag](one, shape))
                named = (_attribute(one, _CASE), one.get("label", ""))
                level, group = level_of(one.get("label", "")), one.get("group_id", "")
                found.append(Found(at, film, cut, named, level, group=group))
            except (ValueError, TypeError, OverflowError) as error:
                faults.append(Fault(at, words(error), "a shape on the film"))
    return Haul(tuple(found), tuple(faults))


def is_cvat(source: Path) -> bool:
    """An XML whose root is annotations."""
    path = source / FILE if source.is_dir() else source
    if not path.is_file() or path.suffix != ".xml":
        return False
    try:
        return read_xml(path).tag == "annotations"
    except InvalidInput:
        return False


def _write_mark(image: ElementTree.Element, mark: Mark, group: int) -> None:
    about = {"source": "manual", "occluded": "0", "z_order": "0", "group_id": str(group)}
    outlines = trace(mark.cut.whole)
    made = []
    if outlines.holes:
        runs = ", ".join(map(str, cvat_counts(mark.cut.inside)))
        box = dict(zip(("left", "top", "width", "height"), map(str, mark.cut.box), strict=True))
        made.append(ElementTree.SubElement(image, "mask", {"label": mark.name, "rle": runs, **box, **about}))
    for ring in () if outlines.holes else outlines.outer:
        points = _text(ring.tolist())
        made.append(ElementTree.SubElement(image, "polygon", {"label": mark.name, "points": points, **about}))
    for name, point in zip(ORDER, [] if mark.points is None else (mark.points + 0.5).tolist(), strict=False):
        made.append(ElementTree.SubElement(image, "points", {"label": name, "points": _text([point]), **about}))
    if _UNPRINTABLE.search(mark.case_id):
        raise InvalidInput([Fault(f"case {mark.case_id!r}", "an unprintable letter", "an id that XML can hold")])
    for one in made:
        ElementTree.SubElement(one, "attribute", {"name": _CASE}).text = mark.case_id


def _text(points: list[list[float]]) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in points)


def _attribute(one: ElementTree.Element, name: str) -> str:
    return next((child.text or "" for child in one.iter("attribute") if child.get("name") == name), "")


def _polygon(one: ElementTree.Element, shape: tuple[int, int]) -> Inside:
    points = [[float(n) for n in pair.split(",")] for pair in one.get("points", "").split(";")]
    return filled([ring_of(points)], shape)


def _box(one: ElementTree.Element, shape: tuple[int, int]) -> Inside:
    x0, y0, x1, y1 = (float(one.get(key, "nan")) for key in ("xtl", "ytl", "xbr", "ybr"))
    return filled([ring_of([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])], shape)


def _mask(one: ElementTree.Element, shape: tuple[int, int]) -> Inside:
    left, top, width, height = (int(one.get(key, "-1")) for key in ("left", "top", "width", "height"))
    counts = [int(n) for n in one.get("rle", "").split(",")]
    return from_cvat(counts, (left, top, width, height), shape).whole


_KINDS = {"polygon": _polygon, "box": _box, "mask": _mask}
_PASSED = ("points", "tag")
