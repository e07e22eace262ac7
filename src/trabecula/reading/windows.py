"""Which greys of a film to show: the windows that a DICOM file names, and those that its greys suggest.

For display alone; nothing here touches what is measured.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..records import Xray
from .dicom import unswollen

_SHARES = (0.1, 99.9)  # percentiles that "auto" shows
_SAMPLE = 4  # every fourth row and column is enough for a percentile
_OF_DICOM = 2  # windows of the file that have a key


@dataclass(frozen=True)
class Window:
    """The middle grey and the range shown, on the scale of ``Xray.pixels``; ``key`` chooses it."""

    key: str
    name: str
    level: float
    width: float


def windows_of(xray: Xray, path: Path) -> tuple[Window, ...]:
    """Those of the file first (keys 1 and 2), then auto (3) and full (5); key 4 is for the greys of a region."""
    pixels = xray.pixels[np.isfinite(xray.pixels)]
    low, high = (float(pixels.min()), float(pixels.max())) if pixels.size else (0.0, 1.0)
    of_file = () if path.suffix.lower() in _NOT_DICOM else _of_dicom(path, xray)
    return (*of_file, _between("3", "auto", *auto_range(xray)), _between("5", "full", low, high))


def auto_range(xray: Xray) -> tuple[float, float]:
    """The two greys between which a film is shown where nothing else is said."""
    if not np.isfinite(xray.pixels).any():
        return 0.0, 1.0
    low, high = np.nanpercentile(xray.pixels[::_SAMPLE, ::_SAMPLE], _SHARES)
    return float(low), float(high)


_NOT_DICOM = frozenset({".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".nii", ".gz"})


def _between(key: str, name: str, low: float, high: float) -> Window:
    return Window(key, name, (low + high) / 2, max(high - low, 1e-6))


def _of_dicom(path: Path, xray: Xray) -> tuple[Window, ...]:
    """WindowCenter and WindowWidth; where the greys were turned round, so are the centres."""
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # clinical files break rules that do not matter here
        try:
            dataset = pydicom.dcmread(unswollen(path), stop_before_pixels=True)
            centres, widths, names = (_many(dataset.get(tag)) for tag in _TAGS)
            pairs = [(float(c), float(w)) for c, w in zip(centres, widths, strict=False) if float(w) > 0]
            ends = _ends(dataset)
            if not np.isfinite([*ends, *(number for pair in pairs for number in pair)]).all():
                return ()
        except Exception:  # noqa: BLE001 a damaged header may fail in any way, and a film without windows is shown all the same
            return ()
    turned = any("inverted" in step for step in xray.history)
    return tuple(
        Window(str(n + 1), str(names[n]) if n < len(names) else "DICOM", sum(ends) - c if turned else c, w)
        for n, (c, w) in enumerate(pairs[:_OF_DICOM])
    )


_TAGS = ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation")


def _ends(dataset: Any) -> tuple[float, float]:
    """The lowest and highest grey that the file can store, rescaled: turning greys round swaps them."""
    bits = int(dataset.get("BitsStored") or 16)
    low = -(2.0 ** (bits - 1)) if int(dataset.get("PixelRepresentation") or 0) else 0.0
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    return low * slope + intercept, (low + 2.0**bits - 1) * slope + intercept


def _many(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
