"""Folders of films and masks: one PNG mask a case, or one NIfTI label map a film with ITK-SNAP's label description.

Both carry cases.csv: case_id, patient_id, image, region, region_value.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import Fault, InvalidInput
from ...storage import write_atomically
from ..cases import read_table
from ..drawn import file_name
from ..images import sidecar_of
from ..picture import is_file
from ..sixteen import png, sixteen_bits
from .itksnap import DESCRIPTION, described, description
from .maps import is_picture, label_map, read_map, stem_of, write_mask, write_nifti
from .marks import About, Film, Found, Haul

TABLE = "cases.csv"
_HEADINGS = ("case_id", "patient_id", "image", "region", "region_value")
Row = tuple[str, str, str, str, str]


def write_png(films: Iterable[Film], folder: Path, about: About) -> None:  # noqa: ARG001 all layouts are called alike
    """images/FILM.png in 16 bits and masks/CASE.png, 255 inside."""
    rows: list[Row] = []
    for film in films:
        image = f"images/{film.name}.png"
        write_film(folder / image, film)
        _write_sidecar(folder / image, film)
        for mark in film.marks:
            region = f"masks/{file_name(mark.case_id)}.png"
            write_mask(folder / region, mark.cut.whole * 255)
            rows.append((mark.case_id, film.patient_id, image, region, ""))
    write_table(folder, rows)


def write_maps(films: Iterable[Film], folder: Path, about: About) -> None:
    """images/FILM.nii.gz, masks/FILM.nii.gz and labels.txt for ITK-SNAP."""
    rows: list[Row] = []
    for film in films:
        image, region = f"images/{film.name}.nii.gz", f"masks/{film.name}.nii.gz"
        write_nifti(folder / image, film.xray.pixels, film.xray.spacing_mm)
        write_nifti(folder / region, label_map(film), film.xray.spacing_mm)
        rows += [(mark.case_id, film.patient_id, image, region, str(mark.value)) for mark in film.marks]
    write_atomically(folder / DESCRIPTION, description(about.names))
    write_table(folder, rows)


def write_film(path: Path, film: Film) -> None:
    """The study's greys as a 16-bit PNG: bright = dense."""
    write_atomically(path, png(sixteen_bits(film.xray.pixels).greys))


def _write_sidecar(path: Path, film: Film) -> None:
    known = {"spacing_mm": film.xray.spacing_mm, "anterior": film.xray.anterior}
    told = {key: value for key, value in known.items() if value is not None}
    if told:
        write_atomically(sidecar_of(path), json.dumps(told) + "\n")


def write_table(folder: Path, rows: Sequence[Row]) -> None:
    """Which region is which case's."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADINGS)
    writer.writerows(rows)
    write_atomically(folder / TABLE, text.getvalue())


def read_plain(source: Path) -> Haul:
    """By the table where there is one, else by the masks' names."""
    return read_by_table(source) if (source / TABLE).is_file() else read_by_names(source)


def read_by_table(source: Path) -> Haul:
    """Every row of cases.csv that has a region; a map that several rows share is read once."""
    headings, rows = read_table(source / TABLE)
    if "case_id" not in headings or "region" not in headings:
        raise InvalidInput([Fault(TABLE, "columns " + ", ".join(headings), "the columns case_id and region")])
    maps: dict[str, list[Found]] = {}
    found: list[Found] = []
    faults: list[Fault] = []
    for number, row in enumerate(rows, start=2):
        name, where = row["region"], f"{TABLE}, row {number}"
        if not name:
            continue
        try:
            path = _within(source, name, where)
            if name not in maps:
                maps[name] = read_map(path, stem_of(path), {})
            found.append(_of_row(row, maps[name], where))
        except InvalidInput as error:
            faults += error.faults
    return Haul(tuple(found), tuple(faults))


def read_by_names(source: Path) -> Haul:
    """Every picture in a folder of masks, or whose name says mask; of single pictures, that one."""
    from .folder import is_mask

    files = sorted(p for p in source.rglob("*") if is_picture(p)) if source.is_dir() else [source]
    masks = [path for path in files if is_mask(path)] or (files if not _has_films(files) else [])
    names = described(source)
    found: list[Found] = []
    faults: list[Fault] = []
    for path in masks:
        try:
            found += read_map(path, stem_of(path), names)
        except InvalidInput as error:
            faults += error.faults
    return Haul(tuple(found), tuple(faults))


def is_plain(source: Path) -> bool:
    """A folder with the table or with pictures, or one picture."""
    if source.is_file():
        return is_picture(source)
    return (source / TABLE).is_file() or any(is_picture(path) for path in source.rglob("*"))


def _has_films(files: Sequence[Path]) -> bool:
    return any("images" in part.lower() for path in files for part in path.parent.parts[-1:])


def _within(source: Path, name: str, where: str) -> Path:
    path = source / name
    if "\0" in name or not path.resolve().is_relative_to(source.resolve()):
        raise InvalidInput([Fault(f"{where}, region", repr(name), "a mask within the folder")])
    if not is_file(path):
        raise InvalidInput([Fault(f"{where}, region", f"no file {name!r}", "a mask, relative to the folder")])
    return path


def _of_row(row: dict[str, str], regions: Sequence[Found], where: str) -> Found:
    wanted = row.get("region_value", "")
    if not wanted and len(regions) > 1:
        found = f"{len(regions)} values in {row['region']}"
        raise InvalidInput([Fault(f"{where}, region_value", found, "the value of this case")])
    for one in regions:
        if not wanted or len(regions) == 1 or str(one.value) == wanted:
            return replace(one, where=where, named=(row["case_id"],), film="", value=None, level="")
    there = ", ".join(str(one.value) for one in regions)
    raise InvalidInput([Fault(f"{where}, region_value", wanted, f"one of {there}")])
