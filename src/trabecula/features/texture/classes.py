"""The five texture classes of one region, in one place."""

from collections.abc import Collection

import numpy as np
from jaxtyping import Float64

from . import formulas, matrices

TEXTURE_CLASSES: dict[str, tuple[str, ...]] = {
    "glcm": formulas.GLCM,
    "glrlm": formulas.GLRLM,
    "glszm": formulas.GLSZM,
    "gldm": formulas.GLDM,
    "ngtdm": formulas.NGTDM,
}


def texture_features(
    levels: matrices.Levels, classes: Collection[str], *, distances: tuple[int, ...], alpha: float
) -> dict[str, Float64[np.ndarray, " features"]]:
    """The wanted classes, each in the order of TEXTURE_CLASSES; NaN where the region has no pair or neighbour."""
    grid, ranks, greys, counts = levels
    n, pixels = greys.size, int(counts.sum())
    found: dict[str, np.ndarray] = {}
    if {"glcm", "glrlm"} & set(classes):
        pairs, runs = matrices.pairs_and_runs(ranks, n)
        if distances != (1,):
            pairs = np.concatenate([matrices.pairs_at(ranks, n, distance) for distance in distances])
        found["glcm"] = formulas.glcm(pairs, greys)
        found["glrlm"] = formulas.glrlm(runs, greys, pixels)
    if "glszm" in classes:
        zones, sizes = matrices.zones(ranks, n)
        found["glszm"] = formulas.runs_or_zones(zones, greys, sizes, pixels)
    if {"gldm", "ngtdm"} & set(classes):
        dependence, with_neighbour, differences = matrices.neighbourhoods(grid, ranks, n, int(alpha))
        of_dependence = formulas.runs_or_zones(dependence, greys, np.arange(1.0, 10.0), pixels)
        found["gldm"] = of_dependence[formulas.GLDM_PLACES]
        found["ngtdm"] = formulas.ngtdm(with_neighbour, differences, greys)
    return found
