"""2-D shape features by PyRadiomics' names and definitions (doi 10.1158/0008-5472.CAN-17-0339).

Perimeter, surface and diameter are those of the marching-squares outline through the midpoints between a pixel
of the region and one outside; the axes are those of the pixel centres' principal components.
"""

import numba
import numpy as np
from jaxtyping import Bool, Float64

NAMES = (
    "Elongation", "MajorAxisLength", "MaximumDiameter", "MeshSurface", "MinorAxisLength", "Perimeter",
    "PerimeterSurfaceRatio", "PixelSurface", "Sphericity",
)  # fmt: skip


def shape2d(inside: Bool[np.ndarray, "height width"], spacing: tuple[float, float]) -> Float64[np.ndarray, "9"]:
    """NAMES of the region in mm (in pixels where ``spacing`` is (1, 1)); Elongation is NaN for one pixel."""
    pixels, moments = _moments(inside)
    minor, major = np.clip(np.linalg.eigvalsh(moments * np.outer(spacing, spacing)), 0, None)
    perimeter, surface, left, right = _outline(_bordered(inside), spacing[0], spacing[1])
    return np.array(
        [
            np.sqrt(minor / major) if major > 0 else np.nan,
            4 * np.sqrt(major),
            _diameter(left, right, spacing[0] / 2),
            surface,
            4 * np.sqrt(minor),
            perimeter,
            perimeter / surface,
            pixels * spacing[0] * spacing[1],
            2 * np.sqrt(np.pi * surface) / perimeter,
        ]
    )


def _bordered(inside: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "higher wider"]:
    """np.pad by one pixel, in a quarter of the time."""
    out = np.zeros((inside.shape[0] + 2, inside.shape[1] + 2), dtype=bool)
    out[1:-1, 1:-1] = inside
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _moments(inside: Bool[np.ndarray, "height width"]) -> tuple[int, Float64[np.ndarray, "2 2"]]:
    """The number of pixels, and the variances and covariance of their row and column numbers."""
    count, row, col, rr, rc, cc = 0, 0, 0, 0, 0, 0
    for r in range(inside.shape[0]):
        n, total, squares = 0, 0, 0
        for c in range(inside.shape[1]):
            n += inside[r, c]
            total += c * inside[r, c]
            squares += c * c * inside[r, c]
        count, row, col = count + n, row + r * n, col + total
        rr, rc, cc = rr + r * r * n, rc + r * total, cc + squares
    covariance = rc / count - row / count * (col / count)
    return count, np.array(
        [[rr / count - (row / count) ** 2, covariance], [covariance, cc / count - (col / count) ** 2]]
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _outline(
    inside: Bool[np.ndarray, "height width"], row_mm: float, col_mm: float
) -> tuple[float, float, Float64[np.ndarray, " half_rows"], Float64[np.ndarray, " half_rows"]]:
    """Length and area of the outline; the leftmost and rightmost midpoint of each half row, NaN where none is."""
    height, width = inside.shape
    diagonal = np.sqrt(row_mm**2 + col_mm**2) / 2
    left, right = np.full(2 * height, np.nan), np.full(2 * height, np.nan)
    length, area, full = 0.0, 0.0, 0
    for r in range(height - 1):
        a, d = inside[r, 0], inside[r + 1, 0]
        for c in range(width - 1):
            before = a, d
            b, e = inside[r, c + 1], inside[r + 1, c + 1]
            alike = (a == b) & (a == d) & (a == e)
            a, d = b, e
            if alike:  # nearly everywhere
                full += b
                continue
            length, area = _add_corner(before, (b, e), r, c, (row_mm, col_mm, diagonal), (length, area), left, right)
    area += full
    return length, area * row_mm * col_mm, left, right


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_corner(before, after, r, c, sizes, sums, left, right):  # type: ignore[no-untyped-def]
    """Length and area with those of the outline between four pixels that are not alike, whose midpoints are noted."""
    (a, d), (b, e) = before, after
    row_mm, col_mm, diagonal = sizes
    length, area = sums
    corners = int(a) + int(b) + int(d) + int(e)
    if a != b:
        _widen(left, right, 2 * r, (c + 0.5) * col_mm)
    if a != d:
        _widen(left, right, 2 * r + 1, c * col_mm)
    if corners != 2:
        return length + diagonal, area + (0.125 if corners == 1 else 0.875)
    if a == e:
        return length + 2 * diagonal, area + 0.25
    return length + (col_mm if a == b else row_mm), area + 0.5


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _widen(left, right, half_row, x):  # type: ignore[no-untyped-def]
    if np.isnan(left[half_row]):
        left[half_row] = x
    right[half_row] = x  # columns are visited from left to right


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _diameter(left: Float64[np.ndarray, " half_rows"], right: Float64[np.ndarray, " half_rows"], step: float) -> float:
    """The largest distance of two points, which lie on the convex hull; half rows are ``step`` mm apart."""
    hull = np.empty((2 * left.size, 2))
    count = 0
    for side in range(2):
        first = count
        for k in range(left.size):
            x, y = (left[k], right[k])[side], k * step
            if np.isnan(x):
                continue
            while count - first >= 2:
                turn = (hull[count - 1, 0] - hull[count - 2, 0]) * (y - hull[count - 2, 1])
                turn -= (hull[count - 1, 1] - hull[count - 2, 1]) * (x - hull[count - 2, 0])
                if (turn < 0) == (side == 0) and turn != 0:  # bulges outwards
                    break
                count -= 1
            hull[count, 0], hull[count, 1] = x, y
            count += 1
    largest = 0.0
    for i in range(count):
        for j in range(i):
            largest = max(largest, (hull[i, 0] - hull[j, 0]) ** 2 + (hull[i, 1] - hull[j, 1]) ** 2)
    return np.sqrt(largest)
