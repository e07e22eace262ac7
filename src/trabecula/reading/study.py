"""Cases -> films and regions in memory, each file decoded once; every fault of a film at once."""

import functools
import hashlib
import os
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import numpy as np

from ..errors import Fault, InvalidInput
from ..processes import share
from ..records import Case, Region, Side, Study, Xray
from ..settings import ImageSettings
from .images import read_labels, read_picture, sidecar_name, sidecar_of
from .inspection import FilmFacts, inspect_film
from .picture import Picture, as_float, is_file
from .quality import Thumbnail, thumbnail
from .remote import at_hand, sidecar_at, state_at

_READING = "2026.2"  # raise it when a film or region may come out otherwise than before
_State = tuple[int, ...] | str | None
ANTERIOR = "anterior"  # a column of the table of cases


@dataclass(frozen=True)
class FilmCheck:
    """What reading one film and its regions showed."""

    image: str
    cases: tuple[str, ...]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    spacing_source: str
    thumbnail: Thumbnail | None = field(default=None, repr=False, compare=False)
    facts: FilmFacts | None = None
    digests: tuple[str, ...] = ()  # of its cases, as film_digests gives them


def films(study: Study, wanted: Container[str] | None = None) -> list[tuple[Path, tuple[Case, ...]]]:
    """The cases of each film, in the order of the table; those with a wanted id alone, where it is said which are."""
    grouped: dict[Path, list[Case]] = {}
    for case in study.cases if wanted is None else (case for case in study.cases if case.case_id in wanted):
        grouped.setdefault(case.image, []).append(case)
    return [(image, tuple(cases)) for image, cases in grouped.items()]


def load_film(cases: Sequence[Case], settings: ImageSettings) -> tuple[Xray, list[Region]]:
    """One film and the regions of its cases, or InvalidInput with every fault of both; a file that changes is one."""
    with at_hand(cases) as here:
        return _load(here, settings)


def read_film(image: Path, settings: ImageSettings) -> Xray:
    """One film alone."""
    return _xray(read_picture(image, settings), image)


def check_films(study: Study, settings: ImageSettings, jobs: int) -> Iterator[FilmCheck]:
    """Read every film and region of a study, in order, and say what was found."""
    work = (joblib.delayed(_check_film)(cases, settings) for _, cases in films(study))
    yield from share(work, jobs)


def film_digests(cases: Sequence[Case], settings: ImageSettings) -> list[str]:
    """For each case of one film: the SHA-256 of all that decides its film and region in memory."""
    known: dict[Path, str] = {}
    digests = []
    with at_hand(cases) as here:
        for case in here:
            paths = (case.image, sidecar_of(case.image), case.region)
            for path in paths:
                if path not in known:
                    known[path] = _sha256(path) if is_file(path) else ""
            said = (case.region_value, case.columns.get(ANTERIOR, ""))
            words = [_READING, settings.model_dump_json(), *said, *(known[path] for path in paths)]
            digests.append(hashlib.sha256(repr(words).encode()).hexdigest())
    return digests


def film_states(cases: Sequence[Case], settings: ImageSettings) -> list[str]:
    """For each case of one film what film_digests sees, with size, time and mode of the files in place of bytes."""
    how, image = settings.model_dump_json(), cases[0].image
    film, notes = _state_of(image, cases[0]), _state_of_notes(image, cases[0])
    masks: dict[Path, _State] = {}
    states = []
    for case in cases:
        if (mask := masks.get(case.region)) is None:
            mask = masks[case.region] = _state_of(case.region, case)
        said = (case.case_id, case.region_value, case.columns.get(ANTERIOR, ""), image.name, case.region.name)
        states.append(repr([_READING, how, *said, film, notes, mask]))
    return states


def _load(cases: Sequence[Case], settings: ImageSettings) -> tuple[Xray, list[Region]]:
    faults: list[Fault] = []
    image = cases[0].image
    before = _states_here(cases)
    names = ", ".join(case.case_id for case in cases[:3]) + ("" if len(cases) < 4 else f" and {len(cases) - 3} more")
    picture: Picture | None = None
    said: Side | None = None
    try:
        picture = read_picture(image, settings)
    except InvalidInput as error:
        faults += [Fault(f"case {names}, {f.where}", f.found, f.expected, f.action) for f in error.faults]
    try:
        said = _anterior(cases)
    except InvalidInput as error:
        faults += error.faults
    regions: list[Region] = []
    labels: dict[Path, np.ndarray | None] = {}
    for case in cases:
        try:
            if case.region not in labels:
                labels[case.region] = None
                labels[case.region] = read_labels(case.region, settings)
            found = labels[case.region]
            if found is not None:
                regions.append(_region(case, found, None if picture is None else picture.pixels.shape))
        except InvalidInput as error:
            faults += [Fault(f"case {case.case_id}, {f.where}", f.found, f.expected, f.action) for f in error.faults]
    xray = None if picture is None else _xray(picture, image, said)
    now = _states_here(cases)
    faults += [changed(f"case {names}, {path.name}", "it was read") for path in before if now[path] != before[path]]
    if faults or xray is None:
        raise InvalidInput(faults)
    return xray, regions


def changed(where: str, when: str) -> Fault:
    """A file did not stay as it was while something was done."""
    action = "Give the same command again when nothing is copied or drawn there any more."
    return Fault(where, f"changed while {when}", "a file that stays as it is", action)


def _state_of(path: Path, case: Case) -> _State:
    """None where there is no file."""
    return state_at(case.addresses[path]) if path in case.addresses else _state_here(str(path))


def _state_of_notes(image: Path, case: Case) -> _State:
    if image not in case.addresses:
        return _state_here(str(image).removesuffix(image.name) + sidecar_name(image.name))
    notes = sidecar_at(case.addresses[image])
    return None if notes is None else state_at(notes)


def _states_here(cases: Sequence[Case]) -> dict[Path, _State]:
    paths = dict.fromkeys(path for one in cases for path in (one.image, sidecar_of(one.image), one.region))
    return {path: _state_here(str(path)) for path in paths}


def _state_here(path: str) -> _State:
    try:
        now = os.stat(path)  # noqa: PTH116 of each film of a table, and twice as fast
    except OSError:
        return None
    return now.st_size, now.st_mtime_ns, now.st_mode


def _anterior(cases: Sequence[Case]) -> Side | None:
    """The side that the table gives the cases of one film, which goes before settings and file."""
    said = {case.case_id: case.columns.get(ANTERIOR, "").strip().lower() for case in cases}
    known: dict[str, Side] = {"left": "left", "right": "right"}
    wrong = {name: text for name, text in said.items() if text and text not in known}
    faults = [Fault(f"case {name}, {ANTERIOR}", repr(text), "left, right or nothing") for name, text in wrong.items()]
    sides = {text for text in said.values() if text}
    if not faults and len(sides) > 1:
        found = " and ".join(f"{text} (case {name})" for name, text in said.items() if text)
        faults.append(Fault(f"{cases[0].image.name}, {ANTERIOR}", found, "one side of a film"))
    if faults:
        raise InvalidInput(faults)
    return known[sides.pop()] if sides else None


def _xray(picture: Picture, image: Path, anterior: Side | None = None) -> Xray:
    return Xray(
        as_float(picture),
        picture.spacing_mm,
        picture.spacing_source,
        image.name,
        _sha256(image),
        picture.history,
        picture.device,
        anterior or picture.anterior,
    )


def _region(case: Case, labels: np.ndarray, shape: tuple[int, ...] | None) -> Region:
    if shape is not None and labels.shape != shape:
        found = f"the mask is {labels.shape[0]} x {labels.shape[1]}, the film {shape[0]} x {shape[1]} (rows x columns)"
        action = "Save the mask on the film's own grid."
        if labels.shape == shape[::-1]:
            action = "It fits only after a transpose: look at it, then set image: {mask_orientation: transpose}."
        raise InvalidInput([Fault(case.region.name, found, "the same shape", action)])
    inside = labels != 0 if case.region_value is None else labels == case.region_value
    if not inside.any():
        if case.region_value is None:
            raise InvalidInput([Fault(case.region.name, "an empty mask: every pixel is 0", "a drawn region")])
        present = ", ".join(map(str, np.unique(labels[labels != 0])[:20])) or "none"
        found = f"an empty region: no pixel has the value {case.region_value} (values there: {present})"
        raise InvalidInput([Fault(case.region.name, found, "at least one pixel", "Check region_value.")])
    return Region(np.ascontiguousarray(inside), case.case_id, case.region.name, _sha256(case.region))


def _check_film(cases: Sequence[Case], settings: ImageSettings) -> FilmCheck:
    ids = tuple(case.case_id for case in cases)
    try:
        with at_hand(cases) as here:
            xray, regions = load_film(here, settings)
            digests = tuple(film_digests(here, settings))
    except InvalidInput as error:
        return FilmCheck(cases[0].image.name, ids, error.faults, (), "")
    notes = list(xray.history)
    if xray.spacing_source == "imager_pixel_spacing":
        notes.append("spacing is that of the detector plane")
    small, facts = thumbnail(xray.pixels), inspect_film(xray, regions)
    return FilmCheck(xray.source, ids, (), tuple(notes), xray.spacing_source, small, facts, digests)


def _sha256(path: Path) -> str:
    now = path.stat()
    return _sha256_of(path, (now.st_ino, now.st_size, now.st_mtime_ns))


@functools.lru_cache(maxsize=64)
def _sha256_of(path: Path, _state: tuple[int, ...]) -> str:
    """Kept, as a film is asked for its digest before and after it is read, and a mask by each of its vertebrae."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
