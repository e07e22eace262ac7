"""Prediction sets: the classes that a new case may well have, by how probable true classes were in training.

The least ambiguous set-valued classifier of Sadinle, Lei and Wasserman 2019, doi 10.1080/01621459.2017.1395341, on
scores of folds that did not learn from the case. Vertebrae of a patient share one vote, as Dunn, Wasserman and Ramdas
2022, doi 10.1080/01621459.2022.2060112, pool groups.
"""

import numpy as np
from jaxtyping import Bool, Float64, Int64

Shares = Float64[np.ndarray, "cases classes"]


def conformal_threshold(
    p_true: Float64[np.ndarray, " cases"], patients: Int64[np.ndarray, " cases"], level: float
) -> float:
    """The largest 1 - p that a class in the set may have.

    ``p_true`` is the probability of each case's true class. Every patient has the weight 1, and one more stands for
    the new one: with one case each, it is the ceil(level x (n + 1))-th smallest score, or 1 where there are fewer.
    """
    _, place, counts = np.unique(patients, return_inverse=True, return_counts=True)
    scores = 1 - p_true
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(1 / counts[place][order])
    enough = reached >= level * (len(counts) + 1) * (1 - 1e-12)
    return float(scores[order][np.argmax(enough)]) if enough.any() else 1.0


def prediction_sets(p: Shares, threshold: float) -> Bool[np.ndarray, "cases classes"]:
    """Which classes are in each case's set; none may be."""
    return 1 - p <= threshold
