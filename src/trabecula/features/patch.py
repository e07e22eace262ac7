"""A film's greys ready for filtering, and the small window of it that one region needs."""

from dataclasses import dataclass

import numba
import numpy as np
from jaxtyping import Bool, Float, Float64, Int32, Int64

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
class Outline:
    """A region within its box, and where its pixels lie in the box and in the box with a border of one."""

    inside: Bool[np.ndarray, "height width"]
    places: Int64[np.ndarray, " pixels"]
    bordered: Int64[np.ndarray, " pixels"]


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


def outline_of(region: Region, box: Box) -> Outline:
    """The region's pixels within the box."""
    inside = region.inside[box.top : box.bottom, box.left : box.right]
    places = np.flatnonzero(inside)
    rows, columns = np.divmod(places, inside.shape[1])
    return Outline(inside, places, (rows + 1) * (inside.shape[1] + 2) + columns + 1)


def discretise(
    values: Float[np.ndarray, " pixels"], *, bin_width: float | None, bin_count: int
) -> Int32[np.ndarray, " pixels"]:
    """Grey levels from 1, by PyRadiomics' rules.

    With a width, bins start at a multiple of it; with a count, they divide the region's own range and the
    largest grey falls into the last one. A range too narrow for that many bins in the greys' own precision is
    divided in double precision, and is flat where even that does not tell its bins apart.
    """
    low, high = values.min(), values.max()
    if bin_width is not None:
        edges = np.arange(low - low % bin_width, high + 2 * bin_width, bin_width)
    else:
        kind = np.result_type(values.dtype, np.float32)
        edges = np.linspace(low, high, bin_count + 1, dtype=kind)
        if not (edges[:-1] < edges[1:]).all():
            edges = np.linspace(float(low), float(high), bin_count + 1)
        if not (edges[:-1] < edges[1:]).all():
            return np.ones(values.size, dtype=np.int32)
        edges[-1] = np.inf  # the largest grey belongs to the last bin
    return _digitise(values, edges.astype(np.float64))


@numba.njit(cache=True, nogil=True)
def _digitise(
    values: Float[np.ndarray, " pixels"], edges: Float64[np.ndarray, " edges"]
) -> Int32[np.ndarray, " pixels"]:
    """np.digitize for edges that are evenly spaced but for rounding and the last one: a guess, then a look."""
    out = np.empty(values.size, dtype=np.int32)
    first, last = edges[0], edges.size - 1
    scale = 1 / (edges[1] - first)
    for k in range(values.size):
        x = values[k]
        guess = min(max(int((x - first) * scale), 0), last - 1)
        while guess > 0 and x < edges[guess]:
            guess -= 1
        while guess < last and x >= edges[guess + 1]:
            guess += 1
        out[k] = guess + 1
    return out
