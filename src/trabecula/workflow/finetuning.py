"""Networks tuned to the study's classes, one for each set of folds that it must not see, and the features they give."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from ..features import Perturbation, ResNetFeatures, epochs_done
from ..features.weights import Weights, load_weights, pack_tuned, read_metadata
from ..modelling import ALL_ROWS, FINAL, LeftOut, asked_of, by_task, grouped_folds, networks, tuned_on
from ..processes import share
from ..reading import film_digests, films, load_film
from ..records import SEEN, TRAINING, Case, Extractor, FeatureTable, Split, Study, class_numbers
from ..settings import FinetuneSettings, ImageSettings, Settings
from ..storage import write_atomically
from ..versions import FEATURES, TUNING, versions_of
from .check import Tell
from .extract import study_features

_DEFINITION = 1  # raise it when the same examples would be tuned otherwise
_WATCH_S = 0.5


@dataclass(frozen=True, eq=False)
class TunedNetworks:
    """The networks tuned from one set of weights: an extractor each, by the folds that it was not tuned on.

    ``history``: left_out (folds), rows (validation ones too), validation_rows, epoch, training and validation (losses),
    kept.
    """

    name: str
    extractors: Mapping[LeftOut, ResNetFeatures]
    history: pd.DataFrame

    @property
    def final(self) -> ResNetFeatures:
        """The one that was tuned on the whole training cohort."""
        return self.extractors[ALL_ROWS]

    @property
    def content(self) -> bytes:
        """The file of that network, its head included."""
        return Path(self.final.entry).read_bytes()


def tune_networks(
    folder: Path,
    study: Study,
    settings: Settings,
    extractors: Sequence[Extractor],
    split: Split,
    jobs: int,
    tell: Tell,
) -> list[TunedNetworks]:
    """Tune what is not tuned yet; a network is kept under all that it was made of, and a stopped one goes on."""
    rules = settings.deep.finetune
    if rules is None:
        return []
    pictures: np.ndarray | None = None
    made = []
    for base in (one for one in extractors if isinstance(one, ResNetFeatures)):
        plans = _plans(folder, study, settings, rules, base, split)
        missing = [plan for plan in plans if not plan.path.exists()]
        if missing:
            if pictures is None:  # every set of weights is shown the same
                pictures = _pictures(study, settings, base, _training(split), jobs, tell)
            weights = load_weights(base.entry, base.folder, base.asked)
            calls = (
                joblib.delayed(_tune)(plan, weights, split.classes, pictures, rules, settings.seed, base.device)
                for plan in missing
            )
            with _watched(plans, rules.epochs, f"tuning {base.name}", tell):
                for _ in share(calls, 1 if base.on_gpu else jobs, ordered=False, batch=1):
                    pass
        made.append(_gathered(base, settings, plans))
    return made


def tuned_features(
    folder: Path,
    study: Study,
    settings: Settings,
    tuned: TunedNetworks,
    split: Split,
    jobs: int,
    tell: Tell,
    stage: str = "features, tuned",
    perturbation: Perturbation | None = None,
) -> FeatureTable:
    """Each case's features from the networks that may give them, by task; ``study`` may have a part of the cases."""
    parts = {}
    for left_out, extractor in tuned.extractors.items():
        asked = set(asked_of(split, left_out))
        part = replace(study, cases=tuple(case for case in study.cases if case.case_id in asked))
        if part.cases:
            named = f"{stage}, without fold {' and '.join(map(str, left_out))}" if left_out else stage
            found = study_features(folder, part, settings, [extractor], jobs, tell, None, named, perturbation)
            parts[left_out] = found[extractor.name]
    whole = parts[ALL_ROWS]
    empty = whole.values.iloc[:0]
    found_by = {left_out: parts[left_out].values if left_out in parts else empty for left_out in tuned.extractors}
    tasks = by_task(split, found_by)
    return replace(whole, values=tasks.pop(FINAL), by_fold=tasks)


def likeness(table: FeatureTable) -> pd.Series:
    """Pearson correlation over the training rows of each feature out of fold with the same of the network tuned on all.

    It says how far the axes of different networks are the same; a feature that is constant has none.
    """
    seen = table.by_fold[SEEN]
    rows = next(values.index for fold, values in table.by_fold.items() if fold not in {SEEN, FINAL})
    with np.errstate(invalid="ignore", divide="ignore"):
        return table.values.loc[rows].corrwith(seen.loc[rows]).dropna()


@dataclass(frozen=True, eq=False)
class _Plan:
    """One network to be tuned: where it is kept, and its examples as numbers of the training rows."""

    left_out: LeftOut
    path: Path
    rows: np.ndarray
    codes: np.ndarray
    validation: np.ndarray

    @property
    def checkpoint(self) -> Path:
        return self.path.with_suffix(".checkpoint")


def _training(split: Split) -> pd.Index:
    return split.table.index[split.table["cohort"] == TRAINING]


def _plans(
    folder: Path, study: Study, settings: Settings, rules: FinetuneSettings, base: ResNetFeatures, split: Split
) -> list[_Plan]:
    place = {name: number for number, name in enumerate(_training(split))}
    digests = {
        case.case_id: digest
        for _, cases in films(study)
        for case, digest in zip(cases, film_digests(cases, settings.image), strict=True)
    }
    plans = []
    for left_out in networks(split):
        rows = split.table.loc[tuned_on(split, left_out)]
        codes = class_numbers(rows["truth"], split.classes)
        validation = _validation(codes, rows["patient_id"].to_numpy(str), rules, settings.seed)
        made_of = {
            "definition": _DEFINITION,
            "versions": versions_of((*FEATURES, *TUNING)),
            "settings": rules.model_dump(mode="json"),
            "base": base.digest,
            "classes": split.classes,
            "seed": settings.seed,
            "rows": [
                (digests[name], int(k), bool(v)) for name, k, v in zip(rows.index, codes, validation, strict=True)
            ],
        }
        key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()
        path = folder / "cache" / "tuned" / key[:32] / f"{base.name.removeprefix('deep-')}-tuned.safetensors"
        numbers = np.array([place[name] for name in rows.index], dtype=np.int64)
        plans.append(_Plan(left_out, path.resolve(), numbers, codes, validation))
    return plans


def _validation(codes: np.ndarray, patients: np.ndarray, rules: FinetuneSettings, seed: int) -> np.ndarray:
    """The rows that say when to stop: whole patients, stratified by class; none without ``patience``."""
    chosen = np.zeros(len(codes), dtype=bool)
    if rules.patience is not None:
        alike = np.zeros(len(codes), dtype=np.int64)  # a rare class must not make the folds fewer
        chosen[grouped_folds(alike, patients, round(1 / rules.validation), seed, strata=codes)[0]] = True
    return chosen


def _pictures(
    study: Study, settings: Settings, base: ResNetFeatures, rows: pd.Index, jobs: int, tell: Tell
) -> np.ndarray:
    """What the network is shown of each of these cases, in their order."""
    chosen = [cases for _, cases in films(study, set(rows))]
    place = {name: number for number, name in enumerate(rows)}
    found = np.zeros((len(rows), base.policy.size, base.policy.size), np.float32)
    calls = (joblib.delayed(_of_film)(cases, settings.image, base) for cases in chosen)
    for done, (cases, pictures) in enumerate(zip(chosen, share(calls, jobs), strict=True), start=1):
        found[[place[case.case_id] for case in cases]] = pictures
        tell("pictures", done, len(chosen))
    return found


def _of_film(cases: Sequence[Case], image: ImageSettings, base: ResNetFeatures) -> list[np.ndarray]:
    xray, regions = load_film(cases, image)
    return base.pictures(xray, regions)


def _tune(
    plan: _Plan,
    weights: Weights,
    classes: tuple[str, ...],
    pictures: np.ndarray,
    rules: FinetuneSettings,
    seed: int,
    device: str,
) -> None:
    from ..features.finetune import Examples, tune

    examples = Examples(pictures, plan.rows, plan.codes, plan.validation)
    found = tune(weights, classes, examples, rules, seed, plan.checkpoint, device=device)
    source = f"tuned to the classes {', '.join(classes)} from the weights {weights.name}: {weights.source}"
    named = replace(found.weights, name=f"{weights.name}-tuned", source=source)
    write_atomically(plan.path, pack_tuned(named, found.head, found.course))
    plan.checkpoint.unlink(missing_ok=True)
    for left in plan.path.parent.glob(".*"):  # half a checkpoint, of a run that was killed while it wrote
        left.unlink(missing_ok=True)


@contextmanager
def _watched(plans: Sequence[_Plan], epochs: int, stage: str, tell: Tell) -> Iterator[None]:
    """Tell of epochs while they are done, wherever; a network that stopped early counts as if it had done all."""
    ended = threading.Event()

    def told() -> None:
        done = sum(epochs if plan.path.exists() else epochs_done(plan.checkpoint) for plan in plans)
        tell(stage, done, epochs * len(plans))

    def watch() -> None:
        while not ended.wait(_WATCH_S):
            told()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        told()


def _gathered(base: ResNetFeatures, settings: Settings, plans: Sequence[_Plan]) -> TunedNetworks:
    extractors, histories = {}, []
    for plan in plans:
        deep = settings.deep.model_copy(update={"weights": (str(plan.path),), "conventions": {}, "finetune": None})
        (extractors[plan.left_out],) = ResNetFeatures.from_settings(deep, plan.path.parent, base.device)
        course = read_metadata(plan.path.read_bytes())["course"]
        history = pd.DataFrame(course["history"]).rename_axis("epoch").reset_index()
        history["kept"] = history["epoch"] == course["kept"]
        history.insert(0, "validation_rows", int(plan.validation.sum()))
        history.insert(0, "rows", len(plan.rows))
        history.insert(0, "left_out", " ".join(map(str, plan.left_out)))
        histories.append(history)
    return TunedNetworks(extractors[ALL_ROWS].name, extractors, pd.concat(histories, ignore_index=True))
