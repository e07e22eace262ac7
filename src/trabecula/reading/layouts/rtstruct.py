"""RT structure sets drawn on films: contours in mm, read beside the DICOM films that they refer to."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ...errors import Fault
from ..picture import words
from .contours import Ring, filled
from .levels import level_of
from .maps import stem_of
from .marks import Cut, Found, Haul
from .numbers import ring_of, shape_of

_STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
_CLOSED = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
_GEOMETRY = (
    "SOPClassUID", "SOPInstanceUID", "Rows", "Columns", "PixelSpacing", "ImagerPixelSpacing", "ImagePositionPatient",
    "ImageOrientationPatient", "StructureSetROISequence", "ROIContourSequence",
)  # fmt: skip


def read_rtstruct(source: Path) -> Haul:
    """Each ROI of each structure set on each film that it is drawn on.

    The films lie beside it, found by their SOPInstanceUID. A projection film has no place in space: there x and y are
    pixels times the spacing of PixelSpacing, else ImagerPixelSpacing, from the centre of the first pixel, as ITK lays
    a film out. Where contours of one ROI overlap, what lies in an even number of them is a hole.
    """
    here = dict(_read(source.parent.glob("*") if source.is_file() else source.rglob("*")))
    films = {str(one.get("SOPInstanceUID")): (path, one) for path, one in here.items() if "Rows" in one}
    found: list[Found] = []
    faults: list[Fault] = []
    for path, one in here.items():
        if one.get("SOPClassUID") == _STRUCTURES and (source.is_dir() or path == source):
            for number, roi in enumerate(one.get("ROIContourSequence") or []):
                where = f"{path.name}, ROI {number + 1}"
                try:
                    found += _regions(where, roi, _named(one), films)
                except Exception as error:  # noqa: BLE001 a reader may fail in any way on a damaged file
                    faults.append(Fault(where, words(error, path), "closed contours on films that lie beside it"))
    return Haul(tuple(found), tuple(faults))


def is_rtstruct(source: Path) -> bool:
    """A structure set, or a folder with one."""
    files = [source] if source.is_file() else source.rglob("*")
    return any(one.get("SOPClassUID") == _STRUCTURES for _, one in _read(files))


def _read(files: Iterable[Path]) -> Iterator[tuple[Path, Any]]:
    """Those that are DICOM, without pixels."""
    import pydicom

    for path in sorted(path for path in files if path.is_file()):
        with path.open("rb") as file:
            if file.read(132)[128:] != b"DICM":
                continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                one = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_GEOMETRY))
                one.decode()
        except Exception:  # noqa: BLE001, S112 whatever cannot be read is neither film nor structure set
            continue
        yield path, one


def _named(structures: Any) -> dict[int, str]:
    return {int(one.ROINumber): str(one.get("ROIName", "")) for one in structures.get("StructureSetROISequence") or []}


def _regions(where: str, roi: Any, names: Mapping[int, str], films: Mapping[str, tuple[Path, Any]]) -> Iterator[Found]:
    name = names.get(int(roi.ReferencedROINumber), "")
    rings: dict[str, list[Ring]] = {}
    for contour in roi.get("ContourSequence") or []:
        if contour.ContourGeometricType not in _CLOSED:
            raise ValueError(f"a contour of the kind {contour.ContourGeometricType}")
        film = _film_of(contour, films)
        rings.setdefault(film, []).append(_ring(contour.ContourData, films[film][1]))
    for film, drawn in rings.items():
        path, about = films[film]
        inside = filled(drawn, shape_of(where, about.Rows, about.Columns))
        if not inside.any():
            raise ValueError(f"contours beyond the film {path.name}")
        yield Found(f"{where} ({name})", stem_of(path), Cut.of(inside), (name,), level_of(name))


def _film_of(contour: Any, films: Mapping[str, tuple[Path, Any]]) -> str:
    named = [str(one.ReferencedSOPInstanceUID) for one in contour.get("ContourImageSequence") or []]
    if not named and len(films) == 1:
        return next(iter(films))
    if len(named) != 1 or named[0] not in films:
        raise ValueError(f"the film {', '.join(named) or 'of a contour'} does not lie beside it")
    return named[0]


def _ring(data: Any, film: Any) -> Ring:
    """Millimetres -> pixels, whole numbers at pixel edges (PS3.3 C.7.6.2.1.1)."""
    places: Float64[np.ndarray, "points 3"] = np.array(data, dtype=np.float64).reshape(-1, 3)
    row_mm, column_mm = map(float, film.get("PixelSpacing") or film.get("ImagerPixelSpacing") or (1.0, 1.0))
    position = film.get("ImagePositionPatient") or (0, 0, 0)
    axes = np.array(film.get("ImageOrientationPatient") or (1, 0, 0, 0, 1, 0), dtype=np.float64).reshape(2, 3)
    x, y = axes @ (places - np.array(position, dtype=np.float64)).T
    return ring_of(np.column_stack([x / column_mm, y / row_mm]) + 0.5)
