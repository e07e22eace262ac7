"""A film's greys ready for filtering, and the small window of it that one region needs."""

from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
from jaxtyping import Bool, Float, Float64, Int32, Int64

from ..errors import Fault, InvalidInput
from ..records import Inside, Pixels, Xray

Spans = Int64[np.ndarray, "spans 3"]  # row, first column, pixels


@dataclass(frozen=True, eq=False)
class Film:
    """A whole film after normalisation, with the one number of it that the point filters need."""

    pixels: Pixels
    spacing_mm: tuple[float, float] | None

    @cached_property
    def largest(self) -> float:
        """The largest magnitude."""
        return max(-float(self.pixels.min()), float(self.pixels.max()))


@dataclass(frozen=True)
class Box:
    """Half-open bounds of a region on its film: rows top to bottom, columns left to right."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """What to index a film with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def moved(self, down: int, right: int) -> "Box":
        """The box elsewhere."""
        return Box(self.top + down, self.bottom + down, self.left + right, self.right + right)


@dataclass(frozen=True, eq=False)
class Outline:
    """A region within its box, row by row: where each unbroken stretch of its pixels starts and how long it is."""

    inside: Bool[np.ndarray, "height width"]
    spans: Spans

    def greys(self, window: Float[np.ndarray, "height width"]) -> Float[np.ndarray, " pixels"]:
        """The region's pixels of a picture of its box, row by row."""
        return _gathered(np.ascontiguousarray(window), self.spans)


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
    return Film(pixels, xray.spacing_mm)


def known_spacing(film: Film, what: str, instead: str) -> tuple[float, float]:
    """The film's spacing, or InvalidInput: ``what`` needs it, and ``instead`` is what to do without."""
    if film.spacing_mm is None:
        action = f"Give the spacing (image.spacing_mm) or {instead}."
        raise InvalidInput([Fault("radiomics", f"{what} on a film of unknown spacing", "a spacing in mm", action)])
    return film.spacing_mm


def box_of(inside: Inside) -> Box:
    """The smallest box that holds the region."""
    rows = np.flatnonzero(inside.any(axis=1))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(inside[top:bottom].any(axis=0))
    return Box(top, bottom, int(columns[0]), int(columns[-1]) + 1)


def outline_of(inside: Inside, box: Box) -> Outline:
    """The region's pixels within the box."""
    inside = np.ascontiguousarray(inside[box.slices])
    return Outline(inside, _spans(inside))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _spans(inside: Inside) -> Spans:
    height, width = inside.shape
    spans = np.empty((height * (width // 2 + 1), 3), np.int64)
    count = 0
    for r in range(height):
        before = False
        for c in range(width):
            now = inside[r, c]
            if now == before:
                continue
            if now:
                spans[count, 0], spans[count, 1] = r, c
            else:
                spans[count, 2] = c - spans[count, 1]
                count += 1
            before = now
        if before:
            spans[count, 2] = width - spans[count, 1]
            count += 1
    return spans[:count].copy()


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _gathered(window: Float[np.ndarray, "height width"], spans: Spans) -> Float[np.ndarray, " pixels"]:
    out = np.empty(spans[:, 2].sum(), window.dtype)
    place = 0
    for k in range(spans.shape[0]):
        row, first, pixels = spans[k]
        out[place : place + pixels] = window[row, first : first + pixels]
        place += pixels
    return out


def cropped(film: Film, box: Box, margin: int) -> tuple[Film, Box]:
    """The film cut down to the box and a margin, and the box in it."""
    top, left = max(box.top - margin, 0), max(box.left - margin, 0)
    pixels = film.pixels[top : box.bottom + margin, left : box.right + margin]
    moved = Box(box.top - top, box.bottom - top, box.left - left, box.right - left)
    return Film(pixels, film.spacing_mm), moved


def resegmented(film: Film, inside: Inside, bounds: tuple[float, ...], mode: str) -> Inside:
    """The pixels of the region between the bounds (or above the only one), both included, by PyRadiomics' modes.

    ``absolute`` bounds are greys, ``relative`` ones shares of the region's largest, ``sigma`` ones SD (divided by
    n) from its mean.
    """
    greys = film.pixels[inside].astype(np.float64)
    low, *high = sorted(bounds)
    start, unit = 0.0, 1.0
    if mode == "relative":
        unit = float(greys.max())
    elif mode == "sigma":
        start, unit = float(greys.mean()), float(greys.std())
    kept = greys >= start + unit * low
    if high:
        kept &= greys <= start + unit * high[0]
    out = np.zeros_like(inside)
    out[inside] = kept
    return out


def discretise(
    values: Float[np.ndarray, " pixels"],
    *,
    bin_width: float | None,
    bin_count: int,
    start: float | None = None,
    bounds: tuple[float, float] | None = None,
) -> Int32[np.ndarray, " pixels"]:
    """Grey levels from 1, by PyRadiomics' rules; or by IBSI's, where ``start`` is given.

    With a width, bins start at ``start``, or else at a multiple of the width; with a count, they divide the region's
    own range, or the one between ``bounds``, and the largest grey falls into the last one. A range too narrow for
    that many bins in the greys' own precision is divided in double precision, and is flat where even that does not
    tell its bins apart.
    """
    if bounds is not None:
        values = np.clip(values, *bounds)
    low, high = (values.min(), values.max()) if bounds is None else np.array(bounds, values.dtype)
    if bin_width is not None:
        edges = np.arange(low - low % bin_width if start is None else start, high + 2 * bin_width, bin_width)
    else:
        edges = _edges(low, high, bin_count)
        if not (edges[:-1] < edges[1:]).all():
            edges = _edges(np.float64(low), np.float64(high), bin_count)
        if not (edges[:-1] < edges[1:]).all():
            return np.ones(values.size, dtype=np.int32)
        edges[-1] = np.inf  # the largest grey belongs to the last bin
    return _digitise(values, edges.astype(np.float64))


def _edges(low: np.floating, high: np.floating, count: int) -> Float[np.ndarray, " edges"]:
    """np.linspace in the precision of its ends, in a third of the time."""
    edges = np.arange(count + 1, dtype=low.dtype) * ((high - low) / low.dtype.type(count)) + low
    edges[-1] = high
    return edges


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _digitise(
    values: Float[np.ndarray, " pixels"], edges: Float64[np.ndarray, " edges"]
) -> Int32[np.ndarray, " pixels"]:
    """np.digitize for edges that are evenly spaced but for rounding and the last one: a guess, then a look.

    Only greys so near to an edge that rounding could matter are looked at.
    """
    first, last = edges[0], edges.size - 1
    scale = 1 / (edges[1] - first)
    doubt = 1e-9
    for k in range(last):
        doubt = max(doubt, 2 * abs((edges[k] - first) * scale - k))
    out = np.empty(values.size, dtype=np.int32)
    near = np.empty(values.size, dtype=np.bool_)
    for k in range(values.size):
        place = (values[k] - first) * scale
        level = np.int32(place)
        out[k] = level + np.int32(1)
        near[k] = (abs(place - level - 0.5) > 0.5 - doubt) | (place >= last - 1)
    for doubtful in np.flatnonzero(near):
        x, guess = values[doubtful], min(int(out[doubtful]) - 1, last - 1)
        while guess > 0 and x < edges[guess]:
            guess -= 1
        while guess < last and x >= edges[guess + 1]:
            guess += 1
        out[doubtful] = guess + 1
    return out
