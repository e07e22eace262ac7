"""What a row of features was computed from: film and region in numbers, under PyRadiomics' names."""

import hashlib
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from ..records import FeatureRow, Region, Xray
from .patch import box_of

_SIDES = ("Columns", "Rows")  # x first, as PyRadiomics has it
NAMES = (
    *(f"diagnostics_Image-original_Spacing_{side}" for side in _SIDES),
    *(f"diagnostics_Image-original_Size_{side}" for side in _SIDES),
    *(f"diagnostics_Image-original_{what}" for what in ("Mean", "Minimum", "Maximum")),
    *(f"diagnostics_Mask-original_BoundingBox_{what}" for what in ("Left", "Top", "Width", "Height")),
    *(f"diagnostics_Mask-original_{what}" for what in ("VoxelNum", "VolumeNum")),
    *(f"diagnostics_Mask-original_CenterOfMassIndex_{side}" for side in _SIDES),
)


class Diagnostics:
    """An extractor (see records.Extractor) of what lies behind the features; it has no settings."""

    name = "diagnostics"
    names = NAMES
    digest = hashlib.sha256(f"1 {NAMES}".encode()).hexdigest()

    def rows(self, xray: Xray, regions: Sequence[Region]) -> list[FeatureRow]:
        """One row a region."""
        height, width = xray.pixels.shape
        spacing = xray.spacing_mm or (np.nan, np.nan)
        unknown = {} if xray.spacing_mm else dict.fromkeys(NAMES[:2], "the film's spacing is unknown")
        greys = (xray.pixels.mean(dtype=np.float64), float(xray.pixels.min()), float(xray.pixels.max()))
        film = (spacing[1], spacing[0], width, height, *greys)
        return [FeatureRow(np.array([*film, *_of_region(region.inside)]), unknown) for region in regions]


def _of_region(inside: np.ndarray) -> tuple[float, ...]:
    box = box_of(inside)
    rows, columns = np.nonzero(inside)
    _, parts = ndimage.label(inside, structure=np.ones((3, 3)))
    size = (box.right - box.left, box.bottom - box.top)
    return (box.left, box.top, *size, rows.size, parts, float(columns.mean()), float(rows.mean()))
