"""What a fitted model looks at: importance of groups of features, odds ratios, and the training cases most alike.

Functions of arrays and of a function that predicts; they know no model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy import stats
from scipy.cluster import hierarchy
from scipy.spatial import distance

from .delong import structural_components

Predict = Callable[[Float[np.ndarray, "cases features"]], Float[np.ndarray, "cases classes"]]
Groups = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Importance:
    """How much macro AUC is lost when a group of features tells nothing: mean and SD over the shuffles."""

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
    apart = np.clip(1 - correlation, 0, 1)[np.triu_indices(x.shape[1], 1)]
    labels = hierarchy.fcluster(hierarchy.average(apart), 1 - least, criterion="distance")
    return tuple(tuple(np.flatnonzero(labels == label).tolist()) for label in dict.fromkeys(labels.tolist()))


def shuffled_rows(
    patients: Sequence[str] | Shaped[np.ndarray, " cases"], repeats: int, seed: Sequence[int]
) -> Int[np.ndarray, "repeats cases"]:
    """For each case the one that it takes its values from: patients change places, and their cases go with them.

    With one case a patient this is any order; with several, cases alike stay together, as they do in the truth.
    """
    rng = np.random.default_rng(seed)
    of = np.unique(np.asarray(patients), return_inverse=True)[1]
    blocks = [np.flatnonzero(of == number) for number in range(of.max() + 1)] if len(of) else []
    rows = np.zeros((repeats, len(of)), np.int64)
    for shuffle in rows:
        givers, takers = (
            np.concatenate([blocks[number] for number in rng.permutation(len(blocks))] or [of]) for _ in range(2)
        )
        shuffle[takers] = givers
    return rows


def shuffled_scores(
    predict: Predict,
    x: Float[np.ndarray, "cases features"],
    columns: Sequence[int],
    rows: Int[np.ndarray, "repeats cases"],
) -> Float[np.ndarray, "cases repeats classes"]:
    """Probabilities when the values of some columns are those of other cases, all columns of the same one."""
    many = np.repeat(x[None], len(rows), axis=0)
    many[:, :, list(columns)] = x[rows][:, :, list(columns)]
    found = predict(many.reshape(-1, x.shape[1]))
    return np.ascontiguousarray(found.reshape(*rows.shape, -1).swapaxes(0, 1))


def importance(
    scores: Float[np.ndarray, "cases classes"],
    shuffled: Float[np.ndarray, "cases repeats classes"],
    truth: Int[np.ndarray, " cases"],
    folds: Int[np.ndarray, " cases"],
) -> Importance:
    """Loss of macro One-vs-Rest AUC, a mean over folds, when a group of columns is shuffled together.

    Breiman 2001, doi:10.1023/A:1010933404324; groups: Gregorutti, Michel and Saint-Pierre 2015,
    doi:10.1016/j.csda.2015.04.002. On cases that the model did not learn from. NaN where a class is absent.
    """
    auc = macro_auc(np.concatenate([scores[:, None], shuffled], axis=1), truth, folds)
    lost = auc[0] - auc[1:]
    return Importance(float(np.mean(lost)), float(np.std(lost)))


def macro_auc(
    scores: Float[np.ndarray, "cases curves classes"],
    truth: Int[np.ndarray, " cases"],
    folds: Int[np.ndarray, " cases"],
) -> Float[np.ndarray, " curves"]:
    """Of each of several sets of scores the mean One-vs-Rest AUC, as the report has it."""
    positive = truth[:, None] == np.arange(scores.shape[2])
    return structural_components(scores, positive, np.arange(len(truth)), folds).mean()[0]


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
    gap = distance.cdist(scaled, known) / np.sqrt(max(used.sum(), 1))
    order = np.argsort(gap, axis=1, kind="stable")[:, : min(count, len(training))]
    return order, np.take_along_axis(gap, order, axis=1)
