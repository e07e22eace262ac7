"""What a browser sends -> files in a folder of their own that is removed again; a sent name is never a path."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import Fault, InvalidInput

NAME = "film"


@dataclass(frozen=True, eq=False)
class Sent:
    """A film, its mask where there is one, and the spacing in mm where the sender states it."""

    image: BinaryIO
    mask: BinaryIO | None = None
    spacing_mm: float | None = None


@contextmanager
def kept(sent: Sent) -> Iterator[tuple[Path, Path | None]]:
    """The film and the mask as files under names of ours, for as long as this lasts."""
    with tempfile.TemporaryDirectory(prefix="trabecula-") as name:
        folder = Path(name)
        image = _write(sent.image, folder, NAME, "image")
        mask = None if sent.mask is None else _write(sent.mask, folder, "mask", "mask")
        if sent.spacing_mm is not None:
            (folder / f"{NAME}.json").write_text(json.dumps({"spacing_mm": sent.spacing_mm}), encoding="utf-8")
        yield image, mask


def _write(source: BinaryIO, folder: Path, stem: str, field: str) -> Path:
    source.seek(0)
    start = source.read(352)
    if not start:
        raise InvalidInput([Fault(field, "an empty file", "DICOM, PNG, TIFF, JPEG or NIfTI")])
    suffix = next((suffix for at, mark, suffix in _MARKS if start[at : at + len(mark)] == mark), ".dcm")
    path = folder / f"{stem}{suffix}"
    source.seek(0)
    with path.open("wb") as file:
        shutil.copyfileobj(source, file)
    return path


_MARKS = (  # what a file is, is told by its content: where, what, the suffix of its reader
    (128, b"DICM", ".dcm"),
    (0, b"\x89PNG\r\n\x1a\n", ".png"),
    (0, b"II*\x00", ".tif"),
    (0, b"MM\x00*", ".tif"),
    (0, b"\xff\xd8\xff", ".jpg"),
    (0, b"\x1f\x8b", ".nii.gz"),
    (344, b"n+1\x00", ".nii"),
    (0, b"BM", ".bmp"),
)
