"""One run of a study, from files to its report. Everything finished is kept; a stopped run goes on."""

import datetime
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from .. import __version__
from ..errors import InvalidInput
from ..evaluation import evaluate, protocol_gap
from ..features import ResNetFeatures
from ..modelling import UNSOUND, fold_scores, make_split, odds_ratios, predict_sites
from ..reading import film_digests, films
from ..records import PUBLISHED, SOUND, TRAINING, Evaluation, FeatureTable, Predictions, Selection, Split, Study
from ..reporting import RunFacts, csv_files, write_report
from ..settings import Protocol, Settings
from ..storage import write_atomically
from .check import Check, Tell, check_study, silent
from .extract import study_features, write_frame
from .fitting import fit_published, fit_sound
from .signatures import HEIGHTS, Signature, make_signatures
from .stability import redrawn_features, stability_of

COHORTS = "cohorts.json"
_DONE = "manifest.json"  # written last: a run folder that has it is finished


def run_study(
    folder: Path,
    *,
    jobs: int = 1,
    seed: int | None = None,
    protocol: Protocol | None = None,
    redraw: bool = False,
    allow_label_items: bool = False,
    tell: Tell = silent,
) -> Path:
    """Run a study to its report and return the report's path.

    The run folder is named by the day; a run of the same inputs, settings and version that was stopped goes
    on in its own folder, and one that was finished is returned as it is. ``redraw`` draws the cohorts again, which
    the report will say.
    """
    ready = prepare(
        folder,
        jobs=jobs,
        seed=seed,
        protocol=protocol,
        redraw=redraw,
        allow_label_items=allow_label_items,
        tell=tell,
    )
    run = run_folder(folder, ready.key)
    report = run / "report.html"
    if (run / _DONE).exists():
        return report
    _write_inputs(run, ready)
    results = {name: fit(run, ready, jobs, tell) for name, fit in _FLOWS.items() if name in flows_of(ready.settings)}
    rows = pd.concat([one.predictions.rows for one in results.values()])
    write_atomically(run / "predictions.csv", rows.to_csv(index=False, lineterminator="\n"))
    tell("report", 0, 1)
    _report(run, ready, results)
    _write_manifest(run)
    tell("report", 1, 1)
    return report


def free_columns(study: Study) -> pd.DataFrame:
    """The free columns of the table of cases, as text, indexed by case id."""
    columns = pd.DataFrame([dict(case.columns) for case in study.cases], dtype=object).fillna("")
    return columns.set_index(pd.Index([case.case_id for case in study.cases], name="case_id"))


@dataclass(frozen=True, eq=False)
class Ready:
    """A study with its features and its split: all that models need."""

    checked: Check
    settings: Settings
    study: Study
    tables: Mapping[str, FeatureTable]
    redrawn: Sequence[Mapping[str, FeatureTable]]
    split: Split

    @property
    def key(self) -> str:
        """What a run is: the same key gives the same predictions."""
        return _run_key(self)

    @property
    def signatures(self) -> list[Signature]:
        """What models may learn from."""
        checked = self.checked
        return make_signatures(
            self.settings, self.tables, self.redrawn, checked.clinical, checked.known, checked.preserved
        )


def prepare(
    folder: Path,
    *,
    jobs: int,
    seed: int | None = None,
    protocol: Protocol | None = None,
    redraw: bool = False,
    allow_label_items: bool = False,
    tell: Tell = silent,
) -> Ready:
    """Check a study, compute its features and split it."""
    checked = check_study(folder, jobs=jobs, allow_label_items=allow_label_items, tell=tell)
    if checked.faults:
        raise InvalidInput(checked.faults)
    assert checked.settings is not None
    assert checked.study is not None
    said = {"seed": seed, "protocol": protocol}
    settings = checked.settings.model_copy(update={name: value for name, value in said.items() if value is not None})
    study = checked.study
    tables = checked.tables or study_features(folder, study, settings, checked.extractors, jobs, tell)
    split = make_split(study, settings, folder / COHORTS, redraw=redraw)
    learnt = [one for one in checked.extractors if one.name != HEIGHTS]
    redrawn = redrawn_features(folder, study, settings, learnt, split, jobs, tell)
    return Ready(checked, settings, study, tables, redrawn, split)


@dataclass(frozen=True, eq=False)
class _Result:
    """What one protocol gave."""

    predictions: Predictions
    selection: Selection
    evaluation: Evaluation


def _sound(run: Path, ready: Ready, jobs: int, tell: Tell) -> _Result:
    predictions, selection = fit_sound(run / "fits", ready.signatures, ready.split, ready.settings, jobs, tell)
    odds = list(_odds(ready, predictions))
    if odds:
        write_frame(run / "metrics" / "odds_ratios.csv", pd.concat(odds, ignore_index=True))
    return _Result(predictions, selection, _evaluated(ready, predictions))


def _evaluated(ready: Ready, predictions: Predictions) -> Evaluation:
    return evaluate(predictions, free_columns(ready.study), ready.settings.evaluation, ready.settings.seed)


def _odds(ready: Ready, predictions: Predictions) -> Iterator[pd.DataFrame]:
    """Odds ratios of the given columns on the training cases, beside the fusion score of folds without them."""
    table, classes = ready.split.table, predictions.classes
    training = table[table["cohort"] == TRAINING]
    for one in ready.signatures:
        if not one.given:
            continue
        values = one.values.loc[training.index, list(one.given)]
        if len(one.given) < one.values.shape[1]:
            fusion = one.name.replace("combined", "fusion", 1)
            values = values.join(fold_scores(predictions, fusion), how="inner")
        found = odds_ratios(values, training["truth"], training["patient_id"], classes)
        yield found.assign(signature=one.name)[["signature", *found.columns]]


def _published(run: Path, ready: Ready, jobs: int, tell: Tell) -> _Result:
    predictions, selection, split = fit_published(
        run / "fits-published", ready.signatures, ready.split, ready.settings, jobs, tell
    )
    write_frame(run / "splits-published.csv", split.table)
    return _Result(predictions, selection, _evaluated(ready, predictions))


_FLOWS = {SOUND: _sound, PUBLISHED: _published}


def flows_of(settings: Settings) -> tuple[str, ...]:
    """The protocols to run, the one to report first."""
    return (SOUND, PUBLISHED) if settings.protocol == "both" else (settings.protocol,)


def _write_inputs(run: Path, ready: Ready) -> None:
    for table in ready.tables.values():
        write_frame(run / "features" / f"{table.name}.parquet", table.values)
        write_frame(run / "features" / f"{table.name}-undefined.csv", table.undefined)
    write_frame(run / "splits.csv", ready.split.table)
    learnable = {name: table for name, table in ready.tables.items() if name != HEIGHTS}
    sites = predict_sites({name: t.values for name, t in learnable.items()}, ready.split, ready.settings.seed)
    write_frame(run / "metrics" / "site.csv", sites)
    if ready.redrawn:
        write_frame(run / "features" / "stability.csv", stability_of(learnable, ready.redrawn))


def _report(run: Path, ready: Ready, results: Mapping[str, _Result]) -> None:
    """The report of the first protocol; where both ran, the other one's tables and the gap between them."""
    facts = _facts(run, ready)
    first, *others = results.values()
    gap = None
    for other in others:
        gap = protocol_gap(first.evaluation, other.evaluation)
        write_frame(run / "metrics" / "gap.csv", gap)
        for path, text in csv_files(other.evaluation, other.selection).items():
            write_atomically(run / PUBLISHED / path, text)
    write_report(run, facts, first.evaluation, first.selection, first.predictions, gap)


def _run_key(ready: Ready) -> str:
    tables = [table for one in (ready.checked.tables, *ready.redrawn) for table in one.values()]
    columns = [ready.checked.clinical, ready.checked.known, ready.checked.preserved]
    parts = {
        "version": __version__,
        "settings": ready.settings.model_dump(mode="json", by_alias=True),
        "extractors": [(extractor.name, extractor.digest) for extractor in ready.checked.extractors],
        "cases": _film_digests(ready),
        "split": ready.split.table.to_csv(),
        "tables": [_digest(table.values) for table in tables],
        "columns": [_digest(one) for one in columns if one is not None],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _film_digests(ready: Ready) -> list[str]:
    if ready.checked.tables:
        return []
    return [digest for _, cases in films(ready.study) for digest in film_digests(cases, ready.settings.image)]


def _digest(values: pd.DataFrame) -> str:
    digest = hashlib.sha256(repr((list(values.index), list(values.columns))).encode())
    digest.update(values.to_numpy(np.float64).tobytes())
    return digest.hexdigest()


def run_folder(folder: Path, key: str) -> Path:
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


def _facts(run: Path, ready: Ready) -> RunFacts:
    checked, settings, tables = ready.checked, ready.settings, ready.tables
    statements = [extractor.statement for extractor in checked.extractors if isinstance(extractor, ResNetFeatures)]
    undefined = sum(len(table.undefined) for name, table in tables.items() if name != HEIGHTS)
    sites = _sites_in_words(pd.read_csv(run / "metrics" / "site.csv"))
    notes = [
        *ready.split.redraws,
        *checked.notes,
        *sites,
        *(": ".join(said) for table in tables.values() for said in table.warnings[:5]),
    ]
    if undefined:
        notes.append(f"{undefined:,} feature values are undefined; reasons are in features/*-undefined.csv")
    resolved = yaml.safe_dump(settings.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True)
    write_atomically(run / "config.resolved.yaml", resolved)
    return RunFacts(
        study=ready.study.name,
        run=run.name,
        created=json.loads((run / "run.json").read_text(encoding="utf-8"))["created"],
        seed=settings.seed,
        settings=resolved,
        versions=_versions(),
        features={name: table.values.shape[1] for name, table in tables.items()},
        notes=tuple(notes),
        warnings=(*_of_protocol(settings), *(text for text in statements if "NOT" in text)),
        protocol=flows_of(settings)[0],
        unsound=UNSOUND if PUBLISHED in flows_of(settings) else {},
    )


def _sites_in_words(sites: pd.DataFrame) -> list[str]:
    """Whether the hospital can be told from each table of features."""
    return [
        f"the hospital is predicted from the {row.table} features with a macro AUC of {row.auc:.2f} "
        f"(standard error {row.error:.2f}; {row.sites} sites, {row.rows} rows{', after ComBat' * bool(row.harmonised)})"
        for row in sites.itertuples(index=False)
    ]


def _of_protocol(settings: Settings) -> tuple[str, ...]:
    if settings.protocol != PUBLISHED:
        return ()
    return ("The flow as published, for comparison only: its numbers are too good. Report the protocol sound.",)


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
