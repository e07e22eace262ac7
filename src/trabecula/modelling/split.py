"""Patient-grouped cohorts and folds; what is shut stays shut."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from ..errors import Fault, InvalidInput
from ..records import FEWEST_PATIENTS, INTERNAL, TRAINING, Split, Study
from ..settings import Settings
from .frozen import freeze, frozen_cohorts, redraws


def make_split(study: Study, settings: Settings, frozen: Path, *, redraw: bool = False) -> Split:
    """Cohorts as the table gives them or as drawn once and frozen; outer folds of the training cohort.

    ``frozen`` is written at the first call and read at every later one, whatever the seed; it is refused when the table
    of cases is no longer the one it was drawn for, unless ``redraw``, which is written down in it for good. Where a
    class has too few training patients for a model (see ``too_few``) there are no folds, and nothing is frozen: no
    model has seen the cohorts.
    """
    rows = _rows_of(study, settings)
    kept = _kept(rows, settings, frozen, redraw=redraw)
    table = rows.assign(cohort=_draw(rows, settings) if kept is None else kept)
    wanting = too_few(table, study.classes)
    if kept is None and not wanting:
        freeze(frozen, rows, table["cohort"], settings)
    table["fold"] = 0 if wanting else _folds(table, settings)
    given = INTERNAL in set(rows["cohort"])
    notes = (*_of_internal(table, settings, given=given), *_of_folds(table, settings))
    return Split(table, study.classes, settings.seed, redraws(frozen), notes)


def refuse_cohorts(study: Study, settings: Settings, frozen: Path, *, redraw: bool = False) -> None:
    """Raise InvalidInput where ``make_split`` would; nothing is drawn or written."""
    _kept(_rows_of(study, settings), settings, frozen, redraw=redraw)


def too_few(table: pd.DataFrame, classes: Sequence[str]) -> tuple[Fault, ...]:
    """The classes that have too few training patients for any model to be learnt, tuned and tested.

    ``table``: patient_id, cohort, truth.
    """
    patients = table.drop_duplicates(["patient_id", "truth"])
    faults = []
    for label in classes:
        cohorts = patients.loc[patients["truth"] == label, "cohort"]
        n = int((cohorts == TRAINING).sum())
        if n < FEWEST_PATIENTS:
            elsewhere = f" ({len(cohorts) - n} more in other cohorts)" if len(cohorts) > n else ""
            found = f"{n or 'no'} training patient{'s' * (n != 1)}{elsewhere}"
            more = FEWEST_PATIENTS - n
            action = f"Add at least {more} patient{'s' * (more != 1)} of this class to the training cohort."
            expected = f"at least {FEWEST_PATIENTS}, so that three nested folds have patients to learn from and to test"
            faults.append(Fault(f"class {label!r}", found, expected, action))
    return tuple(faults)


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


def _rows_of(study: Study, settings: Settings) -> pd.DataFrame:
    """What the table says of each case: patient_id, cohort, truth, site."""
    rows = [
        (case.case_id, case.patient_id, case.cohort, case.label, case.columns.get(settings.split.site, ""))
        for case in study.cases
    ]
    return pd.DataFrame(rows, columns=["case_id", "patient_id", "cohort", "truth", "site"]).set_index("case_id")


def _kept(rows: pd.DataFrame, settings: Settings, frozen: Path, *, redraw: bool) -> pd.Series | None:
    """The cohorts of an earlier run, or None where they are to be drawn; InvalidInput where neither can be."""
    kept = None if redraw else frozen_cohorts(frozen, rows, settings)
    wanted, sites = settings.split.external, rows["site"].nunique()
    if kept is None and isinstance(wanted, int) and 0 < wanted >= sites:
        found = f"{sites} site{'s' * (sites != 1)}"
        action = "Ask for fewer, or name the column in split.site."
        raise InvalidInput([Fault("split.external", found, f"more than {wanted}", action)])
    return kept


def _draw(table: pd.DataFrame, settings: Settings) -> pd.Series:
    """Draw external sites, then the wished part of the training patients as internal, by class and site."""
    cohorts = table["cohort"].copy()
    if isinstance(settings.split.external, int) and settings.split.external:
        cohorts[_seen_at_drawn_sites(table, settings)] = "external"
    training = table[cohorts == TRAINING]
    several = len(set(training["patient_id"])) > 1
    if settings.split.internal > 0 and not (cohorts == INTERNAL).any() and several:
        y, groups = training["truth"].to_numpy(str), training["patient_id"].to_numpy(str)
        count = round(1 / settings.split.internal)
        drawn = grouped_folds(y, groups, count, settings.seed, _strata(training))[0]
        cohorts.loc[training.index[drawn]] = INTERNAL
    return cohorts


def _seen_at_drawn_sites(table: pd.DataFrame, settings: Settings) -> pd.Series:
    """All cases of the patients of those sites, also of one who was seen elsewhere too, and of late ones."""
    wanted = settings.split.external
    assert isinstance(wanted, int)
    drawn = np.random.default_rng(settings.seed).permutation(sorted(set(table["site"])))[:wanted]
    return table["patient_id"].isin(table.loc[table["site"].isin(drawn), "patient_id"])


def _strata(table: pd.DataFrame) -> np.ndarray:
    """Class and site together."""
    return np.array([f"{truth}|{site}" for truth, site in zip(table["truth"], table["site"], strict=True)])


def _of_internal(table: pd.DataFrame, settings: Settings, *, given: bool) -> Iterator[str]:
    """Where a class has too few patients for the share that split.internal asks for."""
    pooled = table[table["cohort"].isin([TRAINING, INTERNAL])]
    if given or settings.split.internal == 0 or pooled.empty:
        return
    label, fewest = _rarest(pooled)
    asked = round(1 / settings.split.internal)
    made = max(2, min(asked, fewest))
    if made < asked:
        yield (
            f"the internal cohort is one of {made} parts of the patients, not one of {asked}: class {label!r} has "
            f"{fewest} patient{'s' * (fewest != 1)} to draw from"
        )


def _of_folds(table: pd.DataFrame, settings: Settings) -> Iterator[str]:
    """Where a class has fewer training patients than folds are asked for."""
    made = int(table["fold"].max())
    if 0 < made < settings.tuning.folds:
        label, fewest = _rarest(table[table["cohort"] == TRAINING])
        yield f"{made} training folds, not {settings.tuning.folds}: class {label!r} has {fewest} training patients"


def _rarest(table: pd.DataFrame) -> tuple[str, int]:
    """The class with the fewest patients, and how many."""
    patients = table.groupby("truth", sort=False)["patient_id"].nunique()
    return str(patients.idxmin()), int(patients.min())


def _folds(table: pd.DataFrame, settings: Settings) -> np.ndarray:
    training = (table["cohort"] == TRAINING).to_numpy()
    y, groups = table["truth"].to_numpy(str)[training], table["patient_id"].to_numpy(str)[training]
    numbers = np.zeros(len(y), dtype=np.int64)
    drawn = grouped_folds(y, groups, settings.tuning.folds, settings.seed, _strata(table[training]))
    for number, rows in enumerate(drawn, start=1):
        numbers[rows] = number
    folds = np.zeros(len(table), dtype=np.int64)
    folds[training] = numbers
    return folds
