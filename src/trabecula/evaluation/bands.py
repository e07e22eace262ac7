"""How far an ROC curve could lie elsewhere: pointwise bands from resamples of the patients."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from ..records import Predictions
from .resampling import LEVEL, draw_resamples
from .scores import Signed, align

POINTS = np.linspace(0, 1, 51)
_COLUMNS = ["cohort", "protocol", "class", "fpr", "tpr", "low", "high"]


def roc_bands(predictions: Predictions, chosen: Signed, protocol: str, resamples: int, seed: int) -> pd.DataFrame:
    """The band of one signature and model in every cohort and class.

    Columns: cohort, protocol, class, fpr, tpr (of the curve), low, high. No row where a class, or every other, is
    absent.
    """
    rows = predictions.rows
    mine = (rows["signature"] == chosen[0]) & (rows["model"] == chosen[1]) & (rows["protocol"] == protocol)
    frames = [pd.DataFrame(columns=_COLUMNS)]
    for scores in align(Predictions(rows[mine], predictions.classes)):
        drawn = draw_resamples(int(scores.patients.max()) + 1, resamples, seed)
        for k, name in enumerate(predictions.classes):
            positive = scores.positive[:, k]
            if positive.all() or not positive.any():
                continue
            tpr, low, high = roc_band(scores.probabilities[:, 0, k], positive, scores.patients, drawn)
            band = {"class": name, "fpr": POINTS, "tpr": tpr, "low": low, "high": high}
            frames.append(pd.DataFrame(scores.key | band))
    return pd.concat(frames[1:] or frames, ignore_index=True)[_COLUMNS]


def roc_band(
    scores: Float[np.ndarray, " cases"],
    positive: Bool[np.ndarray, " cases"],
    patients: Int[np.ndarray, " cases"],
    resamples: Float[np.ndarray, "resamples patients"],
) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """Sensitivity at each false-positive rate of ``POINTS``, and the ends of its 95 % percentile interval.

    Percentiles over resamples of whole patients, as pROC's ci.se does of cases (Robin et al. 2011,
    doi:10.1186/1471-2105-12-77). Resamples without a positive or a negative case take no part.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    (tpr,) = _sensitivities(np.ones((1, len(scores))), positive[order], ends)
    weights = resamples[:, patients[order]]
    drawn = np.array(list(_sensitivities(weights, positive[order], ends)))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return tpr, low, high


def _sensitivities(
    weights: Float[np.ndarray, "resamples cases"], positive: Bool[np.ndarray, " cases"], ends: Int[np.ndarray, " cuts"]
) -> Iterator[Float[np.ndarray, " points"]]:
    """Of each resample; cases are sorted by falling score, ``ends`` are the last ones of equal score."""
    for row in weights:
        true, false = np.cumsum(row * positive)[ends], np.cumsum(row * ~positive)[ends]
        if true[-1] > 0 and false[-1] > 0:
            x, y = np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])
            highest = np.searchsorted(x, POINTS, side="right") - 1  # the upper end where the curve rises straight up
            exact = x[highest] == POINTS
            yield np.where(exact, y[highest], np.interp(POINTS, x, y))
