"""The models of a run: every result is stored as soon as it exists, so a stopped run goes on with the same bytes."""

from collections.abc import Sequence
from pathlib import Path

import joblib

from ..modelling import (
    FINAL,
    FitTask,
    ModelFit,
    PublishedFit,
    SelectionTrace,
    fit_task,
    gather,
    gather_published,
    gather_selection,
    plan_tasks,
    published_models,
    published_task,
)
from ..processes import share
from ..records import Predictions, Selection, Split
from ..settings import Settings
from ..storage import write_atomically
from .check import Tell
from .signatures import Signature

KEPT = ".skops"  # beside the JSON of each final fit: the fitted pipeline
_TRACE = "selection.json"


def fit_sound(
    store: Path, signatures: Sequence[Signature], split: Split, settings: Settings, jobs: int, tell: Tell
) -> tuple[Predictions, Selection]:
    """Fit what is not stored yet in patient-grouped folds, and gather all of it."""
    by_name = {one.name: one for one in signatures}
    tasks = plan_tasks(by_name, split)
    work = [joblib.delayed(_fit_and_store)(store, task, by_name[task.signature], split, settings) for task in tasks]
    _run(work, store, sum(len(by_name[task.signature].models) + 1 for task in tasks), "models", jobs, tell)
    fits = [read_fit(store, task, model) for task in tasks for model in by_name[task.signature].models]
    traces = [SelectionTrace.from_json(_read(store / task.signature / task.label / _TRACE)) for task in tasks]
    return gather(fits, traces, split)


def read_fit(store: Path, task: FitTask, model: str) -> ModelFit:
    """What one model of one task gave."""
    return ModelFit.from_json(_read(store / task.signature / task.label / f"{model}.json"))


def fit_published(
    store: Path, signatures: Sequence[Signature], split: Split, settings: Settings, jobs: int, tell: Tell
) -> tuple[Predictions, Selection, Split]:
    """The same models by the flow as published, with the split that it draws for itself; it knows no given columns."""
    signatures = [one for one in signatures if one.selects]
    models = published_models(settings.models)
    work = [joblib.delayed(_publish_and_store)(store, one, split, models, settings.seed) for one in signatures]
    _run(work, store, len(signatures) * (len(models) + 1), "models, published flow", jobs, tell)
    folders = [store / one.name for one in signatures]
    fits = [PublishedFit.from_json(_read(folder / f"{model}.json")) for folder in folders for model in models]
    predictions, redrawn = gather_published(fits, split, settings.seed)
    traces = [SelectionTrace.from_json(_read(folder / _TRACE)) for folder in folders]
    return predictions, gather_selection(traces), redrawn


def _run(work: Sequence[object], store: Path, wanted: int, stage: str, jobs: int, tell: Tell) -> None:
    tell(stage, len(list(store.rglob("*.json"))), wanted)
    for _ in share(work, jobs, ordered=False, batch=1):
        tell(stage, len(list(store.rglob("*.json"))), wanted)


def _fit_and_store(store: Path, task: FitTask, signature: Signature, split: Split, settings: Settings) -> None:
    folder = store / task.signature / task.label
    suffixes = (".json", KEPT) if task.fold == FINAL else (".json",)
    done = [model for model in signature.models if all((folder / f"{model}{s}").exists() for s in suffixes)]
    if len(done) == len(signature.models) and (folder / _TRACE).exists():
        return
    settings = settings.model_copy(update={"models": signature.models})
    for result in fit_task(
        task,
        signature.values,
        split,
        settings,
        done,
        signature.redrawn,
        given=signature.given,
        deep=signature.deep,
        preserved=signature.preserved,
    ):
        _store(folder, result)


def _publish_and_store(store: Path, signature: Signature, split: Split, models: Sequence[str], seed: int) -> None:
    folder = store / signature.name
    done = [model for model in models if (folder / f"{model}.json").exists()]
    if len(done) == len(models) and (folder / _TRACE).exists():
        return
    for result in published_task(signature.name, signature.values, split, models, seed, done):
        _store(folder, result)


def _store(folder: Path, result: SelectionTrace | ModelFit | PublishedFit) -> None:
    if isinstance(result, ModelFit) and result.packed is not None:
        write_atomically(folder / f"{result.model}{KEPT}", result.packed)
    name = _TRACE if isinstance(result, SelectionTrace) else f"{result.model}.json"
    write_atomically(folder / name, result.to_json())


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
