"""Grad-CAM pictures of a finished run: where on the film the deep part of a signature's score comes from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import Fault, InvalidInput
from ..features import ResNetFeatures, grad_cam, on_film, score_map, weights_on_features
from ..features.weights import read_head
from ..reading import load_film, read_study
from ..records import TRAINING, Case, Study
from ..reporting import overlay_png
from ..settings import FILE_NAME, Settings, read_settings
from ..storage import write_atomically


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
    run = _newest_run(folder)
    extractor, by_class = _scores(settings, folder, run, signature, head)
    chosen = _chosen(study, cases)
    drawn = []
    for case in chosen:
        xray, (region,) = load_film([case], settings.image)
        maps, frame = extractor.maps(xray, region)
        for label, weights in by_class.items():
            heat = on_film(grad_cam(maps, weights), frame, xray.pixels.shape)
            path = output / f"{case.case_id}-{label}.png"
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


def _newest_run(folder: Path) -> Path:
    finished = sorted(path.parent for path in (folder / "runs").glob("*/manifest.json"))
    if not finished:
        found, expected = "no finished run", "a run, whose final fit has the coefficients"
        raise InvalidInput([Fault(str(folder), found, expected, f"Run it first: trabecula run {folder}.")])
    return finished[-1]


def _scores(
    settings: Settings, folder: Path, run: Path, signature: str | None, head: bool
) -> tuple[ResNetFeatures, dict[str, np.ndarray]]:
    """The network to look into, and the weight of each of its features in each class's score."""
    table = pd.read_csv(run / "selection" / "coefficients.csv", dtype={"class": str, "fold": str})
    kept = table[table["feature"].str.startswith("resnet50_") & (table["fold"] == "final")]
    tuned = [f"deep-{path.stem}" for path in sorted((run / "features").glob("*-tuned.safetensors"))]
    names = [*([] if head else kept["signature"].unique()), *tuned]
    wanted = signature or next(iter(names), "")
    weights = wanted.partition("-")[2]
    if wanted not in names and f"deep-{weights}" not in tuned:
        found = f"no signature {signature} with deep features" if signature else "no signature with deep features"
        expected = f"one of: {', '.join(dict.fromkeys(names)) or _NONE[head]}"
        raise InvalidInput([Fault(f"run {run.name}", found, expected)])
    rows = kept[kept["signature"] == wanted]
    if head or rows.empty:
        of_head = read_head(_tuned_file(run, weights))
        by_class = zip(of_head.classes, of_head.weight.astype(np.float64), strict=True)
        return _extractor(settings, folder, run, weights), dict(by_class)
    extractor = _extractor(settings, folder, run, weights)
    training = _training_rows(run, extractor)
    return extractor, {
        str(label): weights_on_features(of_class.set_index("feature")["coefficient"], training)
        for label, of_class in rows.groupby("class", sort=False)
    }


_NONE = {False: "none, as the LASSO kept no deep feature", True: "none, as no network was tuned (deep.finetune)"}


def _tuned_file(run: Path, weights: str) -> Path:
    return run / "features" / f"{weights}.safetensors"


def _extractor(settings: Settings, folder: Path, run: Path, weights: str) -> ResNetFeatures:
    """The extractor of these weights, if it is still the one of the run."""
    name = f"deep-{weights}"
    exact = settings.deep.model_copy(update={"precision": "float32"})  # maps are drawn on the processor
    recorded = json.loads((run / "features" / f"{name}.json").read_text(encoding="utf-8"))
    if _tuned_file(run, weights).exists():
        file = str(_tuned_file(run, weights).resolve())
        exact = exact.model_copy(update={"weights": (file,), "conventions": {}})
    for extractor in ResNetFeatures.from_settings(exact, folder):
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
    values = pd.read_parquet(run / "features" / f"{extractor.name}.parquet")
    cohort = pd.read_csv(run / "splits.csv", dtype=str).set_index("case_id")["cohort"]
    training = values.loc[np.asarray(cohort.loc[values.index] == TRAINING)]
    return training[list(extractor.names)]
