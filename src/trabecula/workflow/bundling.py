"""A finished run -> a bundle, after asking whether it gives the run's own answers again."""

import dataclasses
import io
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from .. import __version__
from ..bundle import (
    CARD,
    FILM,
    MASK,
    MODEL,
    SELECTION,
    SETTINGS,
    SUFFIX,
    TRAINING,
    WEIGHTS,
    Bundle,
    Manifest,
    read_bundle,
    seal,
)
from ..errors import Fault, InvalidInput
from ..features import DEFINITIONS, Morphometry, Radiomics, ResNetFeatures, film_facts
from ..features.cache import read_frame
from ..features.weights import UNTRAINED
from ..modelling import SITE, columns_of, distances, kept_columns, seen_by_learner, site_numbers, spread_of, unpack
from ..reading import clinical_columns, films, load_film, read_study
from ..records import BASELINES, PROBABILITY_PREFIX, Case, Extractor, Region, Study, Xray
from ..records import TRAINING as TRAINING_COHORT
from ..reporting import read_table
from ..settings import Settings
from ..storage import write_atomically
from ..versions import versions_of
from .card import model_card
from .check import Tell, make_extractors, silent
from .finished import find_run
from .fitting import KEPT
from .gradcam import network_settings, tuned_file
from .predict import Predictor
from .rebuild import plain_parameters

AGREE = 1e-9  # of probabilities on the machine and with the versions of the run
_RECOMPUTED = 2  # cases whose features are computed again
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "skops", "xgboost-cpu", "xgboost", "lightgbm", "numba", "onnxruntime")


@dataclasses.dataclass(frozen=True, eq=False)
class _Source:
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


def make_bundle(
    folder: Path,
    output: Path | None = None,
    *,
    run: str | None = None,
    signature: str | None = None,
    model: str | None = None,
    with_weights: bool = False,
    tell: Tell = silent,
) -> Bundle:
    """Write the bundle of the run's best model, or of the one named, and read it again.

    Raises InvalidInput where the films, weights or parameters no longer give the features and answers of the run.
    """
    source = _source(folder, run, signature, model)
    with_weights = with_weights or source.tuned  # they are nowhere but in the run
    parts = {
        MODEL: source.packed,
        TRAINING: _training_scores(source).to_csv(index=False, lineterminator="\n").encode(),
        SETTINGS: _settings_of(source.settings),
        SELECTION: (source.run / "fits" / source.signature / "final" / "selection.json").read_bytes(),
    }
    parts[FILM], parts[MASK], spacing = _example_film()
    said = _manifest(source, with_weights, tell)
    if with_weights and source.network is not None:
        parts[WEIGHTS] = (folder / source.network.entry).read_bytes()
    values = {name: levels[0] if levels else "0" for name, levels in source.words.items()}
    example = {"values": values, "site": next(iter(said["sites"]), ""), "spacing_mm": spacing, "probabilities": {}}
    parts[CARD] = b""
    draft = Bundle(folder / "draft", "", Manifest.model_validate({**said, "example": example, "parts": {}}), parts)
    predictor = Predictor(draft, source.pipeline, source.extractors)
    _compare(source, predictor)
    example["probabilities"] = dict(answer_example(predictor))
    manifest = {**said, "example": example}
    parts[CARD] = model_card(predictor, source.run, source.predictions).encode()
    name = f"{source.study.name}-{source.signature}-{source.model}{SUFFIX}"
    output = output or folder / "bundles" / name.replace("/", "-")
    write_atomically(output, seal(manifest, parts))
    return read_bundle(output)


def answer_example(predictor: Predictor) -> Mapping[str, float]:
    """The probabilities of the simulated film in the bundle."""
    bundle, example = predictor.bundle, predictor.bundle.manifest.example
    film, mask = (_example_part(bundle, part) for part in (FILM, MASK))
    if film.shape != mask.shape:  # kernels go by the region and never look whether the film is as large
        raise InvalidInput(
            [Fault(f"{bundle.path.name}, {MASK}", f"shape {mask.shape}", f"that of {FILM}, {film.shape}")]
        )
    xray = Xray(film.astype(np.float32), example.spacing_mm, "example", FILM, "")
    return predictor.answer(xray, Region(mask > 0, "example", MASK, ""), example.values, example.site).probabilities


def _example_part(bundle: Bundle, part: str) -> np.ndarray:
    """Greys of the simulated film, or its mask."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(bundle.parts[part]), formats=["PNG"]) as image:
            if image.size[0] * image.size[1] > _LARGEST_EXAMPLE or image.mode not in _GREYS:
                raise ValueError(f"{image.mode}, {image.size[1]} x {image.size[0]} pixels")
            return np.asarray(image)
    except Exception as error:  # noqa: BLE001 a decoder may fail in any way on a damaged file
        found = f"cannot be decoded ({' '.join(str(error).split())[:100]})"
        raise InvalidInput([Fault(f"{bundle.path.name}, {part}", found, "a grey PNG film")]) from None


_LARGEST_EXAMPLE = 10**7  # pixels
_GREYS = ("L", "I;16", "I")


def versions_here() -> dict[str, str]:
    """Of everything that an answer may depend on."""
    return {"trabecula": __version__, "python": platform.python_version(), **versions_of(_LIBRARIES)}


def _source(folder: Path, run: str | None, signature: str | None, model: str | None) -> _Source:
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
    predictions = read_table(place / "predictions.csv")
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
    tables = [read_frame(place / "features" / f"{one.name}.parquet").loc[split.index] for one in needed]
    sites = split["site"].map(site_numbers(split["site"])).astype(np.float64).to_frame(SITE)
    every = pd.concat([sites, told.loc[split.index], *tables], axis=1)
    absent = [name for name in columns if name not in every]
    if absent:
        found = f"{len(absent)} columns that a bundle cannot compute on a new film, first {absent[0]}"
        raise InvalidInput([Fault(f"run {place.name}, {signature}", found, "radiomics, network or heights")])
    rows = predictions[(predictions["signature"] == signature) & (predictions["model"] == model)]
    rows = rows[rows["protocol"] == "sound"]
    return _Source(
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


def _settings_of(settings: Settings) -> bytes:
    """The run's settings without the folders of whoever ran it."""
    said = settings.model_dump(mode="json", by_alias=True)
    said["data"]["cases"] = Path(said["data"]["cases"]).name
    said["deep"]["weights"] = [Path(name).name for name in said["deep"]["weights"]]
    said["deep"]["conventions"] = {Path(name).name: one for name, one in said["deep"]["conventions"].items()}
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True).encode()


def _training_scores(source: _Source) -> pd.DataFrame:
    rows = source.predictions[source.predictions["cohort"] == TRAINING_COHORT]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(rows["patient_id"]), start=1)}
    columns = [PROBABILITY_PREFIX + name for name in source.settings.classes]
    return rows.assign(patient=rows["patient_id"].map(numbers))[["patient", "fold", "truth", *columns]]


def _manifest(source: _Source, with_weights: bool, tell: Tell) -> dict[str, Any]:
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


def _inputs(source: _Source, with_weights: bool) -> dict[str, Any]:
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


def _deep_input(source: _Source, network: ResNetFeatures, with_weights: bool) -> dict[str, Any]:
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


def _film_ranges(source: _Source, tell: Tell) -> dict[str, tuple[float, float]]:
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


def _example_film() -> tuple[bytes, bytes, tuple[float, float]]:
    """A part of a simulated film with one vertebra, its mask and its spacing."""
    from PIL import Image

    from ..phantom import example_film

    film, mask, spacing = example_film()
    encoded = []
    for array in (film, mask):
        out = io.BytesIO()
        Image.fromarray(array).save(out, format="PNG")
        encoded.append(out.getvalue())
    return encoded[0], encoded[1], (spacing, spacing)


def _compare(source: _Source, predictor: Predictor) -> None:
    """Features of some cases and the answers to all held-out ones must be those of the run."""
    faults = []
    for case in _first_cases(source):
        xray, (region,) = load_film([case], source.settings.image)
        site = source.split.loc[case.case_id, "site"] if SITE in source.values else ""
        row, _ = predictor.row(xray, region, {name: case.columns.get(name, "") for name in source.words}, str(site))
        others = source.tuned and source.split.loc[case.case_id, "cohort"] == TRAINING_COHORT
        own = set(source.network.names) if others and source.network is not None else set()
        alike = [str(name) for name in row if name not in own]
        if not np.array_equal(
            row[alike].to_numpy(), source.values.loc[[case.case_id], alike].to_numpy(), equal_nan=True
        ):
            expected = "the values of the run"
            action = "Films, weights or parameters have changed: run the study again."
            faults.append(Fault(f"case {case.case_id}", "features that differ from those of the run", expected, action))
    held_out = source.predictions[source.predictions["scored"] == "held out"].set_index("case_id")
    if len(held_out):
        columns = [PROBABILITY_PREFIX + name for name in source.settings.classes]
        off = np.abs(predictor.probabilities(source.values.loc[held_out.index]) - held_out[columns].to_numpy()).max()
        if off > AGREE:
            found = f"answers that differ by up to {off:.1e}"
            action = "The libraries have changed since: run the study again."
            faults.append(Fault(f"run {source.run.name}", found, f"at most {AGREE:g}", action))
    if faults:
        raise InvalidInput(faults)


def _first_cases(source: _Source) -> list[Case]:
    """A held-out case first, where there is one."""
    order = {case_id: cohort == TRAINING_COHORT for case_id, cohort in source.split["cohort"].items()}
    return sorted(source.study.cases, key=lambda case: order.get(case.case_id, True))[:_RECOMPUTED]
