"""A study that begins with a table of features: cases and features in one file, or features beside a table of cases."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import Fault, InvalidInput
from ..records import TRAINING, Case, FeatureTable, Study
from ..settings import DataSettings, Settings
from .cases import faults_of_classes, faults_of_ids, missing_columns, read_table
from .cohorts import assign_cohorts

_PYRADIOMICS = re.compile(r"(^|_)(shape2D|shape|firstorder|glcm|glrlm|glszm|gldm|ngtdm)_[A-Za-z0-9]")
_MISSING = ("", "na", "nan", "null", "none")
_IDENTITY = ("case_id", "patient_id", "label", "cohort")

Read = tuple[Study | None, dict[str, FeatureTable], tuple[Fault, ...]]


def read_feature_study(folder: Path, settings: Settings) -> Read:
    """The study and its tables ``radiomics`` and ``deep-<name>``; without ``patient_id`` every case is a patient.

    The image and the region of such a case are the table itself.
    """
    data = settings.data
    assert data.features is not None
    path = folder / data.features
    try:
        features = _renamed(path, data)
        rows = features if data.cases is None else _renamed(folder / data.cases, data)
    except InvalidInput as error:
        return None, {}, error.faults
    table = path.name if data.cases is None else data.cases
    missing = missing_columns(table, list(rows[0]), ("case_id", "label"))
    if rows is not features:
        missing += missing_columns(path.name, list(features[0]), ("case_id",))
    if missing:
        return None, {}, missing
    kinds = _kinds(list(features[0]), data)
    for row in rows:
        row.setdefault("patient_id", row["case_id"])
    faults = assign_cohorts(table, rows, settings.split)
    taken = {name for names in kinds.values() for name in names}
    cases = [_case(path, row, taken) for row in rows]
    faults += faults_of_classes(cases, settings.classes)
    faults += faults_of_ids(table, cases)
    faults += _faults_of_join(path.name, features, cases)
    if not kinds:
        expected = "columns with PyRadiomics' names, or prefixes in data.deep"
        faults.append(Fault(path.name, "no feature", expected))
    study = Study(folder, settings.name or folder.resolve().name, settings.classes, tuple(cases))
    if faults:
        return study, {}, tuple(faults)
    tables, amiss = _tables(path.name, features, kinds, [case.case_id for case in cases])
    return study, tables, tuple(amiss)


def unassigned(settings: Settings, study: Study) -> tuple[str, ...]:
    """Columns of a feature table that are neither features nor named anywhere: no model learns from them."""
    named = {*settings.data.clinical, settings.split.site, settings.split.date, "age", "sex"}
    return tuple(name for name in study.cases[0].columns if name not in named) if study.cases else ()


def _renamed(path: Path, data: DataSettings) -> list[dict[str, str]]:
    headings, rows = read_table(path)
    twice = (
        {name for name in headings if headings.count(name) > 1} - {""} if len(set(headings)) < len(headings) else set()
    )
    if twice:
        raise InvalidInput([Fault(path.name, f"the column {name!r} twice", "each once") for name in sorted(twice)])
    names = {heading: data.columns.get(heading, heading) for heading in headings}
    return [{names[heading]: value for heading, value in row.items()} for row in rows]


def _kinds(headings: Sequence[str], data: DataSettings) -> dict[str, list[str]]:
    """Table -> its columns, deep ones first, since their prefix is said outright."""
    kinds: dict[str, list[str]] = {}
    for heading in headings:
        deep = next((name for name, prefix in data.deep.items() if heading.startswith(prefix)), None)
        if heading in _IDENTITY or heading in data.clinical:
            continue
        if deep is not None:
            kinds.setdefault(f"deep-{deep}", []).append(heading)
        elif _PYRADIOMICS.search(heading):
            kinds.setdefault("radiomics", []).append(heading)
    return kinds


def _case(path: Path, row: dict[str, str], features: set[str]) -> Case:
    free = {name: text for name, text in row.items() if name not in _IDENTITY and name not in features}
    cohort = row.get("cohort") or TRAINING
    return Case(row["case_id"], row["patient_id"], path, path, None, row["label"], cohort, free, free)


def _faults_of_join(file: str, features: Sequence[dict[str, str]], cases: Sequence[Case]) -> list[Fault]:
    have, want = [row["case_id"] for row in features], {case.case_id for case in cases}
    faults = [
        Fault(f"{file}, case {name}", "no row of features", "one row a case") for name in sorted(want - set(have))
    ]
    if len(set(have)) < len(have):
        faults.append(Fault(file, "cases with several rows of features", "one row a case"))
    return faults


def _tables(
    file: str, features: Sequence[dict[str, str]], kinds: dict[str, list[str]], order: list[str]
) -> tuple[dict[str, FeatureTable], list[Fault]]:
    tables, faults = {}, []
    by_case = {row["case_id"]: row for row in features}
    for name, columns in kinds.items():
        values = np.empty((len(order), len(columns)))
        for k, column in enumerate(columns):
            numbers = [_number(by_case[case][column]) for case in order]
            wrong = [case for case, number in zip(order, numbers, strict=True) if number is None]
            if wrong:
                found = f"{by_case[wrong[0]][column]!r} in case {wrong[0]}"
                found += f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
                faults.append(Fault(f"{file}, column {column}", found, "a number, or nothing"))
            values[:, k] = [math.nan if number is None else number for number in numbers]
        frame = pd.DataFrame(values, pd.Index(order, name="case_id"), columns)
        rows, places = np.nonzero(np.isnan(values))
        absent = [(order[i], columns[k], "missing in the table") for i, k in zip(rows, places, strict=True)]
        tables[name] = FeatureTable(name, frame, pd.DataFrame(absent, columns=["case_id", "feature", "reason"]))
    return tables, faults


def _number(cell: str) -> float | None:
    """NaN where the cell says nothing, None where it says something that is no finite number."""
    if cell.lower() in _MISSING:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
