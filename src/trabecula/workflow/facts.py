"""What the report says about a run beside its numbers: versions, notes, what was fed to the network."""

import json
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import yaml

from .. import __version__
from ..features import ResNetFeatures, divisions, feature_scale, scale_notes
from ..modelling import FEWER, UNSOUND, UNSOUND_TUNING, fewer_parts
from ..reading import in_words
from ..records import PUBLISHED
from ..reporting import RunFacts, record_facts
from ..storage import write_atomically
from .extract import write_frame
from .finetuning import TunedNetworks, likeness
from .finished import BEGUN, begun_afresh
from .prepare import Ready, flows_of
from .signatures import HEIGHTS


def write_facts(run: Path, ready: Ready, tuning: pd.DataFrame | None = None) -> None:
    """Write the settings, what deep features were made of, and what else the report says about the run.

    ``tuning`` is that of records.Selection, where models were made.
    """
    checked, settings, tables = ready.checked, ready.settings, ready.tables
    statements = [extractor.statement for extractor in checked.extractors if isinstance(extractor, ResNetFeatures)]
    notes = list(_notes(run, ready, tuning))
    resolved = yaml.safe_dump(settings.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True)
    write_atomically(run / "config.resolved.yaml", resolved)
    facts = RunFacts(
        study=ready.study.name,
        run=run.name,
        created=json.loads((run / BEGUN).read_text(encoding="utf-8"))["created"],
        seed=settings.seed,
        settings=resolved,
        versions={"trabecula": __version__, "python": platform.python_version(), **ready.versions},
        features={name: table.values.shape[1] for name, table in tables.items()},
        notes=tuple(notes),
        warnings=(*_of_protocol(ready), *(text for text in statements if "NOT" in text)),
        protocol=flows_of(settings)[0],
        unsound=unsound_steps(ready),
        sites=tuple(sorted(set(ready.split.table["site"]) - {""})),
        films=len(checked.films) or None,
        lacking=tuple(map(str, ready.too_few)),
    )
    record_facts(run, facts)


def _notes(run: Path, ready: Ready, tuning: pd.DataFrame | None) -> Iterator[str]:
    """What is worth knowing; of what deep features were made is written on the way."""
    scale = _deep_facts(run, ready)
    yield from begun_afresh(run)
    yield from ready.split.redraws
    yield from ready.split.notes
    yield from _of_fewer(ready, tuning)
    alike = set(in_words(ready.checked.alike))  # has a table of its own, with the cohorts as they were drawn
    yield from _without_files([note for note in ready.checked.notes if note not in alike], ready)
    yield from [_tuning_facts(run, ready, one) for one in ready.tuned]
    yield from _sites_in_words(pd.read_csv(run / "metrics" / "site.csv"))
    yield from scale_notes(scale) if len(scale) else ()
    for table in ready.tables.values():
        yield from (": ".join(said) for said in table.warnings[:5])
    undefined = sum(len(table.undefined) for name, table in ready.tables.items() if name != HEIGHTS)
    if undefined:
        yield f"{undefined:,} feature values are undefined; reasons are in features/*-undefined.csv"


def _of_fewer(ready: Ready, tuning: pd.DataFrame | None) -> Iterator[str]:
    """Where models were tuned or tried in fewer parts than asked."""
    if ready.too_few:
        return
    if tuning is not None:
        fewer = int(tuning["note"].str.contains(FEWER, regex=False).sum())
        if fewer:
            yield f"{fewer} of {len(tuning)} fits had fewer inner folds than asked: selection/tuning.csv says which"
    if PUBLISHED in flows_of(ready.settings):
        yield from fewer_parts(ready.split)


def unsound_steps(ready: Ready) -> dict[str, str]:
    """What is unsound in the flow as published, where it is run; tuned networks add a step."""
    if PUBLISHED not in flows_of(ready.settings) or ready.too_few:
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
    """The tables of features from which the hospital can be told beyond chance, and what ComBat leaves of it there."""
    found = sites[sites["auc"] - 1.96 * sites["error"] > 0.5]
    as_they_are = {(row.table, row.rows) for row in found[found["harmonised"] == 0].itertuples()}
    return [
        f"the hospital is predicted from the {row.table} features with a macro AUC of {row.auc:.2f} "
        f"(standard error {row.error:.2f}; {row.sites} sites, {row.rows} rows{', after ComBat' * bool(row.harmonised)})"
        for row in found.itertuples(index=False)
        if (row.table, row.rows) in as_they_are
    ]


def _of_protocol(ready: Ready) -> tuple[str, ...]:
    if ready.settings.protocol != PUBLISHED or ready.too_few:
        return ()
    return ("The flow as published, for comparison only: its numbers are too good. Report the protocol sound.",)
