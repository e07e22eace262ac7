"""The training cases' features again, from regions drawn a second time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InvalidInput
from ..features import Perturbation, stability_table
from ..reading import read_second_reader
from ..records import TRAINING, Extractor, FeatureTable, Split, Study
from ..settings import Settings, StabilitySettings
from .check import Tell
from .extract import study_features
from .finetuning import TunedNetworks, tuned_features

Tables = Mapping[str, FeatureTable]


def redrawn_features(
    folder: Path,
    study: Study,
    settings: Settings,
    extractors: Sequence[Extractor],
    split: Split,
    jobs: int,
    tell: Tell,
    tuned: Sequence[TunedNetworks] = (),
) -> list[Tables]:
    """One set of tables a further drawing of training cases; none when the study does not ask for stability."""
    rules = settings.selection.stability
    if rules is None:
        return []
    training = set(split.table.index[split.table["cohort"] == TRAINING])
    if rules.second_reader is not None:
        cases, faults = read_second_reader(folder / rules.second_reader, study)
        if faults:
            raise InvalidInput(faults)
        again = replace(study, cases=tuple(case for case in cases if case.case_id in training))
        return [_features(folder, again, settings, extractors, split, jobs, tell, tuned, "redrawn", None)]
    drawn = np.random.default_rng(settings.seed).permutation(sorted(training))[: rules.cases]
    again = replace(study, cases=tuple(case for case in study.cases if case.case_id in set(drawn)))
    return [
        _features(folder, again, settings, extractors, split, jobs, tell, tuned, f"redrawn {how.number}", how)
        for how in _perturbations(rules, settings.seed)
    ]


def _features(
    folder: Path,
    again: Study,
    settings: Settings,
    extractors: Sequence[Extractor],
    split: Split,
    jobs: int,
    tell: Tell,
    tuned: Sequence[TunedNetworks],
    stage: str,
    how: Perturbation | None,
) -> Tables:
    tables = study_features(folder, again, settings, extractors, jobs, tell, stage=stage, perturbation=how)
    of_tuned = {
        one.name: tuned_features(folder, again, settings, one, split, jobs, tell, f"{stage}, tuned", how)
        for one in tuned
    }
    return {**tables, **of_tuned}


def _perturbations(rules: StabilitySettings, seed: int) -> list[Perturbation]:
    sizes = rules.model_dump(include={"shift", "rotate", "grow", "contour", "noise"})
    return [Perturbation(**sizes, number=number, seed=seed) for number in range(1, rules.repeats + 1)]


def stability_of(tables: Tables, redrawn: Sequence[Tables]) -> pd.DataFrame:
    """ICC of every feature of every table over all redrawn training cases, to look at; no step learns from it."""
    return pd.concat(
        [stability_table([table.values, *(again[name].values for again in redrawn)]) for name, table in tables.items()]
    )
