"""DeLong's test between every pair of models of a cohort, and which of them were planned.

The primary family is fixed by the training folds alone, before a held-out cohort is opened: the model chosen there,
all pairs of signatures, each class and the macro mean, Holm inside it. Baselines are no signatures: a comparison with
them, as every other pair, is exploratory, with a Holm of their own; whoever looks at one of them alone has its raw p.
Two classes have one AUC, which is the macro mean too: there a pair is one test, and its rows share the adjusted p.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..records import BASELINES
from .delong import Components, interval_of_difference, z_test
from .multiplicity import holm
from .scores import MACRO, CohortScores, Signed

PRIMARY, EXPLORATORY = "primary", "exploratory"
COLUMNS = [
    "cohort", "protocol", "class", "signature_a", "model_a", "signature_b", "model_b", "auc_a", "auc_b", "difference",
    "low", "high", "z", "p", "p_adjusted", "family", "method",
]  # fmt: skip


def delong_table(
    cohorts: list[CohortScores],
    parts: list[Components],
    methods: list[list[str]],
    classes: tuple[str, ...],
    chosen: Signed,
    protocol: str,
) -> pd.DataFrame:
    """All pairs of every cohort; ``methods`` of each cohort: one text a class, and one for the macro mean.

    Only pairs of ``protocol`` can be primary.
    """
    frames = [
        _of_cohort(scores, part, method, classes, chosen[1] if scores.protocol == protocol else None)
        for scores, part, method in zip(cohorts, parts, methods, strict=True)
        if len(scores.models) > 1
    ]
    return pd.concat(frames, ignore_index=True)[COLUMNS] if frames else pd.DataFrame(columns=COLUMNS)


def _of_cohort(
    scores: CohortScores, parts: Components, methods: list[str], classes: tuple[str, ...], chosen: str | None
) -> pd.DataFrame:
    first, second = np.triu_indices(len(scores.models), 1)
    names, family = np.array(scores.models, dtype=object), _families(scores.models, chosen)[first, second]
    tested = _tested(parts, first, second, clustered=scores.clustered)
    width = len(classes) + 1

    def long(per_pair: np.ndarray) -> np.ndarray:
        return np.repeat(per_pair, width)

    frame = pd.DataFrame(
        {
            **scores.key,
            "class": np.tile(np.array([*classes, MACRO], dtype=object), len(first)),
            "signature_a": long(names[first, 0]),
            "model_a": long(names[first, 1]),
            "signature_b": long(names[second, 0]),
            "model_b": long(names[second, 1]),
            **{name: values.ravel() for name, values in tested.items()},
            "family": long(family),
            "method": np.tile(np.array(methods, dtype=object), len(first)),
        }
    )
    frame["p_adjusted"] = _adjusted(frame, classes)
    adjusted = ("Holm, one test a pair, " if len(classes) == 2 else "Holm, ") + frame["family"] + " family"
    frame["method"] = frame["method"] + (", t; " if scores.clustered else "; ") + adjusted
    frame.loc[frame["unseen"], "method"] += "; not tested: no variance can be seen"
    return frame


def _tested(parts: Components, first: np.ndarray, second: np.ndarray, *, clustered: bool) -> dict[str, np.ndarray]:
    """Pairs x classes and macro mean: both AUCs, their difference, its interval and test.

    ``unseen``: where they differ and no variance can be seen, so that there is no interval.
    """
    gap = parts.difference(first, second)
    mean, variance = gap.mean()
    auc = np.column_stack([parts.auc, parts.mean()[0]])
    difference, variances = np.column_stack([gap.auc, mean]), np.column_stack([gap.variance, variance])
    patients = np.broadcast_to([*parts.patients, parts.patients.min()], difference.shape)
    freedom = patients if clustered else None
    low, high = interval_of_difference(difference, variances, freedom=freedom)
    z, p = z_test(difference, variances, freedom)
    unseen = (variances == 0) & (difference != 0)
    low, high = (np.where(unseen, np.nan, limit) for limit in (low, high))
    pair = {"auc_a": auc[first], "auc_b": auc[second], "difference": difference}
    return {**pair, "low": low, "high": high, "z": z, "p": p, "unseen": unseen}


def _adjusted(frame: pd.DataFrame, classes: tuple[str, ...]) -> np.ndarray:
    """Holm within each family, a pair's classes and macro mean in one run of rows."""
    counted = frame[frame["class"] == MACRO] if len(classes) == 2 else frame
    adjusted = counted.groupby("family", sort=False)["p"].transform(lambda p: holm(p.to_numpy(np.float64)))
    return np.repeat(adjusted.to_numpy(), len(frame) // len(counted))


def _families(models: tuple[Signed, ...], chosen: str | None) -> np.ndarray:
    """Models x models: a pair is planned where both are the chosen model on a signature that is no baseline."""
    planned = np.array([model == chosen and name not in BASELINES for name, model in models])
    return np.where(planned[:, None] & planned[None, :], PRIMARY, EXPLORATORY).astype(object)


def primary_pairs(models: tuple[Signed, ...], chosen: Signed) -> Iterator[tuple[int, int]]:
    """Positions of each two signatures with the chosen model, baselines apart."""
    places = [place for place, (name, model) in enumerate(models) if model == chosen[1] and name not in BASELINES]
    return ((a, b) for number, a in enumerate(places) for b in places[number + 1 :])
