"""Compiled kernels: a region's grey levels -> the counts behind the five texture classes.

``levels`` holds grey levels from 1 inside the region and 0 outside, with a border of 0 around it.
``ranks`` is the same grid with the rank 0..n-1 of each level among those present and n outside. Counting the
outside as one level more keeps the inner loops free of branches; its counts are left out at the end.
Neighbours lie inside the region, for runs and zones among the eight around a pixel.
"""

from collections.abc import Collection

import numba
import numpy as np
from jaxtyping import Float64, Int32, Int64

Grid = Int32[np.ndarray, "height width"]
Levels = tuple[Grid, Grid, Float64[np.ndarray, " n"], Int32[np.ndarray, " n"]]  # what ``grids`` returns

Steps = Int64[np.ndarray, "steps 2"]  # (rows, columns); rows are never negative

_U = np.uintp  # an index of this type is not looked at for being negative

DIRECTIONS = np.array([(0, 1), (1, 0), (1, 1), (1, -1)])  # the angles of ``pairs_and_runs``, in its order


def steps_at(distances: Collection[int]) -> Steps:
    """Half of the steps of each Chebyshev distance; the other half are the same backwards."""
    if tuple(distances) == (1,):
        return DIRECTIONS
    far = max(distances)
    return np.array(
        [
            (dr, dc)
            for dr in range(far + 1)
            for dc in range(-far, far + 1)
            if max(dr, abs(dc)) in distances and (dr > 0 or dc > 0)
        ]
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def grids(
    of_pixels: Int32[np.ndarray, " pixels"], places: Int64[np.ndarray, " pixels"], height: int, width: int
) -> Levels:
    """Put the levels of a region's pixels at their places: levels, ranks, the levels present and their counts."""
    highest = of_pixels.max()
    counts = np.zeros(highest + 1, dtype=np.int32)
    for level in of_pixels:
        counts[level] += 1
    present = np.flatnonzero(counts)
    n = present.size
    rank_of = np.zeros(highest + 1, dtype=np.int32)
    for k in range(n):
        rank_of[present[k]] = k
    levels = np.zeros(height * width, dtype=np.int32)
    ranks = np.full(height * width, n, dtype=np.int32)
    for k in range(places.size):
        levels[places[k]] = of_pixels[k]
        ranks[places[k]] = rank_of[of_pixels[k]]
    shape = (height, width)
    return levels.reshape(shape), ranks.reshape(shape), present.astype(np.float64), counts[present]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def pairs_and_runs(ranks: Grid, n: int) -> tuple[Int32[np.ndarray, "4 n n"], Int32[np.ndarray, "4 n lengths"]]:
    """In one pass: pairs of neighbours, each counted once, and runs of each level and length (from 1)."""
    height, inner = ranks.shape[0], ranks.shape[1] - 2
    pairs = np.zeros((4, n + 1, n + 1), dtype=np.int32)
    flat, upright, falling, rising = pairs[0], pairs[1], pairs[2], pairs[3]
    reached = np.zeros((4, n + 1, max(ranks.shape)), dtype=np.int32)  # pixels that are the k-th of their run
    of_left, of_up, of_fall, of_rise = reached[0], reached[1], reached[2], reached[3]
    runs = np.zeros((2, 3, inner + 2), dtype=np.int32)  # down, falling, rising: this row's and the row's above
    for r in range(1, height - 1):
        own, above = ranks[r, 1 : 1 + inner], ranks[r - 1]
        north, north_west, north_east = above[1 : 1 + inner], above[:inner], above[2 : 2 + inner]
        now, before = runs[r % 2], runs[1 - r % 2]
        up, fall, rise = now[0, 1 : 1 + inner], now[1, 1 : 1 + inner], now[2, 1 : 1 + inner]
        _continue(up, before[0, 1 : 1 + inner], north, own)
        _continue(fall, before[1, :inner], north_west, own)
        _continue(rise, before[2, 2 : 2 + inner], north_east, own)
        left, west = _U(0), _U(n)
        for c in range(inner):
            level = _U(own[c])
            flat[west, level] += 1
            upright[_U(north[c]), level] += 1
            falling[_U(north_west[c]), level] += 1
            rising[_U(north_east[c]), level] += 1
            left = left + _U(1) if west == level else _U(1)
            west = level
            of_left[level, left] += 1
            of_up[level, _U(up[c])] += 1
            of_fall[level, _U(fall[c])] += 1
            of_rise[level, _U(rise[c])] += 1
    return pairs[:, :n, :n].copy(), _ended(reached[:, :n])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _continue(length, before, other, own):  # type: ignore[no-untyped-def]
    """Lengths of a row's runs so far, from those of the row above; 32-bit throughout, so that many are done at once."""
    for c in range(length.size):
        length[c] = before[c] + np.int32(1) if other[c] == own[c] else np.int32(1)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _ended(reached):  # type: ignore[no-untyped-def]
    """Runs of each length (from 1): those that reached it less those that went on."""
    longest = 1
    while longest + 1 < reached.shape[2] and reached[:, :, longest + 1].any():
        longest += 1
    runs = reached[:, :, 1 : longest + 1].copy()
    runs[:, :, : longest - 1] -= reached[:, :, 2 : longest + 1]
    return runs


@numba.njit(cache=True, nogil=True, error_model="numpy")
def pairs_of(ranks: Grid, n: int, steps: Steps) -> Int32[np.ndarray, "steps n n"]:
    """Pairs of a pixel and the one a step away, each counted once; as wide a border as the longest step."""
    height, width = ranks.shape
    pairs = np.zeros((steps.shape[0], n + 1, n + 1), dtype=np.int32)
    for k in range(steps.shape[0]):
        dr, dc = steps[k]
        for r in range(height - dr):
            for c in range(max(0, -dc), min(width, width - dc)):
                pairs[k, ranks[r, c], ranks[r + dr, c + dc]] += 1
    return pairs[:, :n, :n].copy()


@numba.njit(cache=True, nogil=True, error_model="numpy")
def zones(  # noqa: C901 one decision tree; a call for each pixel would cost five times the time
    ranks: Grid, n: int
) -> tuple[Int32[np.ndarray, "n sizes"], Float64[np.ndarray, " sizes"]]:
    """Counts of 8-connected zones of each level, by the sizes that occur; union-find, one pass and a half."""
    height, width = ranks.shape
    label = np.zeros((height, width), dtype=np.int32)
    parent = np.empty(height * width, dtype=np.int32)
    level_of = np.empty(parent.size, dtype=np.int32)
    size = np.zeros(parent.size, dtype=np.int32)
    count = 0
    for r in range(1, height - 1):
        for c in range(1, width - 1):
            level = ranks[r, c]
            if level == n:
                continue
            # neighbours that touch one another are joined already, so at most one join is left to make
            if ranks[r - 1, c] == level:
                own = label[r - 1, c]
            elif ranks[r - 1, c + 1] == level:
                own = label[r - 1, c + 1]
                if ranks[r, c - 1] == level:
                    own = _join(parent, own, label[r, c - 1])
                elif ranks[r - 1, c - 1] == level:
                    own = _join(parent, own, label[r - 1, c - 1])
            elif ranks[r, c - 1] == level:
                own = label[r, c - 1]
            elif ranks[r - 1, c - 1] == level:
                own = label[r - 1, c - 1]
            else:
                own = count
                parent[own], level_of[own] = own, level
                count += 1
            label[r, c] = own
            size[own] += 1
    for k in range(count - 1, -1, -1):  # a parent has the smaller number
        if parent[k] != k:
            size[parent[k]] += size[k]
            size[k] = 0
    return _by_size(level_of[:count], size[:count], n)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _by_size(level_of, size, n):  # type: ignore[no-untyped-def]
    """Counts of zones by level and by the sizes that occur; size 0 is no zone."""
    largest = 0
    for k in range(size.size):
        largest = max(largest, size[k])
    column = np.zeros(largest + 1, dtype=np.int32)
    for k in range(size.size):
        column[size[k]] = 1
    column[0] = 0
    sizes = np.flatnonzero(column).astype(np.float64)
    for k in range(sizes.size):
        column[int(sizes[k])] = k
    counts = np.zeros((n, sizes.size), dtype=np.int32)
    for k in range(size.size):
        if size[k]:
            counts[level_of[k], column[size[k]]] += 1
    return counts, sizes


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _join(parent, a, b):  # type: ignore[no-untyped-def]
    """Join two trees under the smaller root."""
    while parent[a] != a:
        parent[a] = parent[parent[a]]
        a = parent[a]
    while parent[b] != b:
        parent[b] = parent[parent[b]]
        b = parent[b]
    low, high = min(a, b), max(a, b)
    parent[high] = low
    return low


@numba.njit(cache=True, nogil=True, error_model="numpy")
def neighbourhoods(
    levels: Grid, ranks: Grid, n: int, alpha: int, steps: Steps, border: int
) -> tuple[Int32[np.ndarray, "n most"], Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """One pass for GLDM and NGTDM; neighbours are a step away, to either side.

    Returns the counts of each level and dependence (from 1, the pixel itself), and per level the number of
    pixels that have a neighbour and the sum of their distances to the mean of their neighbours.
    """
    height, width = levels.shape
    inner = width - 2 * border
    most = np.int32(alpha)
    dependence = np.zeros((n + 1, 2 * steps.shape[0] + 1), dtype=np.int32)
    alone = np.zeros(n + 1)
    differences = np.zeros((4, n + 1))  # four sums in turn: one need not wait for the other
    near, alike, total = np.empty(inner, np.int32), np.empty(inner, np.int32), np.empty(inner, np.int32)
    apart = np.empty(inner)
    for r in range(border, height - border):
        near[:], alike[:], total[:] = 0, 0, 0
        centre = levels[r, border : border + inner]
        for k in range(steps.shape[0]):
            dr, dc = steps[k]
            ahead = levels[r + dr, border + dc : border + dc + inner]
            behind = levels[r - dr, border - dc : border - dc + inner]
            _compare(near, total, alike, centre, ahead, behind, most)
        for c in range(inner):
            apart[c] = abs(centre[c] - total[c] / max(near[c], np.int32(1))) if near[c] else 0.0
        rank_of = ranks[r, border : border + inner]
        for c in range(inner):
            rank = _U(rank_of[c])
            dependence[rank, _U(alike[c])] += 1
            differences[_U(c & 3), rank] += apart[c]
            if near[c] == 0:
                alone[rank] += 1
    pixels = dependence.sum(axis=1) - alone
    return dependence[:n], pixels[:n], differences.sum(axis=0)[:n]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _compare(near, total, alike, centre, ahead, behind, most):  # type: ignore[no-untyped-def]
    """Add two neighbours of every pixel of a row; 32-bit throughout, so that many are done at once."""
    one, none = np.int32(1), np.int32(0)
    for c in range(near.size):
        a, b = ahead[c], behind[c]
        inside_a, inside_b = one if a > none else none, one if b > none else none
        near[c] += inside_a + inside_b
        total[c] += a + b
        alike[c] += inside_a if abs(a - centre[c]) <= most else none
        alike[c] += inside_b if abs(b - centre[c]) <= most else none
