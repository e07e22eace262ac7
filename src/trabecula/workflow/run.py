"""One run of a study, from files to its report. Everything finished is kept; a stopped run goes on."""

import datetime
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import yaml

from .. import __version__
from ..errors import InvalidInput
from ..evaluation import evaluate
from ..features import ResNetFeatures, divisions, feature_scale, scale_notes
from ..modelling import FitTask, ModelFit, SelectionTrace, fit_task, gather, make_split, plan_tasks
from ..reading import (
    film_digests,
    films,
)
from ..records import Extractor, FeatureTable, Split, Study
from ..reporting import RunFacts, write_report
from ..settings import Settings
from ..storage import write_atomically
from .check import Check, Tell, check_study, silent
from .extract import study_features, write_frame
from .stability import redrawn_features, stability_of

COHORTS = "cohorts.json"
_DONE = "manifest.json"  # written last: a run folder that has it is finished


def run_study(folder: Path, *, jobs: int = 1, seed: int | None = None, tell: Tell = silent) -> Path:
    """Run a study to its report and return the report's path.

    The run folder is named by the day; a run of the same inputs, settings and version that was stopped goes
    on in its own folder, and one that was finished is returned as it is.
    """
    checked = check_study(folder, jobs=jobs, tell=tell)
    if checked.faults:
        raise InvalidInput(checked.faults)
    assert checked.settings is not None
    assert checked.study is not None
    settings = checked.settings if seed is None else checked.settings.model_copy(update={"seed": seed})
    study = checked.study
    tables = study_features(folder, study, settings, checked.extractors, jobs, tell)
    split = make_split(study, settings, folder / COHORTS)
    redrawn = redrawn_features(folder, study, settings, checked.extractors, split, jobs, tell)
    run = _run_folder(folder, _run_key(study, settings, checked.extractors, split, redrawn))
    report = run / "report.html"
    if (run / _DONE).exists():
        return report
    for table in tables.values():
        write_frame(run / "features" / f"{table.name}.parquet", table.values)
        write_frame(run / "features" / f"{table.name}-undefined.csv", table.undefined)
    scale = _deep_facts(run, checked, study, split, tables)
    write_frame(run / "splits.csv", split.table)
    if redrawn:
        write_frame(run / "features" / "stability.csv", stability_of(tables, redrawn))
    columns = signatures(settings, tables)
    again = [signatures(settings, one) for one in redrawn]
    fits, traces = _fit(run / "fits", columns, again, split, settings, jobs, tell)
    predictions, selection = gather(fits, traces, split)
    write_atomically(run / "predictions.csv", predictions.rows.to_csv(index=False, lineterminator="\n"))
    tell("report", 0, 1)
    facts = _facts(run, checked, settings, tables, scale)
    write_report(run, facts, evaluate(predictions), selection, predictions)
    _write_manifest(run)
    tell("report", 1, 1)
    return report


def signatures(settings: Settings, tables: Mapping[str, FeatureTable]) -> dict[str, pd.DataFrame]:
    """The columns each signature may choose from: radiomics, deep-<weights>, fusion-<weights>."""
    deep = [name for name in tables if name.startswith("deep-")]
    made: dict[str, pd.DataFrame] = {}
    for kind in settings.signatures:
        if kind == "radiomics":
            made[kind] = tables[kind].values
        for name in deep:
            if kind == "deep":
                made[name] = tables[name].values
            elif kind == "fusion":
                label = f"fusion-{name.removeprefix('deep-')}"
                made[label] = tables["radiomics"].values.join(tables[name].values, validate="one_to_one")
    return made


def _run_key(
    study: Study,
    settings: Settings,
    extractors: Sequence[Extractor],
    split: Split,
    redrawn: Sequence[Mapping[str, FeatureTable]],
) -> str:
    """What a run is: the same key gives the same predictions."""
    parts = {
        "version": __version__,
        "settings": settings.model_dump(mode="json", by_alias=True),
        "extractors": [(extractor.name, extractor.digest) for extractor in extractors],
        "cases": [digest for _, cases in films(study) for digest in film_digests(cases, settings.image)],
        "split": split.table.to_csv(),
        "redrawn": [_digest(table.values) for tables in redrawn for table in tables.values()],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _digest(values: pd.DataFrame) -> str:
    digest = hashlib.sha256(repr((list(values.index), list(values.columns))).encode())
    digest.update(values.to_numpy(np.float64).tobytes())
    return digest.hexdigest()


def _run_folder(folder: Path, key: str) -> Path:
    """The folder of the run with this key, or a new one named by today's date."""
    runs = folder / "runs"
    for known in sorted(runs.glob("*/run.json")):
        if json.loads(known.read_text(encoding="utf-8")).get("key") == key:
            return known.parent
    today = datetime.date.today().isoformat()
    number = 1 + max((int(path.name[-2:]) for path in runs.glob(f"{today}_[0-9][0-9]")), default=0)
    run = runs / f"{today}_{number:02d}"
    write_atomically(run / "run.json", json.dumps({"key": key, "created": today, "version": __version__}))
    return run


def _fit(
    store: Path,
    columns: dict[str, pd.DataFrame],
    redrawn: Sequence[dict[str, pd.DataFrame]],
    split: Split,
    settings: Settings,
    jobs: int,
    tell: Tell,
) -> tuple[list[ModelFit], list[SelectionTrace]]:
    """Fit what is not stored yet; every model's result is stored as soon as it exists."""
    tasks = plan_tasks(columns, split)
    wanted = len(tasks) * (len(settings.models) + 1)
    work = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(
        joblib.delayed(_fit_and_store)(
            store, task, columns[task.signature], [again[task.signature] for again in redrawn], split, settings
        )
        for task in tasks
    )
    tell("models", len(list(store.glob("*/*/*.json"))), wanted)
    for _ in work:
        tell("models", len(list(store.glob("*/*/*.json"))), wanted)
    folders = [store / task.signature / task.label for task in tasks]
    return (
        [
            ModelFit.from_json((folder / f"{model}.json").read_text(encoding="utf-8"))
            for folder in folders
            for model in settings.models
        ],
        [SelectionTrace.from_json((folder / _TRACE).read_text(encoding="utf-8")) for folder in folders],
    )


_TRACE = "selection.json"


def _fit_and_store(
    store: Path,
    task: FitTask,
    features: pd.DataFrame,
    redrawn: Sequence[pd.DataFrame],
    split: Split,
    settings: Settings,
) -> None:
    folder = store / task.signature / task.label
    done = [model for model in settings.models if (folder / f"{model}.json").exists()]
    if len(done) == len(settings.models) and (folder / _TRACE).exists():
        return
    for result in fit_task(task, features, split, settings, done, redrawn):
        name = f"{result.model}.json" if isinstance(result, ModelFit) else _TRACE
        write_atomically(folder / name, result.to_json())


def _deep_facts(
    run: Path, checked: Check, study: Study, split: Split, tables: Mapping[str, FeatureTable]
) -> pd.DataFrame:
    """Write what each deep table was computed from, and its scale in each cohort and site."""
    deep = [extractor for extractor in checked.extractors if isinstance(extractor, ResNetFeatures)]
    for extractor in deep:
        write_atomically(run / "features" / f"{extractor.name}.json", json.dumps(extractor.record, indent=1))
    parts = divisions(study, split.table["cohort"])
    scale = pd.concat([feature_scale(tables[extractor.name], parts) for extractor in deep] or [pd.DataFrame()])
    if deep:
        write_frame(run / "features" / "deep-scale.csv", scale)
    return scale


def _facts(
    run: Path, checked: Check, settings: Settings, tables: dict[str, FeatureTable], scale: pd.DataFrame
) -> RunFacts:
    statements = [extractor.statement for extractor in checked.extractors if isinstance(extractor, ResNetFeatures)]
    undefined = sum(len(table.undefined) for table in tables.values())
    notes = [*checked.notes, *(": ".join(said) for table in tables.values() for said in table.warnings[:5])]
    notes += scale_notes(scale) if len(scale) else ()
    if undefined:
        notes.append(f"{undefined:,} feature values are undefined; reasons are in features/*-undefined.csv")
    resolved = yaml.safe_dump(settings.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True)
    write_atomically(run / "config.resolved.yaml", resolved)
    return RunFacts(
        study=checked.study.name if checked.study else "",
        run=run.name,
        created=json.loads((run / "run.json").read_text(encoding="utf-8"))["created"],
        seed=settings.seed,
        settings=resolved,
        versions=_versions(),
        features={name: table.values.shape[1] for name, table in tables.items()},
        notes=tuple(notes),
        warnings=tuple(text for text in statements if "NOT" in text),
    )


def _versions() -> dict[str, str]:
    packages = (
        "numpy",
        "scipy",
        "pandas",
        "scikit-learn",
        "lightgbm",
        "numba",
        "onnxruntime",
        "pydicom",
        "pillow",
    )
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"trabecula": __version__, "python": platform.python_version(), **found}


def _write_manifest(run: Path) -> None:
    """The SHA-256 of everything in the run folder; written last."""
    digests = {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != _DONE
    }
    write_atomically(run / _DONE, json.dumps(digests, indent=1))
