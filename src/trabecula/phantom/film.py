"""From attenuation to stored values: exposure, scatter, blur, noise and each hospital's look-up table."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt16
from scipy import ndimage

Grid = Float64[np.ndarray, "rows cols"]


@dataclass(frozen=True)
class Hospital:
    """One hospital's equipment.

    ``spacing`` of a pixel in mm; ``bits`` stored; ``photons`` a pixel through one unit of tissue; ``scatter`` as a
    part of all photons; ``contrast`` and ``centre`` of its look-up table.
    """

    spacing: float
    bits: int
    photons: float
    scatter: float
    contrast: float
    centre: float
    dense_is_dark: bool = False
    dicom: bool = False


HOSPITALS = {
    "A": Hospital(spacing=0.30, bits=12, photons=9000, scatter=0.25, contrast=2.2, centre=1.45),
    "B": Hospital(spacing=0.34, bits=10, photons=5000, scatter=0.35, contrast=2.8, centre=1.35),
    "C": Hospital(
        spacing=0.27,
        bits=14,
        photons=12000,
        scatter=0.30,
        contrast=1.8,
        centre=1.55,
        dense_is_dark=True,
        dicom=True,
    ),
}


def expose(attenuation: Grid, hospital: Hospital, rng: np.random.Generator) -> UInt16[np.ndarray, "rows cols"]:
    """Stored values of one film."""
    primary = hospital.photons * np.exp(-attenuation)
    spread = ndimage.gaussian_filter(primary, 18 / hospital.spacing / 4)
    reached = (1 - hospital.scatter) * primary + hospital.scatter * spread
    blurred = ndimage.gaussian_filter(reached, 0.16 / hospital.spacing)
    counted = np.maximum(rng.poisson(blurred), 1.0)
    density = -np.log(counted / (hospital.photons * rng.uniform(0.92, 1.08)))
    bright = 1 / (1 + np.exp(-hospital.contrast * (density - hospital.centre)))
    highest = 2**hospital.bits - 1
    stored = np.rint(highest * (0.03 + 0.94 * bright))
    return (highest - stored if hospital.dense_is_dark else stored).astype(np.uint16)
