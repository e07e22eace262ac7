"""DICOM CR and DX -> grey pixels: grey direction, rescale, spacing and where it came from, the side that is anterior.

Windowing (VOI) is for display and never touches what is measured.
"""

import io
import math
import warnings
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import InvalidInput
from ..records import Side
from .codestream import stream_size
from .picture import LARGEST, SWOLLEN, Picture, refuse, spacing_of, whole, words

_PIECE = 1 << 20


def read_dicom(path: Path) -> Picture:
    """Stored values, inverted once if MONOCHROME1 or PresentationLUTShape INVERSE, then rescaled."""
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # clinical files break rules that do not matter here
        try:
            dataset = pydicom.dcmread(unswollen(path))
            _refuse_unusable(path, dataset)
            _refuse_other_size(path, dataset)
            stored = dataset.pixel_array
            if stored.ndim != 2:
                raise refuse(path, f"pixels of shape {stored.shape}", "one film of greys")
            return _picture(dataset, stored)
        except pydicom.errors.InvalidDicomError:
            raise refuse(path, "no image that we know", "DICOM, PNG, TIFF, JPEG or NIfTI") from None
        except InvalidInput:
            raise
        except Exception as error:  # noqa: BLE001 a decoder may fail in any way on a damaged file
            raise refuse(path, f"cannot be decoded ({words(error, path)})", "a whole DICOM image") from None


def unswollen(path: Path) -> BinaryIO:
    """The file in memory, where nothing of it is longer than it is; refused if it would swell when it is unpacked."""
    file = io.BytesIO(whole(path))
    _refuse_swelling(path, file)
    return file


def _refuse_swelling(path: Path, file: BinaryIO) -> None:
    """A deflated file is measured piece by piece first: a small one may hold more than memory does."""
    from pydicom.filereader import _read_file_meta_info, read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    if read_preamble(file, force=True) is not None:
        meta = _read_file_meta_info(file)  # leaves the file where the data begin
        if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
            while piece := file.read(_PIECE):
                while piece:
                    size += len(inflater.decompress(piece, _PIECE))
                    piece = inflater.unconsumed_tail
                if size > SWOLLEN:
                    raise refuse(path, f"more than {SWOLLEN >> 20} MiB when unpacked", "one film")
    file.seek(0)


def _refuse_unusable(path: Path, dataset: Any) -> None:
    if "PixelData" not in dataset and "FloatPixelData" not in dataset:
        kind = str(dataset.get("Modality") or "DICOM")[:16]
        raise refuse(path, f"a {kind} file without pixels", "a CR or DX image", "Export the image itself.")
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    if not 0 < rows * columns <= LARGEST:
        raise refuse(path, f"{rows} x {columns} pixels", f"between 1 and {LARGEST:,} pixels")
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise refuse(path, f"{int(dataset.NumberOfFrames)} frames", "one film a file", "Export one frame.")
    interpretation = dataset.get("PhotometricInterpretation", "MONOCHROME2")
    if int(dataset.get("SamplesPerPixel") or 1) != 1 or not interpretation.startswith("MONOCHROME"):
        raise refuse(path, f"colours ({interpretation[:40]})", "MONOCHROME1 or MONOCHROME2")


def _refuse_other_size(path: Path, dataset: Any) -> None:
    """A compressed stream says itself how large it is, and its decoder takes memory for that, or ends the process.

    GDCM ends it as well where a pixel takes other than 8 or 16 bits, or 8 bits of which not all are used.
    """
    from pydicom.encaps import get_frame
    from pydicom.uid import RLELossless

    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated or syntax == RLELossless:
        return
    allocated, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    if (allocated, stored) != (8, 8) and not (allocated == 16 and 0 < stored <= 16):
        found = f"BitsAllocated {allocated}, BitsStored {stored}"
        raise refuse(path, found, "8 and 8, or 16 and at most 16, of a compressed film")
    size, asked = stream_size(get_frame(dataset.PixelData, 0, number_of_frames=1)), (dataset.Rows, dataset.Columns)
    if size != asked:
        found = "no whole JPEG stream of greys" if size is None else f"a stream of {size[0]} x {size[1]} pixels"
        raise refuse(path, found, f"one of {asked[0]} x {asked[1]}, as the header says")


def _picture(dataset: Any, stored: np.ndarray) -> Picture:
    bits = int(dataset.get("BitsStored") or stored.dtype.itemsize * 8)
    signed = int(dataset.get("PixelRepresentation") or 0) == 1
    values = stored.astype(np.float64)
    history = []
    reason = _why_inverted(dataset)
    if reason:
        values = (-1.0 if signed else 2.0**bits - 1) - values
        history.append(f"greys inverted ({reason})")
    values = values * _number(dataset, "RescaleSlope", 1.0) + _number(dataset, "RescaleIntercept", 0.0)
    spacing, source = _spacing(dataset)
    return Picture(
        values,
        float(2**bits - 1),
        spacing,
        source,
        tuple(history),
        device=_device(dataset),
        anterior=_anterior(dataset),
    )


def _anterior(dataset: Any) -> Side | None:
    """From PatientOrientation, whose first value is where rows lead to: A or P on a lateral film (PS3.3 C.7.6.1)."""
    toward = str((list(dataset.get("PatientOrientation") or []) or [""])[0])[:1]
    sides: dict[str, Side] = {"A": "right", "P": "left"}
    return sides.get(toward)


def _why_inverted(dataset: Any) -> str:
    """Both marks together invert once."""
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        return "MONOCHROME1"
    return "PresentationLUTShape INVERSE" if dataset.get("PresentationLUTShape") == "INVERSE" else ""


def _spacing(dataset: Any) -> tuple[tuple[float, float] | None, str]:
    """Row and column spacing in mm and its source; the detector's own plane only where nothing better is known."""
    calibrated = _pair(dataset, "PixelSpacing")
    if calibrated:
        known = dataset.get("PixelSpacingCalibrationType")
        return calibrated, "pixel_spacing_calibrated" if known else "pixel_spacing"
    detector = _pair(dataset, "ImagerPixelSpacing")
    if not detector:
        return None, "none"
    magnification = _number(dataset, "EstimatedRadiographicMagnificationFactor", 0.0)
    if magnification <= 0:
        to_detector = _number(dataset, "DistanceSourceToDetector", 0.0)
        to_patient = _number(dataset, "DistanceSourceToPatient", 0.0)
        magnification = to_detector / to_patient if to_detector > 0 and to_patient > 0 else 0.0
    if magnification > 0:
        nearer = spacing_of(detector[0] / magnification, detector[1] / magnification)
        return (nearer, "imager_pixel_spacing_magnified") if nearer else (None, "none")
    return detector, "imager_pixel_spacing"


def _pair(dataset: Any, keyword: str) -> tuple[float, float] | None:
    value = dataset.get(keyword)
    try:
        row, column = float(value[0]), float(value[1])
    except (TypeError, ValueError, IndexError):
        return None
    return spacing_of(row, column)


def _device(dataset: Any) -> str:
    """Maker and model in one line, the maker said once."""
    maker, model = (
        " ".join(str(dataset.get(name) or "").split()) for name in ("Manufacturer", "ManufacturerModelName")
    )
    return model if maker and model.lower().startswith(maker.lower()) else f"{maker} {model}".strip()


def _number(dataset: Any, keyword: str, default: float) -> float:
    try:
        value = float(dataset.get(keyword))
    except (TypeError, ValueError):
        return default
    return value if math.isfinite(value) else default
