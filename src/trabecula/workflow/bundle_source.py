"""What of a finished run goes into a bundle."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ..errors import Fault, InvalidInput
from ..features import Morphometry, ResNetFeatures
from ..features.cache import read_frame
from ..modelling import SITE, columns_of, site_numbers, unpack
from ..reading import clinical_columns, read_study
from ..records import BASELINES, Extractor, Study
from ..records import TRAINING as TRAINING_COHORT
from ..reporting import read_table
from ..settings import Settings
from .check import make_extractors
from .finished import find_run
from .fitting import KEPT
from .gradcam import network_settings, tuned_file


@dataclass(frozen=True, eq=False)
class Source:
    """What of a run goes into a bundle; ``values`` are the pipeline's columns of every case of the run."""

    run: Path
    settings: Settings
    study: Study
    signature: str
    model: str
    packed: bytes
    pipeline: Any
    extractors: tuple[Extractor, ...]
    split: pd.DataFrame
    predictions: pd.DataFrame
    values: pd.DataFrame
    words: Mapping[str, tuple[str, ...]]

    @property
    def network(self) -> ResNetFeatures | None:
        """The network among the extractors."""
        return next((one for one in self.extractors if isinstance(one, ResNetFeatures)), None)

    @property
    def tuned(self) -> bool:
        """Whether the run tuned that network: a training case's features are those of networks that left it out."""
        return self.network is not None and tuned_file(self.run, self.network.name.removeprefix("deep-")).exists()

    @property
    def training(self) -> pd.DataFrame:
        """The pipeline's columns of the training cases."""
        return self.values[self.split.loc[self.values.index, "cohort"] == TRAINING_COHORT]


def source_of(folder: Path, run: str | None, signature: str | None, model: str | None) -> Source:
    """A run's best model, or the one named; InvalidInput where a bundle could not repeat what it was made of."""
    place = find_run(folder, run)
    settings = Settings.model_validate(yaml.safe_load((place / "config.resolved.yaml").read_text(encoding="utf-8")))
    if settings.data.features is not None:
        found = "a study that begins with a table of features"
        raise InvalidInput([Fault(f"run {place.name}", found, "a study of films: a new film has no such table")])
    study, faults = read_study(folder, settings)
    signature, model = _chosen(place, signature, model)
    elsewhere = _computed_elsewhere(place, signature)
    deep = network_settings(settings.deep, place, signature.partition("-")[2])
    extractors, more = make_extractors(settings.radiomics, deep, folder)
    if faults or elsewhere or more or study is None:
        raise InvalidInput((*faults, *elsewhere, *more))
    kept = place / "fits" / signature / "final" / f"{model}{KEPT}"
    if not kept.exists():
        action = "Run the study again with this version: older ones kept no fitted model."
        raise InvalidInput([Fault(f"run {place.name}, {kept.name}", "no such file", "the fitted model", action)])
    packed = kept.read_bytes()
    pipeline = unpack(packed)
    columns = columns_of(pipeline)
    needed = _needed(columns, signature, (*extractors, Morphometry()))
    split = read_table(place / "splits.csv").set_index("case_id")
    told, words = _told(study, settings, columns)
    every = _values(place, split, told, needed)
    absent = [name for name in columns if name not in every]
    if absent:
        found = f"{len(absent)} columns that a bundle cannot compute on a new film, first {absent[0]}"
        raise InvalidInput([Fault(f"run {place.name}, {signature}", found, "radiomics, network or heights")])
    rows = read_table(place / "predictions.csv")
    rows = rows[(rows["protocol"] == "sound") & (rows["signature"] == signature) & (rows["model"] == model)]
    return Source(
        place, settings, study, signature, model, packed, pipeline, needed, split, rows, every[columns], words
    )


def _chosen(run: Path, signature: str | None, model: str | None) -> tuple[str, str]:
    """The best macro AUC in training folds among what is asked for; baselines only where one is asked for."""
    auc = read_table(run / "metrics" / "auc.csv")
    auc = auc[(auc["protocol"] == "sound") & (auc["cohort"] == TRAINING_COHORT) & (auc["class"] == "macro")]
    for column, wanted in (("signature", signature), ("model", model)):
        names = list(dict.fromkeys(auc[column]))
        if wanted is not None and wanted not in names:
            expected = "one of " + (", ".join(names) or "none: the run has no protocol sound")
            raise InvalidInput([Fault(f"run {run.name}, {column}", repr(wanted), expected)])
        auc = auc if wanted is None else auc[auc[column] == wanted]
    baseline = auc["signature"].isin(BASELINES)
    auc = auc if signature is not None or baseline.all() else auc[~baseline]
    if auc.empty:
        raise InvalidInput([Fault(f"run {run.name}", "no protocol sound", "a run of it", "Run: --protocol sound.")])
    best = auc.iloc[int(auc["auc"].fillna(-1.0).argmax())]
    return str(best["signature"]), str(best["model"])


def _computed_elsewhere(run: Path, signature: str) -> list[Fault]:
    """What a bundle cannot repeat: it computes the network on the processor, whose last bits are its own."""
    record = run / "features" / f"deep-{signature.partition('-')[2]}.json"
    said = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    device, precision = said.get("device", "cpu"), said.get("precision", "float32")
    if (device, precision) == ("cpu", "float32"):
        return []
    less = "" if precision == "float32" else f" in {precision}"
    without = " and without deep.precision" if less else ""
    action = f"Run the study with --device cpu{without} and bundle that run."
    found = f"deep features computed on {device}{less}"
    return [Fault(f"run {run.name}", found, "features of the processor", action)]


def _needed(columns: Sequence[str], signature: str, extractors: Sequence[Extractor]) -> tuple[Extractor, ...]:
    """The extractors whose columns the pipeline takes; of several networks, the one that the signature is named by."""
    suffix = signature.partition("-")[2]
    taken = set(columns)
    return tuple(
        one
        for one in extractors
        if taken.intersection(one.names) and (not one.name.startswith("deep-") or one.name == f"deep-{suffix}")
    )


def _values(run: Path, split: pd.DataFrame, told: pd.DataFrame, extractors: Sequence[Extractor]) -> pd.DataFrame:
    """All columns that a pipeline may take, by case: site, those of the table of cases, features."""
    tables = [read_frame(run / "features" / f"{one.name}.parquet").loc[split.index] for one in extractors]
    sites = split["site"].map(site_numbers(split["site"])).astype(np.float64).to_frame(SITE)
    return pd.concat([sites, told.loc[split.index], *tables], axis=1)


def _told(study: Study, settings: Settings, columns: Sequence[str]) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    """The free columns of the table of cases that the pipeline takes, and the words each may hold."""
    preserved = settings.harmonise.preserve if settings.harmonise is not None else ()
    have = {name for case in study.cases for name, cell in case.columns.items() if cell}
    words: dict[str, tuple[str, ...]] = {}
    tables = [pd.DataFrame(index=pd.Index([case.case_id for case in study.cases]))]
    for name in dict.fromkeys((*settings.data.clinical, *preserved, "age", "sex")):
        if name not in have:
            continue
        made, _ = clinical_columns(study, [name], allow_label_items=True)
        if set(made.columns) & set(columns):
            levels = (
                ()
                if list(made.columns) == [name]
                else sorted({case.columns.get(name, "") for case in study.cases} - {""})
            )
            words[name] = tuple(levels)
            tables.append(made)
    return pd.concat(tables, axis=1), words
