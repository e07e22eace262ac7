"""Compiled kernels: a region's grey levels -> the five texture matrices, each in one pass.

``levels`` holds compact grey levels 0..n-1 (ranks of the levels present) inside the region and -1 outside.
Neighbours are the eight around a pixel, at distance one, inside the region.
"""

import numba
import numpy as np
from jaxtyping import Float64, Int32

Levels = Int32[np.ndarray, "height width"]

_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))


@numba.njit(cache=True, nogil=True)
def cooccurrence(levels: Levels, n: int, distance: int) -> Float64[np.ndarray, "angles n n"]:
    """Symmetric counts of pairs, for 0, 90, 45 and 135 degrees."""
    height, width = levels.shape
    counts = np.zeros((4, n, n))
    for angle in range(4):
        dr, dc = _STEPS[angle][0] * distance, _STEPS[angle][1] * distance
        for r in range(height - dr):
            for c in range(max(0, -dc), min(width, width - dc)):
                i, j = levels[r, c], levels[r + dr, c + dc]
                if i >= 0 and j >= 0:
                    counts[angle, i, j] += 1
                    counts[angle, j, i] += 1
    return counts


@numba.njit(cache=True, nogil=True)
def run_lengths(levels: Levels, n: int) -> Float64[np.ndarray, "angles n lengths"]:
    """Counts of runs of each level and length, for 0, 90, 45 and 135 degrees."""
    height, width = levels.shape
    counts = np.zeros((4, n, max(height, width) + 1))
    for angle in range(4):
        dr, dc = _STEPS[angle]
        for r in range(height):
            for c in range(width):
                level = levels[r, c]
                if level < 0:
                    continue
                pr, pc = r - dr, c - dc
                if pr >= 0 and 0 <= pc < width and levels[pr, pc] == level:
                    continue
                length, nr, nc = 1, r + dr, c + dc
                while nr < height and 0 <= nc < width and levels[nr, nc] == level:
                    length, nr, nc = length + 1, nr + dr, nc + dc
                counts[angle, level, length] += 1
    return counts


@numba.njit(cache=True, nogil=True)
def zone_sizes(levels: Levels, n: int) -> Float64[np.ndarray, "n sizes"]:
    """Counts of 8-connected zones of each level and size."""
    height, width = levels.shape
    seen = np.zeros((height, width), dtype=np.bool_)
    stack = np.empty((height * width, 2), dtype=np.int32)
    zone_level = np.empty(height * width, dtype=np.int32)
    zone_size = np.empty(height * width, dtype=np.int32)
    zones, largest = 0, 0
    for r in range(height):
        for c in range(width):
            level = levels[r, c]
            if level < 0 or seen[r, c]:
                continue
            seen[r, c] = True
            stack[0, 0], stack[0, 1] = r, c
            top, size = 1, 0
            while top > 0:
                top -= 1
                pr, pc = stack[top, 0], stack[top, 1]
                size += 1
                for nr in range(max(0, pr - 1), min(height, pr + 2)):
                    for nc in range(max(0, pc - 1), min(width, pc + 2)):
                        if levels[nr, nc] == level and not seen[nr, nc]:
                            seen[nr, nc] = True
                            stack[top, 0], stack[top, 1] = nr, nc
                            top += 1
            zone_level[zones], zone_size[zones] = level, size
            zones += 1
            largest = max(largest, size)
    counts = np.zeros((n, largest + 1))
    for zone in range(zones):
        counts[zone_level[zone], zone_size[zone]] += 1
    return counts


@numba.njit(cache=True, nogil=True)
def neighbourhoods(
    levels: Levels, greys: Float64[np.ndarray, " n"], alpha: float
) -> tuple[Float64[np.ndarray, "n dependences"], Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """One pass for GLDM and NGTDM.

    Returns the counts of each level and dependence (the pixel itself counts, 1..9), and per level the number
    of pixels that have a neighbour and the sum of their distances to the mean of their neighbours.
    """
    height, width = levels.shape
    n = greys.size
    dependence = np.zeros((n, 10))
    pixels = np.zeros(n)
    differences = np.zeros(n)
    for r in range(height):
        for c in range(width):
            level = levels[r, c]
            if level < 0:
                continue
            near, alike, total = 0, 1, 0.0
            for nr in range(max(0, r - 1), min(height, r + 2)):
                for nc in range(max(0, c - 1), min(width, c + 2)):
                    other = levels[nr, nc]
                    if other < 0 or (nr == r and nc == c):
                        continue
                    near += 1
                    total += greys[other]
                    if abs(greys[other] - greys[level]) <= alpha:
                        alike += 1
            dependence[level, alike] += 1
            if near:
                pixels[level] += 1
                differences[level] += abs(greys[level] - total / near)
    return dependence, pixels, differences
