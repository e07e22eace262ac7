"""How far a case lies from the training cases, in the space of the features that a model uses.

Mahalanobis distance with the shrunk covariance of Ledoit and Wolf 2004, doi 10.1016/S0047-259X(03)00096-4. It takes a
mean and a matrix along, and no case.
"""

import numpy as np
from jaxtyping import Float64

Rows = Float64[np.ndarray, "rows features"]
Mean = Float64[np.ndarray, " features"]
Matrix = Float64[np.ndarray, "features features"]


def spread_of(rows: Rows) -> tuple[Mean, Matrix]:
    """Mean and inverse of the shrunk covariance."""
    from sklearn.covariance import LedoitWolf

    found = LedoitWolf().fit(rows)
    return found.location_, found.precision_


def distances(rows: Rows, mean: Mean, inverse: Matrix) -> Float64[np.ndarray, " rows"]:
    """Of each row from the mean."""
    gone = rows - mean
    return np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", gone, inverse, gone), 0.0))
