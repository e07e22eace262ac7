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
    rows, cols = np.nonzero(inside)
    centres = np.stack([rows * spacing[0], cols * spacing[1]], axis=1)
    centred = centres - centres.mean(axis=0)
    minor, major = np.clip(np.linalg.eigvalsh(centred.T @ centred / rows.size), 0, None)
    perimeter, surface, vertices = _outline(np.pad(inside, 1), spacing[0], spacing[1])
    return np.array(
        [
            np.sqrt(minor / major) if major > 0 else np.nan,
            4 * np.sqrt(major),
            _diameter(vertices),
            surface,
            4 * np.sqrt(minor),
            perimeter,
            perimeter / surface,
            rows.size * spacing[0] * spacing[1],
            2 * np.sqrt(np.pi * surface) / perimeter,
        ]
    )


@numba.njit(cache=True, nogil=True)
def _outline(
    inside: Bool[np.ndarray, "height width"], row_mm: float, col_mm: float
) -> tuple[float, float, Float64[np.ndarray, "vertices two"]]:
    """Length and area of the outline, and the midpoints it runs through."""
    height, width = inside.shape
    diagonal = np.sqrt(row_mm**2 + col_mm**2) / 2
    vertices = np.empty((2 * inside.size, 2))
    length, area, n = 0.0, 0.0, 0
    for r in range(height - 1):
        for c in range(width - 1):
            a, b, d, e = inside[r, c], inside[r, c + 1], inside[r + 1, c], inside[r + 1, c + 1]
            corners = int(a) + int(b) + int(d) + int(e)
            if a != b:
                vertices[n, 0], vertices[n, 1] = r * row_mm, (c + 0.5) * col_mm
                n += 1
            if a != d:
                vertices[n, 0], vertices[n, 1] = (r + 0.5) * row_mm, c * col_mm
                n += 1
            if corners == 1 or corners == 3:
                length += diagonal
                area += 0.125 if corners == 1 else 0.875
            elif corners == 4:
                area += 1.0
            elif corners == 2 and a == e:
                length += 2 * diagonal
                area += 0.75
            elif corners == 2:
                length += col_mm if a == b else row_mm
                area += 0.5
    return length, area * row_mm * col_mm, vertices[:n]


@numba.njit(cache=True, nogil=True)
def _diameter(vertices: Float64[np.ndarray, "vertices two"]) -> float:
    largest = 0.0
    for i in range(vertices.shape[0]):
        for j in range(i):
            gap = (vertices[i, 0] - vertices[j, 0]) ** 2 + (vertices[i, 1] - vertices[j, 1]) ** 2
            largest = max(largest, gap)
    return np.sqrt(largest)
