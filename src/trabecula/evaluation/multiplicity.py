"""P-values of one family, adjusted."""

import numpy as np
from jaxtyping import Float


def holm(p: Float[np.ndarray, " tests"]) -> Float[np.ndarray, " tests"]:
    """Adjust by Holm's step-down; a NaN was not tested: it stays NaN and does not count.

    Holm 1979, https://www.jstor.org/stable/4615733.
    """
    adjusted = np.full_like(p, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
