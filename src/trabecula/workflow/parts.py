"""Features of a table of any length: streamed, stored by parts, resumed in seconds; one bad film stops no other."""

import csv
import functools
import hashlib
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib

from ..cluster import Spread
from ..errors import Fault, InvalidInput
from ..features import ResNetFeatures, drop_parts, extract_part, read_done
from ..processes import share
from ..reading import Part, Survey, film_states, load_film, stream_parts, survey_table
from ..records import Case, Extractor
from ..settings import FILE_NAME, ImageSettings, Settings, read_settings
from ..storage import write_atomically
from ..versions import FEATURES, digest_of, versions_of
from .check import Tell, silent
from .extract import NO_WISHES, Extracted, Wishes, batch_settings, how_computed, warm_up
from .shard import Shard, take_missing

FAULTS = "faults.csv"
_HOW = "how.json"
_SHOWN = 20


def extract_parts(
    cases: Path,
    output: Path,
    *,
    wishes: Wishes = NO_WISHES,
    jobs: int = 1,
    shard: Shard | None = None,
    spread: Spread | None = None,
    tell: Tell = silent,
) -> Extracted:
    """Write the features of a study folder or of a table (image, region) to a folder of Parquet parts of 100 films.

    A part is computed again when its settings, its rows, the version of a library or the size, time or mode of one of
    its files changed. Films that cannot be used are left out and listed in faults.csv with the reason. Nothing grows
    with the length of the table but eight bytes a row. A ``shard`` computes its own parts and lists nothing. ``spread``
    hands them to a cluster in place of ``jobs`` processes.
    """
    cases, output = cases.resolve(), output.resolve()  # other processes may stand elsewhere
    survey, settings, folder = _surveyed(cases)
    extractors = wishes.extractors(settings, folder, _faults_of(output))
    own = range(survey.parts) if shard is None else shard.of(range(survey.parts))
    _compute(survey, own, output, settings.image, extractors, spread or _processes(extractors, jobs), tell)
    notes = output / ".shards"
    made, listed = _summed(output, own)
    if shard is not None:
        shard.note_end(notes)
        return made
    drop_parts(output, survey.parts)
    how = {name: json.loads(text or "null") for name, text in how_computed(extractors).items()}
    write_atomically(output / _HOW, json.dumps(how, indent=1))
    write_atomically(output / FAULTS, listed)
    return replace(made, missing=take_missing(notes))


def _faults_of(output: Path) -> Iterator[Fault]:
    if output.exists() and not output.is_dir():
        yield Fault(str(output), "a file", "a folder, or a name that ends in .csv or .parquet")


def _processes(extractors: Sequence[Extractor], jobs: int) -> Spread:
    """Processes of this computer, or one where they would share one GPU's memory."""
    on_gpu = any(isinstance(one, ResNetFeatures) and one.on_gpu for one in extractors)
    return functools.partial(share, jobs=1 if on_gpu else jobs, ordered=False, batch=1)


def _compute(
    survey: Survey,
    own: Sequence[int],
    output: Path,
    settings: ImageSettings,
    extractors: Sequence[Extractor],
    spread: Spread,
    tell: Tell,
) -> None:
    """Store every part of ``own`` that is not stored yet."""
    count = itertools.count(1)

    def told() -> None:
        tell("features", next(count), len(own))

    for _ in spread(_unfinished(stream_parts(survey, own.__contains__), output, settings, extractors, tell, told)):
        told()


def _surveyed(cases: Path) -> tuple[Survey, Settings, Path]:
    if not cases.is_dir():
        return survey_table(cases), batch_settings(cases), cases.parent
    settings, faults = read_settings(cases / FILE_NAME)
    if settings is None or faults:
        raise InvalidInput(faults)
    if settings.data.cases is None:
        raise InvalidInput([Fault(f"{FILE_NAME}, data.cases", "absent", "a table of films and regions")])
    return survey_table(cases / settings.data.cases, settings.data.columns), settings, cases


def _unfinished(
    parts: Iterable[Part],
    output: Path,
    settings: ImageSettings,
    extractors: Sequence[Extractor],
    tell: Tell,
    told: Callable[[], None],
) -> Iterator[Any]:
    """A call for each part that is not stored as it would come out now."""
    digests = repr([digest_of(versions_of(FEATURES)), *((one.name, one.digest) for one in extractors)])
    ready = False
    for part in parts:
        key = functools.partial(_key, settings=settings, said=repr((digests, part.faults)))
        known = read_done(output, part.number)
        if known is not None and known.key == key(part.films):
            told()
            continue
        if not ready:
            warm_up(extractors, tell)
            ready = True
        yield joblib.delayed(extract_part)(
            part.number,
            part.films,
            part.faults,
            folder=output,
            rows=part.rows,
            extractors=extractors,
            load=functools.partial(load_film, settings=settings),
            key=key,
        )


def _key(films: Iterable[Sequence[Case]], settings: ImageSettings, said: str) -> str:
    digest = hashlib.sha256(said.encode())
    for film in films:
        for state in film_states(film, settings):
            digest.update(state.encode())
    return digest.hexdigest()


def _summed(output: Path, numbers: Iterable[int]) -> tuple[Extracted, str]:
    """What the parts came to together, and their faults as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("where", "found", "expected", "do"))
    rows, cases, features, undefined, warnings = 0, 0, 0, 0, 0
    first: list[Fault] = []
    for number in numbers:
        done = read_done(output, number)
        assert done is not None, f"part {number} was stored a moment ago"
        rows += done.rows
        cases += done.cases
        features = done.features
        undefined += done.undefined
        warnings += done.warnings
        first += done.faults[: _SHOWN - len(first)]
        writer.writerows((one.where, one.found, one.expected, one.action) for one in done.faults)
    return Extracted(cases, features, undefined, warnings, rows - cases, tuple(first)), text.getvalue()
