"""A study's regions to other programs and back."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import Fault, InvalidInput
from ..reading import load_film, read_film, region_of_points
from ..reading.layouts import FORMATS, About, Cut, Film, Given, Mark, film_names, match, recognise
from ..reading.layouts.levels import numbered
from ..reading.readers import OWN, as_read, cases_to_mark, check_reader, set_regions, six_points, write_masks
from ..records import TRAINING, Case, Inside, Xray
from ..settings import FILE_NAME, Settings, read_settings
from .check import Tell, silent


@dataclass(frozen=True)
class Exported:
    """Where to, how much, and which cases have no region yet."""

    folder: Path
    films: int
    cases: int
    without: tuple[str, ...]


@dataclass(frozen=True)
class Imported:
    """Which layout it was, the cases that were found, the masks that are new, the cells of `region` that were set."""

    layout: str
    cases: tuple[str, ...]
    written: int
    set_: tuple[str, ...]
    kept: tuple[str, ...]


def export_regions(folder: Path, layout: str, output: Path, *, reader: str = OWN, tell: Tell = silent) -> Exported:
    """Write films and regions to a new folder, whole or not at all; every fault of the films at once."""
    write = FORMATS[layout].write
    if write is None:
        raise InvalidInput([Fault("format", layout, "a layout that is written", "For a PACS, export dicom-seg.")])
    settings = study_settings(folder)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InvalidInput([Fault(str(output), "exists already", "a new folder", "Name another with -o.")])
    every = cases_to_mark(folder, settings)
    cases = as_read(folder, every, reader)
    if not cases:
        action = "Draw or import regions first."
        raise InvalidInput([Fault(f"reader {reader}", "no region of any case", "regions to export", action)])
    films: dict[Path, list[Case]] = {}
    for case in cases:
        films.setdefault(case.image, []).append(case)
    numbers = numbered(list(films.values()))
    names = dict(sorted(set(numbers.values())))
    if max(names) > 255:
        raise InvalidInput([Fault("cases", f"{max(names)} regions on a film", "at most 255")])
    about = About(settings.name or folder.resolve().name, names, {case.case_id: case.columns for case in cases})
    faults: list[Fault] = []
    with _whole(output, faults) as beside:
        write(_films(folder, reader, films, numbers, settings, faults, tell), beside, about)
    drawn = {case.case_id for case in cases}
    without = tuple(case.case_id for case in every if case.case_id not in drawn)
    return Exported(output, len(films), len(cases), without)


def import_regions(
    folder: Path,
    source: Path,
    layout: str,
    *,
    reader: str,
    use: bool = False,
    replace_: bool = False,
    tell: Tell = silent,
) -> Imported:
    """Write the regions that a file or folder holds as a reader's masks; nothing is written where anything is wrong.

    They become the study's own where its column region is empty; with ``use`` everywhere, which needs ``replace_``
    where another region stands there.
    """
    settings = study_settings(folder)
    check_reader(reader)
    if not source.exists():
        raise InvalidInput([Fault(str(source), "no such file or folder", "regions to import")])
    layout = recognise(source) if layout == "auto" else layout
    cases = cases_to_mark(folder, settings)
    haul = FORMATS[layout].read(source)
    faults = list(haul.faults)
    given, unmatched = match(haul.found, cases)
    faults += unmatched
    if not haul.found and not faults:
        faults.append(Fault(source.name, f"no region in the layout {layout}", "at least one"))
    regions = _regions(given, settings, faults, tell)
    others = [one.case for one in given if one.case.region.is_file()]
    if use and not replace_:
        faults += _in_place_of(others, folder / "masks" / reader)
    if faults:
        raise InvalidInput(faults)
    written = write_masks(folder, reader, regions, [case.case_id for case in cases], replace_=replace_)
    changed = set_regions(folder, settings, reader, list(regions), all_=use)
    kept = tuple(case.case_id for case in others if case.case_id not in changed)
    return Imported(layout, tuple(regions), len(written), tuple(changed), kept)


def study_settings(folder: Path) -> Settings:
    """The settings of a study, or every fault in them."""
    settings, faults = read_settings(folder / FILE_NAME)
    if settings is None or faults:
        raise InvalidInput(faults)
    return settings


@contextmanager
def _whole(output: Path, faults: list[Fault]) -> Iterator[Path]:
    """A folder to write to, which becomes ``output`` once the block is done, or is gone where there are faults."""
    beside = output.with_name(f".{output.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        yield beside
    except InvalidInput as error:
        faults += error.faults
    if faults:
        shutil.rmtree(beside, ignore_errors=True)
        raise InvalidInput(faults)
    if output.exists():
        output.rmdir()
    output.parent.mkdir(parents=True, exist_ok=True)
    beside.replace(output)


def _films(
    folder: Path,
    reader: str,
    films: dict[Path, list[Case]],
    numbers: dict[str, tuple[int, str]],
    settings: Settings,
    faults: list[Fault],
    tell: Tell,
) -> Iterator[Film]:
    """Each film that can be read, with its marks; what is wrong with the others goes to ``faults``."""
    names = film_names(list(films))
    for done, (image, cases) in enumerate(films.items(), start=1):
        try:
            xray, regions = load_film(cases, settings.image)
        except InvalidInput as error:
            faults += error.faults
            continue
        marks = tuple(
            Mark(
                case.case_id,
                Cut.of(region.inside),
                *numbers[case.case_id],
                six_points(folder, reader, case.case_id),
            )
            for case, region in zip(cases, regions, strict=True)
        )
        training = all(case.cohort == TRAINING for case in cases)
        yield Film(names[image], image, xray, marks, cases[0].patient_id, training)
        tell("films", done, len(films))


def _in_place_of(cases: Sequence[Case], mine: Path) -> Iterator[Fault]:
    """The cases that have a region of somebody else's, whose masks are not those in ``mine``."""
    for case in cases:
        if case.region.parent != mine:
            where, found = f"case {case.case_id}, region", f"already {case.region.name}"
            yield Fault(where, found, "an empty cell", "Allow it with --replace.")


def _regions(given: Sequence[Given], settings: Settings, faults: list[Fault], tell: Tell) -> dict[str, Inside]:
    """Every case's region on its film's grid."""
    films: dict[Path, Xray | None] = {}
    regions: dict[str, Inside] = {}
    for done, one in enumerate(given, start=1):
        image = one.case.image
        if image not in films:
            films.clear()  # a film is big, and its regions mostly come one after another
            try:
                films[image] = read_film(image, settings.image)
            except InvalidInput as error:
                films[image] = None
                faults += error.faults
        xray = films[image]
        if xray is not None:
            try:
                regions[one.case.case_id] = _region(one, xray)
            except InvalidInput as error:
                faults += error.faults
        tell("regions", done, len(given))
    return regions


def _region(given: Given, xray: Xray) -> Inside:
    """All parts together; within the outline through six points where points are all there is."""
    shape = xray.pixels.shape
    cuts = [part.cut for part in given.parts if part.cut is not None]
    wrong = [_misfit(p.where, p.cut.shape, shape) for p in given.parts if p.cut is not None and p.cut.shape != shape]
    if wrong:
        raise InvalidInput(wrong)
    if not cuts:
        points = next(part.points for part in given.parts if part.points is not None)
        text = " ".join(f"{x},{y}" for x, y in points.tolist())
        try:
            return region_of_points(xray, text, given.case.case_id).inside
        except InvalidInput as error:
            where = given.parts[0].where
            raise InvalidInput([replace(fault, where=f"{where}, {fault.where}") for fault in error.faults]) from None
    inside = np.logical_or.reduce([cut.whole for cut in cuts])
    if not inside.any():
        raise InvalidInput([Fault(given.parts[0].where, "an empty region", "at least one pixel of the film")])
    return inside


def _misfit(where: str, found: tuple[int, ...], shape: tuple[int, ...]) -> Fault:
    action = "Turn it round before it is imported." if found == shape[::-1] else "Mark the film on its own grid."
    text = f"a region on {found[0]} x {found[1]} pixels, the film has {shape[0]} x {shape[1]} (rows x columns)"
    return Fault(where, text, "the same shape", action)
