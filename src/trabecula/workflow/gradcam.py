"""Grad-CAM pictures of a finished run: where on the film the deep part of a signature's score comes from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from ..errors import Fault, InvalidInput
from ..features import ResNetFeatures, grad_cam, on_film, score_map, weights_on_features
from ..features.cache import read_frame
from ..features.weights import read_head
from ..modelling import columns_behind, unpack
from ..reading import load_film, read_study
from ..records import TRAINING, Case, Study
from ..reporting import overlay_png, read_table
from ..reporting.pictures import file_stem
from ..settings import FILE_NAME, DeepSettings, Settings, read_settings
from ..storage import write_atomically
from .finished import find_run
from .fitting import KEPT

_COMPONENT = "component_"  # of selection.pca


@dataclass(frozen=True)
class DrawnMap:
    """One picture: the class whose score it shows and what the deep features add to it."""

    path: Path
    case_id: str
    label: str
    score: float


def draw_maps(
    folder: Path, cases: Sequence[str], output: Path, *, signature: str | None = None, head: bool = False
) -> list[DrawnMap]:
    """Draw one picture a case and class for the LASSO logistic regression of the newest finished run's final fit.

    ``signature`` is deep-<weights> or fusion-<weights>, by default the first. Radiomic features have no place on the
    film: of a fusion signature the deep features alone are shown. Where the LASSO kept none of a tuned network, and
    with ``head``, the network's own last layer takes its place.
    """
    settings, study = _study(folder)
    run = find_run(folder)
    extractor, by_class = _scores(settings, folder, run, signature, head)
    chosen = _chosen(study, cases)
    drawn = []
    for case in chosen:
        xray, (region,) = load_film([case], settings.image)
        maps, frame = extractor.maps(xray, region)
        for label, weights in by_class.items():
            heat = on_film(grad_cam(maps, weights), frame, xray.pixels.shape)
            path = output / f"{file_stem(case.case_id)}-{file_stem(label)}.png"
            write_atomically(path, overlay_png(xray.pixels, heat, extractor.window(xray)))
            drawn.append(DrawnMap(path, case.case_id, label, float(score_map(maps, weights).sum())))
    return drawn


def _study(folder: Path) -> tuple[Settings, Study]:
    settings, faults = read_settings(folder / FILE_NAME)
    if settings is None:
        raise InvalidInput(faults)
    study, more = read_study(folder, settings)
    if study is None or faults or more:
        raise InvalidInput((*faults, *more))
    return settings, study


def class_weights(
    settings: Settings, folder: Path, run: Path, signature: str
) -> tuple[ResNetFeatures, dict[str, Float[np.ndarray, " features"]]]:
    """The network of a signature and, class by class, what each of its features weighs in the final LASSO model."""
    kept = _coefficients(run)
    rows = kept[kept["signature"] == signature]
    if rows.empty:
        raise _nothing(
            run, signature, [str(name) for name in kept["signature"].unique()], "the LASSO kept no deep feature"
        )
    extractor = _extractor(settings, folder, run, signature.partition("-")[2])
    training = _training_rows(run, extractor)
    by_class = {str(k): part.set_index("feature")["coefficient"] for k, part in rows.groupby("class", sort=False)}
    if rows["feature"].str.startswith(_COMPONENT).any():
        fitted = _fitted(run, signature)
        by_class = {label: columns_behind(fitted, coefficients) for label, coefficients in by_class.items()}
    return extractor, {label: weights_on_features(one, training) for label, one in by_class.items()}


def _scores(
    settings: Settings, folder: Path, run: Path, signature: str | None, head: bool
) -> tuple[ResNetFeatures, dict[str, Float[np.ndarray, " features"]]]:
    """The network to look into and each class's weights: of the LASSO model, or of the network's own last layer."""
    linear = [] if head else [str(name) for name in _coefficients(run)["signature"].unique()]
    tuned = [f"deep-{path.stem}" for path in sorted((run / "features").glob("*-tuned.safetensors"))]
    wanted = signature or next(iter((*linear, *tuned)), "")
    if wanted in linear:
        return class_weights(settings, folder, run, wanted)
    weights = wanted.partition("-")[2]
    if f"deep-{weights}" not in tuned:
        why = "no network was tuned (deep.finetune)" if head else "the LASSO kept no deep feature"
        raise _nothing(run, signature, [*linear, *tuned], why)
    own = read_head(tuned_file(run, weights))
    by_class = zip(own.classes, own.weight.astype(np.float64), strict=True)
    return _extractor(settings, folder, run, weights), dict(by_class)


def _coefficients(run: Path) -> pd.DataFrame:
    """The final fit's coefficients of deep features, or of the components that stand for them."""
    table = read_table(run / "selection" / "coefficients.csv")
    return table[table["feature"].str.startswith(("resnet50_", _COMPONENT)) & (table["fold"] == "final")]


def _fitted(run: Path, signature: str) -> Any:
    """One of the signature's final pipelines: all of its models share the selection."""
    for path in sorted((run / "fits" / signature / "final").glob(f"*{KEPT}")):
        return unpack(path.read_bytes())
    action = "Run the study again with this version: older ones kept no fitted model."
    raise InvalidInput([Fault(f"run {run.name}, {signature}", "no fitted model", "one of the final fit", action)])


def _nothing(run: Path, signature: str | None, names: Sequence[str], why: str) -> InvalidInput:
    found = f"no signature {signature} with deep features" if signature else "no signature with deep features"
    expected = f"one of: {', '.join(dict.fromkeys(names)) or f'none, as {why}'}"
    return InvalidInput([Fault(f"run {run.name}", found, expected)])


def network_settings(deep: DeepSettings, run: Path, weights: str) -> DeepSettings:
    """How to build the network of these weights on the processor; a tuned one from the file that the run keeps."""
    exact = deep.model_copy(update={"precision": "float32"})
    own = tuned_file(run, weights)
    return exact.model_copy(update={"weights": (str(own.resolve()),), "conventions": {}}) if own.exists() else exact


def tuned_file(run: Path, weights: str) -> Path:
    """Where a run keeps the network that it tuned on all training cases."""
    return run / "features" / f"{weights}.safetensors"


def _extractor(settings: Settings, folder: Path, run: Path, weights: str) -> ResNetFeatures:
    """The extractor of these weights, if it is still the one of the run."""
    name = f"deep-{weights}"
    recorded = json.loads((run / "features" / f"{name}.json").read_text(encoding="utf-8"))
    for extractor in ResNetFeatures.from_settings(network_settings(settings.deep, run, weights), folder):
        made = json.loads(json.dumps(extractor.record))
        same = all(recorded.get(part) == made[part] for part in ("weights", "policy", "definition"))
        if extractor.name == name and same:
            return extractor
    found = "weights or an input policy that have changed since"
    raise InvalidInput([Fault(f"run {run.name}, {name}", found, "those of the run", "Run the study again.")])


def _chosen(study: Study, wanted: Sequence[str]) -> list[Case]:
    known = {case.case_id: case for case in study.cases}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise InvalidInput([Fault(f"case {name}", "not in the table of cases", "a case_id of it") for name in unknown])
    return [known[name] for name in wanted]


def _training_rows(run: Path, extractor: ResNetFeatures) -> pd.DataFrame:
    values = read_frame(run / "features" / f"{extractor.name}.parquet")
    cohort = read_table(run / "splits.csv").set_index("case_id")["cohort"]
    training = values.loc[np.asarray(cohort.loc[values.index] == TRAINING)]
    return training[list(extractor.names)]
