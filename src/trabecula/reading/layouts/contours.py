"""A region -> closed outlines along the edges of its pixels, and back to the same pixels.

Outlines are (x, y) with whole numbers at pixel edges, as labelme, COCO and CVAT count: the centre of the first pixel
is (0.5, 0.5). Outer outlines run clockwise on the screen, those of holes the other way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ...records import Inside
from ..outline import fill

Ring = Float[np.ndarray, "corners 2"]
_Vertex = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Outlines:
    """``outer`` goes round each part that hangs together by pixel edges, ``holes`` round what is left out."""

    outer: tuple[Ring, ...]
    holes: tuple[Ring, ...]


def trace(inside: Inside) -> Outlines:
    """Every outline of a region, corner by corner."""
    steps = _steps(inside)
    rings = []
    while steps:
        rings.append(_corners(_walk(steps)))
    outer = tuple(ring for ring in rings if _twice_area(ring) > 0)
    return Outlines(outer, tuple(ring for ring in rings if _twice_area(ring) < 0))


def filled(rings: Sequence[Ring], shape: tuple[int, int]) -> Inside:
    """The pixels whose centres lie within an odd number of the rings."""
    out = np.zeros(shape, dtype=bool)
    for ring in rings:
        out ^= fill(np.asarray(ring, dtype=np.float64) - 0.5, shape)
    return out


def _steps(inside: Inside) -> dict[_Vertex, list[_Vertex]]:
    """From each corner of a pixel where to go next along the border, the region on the right hand."""
    padded = np.pad(inside, 1).astype(np.int8)
    down = np.diff(padded, axis=0)[:, 1:-1]
    across = np.diff(padded, axis=1)[1:-1]
    steps: dict[_Vertex, list[_Vertex]] = {}
    for y, x in np.argwhere(down).tolist():
        start, end = ((x, y), (x + 1, y)) if down[y, x] > 0 else ((x + 1, y), (x, y))
        steps.setdefault(start, []).append(end)
    for y, x in np.argwhere(across).tolist():
        start, end = ((x, y + 1), (x, y)) if across[y, x] > 0 else ((x, y), (x, y + 1))
        steps.setdefault(start, []).append(end)
    return steps


def _walk(steps: dict[_Vertex, list[_Vertex]]) -> list[_Vertex]:
    """Take one closed way out of the steps; where two pixels touch by a corner, turn right and stay with one."""
    first = next(iter(steps))
    way = [first]
    here, after = first, steps[first][0]
    while True:
        steps[here].remove(after)
        if not steps[here]:
            del steps[here]
        before, here = here, after
        right = (here[0] - (here[1] - before[1]), here[1] + here[0] - before[0])
        if here == first and (first not in steps or right == way[1]):
            return way
        way.append(here)
        after = right if right in steps[here] else steps[here][0]


def _corners(way: list[_Vertex]) -> Ring:
    """Leave out what lies on a straight line between its neighbours."""
    points = np.array(way, dtype=np.float64)
    turn = ~np.isclose(points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points).all(axis=1)
    return points[turn]


def _twice_area(ring: Ring) -> float:
    x, y = ring.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
