"""The five texture classes of one region, in one place."""

from collections.abc import Collection
from dataclasses import dataclass

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


@dataclass(frozen=True)
class TextureRules:
    """How neighbours are found and angles put together.

    ``distances`` are Chebyshev, in pixels; ``alpha`` is the largest difference of levels that depend on one another.
    With a ``weighting`` (PyRadiomics' weightingNorm) the angles are merged, each weighted by the length of its
    step in that norm, in mm; without one, features are averaged over the angles. The NGTDM counts ``isolated``
    pixels, as PyRadiomics has it, or leaves them out, as IBSI does.
    """

    distances: tuple[int, ...] = (1,)
    alpha: int = 0
    symmetrical: bool = True
    weighting: str | None = None
    isolated: bool = True

    @property
    def border(self) -> int:
        """How far a step may leave the region's box."""
        return max(self.distances)


def texture_features(
    levels: matrices.Levels, classes: Collection[str], rules: TextureRules, spacing: tuple[float, float]
) -> dict[str, Float64[np.ndarray, " features"]]:
    """The wanted classes, each in the order of TEXTURE_CLASSES; NaN where the region has no pair or neighbour."""
    grid, ranks, greys, counts = levels
    n, pixels = greys.size, int(counts.sum())
    steps = matrices.steps_at(rules.distances)
    found: dict[str, np.ndarray] = {}
    if {"glcm", "glrlm"} & set(classes):
        pairs, runs = matrices.pairs_and_runs(ranks, counts)
        if rules.distances != (1,):
            pairs = matrices.pairs_of(ranks, n, steps)
        times = 1.0
        if rules.weighting:
            pairs = _merged(pairs, np.exp(-(_lengths(steps, rules.weighting, spacing) ** 2)))
            lengths = _lengths(matrices.DIRECTIONS, rules.weighting, spacing)
            runs, times = _merged(runs, lengths), float(lengths.sum())
        found["glcm"] = formulas.glcm(pairs, greys, rules.symmetrical)
        found["glrlm"] = formulas.glrlm(runs, greys, times * pixels)
    if "glszm" in classes:
        zones, sizes = matrices.zones(ranks, n)
        found["glszm"] = formulas.runs_or_zones(zones, greys, sizes, float(pixels))[formulas.GLSZM_PLACES]
    if {"gldm", "ngtdm"} & set(classes):
        dependence, with_neighbour, differences = matrices.neighbourhoods(
            grid, ranks, n, rules.alpha, steps, rules.border
        )
        sizes = np.arange(1.0, dependence.shape[1] + 1)
        of_dependence = formulas.runs_or_zones(dependence, greys, sizes, float(pixels))
        found["gldm"] = of_dependence[formulas.GLDM_PLACES]
        counted = counts.astype(np.float64) if rules.isolated and with_neighbour.any() else with_neighbour
        found["ngtdm"] = formulas.ngtdm(counted, differences, greys)
    return found


def _lengths(steps: matrices.Steps, norm: str, spacing: tuple[float, float]) -> Float64[np.ndarray, " steps"]:
    mm = np.abs(steps * np.array(spacing))
    if norm == "no_weighting":
        return np.ones(len(steps))
    order = {"infinity": np.inf, "euclidean": 2, "manhattan": 1}[norm]
    return np.asarray(np.linalg.norm(mm, ord=order, axis=1))


def _merged(counts: np.ndarray, weights: np.ndarray) -> Float64[np.ndarray, "1 n columns"]:
    return np.tensordot(weights, counts, axes=1)[None]
