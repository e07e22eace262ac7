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
    of_pixels: Int32[np.ndarray, " pixels"], spans: Int64[np.ndarray, "spans 3"], shape: tuple[int, int], border: int
) -> Levels:
    """Put the levels of a region's pixels at their places: levels, ranks, the levels present and their counts.

    ``spans`` are the region's stretches in a box of ``shape``: row, first column, pixels; the grids have a ``border``.
    """
    highest = of_pixels.max()
    counts = np.zeros(highest + 1, dtype=np.int32)
    for level in of_pixels:
        counts[_U(level)] += 1
    present = np.flatnonzero(counts)
    n = present.size
    rank_of = np.zeros(highest + 1, dtype=np.int32)
    for k in range(n):
        rank_of[present[k]] = k
    height, width = shape[0] + 2 * border, shape[1] + 2 * border
    levels = np.zeros((height, width), dtype=np.int32)
    ranks = np.full((height, width), n, dtype=np.int32)
    place = 0
    for k in range(spans.shape[0]):
        row, column = spans[k, 0] + border, spans[k, 1] + border
        of_span = of_pixels[place : place + spans[k, 2]]
        _lay(levels, ranks, row, column, of_span)
        if n < highest:  # a level is missing, so that a rank is not a level less one
            for c in range(of_span.size):
                ranks[row, column + c] = rank_of[_U(of_span[c])]
        place += spans[k, 2]
    return levels, ranks, present.astype(np.float64), counts[present]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _lay(levels, ranks, row, column, of_span):  # type: ignore[no-untyped-def]
    for c in range(of_span.size):
        levels[row, _U(column + c)] = of_span[c]
        ranks[row, _U(column + c)] = of_span[c] - np.int32(1)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def pairs_and_runs(
    ranks: Grid, counts: Int32[np.ndarray, " n"]
) -> tuple[Int32[np.ndarray, "4 n n"], Int32[np.ndarray, "4 n lengths"]]:
    """In one pass: pairs of neighbours, each counted once, and runs of each level and length (from 1).

    A pixel either differs from the one before it, and makes a pair of two levels, or goes on with a run, and is the
    k-th pixel of it: one count for each of the four angles is enough. ``counts`` are the pixels of each level.
    """
    n, height, inner = counts.size, ranks.shape[0], ranks.shape[1] - 2
    met = np.zeros((4, n + 1, n + 1 + max(ranks.shape)), dtype=np.int32)  # by level; then the other level, or n + k
    wide = np.int32(met.shape[2])
    flat, upright, falling, rising = met[0].ravel(), met[1].ravel(), met[2].ravel(), met[3].ravel()
    runs = np.ones((2, 3, inner + 2), dtype=np.int32)  # down, falling, rising: this row's and the row's above
    keys = np.empty((3, inner), dtype=np.int32)
    down, fall, rise = keys[0], keys[1], keys[2]
    outside = np.int32(n)
    for r in range(1, height - 1):
        own, above = ranks[r, 1 : 1 + inner], ranks[r - 1]
        now, before = runs[r % 2], runs[1 - r % 2]
        _follow(down, now[0, 1 : 1 + inner], before[0, 1 : 1 + inner], above[1 : 1 + inner], own, outside, wide)
        _follow(fall, now[1, 1 : 1 + inner], before[1, :inner], above[:inner], own, outside, wide)
        _follow(rise, now[2, 1 : 1 + inner], before[2, 2 : 2 + inner], above[2 : 2 + inner], own, outside, wide)
        left, west = np.int32(1), outside
        for c in range(inner):
            level = own[c]
            left = np.int32(1) + left * np.int32(west == level)
            flat[_U(level * wide + (west if west != level else outside + left))] += 1
            upright[_U(down[c])] += 1
            falling[_U(fall[c])] += 1
            rising[_U(rise[c])] += 1
            west = level
    return _taken_apart(met, counts)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _taken_apart(met, counts):  # type: ignore[no-untyped-def]
    """Pairs and runs from what each pixel met, by angle and level: another level, or that it is the k-th of its run."""
    n = counts.size
    pairs = met[:, :n, :n].copy().transpose(0, 2, 1).copy()
    reached = met[:, :n, n:]
    longest = 1
    while longest + 1 < reached.shape[2] and reached[:, :, longest + 1].any():
        longest += 1
    runs = reached[:, :, 1 : longest + 1].copy()
    for angle in range(4):
        for level in range(n):
            pairs[angle, level, level] = runs[angle, level, 1:].sum()
            runs[angle, level, 0] = counts[level] - pairs[angle, level, level]
    ended = runs.copy()  # those that reached a length less those that went on
    ended[:, :, :-1] -= runs[:, :, 1:]
    return pairs, ended


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _follow(keys, length, before, other, own, outside, wide):  # type: ignore[no-untyped-def]
    """Where each pixel of a row is counted, from the row above; 32-bit throughout, so that many are done at once."""
    one = np.int32(1)
    for c in range(keys.size):
        level, longer = own[c], before[c] + one
        same = other[c] == level
        length[c] = longer if same else one
        keys[c] = level * wide + (outside + longer if same else other[c])


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
def zones(ranks: Grid, n: int) -> tuple[Int32[np.ndarray, "n sizes"], Float64[np.ndarray, " sizes"]]:
    """Counts of 8-connected zones of each level, by the sizes that occur.

    Labels go down the rows; where a pixel joins two of them, they are noted and joined at the end. Which label a
    pixel takes is no branch: noise would make the processor guess wrong at every other pixel.
    """
    height, width = ranks.shape
    inner = width - 2
    label = np.zeros(height * width, dtype=np.int32)  # 0: the border, a zone of the outside
    level_of = np.full(label.size, n, dtype=np.int32)
    size = np.zeros(label.size, dtype=np.int32)
    met = np.empty((2, label.size), dtype=np.int32)
    source, partner = np.empty(inner, np.int32), np.empty(inner, np.int32)
    count, joins = 1, 0
    for r in range(1, height - 1):
        own_row, above = ranks[r], ranks[r - 1]
        _look_back(source, partner, own_row, above)
        for c in range(inner):
            place = _U(r * width + 1 + c)
            label[place] = count
            own = label[_U(np.int64(place) + source[c])]
            label[place] = own
            level_of[_U(count)] = own_row[c + 1]
            count += source[c] == 0
            size[_U(own)] += 1
            if partner[c]:
                met[0, joins], met[1, joins] = own, label[_U(np.int64(place) + partner[c])]
                joins += 1
    parent = np.arange(count)
    for k in range(joins):
        _join(parent, met[0, k], met[1, k])
    return _by_size(parent, level_of, size, n)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _look_back(source, partner, own, above):  # type: ignore[no-untyped-def]
    """How far back the label of each pixel of a row stands, and one more of its level that it joins; 0: none.

    Of the four neighbours before a pixel, those that touch one another are joined already: only north-east and one
    on the left can still be two.
    """
    none, west, up = np.int32(0), np.int32(-1), np.int32(own.size)
    for c in range(source.size):
        level = own[c + 1]
        north, north_east = above[c + 1] == level, above[c + 2] == level
        on_left = west if own[c] == level else (-up - np.int32(1) if above[c] == level else none)
        source[c] = -up if north else (np.int32(1) - up if north_east else on_left)
        partner[c] = on_left if north_east and not north else none


_FEW = 64  # zones of fewer pixels are counted in a table, the others one by one


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _by_size(parent, level_of, size, n):  # type: ignore[no-untyped-def]
    """Counts of zones by level and by the sizes that occur."""
    few = np.zeros((n + 1, _FEW), dtype=np.int32)
    large = np.empty(parent.size, dtype=np.int32)
    count = 0
    for k in range(parent.size - 1, 0, -1):  # a parent has the smaller number: its size is complete in time
        if parent[k] != k:
            size[parent[k]] += size[k]
        elif size[k] < _FEW:
            few[_U(level_of[k]), _U(size[k])] += 1
        else:
            large[count] = k
            count += 1
    several = np.unique(size[large[:count]])
    small = np.array([k for k in range(1, _FEW) if few[:n, k].any()], dtype=np.int64)
    counts = np.zeros((n + 1, small.size + several.size), dtype=np.int32)
    for k in range(small.size):
        counts[:, k] = few[:, small[k]]
    for k in large[:count]:
        counts[level_of[k], small.size + np.searchsorted(several, size[k])] += 1
    return counts[:n], np.concatenate((small, several.astype(np.int64))).astype(np.float64)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _join(parent, a, b):  # type: ignore[no-untyped-def]
    """Join two trees under the smaller root."""
    while parent[a] != a:
        parent[a] = parent[parent[a]]
        a = parent[a]
    while parent[b] != b:
        parent[b] = parent[parent[b]]
        b = parent[b]
    parent[max(a, b)] = min(a, b)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def neighbourhoods(
    levels: Grid, ranks: Grid, n: int, alpha: int, steps: Steps, border: int
) -> tuple[Int32[np.ndarray, "n most"], Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """One pass for GLDM and NGTDM; neighbours are a step away, to either side.

    Returns the counts of each level and dependence (from 1, the pixel itself), and per level the number of
    pixels that have a neighbour and the sum of their distances to the mean of their neighbours. The distances are
    summed as whole numbers by the number of neighbours, and divided by it at the end.
    """
    width = levels.shape[1]
    flat, rank_of = levels.ravel(), ranks.ravel()
    most = 2 * steps.shape[0] + 1  # neighbours and the pixel itself
    found = np.zeros((n + 1) * most * most, dtype=np.int64)
    pixels, distances = np.zeros(found.size, dtype=np.int64), np.zeros(found.size, dtype=np.int64)
    near, alike, total = (np.empty(_STRETCH, np.int32), np.empty(_STRETCH, np.int32), np.empty(_STRETCH, np.int32))
    first, last = border * width + border, flat.size - border * width - border
    for start in range(first, last, _STRETCH):
        stop = min(start + _STRETCH, last)
        here = stop - start
        near[:], alike[:], total[:] = 0, 0, 0
        for k in range(steps.shape[0]):
            off = steps[k, 0] * width + steps[k, 1]
            ahead, behind = flat[start + off : stop + off], flat[start - off : stop - off]
            _compare(near[:here], total[:here], alike[:here], flat[start:stop], ahead, behind, np.int32(alpha))
        _place(near[:here], total[:here], alike[:here], flat[start:stop], rank_of[start:stop], np.int32(most))
        for k in range(here):
            found[_U(alike[k])] += (np.int64(total[k]) << 24) + 1  # a sum and a count in one number
        if (start - first) // _STRETCH % 1024 == 1023 or stop == last:  # before either is full
            for k in range(found.size):
                pixels[k] += found[k] & 0xFFFFFF
                distances[k] += found[k] >> 24
                found[k] = 0
    return _by_level(pixels.reshape(n + 1, most, most)[:n], distances.reshape(n + 1, most, most)[:n])


_STRETCH = 1024  # pixels whose counts stay in the first cache


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _compare(near, total, alike, centre, ahead, behind, alpha):  # type: ignore[no-untyped-def]
    """Add two neighbours of every pixel; 32-bit throughout, so that many are done at once."""
    one, none = np.int32(1), np.int32(0)
    for c in range(near.size):
        a, b = ahead[c], behind[c]
        inside_a, inside_b = one if a > none else none, one if b > none else none
        near[c] += inside_a + inside_b
        total[c] += a + b
        alike[c] += inside_a if abs(a - centre[c]) <= alpha else none
        alike[c] += inside_b if abs(b - centre[c]) <= alpha else none


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _place(near, total, alike, centre, rank, most):  # type: ignore[no-untyped-def]
    """``total`` becomes the distance to the mean times the neighbours; ``alike`` where the pixel is counted."""
    for c in range(near.size):
        total[c] = abs(centre[c] * near[c] - total[c])
        alike[c] += most * (near[c] + most * rank[c])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _by_level(pixels, distances):  # type: ignore[no-untyped-def]
    """What ``neighbourhoods`` returns, from counts and sums by level, neighbours and dependence."""
    n, most = pixels.shape[0], pixels.shape[1]
    dependence = np.zeros((n, most), dtype=np.int32)
    with_neighbour, apart = np.zeros(n), np.zeros(n)
    for level in range(n):
        for near in range(most):
            for alike in range(most):
                dependence[level, alike] += pixels[level, near, alike]
                if near:
                    with_neighbour[level] += pixels[level, near, alike]
                    apart[level] += distances[level, near, alike] / near
    return dependence, with_neighbour, apart
