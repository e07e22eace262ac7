"""Numbers from strangers' files: sizes of films and corners of polygons, refused where they cannot be meant."""

from typing import Any

import numpy as np

from ...errors import Fault, InvalidInput
from ..picture import LARGEST
from .contours import Ring

_FARTHEST = 1e6  # pixels
_MOST_CORNERS = 10**6


def shape_of(where: str, rows: Any, columns: Any) -> tuple[int, int]:
    """Rows and columns of a film."""
    try:
        shape = (int(rows), int(columns))
    except (TypeError, ValueError, OverflowError):
        shape = (0, 0)
    if min(shape) < 1 or shape[0] * shape[1] > LARGEST:
        found = f"a film of {rows!r} x {columns!r} pixels (rows x columns)"
        raise InvalidInput([Fault(where, found, f"between 1 and {LARGEST:,} pixels")])
    return shape


def ring_of(points: Any) -> Ring:
    """The corners (x, y) of one polygon; ValueError in words."""
    ring = np.asarray(points, dtype=np.float64)
    if ring.ndim != 2 or ring.shape[1] != 2 or not 3 <= len(ring) <= _MOST_CORNERS:
        raise ValueError("a polygon that is no list of at least three pairs x, y")
    if not np.isfinite(ring).all() or np.abs(ring).max() > _FARTHEST:
        raise ValueError("a corner that is not on any film")
    return ring
