"""Patient-grouped cohorts and folds; cohorts are frozen to a file, and what is shut stays shut."""

import datetime
import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
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

_NAMED = 5  # cases, in a refusal


def make_split(study: Study, settings: Settings, frozen: Path, *, redraw: bool = False) -> Split:
    """Cohorts as the table gives them or as drawn once and frozen; outer folds of the training cohort.

    ``frozen`` is written at the first call and read at every later one, whatever the seed; it is refused when the table
    of cases is no longer the one it was drawn for, unless ``redraw``, which is written down in it for good. Where a
    class has too few training patients for a model (see ``too_few``) there are no folds, and nothing is frozen: no
    model has seen the cohorts.
    """
    table = pd.DataFrame(
        {
            "case_id": [case.case_id for case in study.cases],
            "patient_id": [case.patient_id for case in study.cases],
            "cohort": [case.cohort for case in study.cases],
            "truth": [case.label for case in study.cases],
        }
    ).set_index("case_id")
    given = INTERNAL in set(table["cohort"])
    asked = {
        "table": _digest_of_text(table.to_csv(lineterminator="\n")),
        "split": _rule(settings),
        "rows": _rows(table),
    }
    table["site"] = [case.columns.get(settings.split.site, "") for case in study.cases]
    before = json.loads(frozen.read_text(encoding="utf-8")) if frozen.exists() else None
    if before is None or redraw:
        table["cohort"] = _draw(table, settings)
    else:
        table["cohort"] = _frozen_cohorts(before, asked, frozen.name).loc[table.index]
    wanting = too_few(table, study.classes)
    if (before is None or redraw) and not wanting:
        _freeze(frozen, before, asked, table["cohort"], settings)
    table["fold"] = 0 if wanting else _folds(table, settings)
    notes = (*_of_internal(table, settings, given=given), *_of_folds(table, settings))
    return Split(table, study.classes, settings.seed, _redraws(frozen) if frozen.exists() else (), notes)


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


def _frozen_cohorts(known: dict[str, Any], asked: dict[str, Any], name: str) -> pd.Series:
    """The cohorts of an earlier run of this table and split."""
    faults = []
    for key, what, changes in (("table", "table of cases", _changed_rows), ("split", "split", _changed_rules)):
        if known.get(key) != asked[key]:
            action = f"Put it back, or run with --redraw, which the report will say. {name} keeps the old cohorts."
            found = f"the cohorts were frozen for another {what}: {changes(known, asked)}"
            faults.append(Fault(name, found, f"the {what} that they were drawn for", action))
    if known.get("digest") != _digest(known.get("cohorts", {})):
        found = "cohorts that are not the ones that were frozen"
        faults.append(Fault(name, found, "the file as it was written", "Put it back, or run with --redraw."))
    if faults:
        raise InvalidInput(faults)
    return pd.Series(known["cohorts"])


def _changed_rows(known: dict[str, Any], asked: dict[str, Any]) -> str:
    """Which cases are not the ones of ``known``; an older file has their names alone."""
    now, before = asked["rows"], known.get("rows", known.get("cohorts", {}))
    both = [case for case in now if case in before]
    found = (
        (
            "{} with another patient, cohort or label",
            [case for case in both if "rows" in known and before[case] != now[case]],
        ),
        ("{} added", [case for case in now if case not in before]),
        ("{} gone", [case for case in before if case not in now]),
    )
    said = [words.format(_counted(cases)) for words, cases in found if cases]
    other = (
        "the same cases in another order"
        if "rows" in known
        else "a patient, cohort or label, or the order of the cases"
    )
    return "; ".join(said) or other


def _counted(cases: Sequence[str]) -> str:
    names = ", ".join(cases[:_NAMED]) + (f" and {len(cases) - _NAMED} more" if len(cases) > _NAMED else "")
    return f"{len(cases)} case{'s' * (len(cases) != 1)} ({names})"


def _changed_rules(known: dict[str, Any], asked: dict[str, Any]) -> str:
    before, now = known.get("split", {}), asked["split"]
    return "; ".join(f"{key} is {now[key]}, was {before.get(key)}" for key in now if before.get(key) != now[key])


def _rows(table: pd.DataFrame) -> dict[str, str]:
    """A short digest of what the table says of each case."""
    return {str(row[0]): _digest_of_text(json.dumps(row[1:]))[:16] for row in table.itertuples(name=None)}


def _freeze(
    frozen: Path, before: dict[str, Any] | None, asked: dict[str, Any], cohorts: pd.Series, settings: Settings
) -> None:
    """Write the cohorts with their hashes, and below them every drawing that they replace."""
    drawn = {str(case): str(cohort) for case, cohort in cohorts.items()}
    content: dict[str, Any] = {
        **asked,
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
    return _digest_of_text(json.dumps(cohorts, sort_keys=True))


def _digest_of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _rule(settings: Settings) -> dict[str, Any]:
    return settings.split.model_dump(mode="json")


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
    sites = sorted(set(table["site"]))
    wanted = settings.split.external
    assert isinstance(wanted, int)
    if len(sites) <= wanted:
        action = "Ask for fewer, or name the column in split.site."
        raise InvalidInput([Fault("split.external", f"{len(sites)} sites", f"more than {wanted}", action)])
    drawn = np.random.default_rng(settings.seed).permutation(sites)[:wanted]
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
