"""A film's greys ready for filtering, and the small window of it that one region needs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int32

from ..records import Inside, Pixels, Region, Xray


@dataclass(frozen=True, eq=False)
class Film:
    """A whole film after normalisation, with the one number of it that the point filters need."""

    pixels: Pixels
    spacing_mm: tuple[float, float] | None
    largest: float


@dataclass(frozen=True)
class Box:
    """Half-open bounds of a region on its film: rows top to bottom, columns left to right."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True, eq=False)
class Patch:
    """One derived image inside the bounding box of a region."""

    pixels: Float[np.ndarray, "height width"]
    inside: Bool[np.ndarray, "height width"]


def prepare_film(xray: Xray, *, normalise: bool, scale: float = 1.0, outliers: float | None = None) -> Film:
    """Z-score the film over all its pixels (SD with n - 1) and clip at ``outliers`` SD, or leave it as it is."""
    pixels = xray.pixels
    if normalise:
        mean = pixels.mean(dtype=np.float64)
        sd = pixels.std(dtype=np.float64, ddof=1) if pixels.size > 1 else 0.0
        scaled = (pixels.astype(np.float64) - mean) * (scale / sd if sd > 0 else 1.0)
        if outliers is not None:
            scaled = np.clip(scaled, -outliers * scale, outliers * scale)
        pixels = scaled.astype(np.float32)
    largest = max(abs(float(pixels.min())), abs(float(pixels.max())))
    return Film(pixels, xray.spacing_mm, largest)


def box_of(inside: Inside) -> Box:
    """The smallest box that holds the region."""
    rows = np.flatnonzero(inside.any(axis=1))
    columns = np.flatnonzero(inside.any(axis=0))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def inside_box(region: Region, box: Box) -> Bool[np.ndarray, "height width"]:
    """The region's pixels within the box."""
    return region.inside[box.top : box.bottom, box.left : box.right]


def discretise(
    values: Float[np.ndarray, " pixels"], *, bin_width: float | None, bin_count: int
) -> Int32[np.ndarray, " pixels"]:
    """Grey levels from 1, by PyRadiomics' rules.

    With a width, bins start at a multiple of it; with a count, they divide the region's own range and the
    largest grey falls into the last one.
    """
    if bin_width is not None:
        low = values.min() - values.min() % bin_width
        edges = np.arange(low, values.max() + 2 * bin_width, bin_width)
    elif values.min() == values.max():
        return np.ones(values.size, dtype=np.int32)
    else:
        edges = np.histogram_bin_edges(values, bin_count)
        edges[-1] += 1
    return np.digitize(values, edges).astype(np.int32)
