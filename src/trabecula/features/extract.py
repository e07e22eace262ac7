"""extract_features: every case of a study, one row each; parallel over films, cached, resumable."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from ..errors import Fault, InvalidInput
from ..processes import share
from ..records import Case, Extractor, FeatureRow, FeatureTable, Region, Xray
from ..storage import write_atomically

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
    """
    work = (
        joblib.delayed(_extract_film)(number, film, extractors, load, digests, cache)
        for number, film in enumerate(films)
    )
    keys: dict[int, list[str]] = {}
    faults: list[Fault] = []
    for done, result in enumerate(share(work, jobs, ordered=False), start=1):
        keys[result.number] = result.keys
        faults += result.faults
        progress(done, len(films))
    if faults:
        raise InvalidInput(faults)
    named = [(case, key) for number, film in enumerate(films) for case, key in zip(film, keys[number], strict=True)]
    return {extractor.name: _table(extractor, named, cache) for extractor in extractors}


def is_new(cache: Path, extractor: Extractor) -> bool:
    """Whether this extractor has stored no row yet."""
    return not _row_path(cache, extractor, "any").parent.exists()


@dataclass(frozen=True)
class _FilmResult:
    number: int
    keys: list[str]
    faults: tuple[Fault, ...] = ()


def _extract_film(
    number: int, film: Film, extractors: Sequence[Extractor], load: Load, digests: Digests, cache: Path
) -> _FilmResult:
    try:
        keys = digests(film)
        missing = {
            extractor.name: [i for i, key in enumerate(keys) if _read_row(cache, extractor, key) is None]
            for extractor in extractors
        }
        if any(missing.values()):
            xray, regions = load(film)
            for extractor in extractors:
                chosen = missing[extractor.name]
                rows = extractor.rows(xray, [regions[i] for i in chosen]) if chosen else []
                for i, row in zip(chosen, rows, strict=True):
                    write_atomically(_row_path(cache, extractor, keys[i]), _pack(row))
    except InvalidInput as error:
        return _FilmResult(number, [], error.faults)
    except OSError as error:
        fault = Fault(film[0].image.name, f"cannot be read ({error.strerror})", "a readable file")
        return _FilmResult(number, [], (fault,))
    return _FilmResult(number, keys)


def _table(extractor: Extractor, named: Iterable[tuple[Case, str]], cache: Path) -> FeatureTable:
    rows: dict[str, FeatureRow] = {}
    for case, key in named:
        row = _read_row(cache, extractor, key)
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


def _row_path(cache: Path, extractor: Extractor, key: str) -> Path:
    return cache / extractor.name / extractor.digest[:16] / f"{key}.row"


def _pack(row: FeatureRow) -> bytes:
    """One line of JSON with the reasons, then the values as little-endian float64."""
    head: Mapping[str, object] = {
        "undefined": dict(row.undefined),
        "warnings": row.warnings,
        "n": row.values.size,
    }
    return json.dumps(head).encode() + b"\n" + row.values.astype("<f8").tobytes()


def _read_row(cache: Path, extractor: Extractor, key: str) -> FeatureRow | None:
    """Read the stored row, or None when it is absent or not what this extractor writes."""
    try:
        head, _, body = _row_path(cache, extractor, key).read_bytes().partition(b"\n")
        known = json.loads(head)
        values = np.frombuffer(body, "<f8").astype(np.float64)
        if values.size != len(extractor.names) or known["n"] != values.size:
            return None
        return FeatureRow(values, known["undefined"], tuple(known["warnings"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
