"""PNG, TIFF, JPEG, NIfTI and DICOM files -> grey pixels with spacing; masks -> label maps."""

import gzip
import io
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Integer

from ..errors import InvalidInput
from ..plain_text import json_of
from ..settings import ImageSettings
from .picture import LARGEST, Picture, finite, inverted, is_file, refuse, spacing_of, whole, words


def read_picture(path: Path, settings: ImageSettings) -> Picture:
    """Read one film by its suffix, or as DICOM when it has none of ours; make it bright = dense once."""
    reader = _READERS.get(_suffix(path))
    if reader is None or reader is _dicom:
        return _as_set(finite(_dicom(path), path), settings)
    picture = _as_set(_with_sidecar(finite(reader(path), path), path), settings)
    if settings.polarity == "inverted":
        picture = inverted(picture, "image.polarity")
    return picture


def read_labels(path: Path, settings: ImageSettings) -> Integer[np.ndarray, "rows cols"]:
    """Read a mask as whole numbers, 0 outside."""
    reader = _READERS.get(_suffix(path), _dicom)
    labels = reader(path).pixels
    if labels.dtype.kind not in "iu":
        labels = np.rint(np.nan_to_num(labels.astype(np.float64)))
        if np.abs(labels).max(initial=0) > _LARGEST_LABEL:
            raise refuse(path, "values beyond any label", f"whole numbers up to {_LARGEST_LABEL:,}")
        labels = labels.astype(np.int64)
    return labels.T if settings.mask_orientation == "transpose" else labels


def sidecar_of(path: Path) -> Path:
    """Where a film's own notes would lie: the same name with the suffix .json."""
    return path.with_name(sidecar_name(path.name))


def sidecar_name(film: str) -> str:
    """What the notes of a film of this name would be called."""
    return os.path.splitext(film.removesuffix(".gz"))[0] + ".json"  # noqa: PTH122 of each film of a table, and faster


def _suffix(path: Path) -> str:
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()


_LARGEST_LABEL = 2**31 - 1
_FORMATS = ("PNG", "TIFF", "JPEG", "BMP")  # Pillow knows others, some of which run programs


def _raster(path: Path) -> Picture:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(whole(path)), formats=_FORMATS) as image:
                _check_size(path, image.size[1], image.size[0])
                if (frames := getattr(image, "n_frames", 1)) > 1:
                    raise refuse(path, f"{frames} frames", "one film a file")
                mode, lossy = image.mode, image.format in {"JPEG", "MPO"}
                array = np.asarray(image.convert("RGB") if mode in {"P", "RGBA", "LA", "CMYK", "YCbCr"} else image)
    except InvalidInput:
        raise
    except Image.DecompressionBombError:
        raise refuse(path, "more pixels than any film has", f"between 1 and {LARGEST:,} pixels") from None
    except UnidentifiedImageError:
        raise refuse(path, "cannot be decoded (no picture of these kinds)", "a whole PNG, TIFF or JPEG file") from None
    except Exception as error:  # noqa: BLE001 a decoder may fail in any way on a damaged file
        raise refuse(path, f"cannot be decoded ({words(error, path)})", "a whole PNG, TIFF or JPEG file") from None
    if array.ndim == 3:
        if not (array == array[:, :, :1]).all():
            raise refuse(path, "colours", "greys, or three equal channels", "Export the film as a grey picture.")
        array = array[:, :, 0]
    if array.dtype == bool:
        array = array.astype(np.uint8)
    highest = 255.0 if array.dtype == np.uint8 else 65535.0 if array.dtype.itemsize == 2 else float(array.max())
    history = ("JPEG: lossy compression",) if lossy else ()
    return Picture(array, highest, history=history)


def _nifti(path: Path) -> Picture:
    import nibabel

    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            head = file.read(_NIFTI_2)
            two = _NIFTI_2 in (int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big"))
            kind: Any = nibabel.Nifti2Image if two else nibabel.Nifti1Image
            header = kind.header_class.from_fileobj(io.BytesIO(head))
            shape, end = _extent(path, header)
            image = kind.from_bytes(head + file.read(max(end - len(head), 0)))
        array = np.asanyarray(image.dataobj).reshape(shape[:2]).T
        zooms = tuple(float(z) for z in image.header.get_zooms()[:2])
    except InvalidInput:
        raise
    except Exception as error:  # noqa: BLE001 a decoder may fail in any way on a damaged file
        raise refuse(path, f"cannot be decoded ({words(error, path)})", "a whole NIfTI file") from None
    spacing = spacing_of(zooms[1], zooms[0])
    highest = float(array.max()) if array.size else 0.0
    return Picture(array, highest, spacing, "nifti" if spacing else "none")


_NIFTI_2 = 540  # bytes of the header of the second version, 348 of the first
_LATEST = 1 << 24  # bytes before the pixels


def _extent(path: Path, header: Any) -> tuple[tuple[int, ...], int]:
    """The shape of a flat image and where its pixels end: no more of the file is unpacked."""
    shape, kind = tuple(map(int, header.get_data_shape())), header.get_data_dtype()
    if len(shape) < 2 or any(size != 1 for size in shape[2:]):
        raise refuse(path, f"shape {shape}", "one flat image, (columns, rows) or (columns, rows, 1)")
    _check_size(path, shape[1], shape[0])
    if kind.kind not in "biuf" or kind.itemsize > 8:
        raise refuse(path, f"pixels of type {kind}", "grey numbers")
    if not 0 <= (begin := int(header.get_data_offset())) <= _LATEST:
        raise refuse(path, f"pixels that begin at byte {begin:,}", f"at most {_LATEST:,}")
    return shape, begin + shape[0] * shape[1] * kind.itemsize


def _dicom(path: Path) -> Picture:
    from .dicom import read_dicom

    return read_dicom(path)


_READERS: dict[str, Callable[[Path], Picture]] = {
    ".png": _raster,
    ".tif": _raster,
    ".tiff": _raster,
    ".jpg": _raster,
    ".jpeg": _raster,
    ".bmp": _raster,
    ".nii": _nifti,
    ".nii.gz": _nifti,
    ".dcm": _dicom,
    ".dicom": _dicom,
}
SUFFIXES = tuple(_READERS)


def _check_size(path: Path, rows: int, columns: int) -> None:
    if min(rows, columns) < 1 or rows * columns > LARGEST:
        raise refuse(path, f"{rows} x {columns} pixels", f"between 1 and {LARGEST:,} pixels")


def _with_sidecar(picture: Picture, path: Path) -> Picture:
    """Spacing, grey direction and the side that the patient faces from ``<name>.json`` beside the film."""
    sidecar = sidecar_of(path)
    if not is_file(sidecar):
        return picture
    try:
        content = json_of(sidecar.read_text(encoding="utf-8"))
        spacing = content.get("spacing_mm")
        pair = (float(spacing[0]), float(spacing[1])) if isinstance(spacing, list) else spacing
        pair = (float(pair), float(pair)) if isinstance(pair, int | float) else pair
        polarity, anterior = content.get("polarity", "normal"), content.get("anterior")
        usable = pair is None or spacing_of(*pair) is not None
    except (OSError, ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise refuse(sidecar, f"cannot be read ({words(error, path)})", '{"spacing_mm": [row, column]}') from None
    if not usable or polarity not in ("normal", "inverted") or anterior not in (None, "left", "right"):
        expected = "spacing_mm above 0 and below 1000, polarity normal or inverted, anterior left or right"
        raise refuse(sidecar, f"spacing_mm {spacing!r}, polarity {polarity!r}, anterior {anterior!r}"[:200], expected)
    picture = replace(picture, anterior=anterior)
    if pair is not None:
        picture = replace(picture, spacing_mm=pair, spacing_source="sidecar")
    return inverted(picture, "sidecar") if polarity == "inverted" else picture


def _as_set(picture: Picture, settings: ImageSettings) -> Picture:
    """Spacing and side as the settings have them, which go before the file."""
    if settings.spacing_mm is not None:
        spacing = (settings.spacing_mm, settings.spacing_mm)
        picture = replace(picture, spacing_mm=spacing, spacing_source="setting")
    return picture if settings.anterior == "auto" else replace(picture, anterior=settings.anterior)
