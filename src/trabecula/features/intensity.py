"""First-order features by PyRadiomics' names and definitions (doi 10.1158/0008-5472.CAN-17-0339)."""

import numpy as np
from jaxtyping import Float, Int32

NAMES = (
    "10Percentile", "90Percentile", "Energy", "Entropy", "InterquartileRange", "Kurtosis", "Maximum",
    "MeanAbsoluteDeviation", "Mean", "Median", "Minimum", "Range", "RobustMeanAbsoluteDeviation",
    "RootMeanSquared", "Skewness", "TotalEnergy", "Uniformity", "Variance",
)  # fmt: skip


def first_order(
    greys: Float[np.ndarray, " pixels"],
    levels: Int32[np.ndarray, " pixels"],
    *,
    pixel_area: float,
    shift: float,
) -> dict[str, float]:
    """Statistics of the region's greys; entropy and uniformity are of the discretised levels.

    A flat region has skewness and kurtosis 0, as both PyRadiomics and IBSI define it. ``pixel_area`` in mm2
    (1 where spacing is unknown) scales TotalEnergy; ``shift`` is added before Energy and RootMeanSquared.
    """
    x = greys.astype(np.float64)
    p = np.unique(levels, return_counts=True)[1] / levels.size
    p10, q1, median, q3, p90 = np.percentile(x, (10, 25, 50, 75, 90))
    mean = x.mean()
    deviation = x - mean
    variance = float((deviation**2).mean())
    robust = x[(x >= p10) & (x <= p90)]
    energy = float(((x + shift) ** 2).sum())
    return {
        "10Percentile": float(p10),
        "90Percentile": float(p90),
        "Energy": energy,
        "Entropy": float(-(p * np.log2(p + np.spacing(1.0))).sum()),
        "InterquartileRange": float(q3 - q1),
        "Kurtosis": float((deviation**4).mean() / variance**2) if variance > 0 else 0.0,
        "Maximum": float(x.max()),
        "MeanAbsoluteDeviation": float(np.abs(deviation).mean()),
        "Mean": float(mean),
        "Median": float(median),
        "Minimum": float(x.min()),
        "Range": float(x.max() - x.min()),
        "RobustMeanAbsoluteDeviation": float(np.abs(robust - robust.mean()).mean()),
        "RootMeanSquared": float(np.sqrt(energy / x.size)),
        "Skewness": float((deviation**3).mean() / variance**1.5) if variance > 0 else 0.0,
        "TotalEnergy": energy * pixel_area,
        "Uniformity": float((p**2).sum()),
        "Variance": variance,
    }
