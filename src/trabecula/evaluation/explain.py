"""What a fitted model looks at: importance of groups of features, odds ratios, and the training cases most alike.

Functions of arrays and of a function that predicts; they know no model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import stats
from scipy.cluster import hierarchy

from .delong import structural_components

Predict = Callable[[Float[np.ndarray, "cases features"]], Float[np.ndarray, "cases classes"]]
Groups = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Importance:
    """How much macro AUC is lost when a group of features tells nothing: mean and SD over the permutations."""

    group: tuple[int, ...]
    lost: float
    spread: float


def correlated_groups(x: Float[np.ndarray, "cases features"], least: float = 0.7) -> Groups:
    """Columns whose absolute Spearman correlation is on average at least ``least``, together, in order of the columns.

    One of two alike may be missed without loss, so that each alone looks useless: they are permuted as one. Constant
    columns stand alone.
    """
    if x.shape[1] < 2:
        return tuple((k,) for k in range(x.shape[1]))
    ranks = stats.rankdata(x, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.nan_to_num(np.abs(np.corrcoef(ranks, rowvar=False)))
    distance = np.clip(1 - correlation, 0, 1)[np.triu_indices(x.shape[1], 1)]
    labels = hierarchy.fcluster(hierarchy.average(distance), 1 - least, criterion="distance")
    return tuple(tuple(np.flatnonzero(labels == label).tolist()) for label in dict.fromkeys(labels.tolist()))


def permutation_importance(
    predict: Predict,
    x: Float[np.ndarray, "cases features"],
    truth: Int[np.ndarray, " cases"],
    groups: Sequence[Sequence[int]],
    *,
    repeats: int = 20,
    seed: int,
) -> list[Importance]:
    """Loss of macro One-vs-Rest AUC when the rows of a group's columns are shuffled together.

    Breiman 2001, doi:10.1023/A:1010933404324; on cases that the model did not learn from. A group's shuffles depend
    on its first column and the seed alone, not on the other groups.
    """
    whole = _macro_auc(predict(x), truth)
    found = []
    for group in groups:
        rng = np.random.default_rng((seed, group[0]))
        lost = []
        for _ in range(repeats):
            shuffled = x.copy()
            shuffled[:, list(group)] = x[rng.permutation(len(x))][:, list(group)]
            lost.append(whole - _macro_auc(predict(shuffled), truth))
        found.append(Importance(tuple(group), float(np.mean(lost)), float(np.std(lost))))
    return found


def odds_ratios(
    coefficients: Float[np.ndarray, "classes features"], reference: int = 0
) -> Float[np.ndarray, "classes features"]:
    """Odds of each class against the reference class, times this for one unit more of the feature.

    ``coefficients`` are those of a multinomial logistic model, one row a class; the unit is theirs (one SD where the
    features were standardised). The row of the reference is 1.
    """
    return np.exp(coefficients - coefficients[reference])


def nearest_cases(
    cases: Float[np.ndarray, "cases features"], training: Float[np.ndarray, "training features"], count: int
) -> tuple[Int[np.ndarray, "cases nearest"], Float[np.ndarray, "cases nearest"]]:
    """Rows of the training cases most alike, nearest first, and their distance in training SDs, root mean square.

    Features that are constant in training take no part. Equal distances go by the order of the rows.
    """
    spread = training.std(axis=0)
    used = spread > 0
    scaled = (cases[:, used] - training[:, used].mean(axis=0)) / spread[used]
    known = (training[:, used] - training[:, used].mean(axis=0)) / spread[used]
    gap = (
        np.sqrt(((scaled[:, None] - known[None]) ** 2).mean(axis=2))
        if used.any()
        else np.zeros((len(cases), len(known)))
    )
    order = np.argsort(gap, axis=1, kind="stable")[:, : min(count, len(training))]
    return order, np.take_along_axis(gap, order, axis=1)


def _macro_auc(probabilities: Float[np.ndarray, "cases classes"], truth: Int[np.ndarray, " cases"]) -> float:
    positive = truth[:, None] == np.arange(probabilities.shape[1])
    parts = structural_components(probabilities[:, None], positive, np.arange(len(truth)))
    return float(parts.mean()[0][0])
