"""Greys as a 16-bit PNG that other programs open, and how to get the study's own numbers back from it."""

import io
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8, UInt16

from ..records import Pixels

_HIGHEST = 65535


@dataclass(frozen=True, eq=False)
class Sixteen:
    """``greys * slope + intercept`` are the study's numbers, exactly where ``exact``, else within half a slope."""

    greys: UInt16[np.ndarray, "rows cols"]
    slope: float
    intercept: float
    exact: bool


def sixteen_bits(pixels: Pixels) -> Sixteen:
    """Whole numbers stay as they are, shifted where some are negative; others are stretched to the whole range."""
    finite = np.nan_to_num(pixels.astype(np.float64))
    low, high = float(finite.min()), float(finite.max())
    if (finite == np.rint(finite)).all() and high - min(low, 0.0) <= _HIGHEST:
        shift = min(low, 0.0)
        return Sixteen((finite - shift).astype(np.uint16), 1.0, shift, exact=True)
    slope = (high - low) / _HIGHEST or 1.0
    return Sixteen(np.rint((finite - low) / slope).astype(np.uint16), slope, low, exact=False)


def png(array: UInt16[np.ndarray, "rows cols"] | UInt8[np.ndarray, "rows cols"]) -> bytes:
    """A PNG file of the pixels alone: no text, no time, no profile."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG", compress_level=6)
    return file.getvalue()
