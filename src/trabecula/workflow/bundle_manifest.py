"""What a bundle says of itself: where it comes from, what it needs of a film, and what training was like."""

import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from .. import __version__
from ..bundle import WEIGHTS
from ..errors import Fault, InvalidInput
from ..features import DEFINITIONS, Radiomics, ResNetFeatures, film_facts
from ..features.weights import UNTRAINED
from ..modelling import SITE, distances, kept_columns, seen_by_learner, site_numbers, spread_of
from ..reading import films, load_film
from ..records import PROBABILITY_PREFIX
from ..records import TRAINING as TRAINING_COHORT
from ..reporting import read_table
from ..settings import Settings
from ..versions import versions_of
from .bundle_source import Source
from .check import Tell
from .rebuild import plain_parameters

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "skops", "xgboost-cpu", "xgboost", "lightgbm", "numba", "onnxruntime")


def manifest_of(source: Source, with_weights: bool, tell: Tell) -> dict[str, Any]:
    """All of a bundle's manifest but its example and the digests of its parts."""
    settings, pipeline, training = source.settings, source.pipeline, source.training
    cutoffs = read_table(source.run / "metrics" / "cutoffs.csv")
    cutoffs = cutoffs[(cutoffs["signature"] == source.signature) & (cutoffs["model"] == source.model)]
    cutoff = cutoffs[cutoffs["protocol"] == "sound"].set_index("class")["cutoff"]
    harmonise = settings.harmonise if SITE in source.values else None
    numbers = site_numbers(source.split["site"])
    known = sorted(set(source.split.loc[training.index, "site"]))
    kept = [name for name in kept_columns(pipeline) if name != SITE]
    lowest, highest = (training[kept].agg(one).to_numpy(np.float64).tolist() for one in ("min", "max"))
    ranges = dict(zip(kept, zip(lowest, highest, strict=True), strict=True))
    return {
        "study": source.study.name,
        "run": source.run.name,
        "created": json.loads((source.run / "run.json").read_text(encoding="utf-8"))["created"],
        "signature": source.signature,
        "model": source.model,
        "classes": settings.classes,
        "columns": list(source.values.columns),
        "words": dict(source.words),
        "sites": {} if harmonise is None else {name: numbers[name] for name in known},
        "new_site": None if harmonise is None else harmonise.new_site,
        "image": settings.image.model_dump(mode="json"),
        **_inputs(source, with_weights),
        "cutoffs": {name: float(cutoff[name]) if np.isfinite(cutoff[name]) else None for name in settings.classes},
        "film": _film_ranges(source, tell),
        "features": {name: span for name, span in ranges.items() if np.isfinite(span).all()},
        "spread": _spread(pipeline, training),
        "evaluation": settings.evaluation.model_dump(mode="json"),
        "seed": settings.seed,
        "versions": versions_here(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def settings_without_folders(settings: Settings) -> bytes:
    """The run's settings without the folders of whoever ran it."""
    said = settings.model_dump(mode="json", by_alias=True)
    said["data"]["cases"] = Path(said["data"]["cases"]).name
    said["deep"]["weights"] = [Path(name).name for name in said["deep"]["weights"]]
    said["deep"]["conventions"] = {Path(name).name: one for name, one in said["deep"]["conventions"].items()}
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True).encode()


def training_scores(source: Source) -> pd.DataFrame:
    """What the model gave the training cases, out of fold, with numbers in place of names: patient, fold, truth, p."""
    rows = source.predictions[source.predictions["cohort"] == TRAINING_COHORT]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(rows["patient_id"]), start=1)}
    columns = [PROBABILITY_PREFIX + name for name in source.settings.classes]
    return rows.assign(patient=rows["patient_id"].map(numbers))[["patient", "fold", "truth", *columns]]


def versions_here() -> dict[str, str]:
    """Of everything that an answer may depend on."""
    return {"trabecula": __version__, "python": platform.python_version(), **versions_of(_LIBRARIES)}


def _inputs(source: Source, with_weights: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"radiomics": None, "deep": None, "morphometry": None}
    for one in source.extractors:
        if isinstance(one, Radiomics):
            parameters = plain_parameters(one)
            made["radiomics"] = {"parameters": parameters, "definitions": DEFINITIONS, "digest": one.digest}
        elif isinstance(one, ResNetFeatures):
            made["deep"] = _deep_input(source, one, with_weights)
        else:
            made["morphometry"] = one.digest
    if with_weights and made["deep"] is None:
        raise InvalidInput([Fault("--with-weights", "a signature without a network", "one with deep features")])
    return made


def _deep_input(source: Source, network: ResNetFeatures, with_weights: bool) -> dict[str, Any]:
    deep = source.settings.deep
    path = source.study.folder / network.entry
    if with_weights and not path.is_file():
        found = f"weights {network.entry!r}, which are " + ("drawn" if network.entry == UNTRAINED else "kept by name")
        raise InvalidInput([Fault("--with-weights", found, "a weights file that deep.weights names by its path")])
    entry = path.name if path.is_file() else network.entry
    asked = deep.conventions.get(network.entry)
    conventions = {} if asked is None else {entry: asked}
    settings = deep.model_copy(update={"weights": (entry,), "conventions": conventions})
    return {
        "settings": settings.model_dump(mode="json"),
        "digest": network.digest,
        "sha256": network.sha256,
        "statement": network.note,
        "file": WEIGHTS if with_weights else None,
    }


def _film_ranges(source: Source, tell: Tell) -> dict[str, tuple[float, float]]:
    """Of each fact of the training films, the least and the most; facts that some of them lack are left out."""
    chosen = [cases for _, cases in films(source.study, set(source.training.index))]
    seen: list[dict[str, float]] = []
    for done, cases in enumerate(chosen, start=1):
        xray, regions = load_film(cases, source.settings.image)
        seen += [film_facts(xray, region.inside) for region in regions]
        tell("training films", done, len(chosen))
    table = pd.DataFrame(seen).dropna(axis=1)
    return {str(name): (float(table[name].min()), float(table[name].max())) for name in table}


def _spread(pipeline: Any, training: pd.DataFrame) -> dict[str, Any] | None:
    seen = seen_by_learner(pipeline, training)
    if not seen.shape[1]:
        return None
    values = seen.to_numpy(np.float64)
    mean, inverse = spread_of(values)
    far = distances(values, mean, inverse)
    usual, most = (float(one) for one in np.quantile(far, [0.5, 0.99]))
    return {"names": list(seen), "mean": mean.tolist(), "inverse": inverse.tolist(), "usual": usual, "far": most}
