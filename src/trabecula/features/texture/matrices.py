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


@numba.njit(cache=True, nogil=True)
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


@numba.njit(cache=True, nogil=True)
def pairs_and_runs(ranks: Grid, n: int) -> tuple[Int32[np.ndarray, "4 n n"], Int32[np.ndarray, "4 n lengths"]]:
    """In one pass: pairs of neighbours, each counted once, and runs of each level and length (from 1)."""
    height, width = ranks.shape
    longest = max(height, width) - 1
    pairs = np.zeros((4, n + 1, n + 1), dtype=np.int32)
    reached = np.zeros((4, n + 1, longest + 1), dtype=np.int32)  # pixels that are the k-th of their run
    up = np.zeros(width, dtype=np.int32)
    falling, falling_before = np.zeros(width, dtype=np.int32), np.zeros(width, dtype=np.int32)
    rising, rising_before = np.zeros(width, dtype=np.int32), np.zeros(width, dtype=np.int32)
    seen = 1  # the longest run so far
    for r in range(1, height - 1):
        left = 0
        for c in range(1, width - 1):
            level = ranks[r, c]
            west, north = ranks[r, c - 1], ranks[r - 1, c]
            north_west, north_east = ranks[r - 1, c - 1], ranks[r - 1, c + 1]
            pairs[0, west, level] += 1
            pairs[1, north, level] += 1
            pairs[2, north_west, level] += 1
            pairs[3, north_east, level] += 1
            left = left * (west == level) + 1
            up[c] = up[c] * (north == level) + 1
            falling[c] = falling_before[c - 1] * (north_west == level) + 1
            rising[c] = rising_before[c + 1] * (north_east == level) + 1
            if level < n:
                reached[0, level, left] += 1
                reached[1, level, up[c]] += 1
                reached[2, level, falling[c]] += 1
                reached[3, level, rising[c]] += 1
                seen = max(seen, left, up[c], max(falling[c], rising[c]))
        falling, falling_before = falling_before, falling
        rising, rising_before = rising_before, rising
    runs = reached[:, :n, 1 : seen + 1].copy()
    for angle in range(4):
        for i in range(n):
            for k in range(seen - 1):
                runs[angle, i, k] -= runs[angle, i, k + 1]
    return pairs[:, :n, :n].copy(), runs


@numba.njit(cache=True, nogil=True)
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


@numba.njit(cache=True, nogil=True)
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


@numba.njit(cache=True, nogil=True)
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


@numba.njit(cache=True, nogil=True)
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


@numba.njit(cache=True, nogil=True)
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
    dependence = np.zeros((n, 2 * steps.shape[0] + 1), dtype=np.int32)
    pixels, differences = np.zeros(n), np.zeros(n)
    near, alike, total = np.empty(inner, np.int32), np.empty(inner, np.int32), np.empty(inner, np.int32)
    for r in range(border, height - border):
        near[:], alike[:], total[:] = 0, 0, 0
        centre = levels[r, border : border + inner]
        for k in range(2 * steps.shape[0]):
            side = 1 if k % 2 else -1
            first = border + side * steps[k // 2, 1]
            others = levels[r + side * steps[k // 2, 0], first : first + inner]
            for c in range(inner):  # whole rows of plain sums, which the processor does several at a time
                other = others[c]
                near[c] += other > 0
                total[c] += other
                alike[c] += (other > 0) & (abs(other - centre[c]) <= most)
        rank_of = ranks[r, border : border + inner]
        for c in range(inner):
            rank = rank_of[c]
            if rank < n:
                dependence[rank, alike[c]] += 1
                if near[c] > 0:
                    pixels[rank] += 1
                    differences[rank] += abs(centre[c] - total[c] / near[c])
    return dependence, pixels, differences
