"""A study made ready for models: checked, its features computed, its cohorts drawn."""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .. import __version__
from ..errors import Fault, InvalidInput
from ..features import AskedDevice, find_device
from ..modelling import make_split, too_few
from ..reading import changed, film_digests, films
from ..records import PUBLISHED, SOUND, FeatureTable, Split, Study
from ..settings import Protocol, Settings
from ..versions import FEATURES, MODELS, TUNING, versions_of
from .check import COHORTS, Check, Tell, check_study, silent
from .extract import study_features
from .finetuning import TunedNetworks, tune_networks, tuned_features
from .signatures import HEIGHTS, Signature, make_signatures
from .stability import redrawn_features


@dataclass(frozen=True)
class RunWishes:
    """What goes before the settings of a run, and what must be asked for to be done.

    ``redraw``: draw the cohorts again. ``allow_label_items``: let models learn from columns that enter the label.
    """

    seed: int | None = None
    protocol: Protocol | None = None
    redraw: bool = False
    allow_label_items: bool = False
    device: AskedDevice = "cpu"

    def over(self, settings: Settings) -> Settings:
        """The settings, save where something else is wished for."""
        said = {"seed": self.seed, "protocol": self.protocol}
        return settings.model_copy(update={name: value for name, value in said.items() if value is not None})


NO_WISHES = RunWishes()


@dataclass(frozen=True, eq=False)
class Ready:
    """A study with its features and its split: all that models need."""

    checked: Check
    settings: Settings
    study: Study
    tables: Mapping[str, FeatureTable]
    redrawn: Sequence[Mapping[str, FeatureTable]]
    split: Split
    tuned: Sequence[TunedNetworks] = ()

    @functools.cached_property
    def inputs(self) -> str:
        """All that decides a run but the versions of libraries."""
        return _digest_of_inputs(self)

    @property
    def versions(self) -> dict[str, str]:
        """Those of the libraries that a value of the run may depend on."""
        return versions_of((*FEATURES, *MODELS, *(TUNING if self.tuned else ())))

    @property
    def key(self) -> str:
        """What a run is: the same key gives the same predictions."""
        return hashlib.sha256(json.dumps([self.inputs, self.versions], sort_keys=True).encode()).hexdigest()

    @property
    def too_few(self) -> tuple[Fault, ...]:
        """Why no model can be made: the classes that have too few training patients; empty where models can be."""
        return too_few(self.split.table, self.split.classes)

    @property
    def signatures(self) -> list[Signature]:
        """What models may learn from."""
        checked = self.checked
        return make_signatures(
            self.settings, self.tables, self.redrawn, checked.clinical, checked.known, checked.preserved
        )


def prepare(folder: Path, wishes: RunWishes = NO_WISHES, *, jobs: int, tell: Tell = silent) -> Ready:
    """Check a study, compute its features and split it."""
    checked = check_study(
        folder,
        jobs=jobs,
        redraw=wishes.redraw,
        allow_label_items=wishes.allow_label_items,
        device=find_device(wishes.device),
        tell=tell,
    )
    if checked.faults:
        raise InvalidInput(checked.faults)
    assert checked.settings is not None
    assert checked.study is not None
    settings = wishes.over(checked.settings)
    study = checked.study
    tables = checked.tables or study_features(folder, study, settings, checked.extractors, jobs, tell)
    split = make_split(study, settings, folder / COHORTS, redraw=wishes.redraw)
    modelled = not too_few(split.table, split.classes)
    tuned = tune_networks(folder, study, settings, checked.extractors, split, jobs, tell) if modelled else []
    of_tuned = {one.name: tuned_features(folder, study, settings, one, split, jobs, tell) for one in tuned}
    learnt = [one for one in checked.extractors if one.name != HEIGHTS]
    redrawn = redrawn_features(folder, study, settings, learnt, split, jobs, tell, tuned)
    refuse_changes(checked)
    return Ready(checked, settings, study, {**tables, **of_tuned}, redrawn, split, tuned)


def refuse_changes(checked: Check) -> None:
    """Raise InvalidInput with every film that is not what was checked any more, or whose region is not."""
    assert checked.settings is not None
    assert checked.study is not None
    image = checked.settings.image
    if not checked.films:
        return
    pairs = zip(films(checked.study), checked.films, strict=True)
    faults = [
        changed(f"case {', '.join(was.cases)}, {path.name}", "the study was run")
        for (path, cases), was in pairs
        if tuple(film_digests(cases, image)) != was.digests
    ]
    if faults:
        raise InvalidInput(faults)


def flows_of(settings: Settings) -> tuple[str, ...]:
    """The protocols to run, the one to report first."""
    return (SOUND, PUBLISHED) if settings.protocol == "both" else (settings.protocol,)


def free_columns(study: Study) -> pd.DataFrame:
    """The free columns of the table of cases, as text, indexed by case id."""
    columns = pd.DataFrame([dict(case.columns) for case in study.cases], dtype=object).fillna("")
    return columns.set_index(pd.Index([case.case_id for case in study.cases], name="case_id"))


def _digest_of_inputs(ready: Ready) -> str:
    tables = [table for one in (ready.checked.tables, *ready.redrawn) for table in one.values()]
    columns = [ready.checked.clinical, ready.checked.known, ready.checked.preserved]
    parts = {
        "version": __version__,
        "settings": ready.settings.model_dump(mode="json", by_alias=True),
        "extractors": [(extractor.name, extractor.digest) for extractor in ready.checked.extractors],
        "tuned": [network.digest for one in ready.tuned for network in one.extractors.values()],
        "cases": [digest for film in ready.checked.films for digest in film.digests],
        "split": ready.split.table.to_csv(),
        "tables": [_digest(table.values) for table in tables],
        "columns": [_digest(one) for one in columns if one is not None],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _digest(values: pd.DataFrame) -> str:
    digest = hashlib.sha256(repr((list(values.index), list(values.columns))).encode())
    digest.update(values.to_numpy(np.float64).tobytes())
    return digest.hexdigest()
