"""What the tasks of a study gave, as plain values that can be stored, and all of it gathered into records."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..records import LASSO_PATH, PROBABILITY_PREFIX, SOUND, Predictions, Selection, Split
from .learners import LEARNERS

FINAL = 0  # the fold number of the fit on all training rows, which scores the held-out cohorts


@dataclass(frozen=True)
class FitTask:
    """One signature and one outer fold; ``fold`` 0 is the final fit."""

    signature: str
    fold: int

    @property
    def label(self) -> str:
        """The fold as tables print it."""
        return "final" if self.fold == FINAL else str(self.fold)


@dataclass(frozen=True, eq=False)
class ModelFit:
    """What one model of one task gave; plain values, so that it can be stored as JSON without loss.

    ``packed``: the fitted pipeline of a final fit, as keep.pack gives it; it is stored beside the JSON, not in it.
    """

    signature: str
    fold: int
    model: str
    case_ids: list[str]
    probabilities: list[list[float]]
    parameters: dict[str, Any]
    score: float
    note: str
    packed: bytes | None = field(default=None, repr=False)

    def to_json(self) -> str:
        """Text from which from_json makes the same record, to the bit, but for ``packed``."""
        return json.dumps({name: value for name, value in asdict(self).items() if name != "packed"})

    @classmethod
    def from_json(cls, text: str) -> "ModelFit":
        """Read what to_json wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, eq=False)
class SelectionTrace:
    """How one task chose its features: rows of the tables of records.Selection, as plain values."""

    signature: str
    fold: int
    funnel: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    coefficients: list[dict[str, Any]]
    path: list[dict[str, Any]]
    lasso_path: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> str:
        """Text from which from_json makes the same record, to the bit."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "SelectionTrace":
        """Read what to_json wrote."""
        return cls(**json.loads(text))


def plan_tasks(signatures: Collection[str], split: Split) -> list[FitTask]:
    """Every outer fold and the final fit, for every signature."""
    folds = sorted(set(split.table["fold"]) | {FINAL}, key=lambda fold: (fold == FINAL, fold))
    return [FitTask(signature, int(fold)) for signature in signatures for fold in folds]


def gather(
    fits: Collection[ModelFit], traces: Collection[SelectionTrace], split: Split
) -> tuple[Predictions, Selection]:
    """All results as tables, in an order that does not depend on which task ended first."""
    rows = pd.concat([_rows(fit, split) for fit in fits], ignore_index=True)
    names = list(dict.fromkeys(fit.signature for fit in fits))
    models = list(dict.fromkeys(model for model in LEARNERS if any(fit.model == model for fit in fits)))
    cohorts = list(dict.fromkeys(split.table["cohort"]))
    place = {case_id: number for number, case_id in enumerate(split.table.index)}
    order = pd.DataFrame(
        {
            "cohort": rows["cohort"].map(cohorts.index),
            "signature": rows["signature"].map(names.index),
            "model": rows["model"].map(models.index),
            "case": rows["case_id"].map(place),
        }
    ).sort_values(["cohort", "signature", "model", "case"])
    scored = rows[["signature", "model", "case_id"]]
    assert not scored.duplicated().any(), "a case was scored twice by one model"
    tuning = [
        {
            "signature": fit.signature, "fold": FitTask(fit.signature, fit.fold).label, "model": fit.model,
            "parameters": json.dumps(fit.parameters), "score": fit.score, "note": fit.note,
        }
        for fit in fits
    ]  # fmt: skip
    predictions = Predictions(rows.loc[order.index].reset_index(drop=True), split.classes)
    return predictions, gather_selection(traces, tuning)


def gather_selection(traces: Collection[SelectionTrace], tuning: Sequence[Mapping[str, Any]] = ()) -> Selection:
    """The traces of every task as the tables of the record."""
    tables = {
        name: pd.DataFrame([row for trace in traces for row in getattr(trace, name)], columns=columns)
        for name, columns in _COLUMNS.items()
    }
    return Selection(**tables, tuning=pd.DataFrame(tuning, columns=_TUNING))


def prediction_rows(
    table: pd.DataFrame, scores: np.ndarray, classes: Sequence[str], whose: tuple[str, str, str], scored: np.ndarray
) -> pd.DataFrame:
    """Rows of records.Predictions: cases of a split's table and their scores (cases x classes).

    ``whose`` are protocol, signature and model; ``scored`` says how each case came to its scores.
    """
    protocol, signature, model = whose
    rows = table.reset_index()[["case_id", "patient_id", "cohort", "fold"]]
    rows = rows.assign(
        protocol=protocol,
        scored=scored.astype(object),
        signature=signature,
        model=model,
        truth=table["truth"].to_numpy(),
    )
    rows["predicted"] = np.array(classes, dtype=object)[scores.argmax(axis=1)]
    return rows.assign(**{PROBABILITY_PREFIX + name: scores[:, k] for k, name in enumerate(classes)})


def fold_scores(predictions: Predictions, signature: str) -> pd.DataFrame:
    """Log odds of each class but the first, of training cases, by a signature's first model in folds without them."""
    rows = predictions.rows[(predictions.rows["signature"] == signature) & (predictions.rows["fold"] != FINAL)]
    first = rows[rows["model"] == rows["model"].iloc[0]].set_index("case_id")
    logs = np.log(np.maximum(first[[PROBABILITY_PREFIX + name for name in predictions.classes]], 1e-6))
    scores = logs.iloc[:, 1:].sub(logs.iloc[:, 0], axis=0)
    return scores.set_axis([f"{signature} score, class {name}" for name in predictions.classes[1:]], axis=1)


_COLUMNS = {
    "funnel": ["signature", "fold", "step", "order", "kept"],
    "ledger": ["signature", "feature", "left_at", "reason", "frequency"],
    "coefficients": ["signature", "fold", "feature", "class", "coefficient"],
    "path": ["signature", "fold", "penalty", "deviance", "deviance_se", "features", "chosen"],
    "lasso_path": LASSO_PATH,
}
_TUNING = ["signature", "fold", "model", "parameters", "score", "note"]


def _rows(fit: ModelFit, split: Split) -> pd.DataFrame:
    table = split.table.loc[fit.case_ids]
    scores = np.array(fit.probabilities).reshape(len(table), len(split.classes))
    scored = np.where(table["fold"] == FINAL, "held out", "out of fold")
    return prediction_rows(table, scores, split.classes, (SOUND, fit.signature, fit.model), scored)
