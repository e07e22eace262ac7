"""extract_features: every case of a study, one row each; parallel over films, cached, resumable."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from ..errors import Fault, InvalidInput
from ..processes import share
from ..records import Case, Extractor, FeatureRow, FeatureTable, Region, Xray
from .batches import Batches, Waiting
from .cache import read_row, row_path, write_row
from .resnet import ResNetFeatures

Film = Sequence[Case]
Load = Callable[[Film], tuple[Xray, list[Region]]]
Digests = Callable[[Film], list[str]]
Progress = Callable[[int, int], None]


def extract_features(
    films: Sequence[Film],
    extractors: Sequence[Extractor],
    *,
    load: Load,
    digests: Digests,
    cache: Path,
    jobs: int = 1,
    progress: Progress = lambda _done, _total: None,
) -> dict[str, FeatureTable]:
    """One table an extractor, its rows in the order of the films' cases.

    A row already in ``cache`` under the same content (image, region, settings, version) is read, not
    computed. Each film's rows are stored as soon as they exist. Films that cannot be used are all named
    in one InvalidInput at the end, when the others are stored.

    Films are shared among processes; among threads where networks alone are computed, whose runtimes leave Python's
    lock alone: they share one network and nothing has to be started.
    """
    work = (
        joblib.delayed(_extract_film)(number, film, extractors, load, digests, cache)
        for number, film in enumerate(films)
    )
    keys: dict[int, list[str]] = {}
    faults: list[Fault] = []
    threads = all(isinstance(extractor, ResNetFeatures) for extractor in extractors)
    with Batches.of(extractors, cache) as batches:
        for done, result in enumerate(share(work, jobs, ordered=False, threads=threads), start=1):
            keys[result.number] = result.keys
            faults += result.faults
            batches.add(result.waiting)
            progress(done, len(films))
    if faults:
        raise InvalidInput(faults)
    named = [(case, key) for number, film in enumerate(films) for case, key in zip(film, keys[number], strict=True)]
    return {extractor.name: _table(extractor, named, cache) for extractor in extractors}


def is_new(cache: Path, extractor: Extractor) -> bool:
    """Whether this extractor has stored no row yet."""
    return not row_path(cache, extractor, "any").parent.exists()


@dataclass(frozen=True)
class _FilmResult:
    number: int
    keys: list[str]
    faults: tuple[Fault, ...] = ()
    waiting: tuple[Waiting, ...] = ()


def _extract_film(
    number: int, film: Film, extractors: Sequence[Extractor], load: Load, digests: Digests, cache: Path
) -> _FilmResult:
    waiting: list[Waiting] = []
    try:
        keys = digests(film)
        missing = {
            extractor.name: [i for i, key in enumerate(keys) if read_row(cache, extractor, key) is None]
            for extractor in extractors
        }
        if any(missing.values()):
            xray, regions = load(film)
            if digests(film) != keys:
                expected, action = "a file that stays as it is", "Give the same command again."
                raise InvalidInput([Fault(film[0].image.name, "changed while it was read", expected, action)])
            for extractor in extractors:
                chosen = {keys[i]: regions[i] for i in missing[extractor.name]}
                if isinstance(extractor, ResNetFeatures) and extractor.on_gpu:
                    fed = extractor.prepare(xray, list(chosen.values()))
                    waiting += map(Waiting, repeat(extractor.name), chosen, fed)
                elif chosen:
                    for key, row in zip(chosen, extractor.rows(xray, list(chosen.values())), strict=True):
                        write_row(cache, extractor, key, row)
    except InvalidInput as error:
        return _FilmResult(number, [], error.faults)
    except OSError as error:
        fault = Fault(film[0].image.name, f"cannot be read ({error.strerror})", "a readable file")
        return _FilmResult(number, [], (fault,))
    return _FilmResult(number, keys, waiting=tuple(waiting))


def _table(extractor: Extractor, named: Iterable[tuple[Case, str]], cache: Path) -> FeatureTable:
    rows: dict[str, FeatureRow] = {}
    for case, key in named:
        row = read_row(cache, extractor, key)
        assert row is not None, f"the row of {case.case_id} was stored a moment ago"
        rows[case.case_id] = row
    values = pd.DataFrame(
        np.vstack([row.values for row in rows.values()]),
        index=pd.Index(rows, name="case_id"),
        columns=list(extractor.names),
    )
    undefined = pd.DataFrame(
        [(case_id, name, why) for case_id, row in rows.items() for name, why in row.undefined.items()],
        columns=["case_id", "feature", "reason"],
    )
    warnings = tuple((case_id, text) for case_id, row in rows.items() for text in row.warnings)
    return FeatureTable(extractor.name, values, undefined, warnings)
