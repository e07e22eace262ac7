"""A film and its regions on another pixel size.

Two conventions: PyRadiomics lets the corners of the first pixels coincide and takes the nearest pixel of a mask; IBSI
(doi 10.1148/radiol.2020191145, section 2.4) lets the centres of the films coincide, interpolates the mask linearly
and keeps what is at least one half.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from ..records import Inside
from .patch import Film, known_spacing


@dataclass(frozen=True)
class Grid:
    """Where the new pixels lie among the old ones, rows first: number, first place and step."""

    size: tuple[int, int]
    first: tuple[float, float]
    step: tuple[float, float]
    centred: bool


def resample_film(film: Film, spacing_mm: tuple[float, float], *, order: int, centred: bool) -> tuple[Film, Grid]:
    """Interpolate a film by splines (``order`` 0, 1 or 3) at ``spacing_mm`` (0 keeps what the film has)."""
    own_mm = known_spacing(film, "resampledPixelSpacing", "do not resample")
    rows_mm, columns_mm = (wanted or own for wanted, own in zip(spacing_mm, own_mm, strict=True))
    height, top, down = _line(film.pixels.shape[0], rows_mm / own_mm[0], centred)
    width, left, right = _line(film.pixels.shape[1], columns_mm / own_mm[1], centred)
    grid = Grid((height, width), (top, left), (down, right), centred)
    pixels = _interpolate(film.pixels.astype(np.float64), grid, order).astype(np.float32)
    return Film(pixels, (rows_mm, columns_mm)), grid


def resample_region(inside: Inside, grid: Grid) -> Inside:
    """The region on the new pixels; it may be empty."""
    if grid.centred:
        return _interpolate(inside.astype(np.float64), grid, 1) >= 0.5
    rows, columns = (
        np.clip(np.floor(np.arange(count) * step + first + 0.5).astype(int), 0, old - 1)
        for count, step, first, old in zip(grid.size, grid.step, grid.first, inside.shape, strict=True)
    )
    return inside[np.ix_(rows, columns)]


def _line(size: int, ratio: float, centred: bool) -> tuple[int, float, float]:
    if centred:
        count = math.ceil(size / ratio - 1e-9)
        return count, 0.5 * ((size - 1) - (count - 1) * ratio), ratio
    return max(1, round(size / ratio)), 0.5 * (ratio - 1), ratio


def _interpolate(values: np.ndarray, grid: Grid, order: int) -> np.ndarray:
    mode = "nearest" if grid.centred else "mirror"
    transform: Any = ndimage.affine_transform  # its stubs know no sequence as an offset
    made = transform(values, np.array(grid.step), offset=grid.first, output_shape=grid.size, order=order, mode=mode)
    return np.asarray(made)
