"""Patient-grouped cohorts and folds; cohorts are frozen to a file, and what is shut stays shut."""

import datetime
import hashlib
import json
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from ..errors import Fault, InvalidInput
from ..records import FEWEST_PATIENTS, INTERNAL, TRAINING, Split, Study
from ..settings import Settings
from ..storage import write_atomically


def make_split(study: Study, settings: Settings, frozen: Path, *, redraw: bool = False) -> Split:
    """Cohorts as the table gives them or as drawn once and frozen; outer folds of the training cohort.

    ``frozen`` is written at the first call and read at every later one, whatever the seed; it is refused when the table
    of cases is no longer the one it was drawn for, unless ``redraw``, which is written down in it for good.
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
    table["site"] = [case.columns.get(settings.split.site, "") for case in study.cases]
    before = json.loads(frozen.read_text(encoding="utf-8")) if frozen.exists() else None
    if before is None or redraw:
        table["cohort"] = _draw(table, settings)
        _freeze(frozen, before, digest, table["cohort"], settings)
    else:
        table["cohort"] = _frozen_cohorts(before, digest, settings, frozen.name).loc[table.index]
    table["fold"] = _folds(table, settings)
    return Split(table, study.classes, settings.seed, _redraws(frozen))


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
    return Split(table, split.classes, split.seed, split.redraws)


def deal_folds(split: Split, settings: Settings) -> Split:
    """The same patients, cohorts and labels; the outer folds drawn anew by the seed of ``settings``."""
    return Split(split.table.assign(fold=_folds(split.table, settings)), split.classes, settings.seed, split.redraws)


def grouped_folds(
    y: np.ndarray, groups: np.ndarray, folds: int, seed: int, strata: np.ndarray | None = None
) -> list[np.ndarray]:
    """Row numbers of each fold: no group in two folds, stratified by class as far as the groups allow.

    ``strata`` are what to stratify by instead, class and site.
    """
    most = min(len(np.unique(groups[y == label])) for label in np.unique(y))
    count = max(2, min(folds, most))
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    y = y if strata is None else strata
    if np.unique(y, return_counts=True)[1].max() < count:
        y = np.zeros(len(y))  # no class has rows for every fold: nothing to stratify by
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # a class of one patient
        return [test for _, test in splitter.split(np.zeros(len(y)), y, groups)]


def train_and_test(folds: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each fold's complement and the fold itself: scikit-learn's form of a fixed split."""
    everything = np.sort(np.concatenate(folds))
    return [(np.setdiff1d(everything, test), test) for test in folds]


def _frozen_cohorts(known: dict[str, Any], digest: str, settings: Settings, name: str) -> pd.Series:
    """The cohorts of an earlier run of this table and split."""
    faults = []
    if known.get("table") != digest or known.get("split") != _rule(settings):
        action = f"Put the table back, or run with --redraw, which the report will say. {name} keeps the old cohorts."
        found = "the cohorts were frozen for another table of cases or another split"
        faults.append(Fault(name, found, "the table and the split that they were drawn for", action))
    if known.get("digest") != _digest(known.get("cohorts", {})):
        found = "cohorts that are not the ones that were frozen"
        faults.append(Fault(name, found, "the file as it was written", "Put it back, or run with --redraw."))
    if faults:
        raise InvalidInput(faults)
    return pd.Series(known["cohorts"])


def _freeze(frozen: Path, before: dict[str, Any] | None, digest: str, cohorts: pd.Series, settings: Settings) -> None:
    """Write the cohorts with their hashes, and below them every drawing that they replace."""
    drawn = {str(case): str(cohort) for case, cohort in cohorts.items()}
    content: dict[str, Any] = {
        "table": digest,
        "split": _rule(settings),
        "seed": settings.seed,
        "drawn": datetime.date.today().isoformat(),
        "digest": _digest(drawn),
        "cohorts": drawn,
    }
    if before is not None:
        content["replaced"] = [*before.pop("replaced", []), before]
    write_atomically(frozen, json.dumps(content, indent=1))


def _redraws(frozen: Path) -> tuple[str, ...]:
    """A sentence for each time that cohorts were drawn again."""
    now = json.loads(frozen.read_text(encoding="utf-8"))
    drawings = [*now.get("replaced", []), now]
    said = []
    for before, after in pairwise(drawings):
        moved = sum(after["cohorts"].get(case) != cohort for case, cohort in before["cohorts"].items())
        said.append(
            f"The cohorts were drawn again on {after.get('drawn')} (seed {before.get('seed')}, then {after['seed']}): "
            f"{moved} of {len(before['cohorts'])} cases moved or left"
        )
    return tuple(said)


def _digest(cohorts: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(cohorts, sort_keys=True).encode()).hexdigest()


def _rule(settings: Settings) -> dict[str, Any]:
    return settings.split.model_dump(mode="json")


def _draw(table: pd.DataFrame, settings: Settings) -> pd.Series:
    """Draw external sites, then the wished part of the training patients as internal, by class and site."""
    cohorts = table["cohort"].copy()
    if isinstance(settings.split.external, int) and settings.split.external:
        cohorts[_of_drawn_sites(table, settings)] = "external"
    training = table[cohorts == TRAINING]
    if settings.split.internal > 0 and not (cohorts == INTERNAL).any() and len(training):
        y, groups = training["truth"].to_numpy(str), training["patient_id"].to_numpy(str)
        count = round(1 / settings.split.internal)
        drawn = grouped_folds(y, groups, count, settings.seed, _strata(training))[0]
        cohorts.loc[training.index[drawn]] = INTERNAL
    return cohorts


def _of_drawn_sites(table: pd.DataFrame, settings: Settings) -> pd.Series:
    sites = sorted(set(table["site"]))
    wanted = settings.split.external
    assert isinstance(wanted, int)
    if len(sites) <= wanted:
        action = "Ask for fewer, or name the column in split.site."
        raise InvalidInput([Fault("split.external", f"{len(sites)} sites", f"more than {wanted}", action)])
    drawn = np.random.default_rng(settings.seed).permutation(sites)[:wanted]
    return table["site"].isin(drawn) & (table["cohort"] == TRAINING)


def _strata(table: pd.DataFrame) -> np.ndarray:
    """Class and site together."""
    return np.array([f"{truth}|{site}" for truth, site in zip(table["truth"], table["site"], strict=True)])


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
    drawn = grouped_folds(y, groups, settings.tuning.folds, settings.seed, _strata(table[training]))
    for number, rows in enumerate(drawn, start=1):
        numbers[rows] = number
    folds = np.zeros(len(table), dtype=np.int64)
    folds[training] = numbers
    return folds
