"""Features of large studies: a folder of parts, each whole or absent, in Parquet that any tool reads as one table."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path

import numpy as np

from ..errors import Fault, InvalidInput
from ..plain_text import json_of
from ..records import Case, Extractor, FeatureRow, Region
from ..storage import write_atomically
from .diagnostics import Diagnostics
from .extract import Film, Load

_TABLES = ("features", "diagnostics", "undefined")


@dataclass(frozen=True)
class Done:
    """What a part came to; ``key`` stands for all that decides it, "" where that changed meanwhile."""

    key: str
    rows: int
    cases: int
    features: int
    undefined: int
    warnings: int
    faults: tuple[Fault, ...]


def read_done(folder: Path, number: int) -> Done | None:
    """What is known of a finished part, or None."""
    try:
        told = json_of(_record(folder, number).read_bytes())
        done = Done(**{**told, "faults": tuple(Fault(**fault) for fault in told["faults"])})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
    counts = (done.rows, done.cases, done.features, done.undefined, done.warnings)
    words = (done.key, *(text for fault in done.faults for text in astuple(fault)))
    whole = all(type(n) is int for n in counts) and all(isinstance(text, str) for text in words)
    return done if whole else None


def extract_part(
    number: int,
    films: Sequence[Film],
    faults: Sequence[Fault],
    *,
    folder: Path,
    rows: int,
    extractors: Sequence[Extractor],
    load: Load,
    key: Callable[[Sequence[Film]], str],
) -> None:
    """Compute the features of some films and store them as one part; a film that cannot be used is named in its record.

    ``rows``: how many there were in the table, those with ``faults`` included.
    """
    before = key(films)
    gathered = _Gathered()
    found = list(faults)
    for film in films:
        try:
            xray, regions = load(film)
            of_film = {one.name: one.rows(xray, regions) for one in (*extractors, _BEHIND)}
        except InvalidInput as error:
            found += error.faults
        except OSError as error:
            found.append(Fault(film[0].image.name, f"cannot be read ({error.strerror})", "a readable file"))
        else:
            gathered.add(film, regions, of_film)
    _write(folder, number, gathered, {one.name: list(one.names) for one in (*extractors, _BEHIND)})
    done = Done(
        before if key(films) == before else "",  # a file came, went or changed: the part is computed again next time
        rows,
        len(gathered.ids),
        sum(len(one.names) for one in extractors),
        len(gathered.undefined),
        sum(map(bool, gathered.warnings)),
        tuple(found),
    )
    write_atomically(_record(folder, number), json.dumps(asdict(done)))  # last: a part that has it is whole


def drop_parts(folder: Path, beyond: int) -> None:
    """Remove the parts of an earlier, longer table."""
    for record in (folder / "done").glob("part-*.json"):
        if int(record.stem.removeprefix("part-")) >= beyond:
            record.unlink()
            for table in _TABLES:
                (folder / table / f"{record.stem}.parquet").unlink(missing_ok=True)


_BEHIND = Diagnostics()


@dataclass
class _Gathered:
    """Rows of a part so far, in the order of its films."""

    ids: list[str] = field(default_factory=list)
    values: dict[str, list[np.ndarray]] = field(default_factory=dict)
    undefined: list[tuple[str, str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, film: Sequence[Case], regions: Sequence[Region], rows: Mapping[str, Sequence[FeatureRow]]) -> None:
        for case, _, *of_case in zip(film, regions, *rows.values(), strict=True):
            self.ids.append(case.case_id)
            for name, row in zip(rows, of_case, strict=True):
                self.values.setdefault(name, []).append(row.values)
                self.undefined += [(case.case_id, feature, why) for feature, why in row.undefined.items()]
            self.warnings.append("; ".join(words for row in of_case for words in row.warnings))


def _write(folder: Path, number: int, gathered: _Gathered, names: Mapping[str, list[str]]) -> None:
    import pyarrow as pa

    ids = {"case_id": pa.array(gathered.ids, pa.string())}
    columns: dict[str, dict[str, object]] = {"features": dict(ids), "diagnostics": dict(ids)}
    for name, of_extractor in names.items():
        values = np.array(gathered.values.get(name, []), np.float64).reshape(-1, len(of_extractor))
        table = columns["diagnostics" if name == _BEHIND.name else "features"]
        table |= {feature: pa.array(column) for feature, column in zip(of_extractor, values.T, strict=True)}
    columns["diagnostics"]["warnings"] = pa.array(gathered.warnings, pa.string())
    heads = ("case_id", "feature", "reason")
    columns["undefined"] = {
        head: pa.array([row[n] for row in gathered.undefined], pa.string()) for n, head in enumerate(heads)
    }
    for name in _TABLES:
        write_atomically(folder / name / f"part-{number:06d}.parquet", _parquet(pa.table(columns[name])))


def _parquet(table: object) -> bytes:
    from pyarrow import parquet

    buffer = io.BytesIO()
    # features are numbers of which no two are alike: a dictionary or statistics of them would only take room
    parquet.write_table(table, buffer, compression="zstd", use_dictionary=False, write_statistics=False)
    return buffer.getvalue()


def _record(folder: Path, number: int) -> Path:
    return folder / "done" / f"part-{number:06d}.json"
