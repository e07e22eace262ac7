"""The stages in order: check, run, demo, extract. Everything finished is kept; a stopped run goes on."""

import datetime
import functools
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import pandas as pd
import yaml

from . import __version__
from .errors import Fault, InvalidInput
from .evaluation import evaluate
from .features import Radiomics, ResNetFeatures, extract_features
from .modelling import FitTask, ModelFit, SelectionTrace, fit_task, gather, make_split, plan_tasks
from .phantom import write_study
from .reading import (
    FilmCheck,
    IngestResult,
    check_films,
    film_digests,
    films,
    ingest,
    load_film,
    read_batch,
    read_study,
)
from .records import Extractor, FeatureTable, Split, Study
from .reporting import RunFacts, write_report
from .settings import FILE_NAME, DataSettings, DeepSettings, RadiomicsSettings, Settings, read_settings
from .storage import write_atomically

Tell = Callable[[str, int, int], None]
ALONE_IS_DONE = "manifest.json"  # written last: a run folder that has it is finished


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, eq=False)
class Check:
    """What a study is, and everything that is wrong with it; the parts hold what could be read."""

    settings: Settings | None
    study: Study | None
    extractors: tuple[Extractor, ...]
    films: tuple[FilmCheck, ...]
    faults: tuple[Fault, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Each thing worth knowing once, with the number of films it holds for."""
        counted: dict[str, int] = {}
        for film in self.films:
            for note in film.notes:
                counted[note] = counted.get(note, 0) + 1
        of_films = tuple(f"{note} ({n} film{'s' * (n != 1)})" for note, n in counted.items())
        return (*self._left_out, *of_films)

    @property
    def _left_out(self) -> tuple[str, ...]:
        if self.settings is None or self.settings.deep.weights:
            return ()
        without = [kind for kind in self.settings.signatures if kind != "radiomics"]
        return (f"signatures left out for want of deep.weights: {', '.join(without)}",) if without else ()

    @property
    def summary(self) -> str:
        """One line: the study's size."""
        assert self.study is not None, "a study without faults was read"
        patients = len({case.patient_id for case in self.study.cases})
        return (
            f"{self.study.name}: {len(self.study.cases)} cases, {patients} patients, {len(self.films)} films, "
            f"{len(self.study.classes)} classes, cohorts {', '.join(self.study.cohorts)}: no faults"
        )


def check_study(folder: Path, *, jobs: int = 1, tell: Tell = _silent) -> Check:
    """Read all of a study, every film and region included, and name every fault at once."""
    settings, faults = read_settings(folder / FILE_NAME)
    if settings is None:
        return Check(None, None, (), (), faults)
    study, more = read_study(folder, settings)
    extractors, wrong = _extractors(settings.radiomics, settings.deep, folder)
    if not settings.deep.weights and "radiomics" not in settings.signatures:
        expected = f"a weights file, which the signatures {', '.join(settings.signatures)} need"
        faults = (*faults, Fault(f"{FILE_NAME}, deep.weights", "none", expected))
    seen: list[FilmCheck] = []
    if study is not None and study.cases:
        total = len(films(study))
        for film in check_films(study, settings.image, jobs):
            seen.append(film)
            tell("check", len(seen), total)
    of_films = tuple(fault for film in seen for fault in film.faults)
    return Check(settings, study, extractors, tuple(seen), (*faults, *more, *wrong, *of_films))


def run_study(folder: Path, *, jobs: int = 1, seed: int | None = None, tell: Tell = _silent) -> Path:
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
    tables = _features(folder, study, settings, checked.extractors, jobs, tell)
    split = make_split(study, settings, folder / "cohorts.json")
    run = _run_folder(folder, _run_key(study, settings, checked.extractors, split))
    report = run / "report.html"
    if (run / ALONE_IS_DONE).exists():
        return report
    for table in tables.values():
        _write_frame(run / "features" / f"{table.name}.parquet", table.values)
        _write_frame(run / "features" / f"{table.name}-undefined.csv", table.undefined)
    _write_frame(run / "splits.csv", split.table)
    fits, traces = _fit(run / "fits", signatures(settings, tables), split, settings, jobs, tell)
    predictions, selection = gather(fits, traces, split)
    write_atomically(run / "predictions.csv", predictions.rows.to_csv(index=False, lineterminator="\n"))
    tell("report", 0, 1)
    facts = _facts(run, checked, settings, tables)
    write_report(run, facts, evaluate(predictions), selection, predictions)
    _write_manifest(run)
    tell("report", 1, 1)
    return report


def make_demo(folder: Path, *, cases: int, seed: int, jobs: int = 1, tell: Tell = _silent) -> Path:
    """Simulate a study of lateral spine X-rays and run it; films that are there already are kept."""
    made = folder / "phantom.json"
    wanted = {"cases": cases, "seed": seed, "version": __version__}
    if not (made.exists() and json.loads(made.read_text(encoding="utf-8")) == wanted):
        if (folder / FILE_NAME).exists() and not made.exists():
            found = "a study that is not a demo"
            raise InvalidInput([Fault(str(folder), found, "an empty or absent folder", "Name another folder.")])
        write_study(folder, cases, seed, jobs=jobs, progress=functools.partial(tell, "films"))
        write_atomically(made, json.dumps(wanted))
    return run_study(folder, jobs=jobs, tell=tell)


def init_study(folder: Path) -> list[Path]:
    """Write a commented study.yaml and an empty table of cases; refuse to overwrite."""
    files = {FILE_NAME: _STUDY_TEMPLATE.format(name=folder.resolve().name), "cases.csv": _CASES_TEMPLATE}
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise InvalidInput(
            [Fault(str(folder / name), "exists already", "a new study", "Name another folder.") for name in there]
        )
    for name, text in files.items():
        write_atomically(folder / name, text)
    return [folder / name for name in files]


def ingest_films(folder: Path, sources: Sequence[Path], labels: Path | None) -> IngestResult:
    """Build the table of cases from folders of films and masks."""
    result = ingest(folder, sources, labels)
    if not (folder / FILE_NAME).exists():
        write_atomically(folder / FILE_NAME, _STUDY_TEMPLATE.format(name=folder.resolve().name))
    return result


def extract_table(
    cases: Path,
    output: Path,
    *,
    params: Path | None = None,
    weights: Sequence[str] = (),
    jobs: int = 1,
    tell: Tell = _silent,
) -> tuple[int, int]:
    """Write the features of a study folder or of a table (image, region) to one file; return its shape."""
    settings, study = _cases_to_extract(cases)
    radiomics, deep = settings.radiomics, settings.deep
    if params is not None:
        radiomics = RadiomicsSettings(params=str(params.resolve()))
    if weights:
        deep = DeepSettings(weights=tuple(weights))
    extractors, faults = _extractors(radiomics, deep, study.folder)
    if output.suffix not in _WRITERS:
        faults = (*faults, Fault(str(output), f"suffix {output.suffix!r}", "one of " + ", ".join(_WRITERS)))
    if faults:
        raise InvalidInput(faults)
    tables = _features(study.folder, study, settings, extractors, jobs, tell, cache=output.parent / ".trabecula-cache")
    joined = pd.concat([table.values for table in tables.values()], axis=1)
    _write_frame(output, joined.reset_index() if output.suffix == ".csv" else joined)
    return joined.shape


def signatures(settings: Settings, tables: dict[str, FeatureTable]) -> dict[str, pd.DataFrame]:
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


def _extractors(
    radiomics: RadiomicsSettings, deep: DeepSettings, folder: Path
) -> tuple[tuple[Extractor, ...], tuple[Fault, ...]]:
    made: list[Extractor] = []
    faults: list[Fault] = []
    try:
        made.append(Radiomics.from_settings(radiomics, folder))
    except InvalidInput as error:
        faults += error.faults
    try:
        made += ResNetFeatures.from_settings(deep, folder)
    except InvalidInput as error:
        faults += error.faults
    return tuple(made), tuple(faults)


def _features(
    folder: Path,
    study: Study,
    settings: Settings,
    extractors: Sequence[Extractor],
    jobs: int,
    tell: Tell,
    cache: Path | None = None,
) -> dict[str, FeatureTable]:
    tables = extract_features(
        [cases for _, cases in films(study)],
        extractors,
        load=functools.partial(load_film, settings=settings.image),
        digests=functools.partial(film_digests, settings=settings.image),
        cache=cache or folder / "cache",
        jobs=jobs,
        progress=functools.partial(tell, "features"),
    )
    order = [case.case_id for case in study.cases]
    return {name: _in_order(table, order) for name, table in tables.items()}


def _in_order(table: FeatureTable, order: list[str]) -> FeatureTable:
    return FeatureTable(table.name, table.values.loc[order], table.undefined, table.warnings)


def _cases_to_extract(cases: Path) -> tuple[Settings, Study]:
    if cases.is_dir():
        settings, faults = read_settings(cases / FILE_NAME)
        if settings is None:
            raise InvalidInput(faults)
        study, more = read_study(cases, settings)
        faults = (*faults, *more)
    else:
        settings = Settings(classes=("a", "b"), data=DataSettings(cases=cases.name))  # classes play no part here
        study, faults = read_batch(cases)
    if faults or study is None:
        raise InvalidInput(faults)
    return settings, study


def _run_key(study: Study, settings: Settings, extractors: Sequence[Extractor], split: Split) -> str:
    """What a run is: the same key gives the same predictions."""
    parts = {
        "version": __version__,
        "settings": settings.model_dump(mode="json", by_alias=True),
        "extractors": [(extractor.name, extractor.digest) for extractor in extractors],
        "cases": [digest for _, cases in films(study) for digest in film_digests(cases, settings.image)],
        "split": split.table.to_csv(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


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
    store: Path, columns: dict[str, pd.DataFrame], split: Split, settings: Settings, jobs: int, tell: Tell
) -> tuple[list[ModelFit], list[SelectionTrace]]:
    """Fit what is not stored yet; every model's result is stored as soon as it exists."""
    tasks = plan_tasks(columns, split)
    wanted = len(tasks) * (len(settings.models) + 1)
    work = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(
        joblib.delayed(_fit_and_store)(store, task, columns[task.signature], split, settings) for task in tasks
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


def _fit_and_store(store: Path, task: FitTask, features: pd.DataFrame, split: Split, settings: Settings) -> None:
    folder = store / task.signature / task.label
    done = [model for model in settings.models if (folder / f"{model}.json").exists()]
    if len(done) == len(settings.models) and (folder / _TRACE).exists():
        return
    for result in fit_task(task, features, split, settings, done):
        name = f"{result.model}.json" if isinstance(result, ModelFit) else _TRACE
        write_atomically(folder / name, result.to_json())


def _facts(run: Path, checked: Check, settings: Settings, tables: dict[str, FeatureTable]) -> RunFacts:
    statements = [extractor.statement for extractor in checked.extractors if isinstance(extractor, ResNetFeatures)]
    undefined = sum(len(table.undefined) for table in tables.values())
    notes = [*checked.notes, *(text for table in tables.values() for text in table.warnings[:5])]
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
        if path.is_file() and path.name != ALONE_IS_DONE
    }
    write_atomically(run / ALONE_IS_DONE, json.dumps(digests, indent=1))


def _parquet(frame: pd.DataFrame) -> bytes:
    return frame.to_parquet()


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=frame.index.name is not None, lineterminator="\n").encode()


_WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {".parquet": _parquet, ".csv": _csv}


def _write_frame(path: Path, frame: pd.DataFrame) -> None:
    write_atomically(path, _WRITERS[path.suffix](frame))


_STUDY_TEMPLATE = """\
# A Trabecula study. Only classes and data.cases are needed; what is commented out shows the default.
# Research use only; not a medical device.
schema: 1
name: {name}
classes: ["0", "1", "2"]        # in order: columns, colours, the positive class of each One-vs-Rest curve
data:
  cases: cases.csv
  # columns: {{mask: region}}     # your heading: ours
# split: {{internal: 0.2}}        # draw an internal cohort by patient, where the table has no column cohort
# image: {{polarity: auto, spacing_mm: null, mask_orientation: as_is}}
# radiomics: {{normalise: film, bins: 32, filters: [original, wavelet, log]}}   # or params: a PyRadiomics file
# deep: {{weights: [resnet50.safetensors], margin: 0.1, size: 224}}
# signatures: [radiomics, deep, fusion]
# selection: {{univariate_p: 0.05, correlation: 0.9, lasso: {{rule: min, folds: 5, max_features: 24}}}}
# models: [lr, svm, knn, rf, et, xgb, lgbm, mlp]
# tuning: {{folds: 5, inner_folds: 3}}
# seed: 2024
"""
_CASES_TEMPLATE = "case_id,patient_id,image,region,region_value,label,cohort\n"
