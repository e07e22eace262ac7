"""What the report says about a run beside its numbers: versions, notes, what was fed to the network."""

import importlib.metadata
import json
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import yaml

from .. import __version__
from ..features import ResNetFeatures, divisions, feature_scale, scale_notes
from ..modelling import UNSOUND, UNSOUND_TUNING
from ..reading import in_words
from ..records import PUBLISHED
from ..reporting import RunFacts, record_facts
from ..settings import Settings
from ..storage import write_atomically
from .extract import write_frame
from .finetuning import TunedNetworks, likeness
from .prepare import Ready, flows_of
from .signatures import HEIGHTS


def write_facts(run: Path, ready: Ready) -> None:
    """Write the settings, what deep features were made of, and what else the report says about the run."""
    checked, settings, tables = ready.checked, ready.settings, ready.tables
    statements = [extractor.statement for extractor in checked.extractors if isinstance(extractor, ResNetFeatures)]
    undefined = sum(len(table.undefined) for name, table in tables.items() if name != HEIGHTS)
    scale = _deep_facts(run, ready)
    tuning = [_tuning_facts(run, ready, one) for one in ready.tuned]
    sites = _sites_in_words(pd.read_csv(run / "metrics" / "site.csv"))
    alike = set(in_words(checked.alike))  # has a table of its own, with the cohorts as they were drawn
    notes = [
        *ready.split.redraws,
        *_without_files([note for note in checked.notes if note not in alike], ready),
        *tuning,
        *sites,
        *(scale_notes(scale) if len(scale) else ()),
        *(": ".join(said) for table in tables.values() for said in table.warnings[:5]),
    ]
    if undefined:
        notes.append(f"{undefined:,} feature values are undefined; reasons are in features/*-undefined.csv")
    resolved = yaml.safe_dump(settings.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True)
    write_atomically(run / "config.resolved.yaml", resolved)
    facts = RunFacts(
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
        unsound=unsound_steps(ready),
        sites=tuple(sorted(set(ready.split.table["site"]) - {""})),
        films=len(checked.films) or None,
    )
    record_facts(run, facts)


def unsound_steps(ready: Ready) -> dict[str, str]:
    """What is unsound in the flow as published, where it is run; tuned networks add a step."""
    if PUBLISHED not in flows_of(ready.settings):
        return {}
    return UNSOUND | UNSOUND_TUNING if ready.tuned else UNSOUND


def _tuning_facts(run: Path, ready: Ready, one: TunedNetworks) -> str:
    """Write the network tuned on all training rows, what it is and the course of every tuning; say what came of it."""
    rules = ready.settings.deep.finetune
    assert rules is not None
    alike = likeness(ready.tables[one.name])
    low, middle = (float(alike.quantile(part)) for part in (0.05, 0.5))
    told = {**one.final.record, "finetune": rules.model_dump(), "likeness": {"median": middle, "lowest_5_percent": low}}
    write_atomically(run / "features" / f"{one.name}.json", json.dumps(told, indent=1))
    write_atomically(run / "features" / f"{one.name.removeprefix('deep-')}.safetensors", one.content)
    write_frame(run / "features" / f"{one.name}-history.csv", one.history)
    kept = one.history[one.history["kept"]]["epoch"]
    as_they_came = (
        f", {int((kept == 0).sum())} of them none the better for it and left as they came" if 0 in set(kept) else ""
    )
    return (
        f"{one.name}: {len(kept)} networks tuned ({rules.layers} layers), kept at epochs {kept.min()} to {kept.max()}"
        f"{as_they_came}. Features out of fold and those of the network tuned on all training cases correlate with "
        f"{middle:.2f} (median; 5 % of the features with less than {low:.2f})"
    )


def _without_files(notes: Sequence[str], ready: Ready) -> Iterator[str]:
    """The notes with a case in the place of a film's file, whose name may say more than a report should."""
    first = {film.image: film.cases[0] for film in ready.checked.films if film.cases}
    for note in notes:
        named = sorted((name for name in first if name in note), key=len, reverse=True)
        for name in named:
            note = note.replace(name, f"the film of {first[name]}")
        yield note


def _deep_facts(run: Path, ready: Ready) -> pd.DataFrame:
    """Write what each deep table was computed from, and its scale in each cohort and site."""
    deep = [extractor for extractor in ready.checked.extractors if isinstance(extractor, ResNetFeatures)]
    for extractor in deep:
        write_atomically(run / "features" / f"{extractor.name}.json", json.dumps(extractor.record, indent=1))
    parts = divisions(ready.study, ready.split.table["cohort"])
    names = [*(one.name for one in deep), *(one.name for one in ready.tuned)]
    scale = pd.concat([feature_scale(ready.tables[name], parts) for name in names] or [pd.DataFrame()])
    if deep:
        write_frame(run / "features" / "deep-scale.csv", scale)
    return scale


def _sites_in_words(sites: pd.DataFrame) -> list[str]:
    """Whether the hospital can be told from each table of features."""
    return [
        f"the hospital is predicted from the {row.table} features with a macro AUC of {row.auc:.2f} "
        f"(standard error {row.error:.2f}; {row.sites} sites, {row.rows} rows{', after ComBat' * bool(row.harmonised)})"
        for row in sites.dropna(subset="auc").itertuples(index=False)
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
