"""A small piece of a simulated film, to try a model on without a patient's film."""

import numpy as np
from jaxtyping import UInt8, UInt16

from .design import plan_study
from .film import HOSPITALS
from .write import render

_CASES, _SEED, _HOSPITAL = 36, 2024, "A"
_MARGIN = 0.5  # of the region's height and width, on each side


def example_film() -> tuple[UInt16[np.ndarray, "rows cols"], UInt8[np.ndarray, "rows cols"], float]:
    """The film around one vertebra, its mask (0 and 1) and the spacing in mm; always the same."""
    patient = next(one for one in plan_study(_CASES, _SEED) if one.hospital == _HOSPITAL)
    film, labels = render(patient)
    inside = labels == labels[labels > 0].min()
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    window = tuple(
        slice(max(int(at[0] - _MARGIN * at.size), 0), int(at[-1] + 1 + _MARGIN * at.size)) for at in (rows, cols)
    )
    return film[window].copy(), inside[window].astype(np.uint8), HOSPITALS[_HOSPITAL].spacing
