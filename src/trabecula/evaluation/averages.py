"""One AUC for several classes: macro, weighted by prevalence, micro, and Hand and Till's."""

from itertools import permutations

import numpy as np
from jaxtyping import Float, Int

from .delong import Components, structural_components
from .scores import HAND_TILL, MACRO, MICRO, WEIGHTED, CohortScores

Curves = Float[np.ndarray, " curves"]


def averages(scores: CohortScores, of_classes: Components) -> dict[str, tuple[Curves, Curves, int]]:
    """Name -> value, variance and degrees of freedom of every model's average AUC.

    macro: plain mean over classes. weighted: by the classes' shares in the cohort, which are taken as known.
    """
    folds, least = scores.sample_folds, int(of_classes.freedom.min())
    shares = scores.positive.mean(axis=0)
    return {
        MACRO: (*of_classes.mean(), least),
        WEIGHTED: (*of_classes.mean(shares), least),
        MICRO: _first(micro(scores.probabilities, scores.truth, scores.patients, folds)),
        HAND_TILL: _mean(hand_till(scores.probabilities, scores.truth, scores.patients, folds)),
    }


def micro(
    probabilities: Float[np.ndarray, "cases curves classes"],
    truth: Int[np.ndarray, " cases"],
    patients: Int[np.ndarray, " cases"],
    folds: Int[np.ndarray, " cases"] | None = None,
) -> Components:
    """Every case once for each class, all in one curve; the rows of a patient are one cluster."""
    cases, curves, classes = probabilities.shape
    rows = probabilities.transpose(0, 2, 1).reshape(cases * classes, curves, 1)
    positive = (truth[:, None] == np.arange(classes)).reshape(-1, 1)
    repeated = None if folds is None else np.repeat(folds, classes)
    return structural_components(rows, positive, np.repeat(patients, classes), repeated)


def hand_till(
    probabilities: Float[np.ndarray, "cases curves classes"],
    truth: Int[np.ndarray, " cases"],
    patients: Int[np.ndarray, " cases"],
    folds: Int[np.ndarray, " cases"] | None = None,
) -> Components:
    """Class i against class j by the probability of i, for every ordered pair; their mean is M.

    Hand and Till 2001, doi:10.1023/A:1010920819831.
    """
    first, second = np.array(list(permutations(range(probabilities.shape[2]), 2))).T
    return structural_components(
        probabilities[:, :, first], truth[:, None] == first, patients, folds, truth[:, None] == second
    )


def _first(parts: Components) -> tuple[Curves, Curves, int]:
    return parts.auc[:, 0], parts.variance[:, 0], int(parts.freedom[0])


def _mean(parts: Components) -> tuple[Curves, Curves, int]:
    return (*parts.mean(), int(parts.freedom.min()))
