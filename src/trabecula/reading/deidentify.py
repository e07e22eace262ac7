"""Films -> films that nobody can be known by: pixels, and named facts from an allow-list; nothing else is carried over.

    OUT/films/PATIENT_FILM.png   the study's greys in 16 bits, bright = dense
    OUT/films/PATIENT_FILM.json  what ``allowed`` lets through; also the sidecar that reading takes up
    OUT/films.csv                the same, a row a film
    OUT/corners.html             the corners of every film, for a person to look at
    OUT/left-out.txt             names of films, written by that person, that shall not be there

Words that are burned into the picture stay in it: a person has to look.
"""

import csv
import io
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from ..errors import Fault, InvalidInput
from ..processes import share
from ..settings import ImageSettings
from ..storage import write_atomically
from .allowed import allowed, spacing
from .corners import sheet, strip
from .dicom import unswollen
from .images import SUFFIXES, read_picture
from .picture import as_float, words
from .pseudonyms import pseudonym, take_key, write_private
from .sixteen import png, sixteen_bits

_SCHEMA = 1
_FILMS, _CORNERS, _LEFT_OUT = "films", "corners", "left-out.txt"
_HEADER = (
    "PatientID", "PatientAge", "PatientBirthDate", "StudyDate", "PatientSex", "ViewPosition", "BodyPartExamined",
    "Manufacturer", "ManufacturerModelName", "DetectorID", "KVP", "Exposure", "BitsStored", "BurnedInAnnotation",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """One file: the film it became and its patient's pseudonym, or why it became none."""

    source: Path
    film: str = ""
    patient: str = ""
    burned_in: str = ""
    known: bool = True  # the film names its patient
    left_out: bool = False
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Deidentified:
    """All films that are there, how many were left out by name, failed files, and others that are no pictures."""

    films: tuple[Made, ...]
    left_out: int
    failed: tuple[Made, ...]
    passed: tuple[Path, ...]


def deidentify(
    source: Path,
    out: Path,
    key_file: Path,
    *,
    crosswalk: bool = False,
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Deidentified:
    """Write every film below ``source`` to ``out``; what is there already is kept, so a stopped run goes on.

    ``source`` is only read. ``crosswalk`` writes which file became which film beside the key, never to ``out``.
    """
    _refuse_places(source, out)
    key = take_key(key_file, away_from=(out, source) if source.is_dir() else (out,))
    _claim(out, key)
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    pictures = [path for path in files if _is_picture(path)]
    made: list[Made] = []
    for one in share((joblib.delayed(_deidentify)(path, out, key) for path in pictures), jobs):
        made.append(one)
        progress(len(made), len(pictures))
    _write_tables(out)
    films = tuple(one for one in made if one.film and not one.left_out)
    if crosswalk:
        _write_crosswalk(key_file.with_name(f"{key_file.name}.crosswalk.csv"), films)
    passed = tuple(path for path in files if path not in set(pictures))
    left_out = sum(one.left_out for one in made)
    return Deidentified(films, left_out, tuple(one for one in made if one.faults), passed)


def _refuse_places(source: Path, out: Path) -> None:
    if not source.exists():
        raise InvalidInput([Fault(str(source), "no such file or folder", "films")])
    here, there = source.resolve(), out.resolve()
    if there.is_relative_to(here) or here.is_relative_to(there):
        raise InvalidInput([Fault(str(out), f"one of {source} and {out} holds the other", "folders apart")])


def _claim(out: Path, key: bytes) -> None:
    """Films of two keys in one folder would be the same patients under two names."""
    mark = json.dumps({"schema": _SCHEMA, "key": pseudonym(key, "key", b"")}) + "\n"
    path = out / "export.json"
    if path.is_file() and path.read_text(encoding="utf-8") != mark:
        action = "Give the key that it was made with, or another folder."
        raise InvalidInput([Fault(str(out), "films that were exported with another key", "the same key", action)])
    write_atomically(path, mark)


def _is_picture(path: Path) -> bool:
    """By the suffix, or by DICOM's mark."""
    if path.name.lower().endswith(SUFFIXES):
        return True
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM" and path.name.upper() != "DICOMDIR"
    except OSError:
        return True  # to be told of where it is read


def _deidentify(path: Path, out: Path, key: bytes) -> Made:
    try:
        return _export(path, out, key)
    except InvalidInput as error:
        return Made(path, faults=error.faults)
    except Exception as error:  # noqa: BLE001 one file must not stop the others, whatever is wrong with it
        fault = Fault(path.name, f"cannot be read ({words(error, path)})", "a whole film")
        return Made(path, faults=(fault,))


def _export(path: Path, out: Path, key: bytes) -> Made:
    header = _header(path)
    content = pseudonym(key, "film", path.read_bytes())
    given = str(header.get("PatientID") or "").strip()
    patient = pseudonym(key, "patient", given.encode()) if given else content
    name = f"{patient}_{content}"
    notes = out / _FILMS / f"{name}.json"
    if name in _left_out(out):
        for file in (notes, notes.with_suffix(".png"), out / _CORNERS / f"{name}.png"):
            file.unlink(missing_ok=True)
        return Made(path, name, patient, left_out=True)
    if not notes.is_file():
        picture = read_picture(path, ImageSettings())
        made = sixteen_bits(as_float(picture))
        device = " ".join(str(header.get(one) or "") for one in ("Manufacturer", "ManufacturerModelName")).strip()
        said: dict[str, Any] = {
            "schema": _SCHEMA,
            "film": name,
            "patient": patient,
            "polarity": "normal",
            "greys_inverted": any(word.startswith("greys inverted") for word in picture.history),
            "slope": made.slope,
            "intercept": made.intercept,
            "exact": made.exact,
            **({"anterior": picture.anterior} if picture.anterior else {}),
            **({"device": pseudonym(key, "device", device.encode())} if device else {}),
            **spacing(picture.spacing_mm, picture.spacing_source),
            **allowed(header),
        }
        write_atomically(out / _FILMS / f"{name}.png", png(made.greys))
        write_atomically(out / _CORNERS / f"{name}.png", strip(made.greys))
        write_atomically(notes, json.dumps(said, indent=1) + "\n")
    burned = json.loads(notes.read_text(encoding="utf-8"))["burned_in"]
    return Made(path, name, patient, burned, known=bool(given))


def _left_out(out: Path) -> set[str]:
    path = out / _LEFT_OUT
    return set(path.read_text(encoding="utf-8-sig").split()) if path.is_file() else set()


def _header(path: Path) -> dict[str, Any]:
    """The tags that are looked at; none of a file that is no DICOM."""
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(unswollen(path), specific_tags=list(_HEADER), stop_before_pixels=True)
            return {one: dataset.get(one) for one in _HEADER}
        except pydicom.errors.InvalidDicomError:
            return {}


def _write_tables(out: Path) -> None:
    """From the notes of all films, so that it is the same after any number of runs."""
    notes = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((out / _FILMS).glob("*.json"))]
    keys = ("film", "patient", "age_years", "sex", "view", "body_part", "manufacturer", "device", "kvp")
    more = ("exposure_mas", "spacing_mm", "spacing_source", "greys_inverted", "burned_in")
    rows = [[_cell(one.get(key, "")) for key in (*keys, *more)] for one in notes]
    write_atomically(out / "films.csv", _csv([[*keys, *more], *rows]))
    strips = [(one["film"], f"{_CORNERS}/{one['film']}.png", one["burned_in"]) for one in notes]
    write_atomically(out / "corners.html", sheet(strips))


def _cell(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _write_crosswalk(path: Path, films: Sequence[Made]) -> None:
    rows = sorted({(one.film, one.patient, str(one.source.resolve())) for one in films})
    write_private(path, _csv([["film", "patient", "file"], *map(list, rows)]))


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
