"""Predictions -> arrays: every model's probabilities for the same cases, joined by case id."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from ..errors import Fault, InvalidInput
from ..records import PROBABILITY_PREFIX, PUBLISHED, SOUND, TRAINING, Predictions

ALL = "all"
MACRO, WEIGHTED, MICRO, HAND_TILL = "macro", "weighted", "micro", "hand_till"
Signed: TypeAlias = tuple[str, str]

_COHORTS = (TRAINING, "internal", "external", "prospective")
PROTOCOLS = (SOUND, PUBLISHED)
_IDENTITY = ["case_id", "patient_id", "cohort", "fold", "truth"]
_COLUMNS = [*_IDENTITY, "protocol", "signature", "model", "predicted"]


@dataclass(frozen=True, eq=False)
class CohortScores:
    """What every model of a protocol gave the cases of one cohort, in the order of their case ids.

    ``models`` are (signature, model); ``truth`` and ``predicted`` are positions in the classes,
    ``patients`` counts from 0; ``folds`` has one value in a cohort that was held out whole.
    """

    protocol: str
    cohort: str
    case_ids: tuple[str, ...]
    models: tuple[Signed, ...]
    probabilities: Float[np.ndarray, "cases models classes"]
    predicted: Int[np.ndarray, "cases models"]
    truth: Int[np.ndarray, " cases"]
    patients: Int[np.ndarray, " cases"]
    folds: Int[np.ndarray, " cases"]

    @property
    def positive(self) -> Bool[np.ndarray, "cases classes"]:
        """Whether the case is of the class."""
        is_class: Bool[np.ndarray, "cases classes"] = self.truth[:, None] == np.arange(self.probabilities.shape[2])
        return is_class

    @property
    def key(self) -> dict[str, str]:
        """What every row of a table begins with."""
        return {"cohort": self.cohort, "protocol": self.protocol}

    @property
    def sample_folds(self) -> Int[np.ndarray, " cases"] | None:
        """The folds that an AUC is the mean over; None where the cohort is one sample."""
        return self.folds if len(np.unique(self.folds)) > 1 else None

    @property
    def clustered(self) -> bool:
        """Whether some patient has more than one case."""
        return bool(np.bincount(self.patients).max() > 1)


def align(predictions: Predictions) -> list[CohortScores]:
    """Join every model's rows by case id, cohort by cohort, or raise InvalidInput with every fault."""
    faults = list(_faults_of_table(predictions)) or list(_faults_of_rows(predictions))
    if faults:
        raise InvalidInput(faults)
    rows = predictions.rows.sort_values("case_id", kind="stable")
    protocols = in_order(predictions.rows["protocol"], PROTOCOLS)
    return [
        _cohort(rows[(rows["protocol"] == protocol) & (rows["cohort"] == cohort)], models, predictions.classes)
        for protocol in protocols
        for models in [_models(predictions.rows, protocol)]
        for cohort in in_order(rows.loc[rows["protocol"] == protocol, "cohort"])
    ]


def in_order(names: Iterable[str], known: tuple[str, ...] = _COHORTS) -> list[str]:
    """Each name once, the known ones first, the others as they come."""
    present = dict.fromkeys(names)
    return [name for name in known if name in present] + [name for name in present if name not in known]


def _models(rows: pd.DataFrame, protocol: str) -> tuple[Signed, ...]:
    of_protocol = rows[rows["protocol"] == protocol]
    return tuple(dict.fromkeys(zip(of_protocol["signature"], of_protocol["model"], strict=True)))


def _cohort(rows: pd.DataFrame, models: tuple[Signed, ...], classes: tuple[str, ...]) -> CohortScores:
    by_model = dict(iter(rows.groupby(["signature", "model"], sort=False)))
    frames = [by_model[key] for key in models]
    columns = [PROBABILITY_PREFIX + name for name in classes]
    first = frames[0]
    return CohortScores(
        protocol=str(first["protocol"].iloc[0]),
        cohort=str(first["cohort"].iloc[0]),
        case_ids=tuple(first["case_id"].astype(str)),
        models=models,
        probabilities=np.stack([frame[columns].to_numpy(np.float64) for frame in frames], axis=1),
        predicted=np.stack([_codes(frame["predicted"], classes) for frame in frames], axis=1),
        truth=_codes(first["truth"], classes),
        patients=np.unique(first["patient_id"].to_numpy(object), return_inverse=True)[1],
        folds=first["fold"].to_numpy(np.int64),
    )


def _codes(names: pd.Series, classes: tuple[str, ...]) -> Int[np.ndarray, " cases"]:
    return pd.Index(classes).get_indexer(pd.Index(names)).astype(np.int64)


def _faults_of_table(predictions: Predictions) -> Iterator[Fault]:
    rows, classes = predictions.rows, predictions.classes
    wanted = [*_COLUMNS, *(PROBABILITY_PREFIX + name for name in classes)]
    missing = [name for name in wanted if name not in rows.columns]
    if missing:
        yield Fault("predictions", f"no column {', '.join(missing)}", f"the columns {', '.join(wanted)}")
    elif rows.empty:
        yield Fault("predictions", "no rows", "one row a case, signature and model")
    reserved = [name for name in classes if name in (ALL, MACRO, WEIGHTED, MICRO, HAND_TILL)]
    if reserved:
        yield Fault(f"class {reserved[0]!r}", "a word that the tables of results use", "another name", "Rename it.")


def _faults_of_rows(predictions: Predictions) -> Iterator[Fault]:
    rows, classes = predictions.rows, predictions.classes
    for column in ("truth", "predicted"):
        for case, found in _first_of_case(rows, ~rows[column].isin(classes), column):
            yield Fault(f"case {case}, {column}", f"the class {found!r}", f"one of {', '.join(classes)}")
    scores = rows[[PROBABILITY_PREFIX + name for name in classes]].to_numpy(np.float64)
    for case, _ in _first_of_case(rows, ~np.isfinite(scores).all(axis=1), "case_id"):
        yield Fault(f"case {case}", "a probability that is not a number", "a number for every class")
    codes = _codes(rows["predicted"], classes)
    of_predicted = np.take_along_axis(scores, np.maximum(codes, 0)[:, None], axis=1)[:, 0]
    smaller = (codes >= 0) & (of_predicted < scores.max(axis=1))
    for case, found in _first_of_case(rows, smaller, "predicted"):
        yield Fault(f"case {case}, predicted", f"the class {found!r}", "the class of largest probability")
    for protocol, of_protocol in rows.groupby("protocol", sort=False):
        yield from _faults_of_protocol(str(protocol), of_protocol)


def _faults_of_protocol(protocol: str, rows: pd.DataFrame) -> Iterator[Fault]:
    keys = ["signature", "model"]
    for case, _ in _first_of_case(rows, rows.duplicated(["case_id", *keys]), "case_id"):
        yield Fault(f"case {case}", f"scored twice by a model ({protocol})", "each case once for each model")
    cases = rows["case_id"].nunique()
    counts = rows.groupby(keys, sort=False)["case_id"].nunique().reset_index()
    for signature, model, count in counts.itertuples(index=False):
        if count != cases:
            yield Fault(
                f"{signature}, {model} ({protocol})",
                f"{count} cases",
                f"all {cases} cases of the other models",
            )
    described = rows[_IDENTITY].drop_duplicates()
    for case, _ in _first_of_case(described, described.duplicated("case_id"), "case_id"):
        yield Fault(
            f"case {case} ({protocol})",
            "a patient, cohort, fold or class that differs between models",
            "the same in every row of the case",
        )
    if TRAINING not in set(rows["cohort"]):
        yield Fault(
            f"predictions ({protocol})",
            "no training cohort",
            "out-of-fold rows of the training cohort",
            "Cut-offs come from them.",
        )


def _first_of_case(rows: pd.DataFrame, wrong: pd.Series | np.ndarray, column: str) -> list[tuple[str, object]]:
    found = rows.loc[np.asarray(wrong), ["case_id", column]].to_numpy(object)
    return list({str(case): value for case, value in found[::-1]}.items())[::-1]
