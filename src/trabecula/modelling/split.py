"""Patient-grouped cohorts and folds; cohorts are frozen to a file, and what is shut stays shut."""

import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from ..errors import Fault, InvalidInput
from ..records import FEWEST_PATIENTS, TRAINING, Split, Study
from ..settings import Settings
from ..storage import write_atomically


def make_split(study: Study, settings: Settings, frozen: Path) -> Split:
    """Cohorts as the table gives them or as drawn once and frozen; outer folds of the training cohort.

    ``frozen`` is written at the first call and read at every later one, whatever the seed; it is refused
    when the table of cases is no longer the one it was drawn for.
    """
    table = pd.DataFrame(
        {
            "case_id": [case.case_id for case in study.cases],
            "patient_id": [case.patient_id for case in study.cases],
            "cohort": [case.cohort for case in study.cases],
            "truth": [case.label for case in study.cases],
        }
    ).set_index("case_id")
    digest = hashlib.sha256(table.to_csv(lineterminator="\n").encode()).hexdigest()
    known = _frozen_cohorts(digest, settings, frozen)
    table["cohort"] = _draw(table, settings) if known is None else known.loc[table.index]
    table["fold"] = _folds(table, settings)
    if known is None:
        content = {"table": digest, "internal": settings.split.internal, "seed": settings.seed}
        write_atomically(frozen, json.dumps({**content, "cohorts": table["cohort"].to_dict()}, indent=1))
    return Split(table, study.classes, settings.seed)


def deal_labels(split: Split, settings: Settings, deal: int) -> Split:
    """The same patients and cohorts with the labels dealt anew within each cohort; folds are drawn for the new labels.

    Labels are dealt in blocks, one a patient, so that vertebrae of a patient stay as alike as they were; the number of
    cases of each class in each cohort does not change.
    """
    table = split.table.copy()
    rng = np.random.default_rng([settings.seed, deal])
    for _, rows in table.groupby("cohort", sort=True):
        blocks = [part["truth"].to_numpy(object) for _, part in rows.groupby("patient_id", sort=True)]
        places = np.concatenate([part.index.to_numpy(object) for _, part in rows.groupby("patient_id", sort=True)])
        dealt = np.concatenate([blocks[number] for number in rng.permutation(len(blocks))])
        table.loc[places, "truth"] = dealt
    table["fold"] = _folds(table, settings)
    return Split(table, split.classes, split.seed)


def grouped_folds(y: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> list[np.ndarray]:
    """Row numbers of each fold: no group in two folds, stratified by class as far as the groups allow."""
    most = min(len(np.unique(groups[y == label])) for label in np.unique(y))
    count = max(2, min(folds, most))
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    if np.unique(y, return_counts=True)[1].max() < count:
        y = np.zeros(len(y))  # no class has rows for every fold: nothing to stratify by
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # a class of one patient
        return [test for _, test in splitter.split(np.zeros(len(y)), y, groups)]


def train_and_test(folds: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each fold's complement and the fold itself: scikit-learn's form of a fixed split."""
    everything = np.sort(np.concatenate(folds))
    return [(np.setdiff1d(everything, test), test) for test in folds]


def _frozen_cohorts(digest: str, settings: Settings, frozen: Path) -> pd.Series | None:
    """The cohorts of an earlier run of this table and split, or None when none was made."""
    if not frozen.exists():
        return None
    known = json.loads(frozen.read_text(encoding="utf-8"))
    if known.get("table") != digest or known.get("internal") != settings.split.internal:
        raise InvalidInput(
            [
                Fault(
                    frozen.name,
                    "the cohorts were frozen for another table of cases or another split",
                    "the table and the split that they were drawn for",
                    f"Put the table back, or delete {frozen.name} to draw anew and say so in the paper.",
                )
            ]
        )
    return pd.Series(known["cohorts"])


def _draw(table: pd.DataFrame, settings: Settings) -> pd.Series:
    """Take the wished part of the training patients into an internal cohort, stratified by class."""
    cohorts = table["cohort"].copy()
    training = table[table["cohort"] == TRAINING]
    if settings.split.internal > 0 and not (cohorts == "internal").any():
        y, groups = training["truth"].to_numpy(str), training["patient_id"].to_numpy(str)
        drawn = grouped_folds(y, groups, round(1 / settings.split.internal), settings.seed)[0]
        cohorts.loc[training.index[drawn]] = "internal"
    return cohorts


def _folds(table: pd.DataFrame, settings: Settings) -> np.ndarray:
    training = (table["cohort"] == TRAINING).to_numpy()
    y, groups = table["truth"].to_numpy(str)[training], table["patient_id"].to_numpy(str)[training]
    faults = [
        Fault(f"class {label!r}", f"{n} training patient{'s' * (n != 1)}", f"at least {FEWEST_PATIENTS}")
        for label in settings.classes
        if (n := len(np.unique(groups[y == label]))) < FEWEST_PATIENTS
    ]
    if faults:
        raise InvalidInput(faults)
    numbers = np.zeros(len(y), dtype=np.int64)
    for number, rows in enumerate(grouped_folds(y, groups, settings.tuning.folds, settings.seed), start=1):
        numbers[rows] = number
    folds = np.zeros(len(table), dtype=np.int64)
    folds[training] = numbers
    return folds
