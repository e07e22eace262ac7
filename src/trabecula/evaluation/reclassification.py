"""Net reclassification and integrated discrimination, computed as published and never without a warning.

Pencina 2008, doi:10.1002/sim.2929; continuous form 2011, doi:10.1002/sim.4085. Why not to rely on them: Hilden and
Gerds 2014, doi:10.1002/sim.5804.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from .resampling import sum_by_patient

WARNING = (
    "NRI and IDI rise for useless and for badly calibrated markers, and their P-values are too small; "
    "report AUC, calibration and net benefit instead"
)


@dataclass(frozen=True)
class Reclassification:
    """Continuous NRI and IDI of the second model over the first, with standard errors."""

    nri: float
    nri_error: float
    idi: float
    idi_error: float


def reclassification(
    first: Float[np.ndarray, " cases"],
    second: Float[np.ndarray, " cases"],
    positive: Bool[np.ndarray, " cases"],
    patients: Int[np.ndarray, " cases"],
) -> Reclassification:
    """NRI: share that moves up less share that moves down, cases of the class plus the reverse of the others.

    NaN where a side is missing. Errors are those of Hmisc's improveProb, with sums by patient.
    """
    if positive.all() or not positive.any():
        return Reclassification(np.nan, np.nan, np.nan, np.nan)
    gap = second - first
    up, rise = np.sign(gap), gap
    with_class, without = patients[positive], patients[~positive]
    nri = up[positive].mean() - up[~positive].mean()
    idi = rise[positive].mean() - rise[~positive].mean()
    nri_error = np.sqrt(_variance(up[positive], with_class, 0) + _variance(up[~positive], without, 0))
    idi_error = np.sqrt(_variance(rise[positive], with_class, 1) + _variance(rise[~positive], without, 1))
    return Reclassification(float(nri), float(nri_error), float(idi), float(idi_error))


def _variance(values: Float[np.ndarray, " cases"], patients: Int[np.ndarray, " cases"], lost: int) -> float:
    """Of a mean over cases; ``lost`` degrees of freedom."""
    count = len(np.unique(patients))
    if count <= lost:
        return np.nan
    sums = sum_by_patient(values - values.mean(), patients, int(patients.max()) + 1)
    return float((sums**2).sum()) * count / (count - lost) / len(values) ** 2
