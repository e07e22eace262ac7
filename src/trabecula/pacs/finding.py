"""What a result is about, and the names that stay the same each time it is made."""

import hashlib
import json
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..errors import Fault, InvalidInput
from ..records import Inside, Pixels, Region, Xray
from ..workflow.predict import Answer

SERIES = "Trabecula (research use only)"
_EMPTY = (  # may be without a value but not absent (type 2), which not every device heeds
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True, eq=False)
class Finding:
    """One answer about one region of a DICOM film.

    ``header`` is the film's dataset without pixels, ``asked`` all else that the answer depends on: values told, site,
    level. ``heat`` is on the film's grid, None where the model has no map.
    """

    header: Any = field(repr=False)
    xray: Xray = field(repr=False)
    region: Region = field(repr=False)
    answer: Answer
    asked: Mapping[str, str] = field(default_factory=dict)
    heat: Pixels | None = field(default=None, repr=False)

    def uid(self, what: str) -> str:
        """A UID for ``what``, such as "seg": the same whenever film, region, question and bundle are."""
        parts = [
            str(self.header.SOPInstanceUID),
            self.answer.bundle,
            _digest(self.region.inside),
            json.dumps(dict(sorted(self.asked.items())), ensure_ascii=False),
            what,
        ]
        return _uid("\n".join(parts))


TRABECULA_UID = f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, 'trabecula').int}"


def read_header(path: Path) -> Any:
    """A DICOM film's dataset without its pixels, texts decoded; InvalidInput where results could not name it."""
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # clinical files break rules that do not matter here
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
            header.decode()
        except (OSError, pydicom.errors.InvalidDicomError):
            found = "no DICOM file"
            raise InvalidInput([Fault(path.name, found, "a DICOM film, for results as DICOM")]) from None
    absent = [name for name in _NEEDED if not header.get(name)]
    if absent:
        action = "Export the film from the PACS again."
        raise InvalidInput([Fault(path.name, f"no {name}", "a film that names itself", action) for name in absent])
    for name in _EMPTY:
        if name not in header:
            setattr(header, name, None)
    if header.PatientSex not in ("M", "F", "O"):
        header.PatientSex = None
    return header


def outline(inside: Inside) -> Float64[np.ndarray, "points 2"]:
    """The closed outline (column, row) of the largest piece, from the film's upper left corner (PS3.3 C.18.6)."""
    from contourpy import contour_generator

    padded = np.pad(inside, 1).astype(np.float64)
    pieces = contour_generator(z=padded).lines(0.5)
    largest = max(pieces, key=lambda line: abs(_area(line)))
    return np.asarray(largest, np.float64) - 0.5


def _area(line: np.ndarray) -> float:
    x, y = line.T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2


def _digest(inside: Inside) -> str:
    return hashlib.sha256(repr(inside.shape).encode() + np.packbits(inside).tobytes()).hexdigest()


def _uid(text: str) -> str:
    """A UID from a name-based UUID (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(uuid.UUID(int=int(TRABECULA_UID[5:])), text).int}"
