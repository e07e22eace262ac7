"""A folder of films and masks -> the table of cases."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import Fault, InvalidInput
from ...settings import ImageSettings
from ...storage import write_atomically
from ..cases import read_table
from ..images import SUFFIXES, read_labels

HEADINGS = ("case_id", "patient_id", "image", "region", "region_value", "label")
_MASK_WORDS = ("_mask", "-mask", "_seg", "-seg", "_label", "_roi")
_MASK_FOLDERS = {"masks", "mask", "labels", "segmentations", "labelstr", "labelsts"}
_FILM_WORDS = ("_0000", "_xray")  # how nnU-Net and BIDS end the name of a film, and not that of its mask


@dataclass(frozen=True)
class IngestResult:
    """The rows written to ``table`` and what deserves a second look."""

    table: Path
    rows: tuple[dict[str, str], ...]
    notes: tuple[str, ...]


def ingest(folder: Path, sources: Sequence[Path], labels: Path | None, *, undrawn: bool = False) -> IngestResult:
    """Match films to masks by name and write cases.csv; a mask of several values becomes several cases.

    ``labels`` is a table with ``label`` and ``case_id`` (or the film's name without suffix), and ``patient_id``
    where it is known. ``undrawn``: a film without a mask is a case too, whose region is still to be drawn. Nothing is
    overwritten.
    """
    table = folder / "cases.csv"
    missing = [Fault(str(source), "no such folder", "a folder of films") for source in sources if not source.is_dir()]
    if table.exists():
        missing.append(Fault(str(table), "exists already", "no table yet", "Move it away to build a new one."))
    if missing:
        raise InvalidInput(missing)
    found = [path for source in sources for path in _pictures(source)]
    masks = {_stem(path): path for path in found if is_mask(path)}
    names = _names([path for path in found if not is_mask(path)], folder)
    known = _labels(labels)
    rows: list[dict[str, str]] = []
    notes = []
    for image in (path for path in found if not is_mask(path)):
        mask = masks.get(_stem(image))
        if mask is None and not undrawn:
            notes.append(f"{image.name}: no mask of this name")
            continue
        values = [""] if mask is None else _values(mask)
        if mask is not None and not values:
            notes.append(f"{mask.name}: an empty mask")
        for value in values:
            case_id = names[image] + (f"_{value}" if len(values) > 1 else "")
            about = known.get(case_id, known.get(_stem(image), {}))
            rows.append(
                {
                    "case_id": case_id,
                    "patient_id": about.get("patient_id", _subject(image) or names[image]),
                    "image": _relative(image, folder),
                    "region": "" if mask is None else _relative(mask, folder),
                    "region_value": value if len(values) > 1 else "",
                    "label": about.get("label", ""),
                }
            )
    write_atomically(table, _csv(rows))
    return IngestResult(table, tuple(rows), (*notes, *_to_fill_in(rows, known)))


def films_in(folder: Path) -> list[Path]:
    """The films in a folder and those below it, by their names: masks and what is hidden are left out."""
    return [path for path in _pictures(folder) if not is_mask(path)]


def _csv(rows: Sequence[dict[str, str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=HEADINGS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _to_fill_in(rows: Sequence[dict[str, str]], known: Mapping[str, object]) -> Iterator[str]:
    """What a person has to add to the table."""
    unlabelled = sum(not row["label"] for row in rows)
    if unlabelled:
        yield f"{unlabelled} of {len(rows)} cases have no label yet: fill the column in"
    if not known:
        yield "patient_id is the film's name: correct it where a patient has several films"


def _pictures(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.name.lower().endswith(SUFFIXES))
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts))


def _values(mask: Path) -> list[str]:
    return [str(value) for value in np.unique(read_labels(mask, ImageSettings())) if value != 0]


def _names(images: Sequence[Path], folder: Path) -> dict[Path, str]:
    """Each film's name without its suffix; with its folders, and then its suffix, where that is another's name too."""
    ways: list[dict[Path, str]] = [{path: _stem(path) for path in images}, {}, {}]
    for path in images:
        folders = [part for part in Path(_relative(path, folder)).parent.parts if part.strip("/\\.:")]
        ways[1][path], ways[2][path] = "_".join([*folders, _stem(path)]), "_".join([*folders, path.name])
    counts = [Counter(way.values()) for way in ways]
    return {
        path: next((way[path] for way, n in zip(ways, counts, strict=True) if n[way[path]] == 1), ways[2][path])
        for path in images
    }


def is_mask(path: Path) -> bool:
    """By the folder or the name."""
    in_folder = any(part.lower() in _MASK_FOLDERS for part in path.parent.parts[-2:])
    return in_folder or any(word in path.name.lower() for word in _MASK_WORDS)


def _subject(path: Path) -> str:
    """The patient after whom BIDS calls a folder; "" elsewhere."""
    return next((part[4:] for part in path.parts if part.startswith("sub-")), "")


def _stem(path: Path) -> str:
    stem = path.name.split(".")[0]
    for word in (*_MASK_WORDS, *_FILM_WORDS):
        if stem.lower().endswith(word):
            return stem[: -len(word)]
    return stem


def _labels(path: Path | None) -> dict[str, dict[str, str]]:
    if path is None:
        return {}
    headings, rows = read_table(path)
    key = next((name for name in ("case_id", "image", "patient_id") if name in headings), None)
    if key is None or "label" not in headings:
        expected = "the columns case_id (or image) and label"
        raise InvalidInput([Fault(path.name, "columns " + ", ".join(headings), expected)])
    return {row[key].split(".")[0].split("/")[-1]: row for row in rows}


def _relative(path: Path, folder: Path) -> str:
    try:
        return path.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return path.resolve().as_posix()
