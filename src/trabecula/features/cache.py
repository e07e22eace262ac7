"""Rows kept on disk under all that decides them: a row that is there is whole and is not computed again."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import Fault, InvalidInput
from ..plain_text import json_of
from ..records import Extractor, FeatureRow
from ..storage import write_atomically
from ..versions import FEATURES, digest_of, versions_of


def row_path(cache: Path, extractor: Extractor, key: str) -> Path:
    """Where the row of a case lies; ``key`` is the digest of its film and region.

    Rows that were computed with other versions of a library lie elsewhere.
    """
    return cache / extractor.name / f"{extractor.digest[:16]}-{digest_of(versions_of(FEATURES))}" / f"{key}.row"


def write_row(cache: Path, extractor: Extractor, key: str, row: FeatureRow) -> None:
    """Store one line of JSON with the reasons, then the values as little-endian float64."""
    head: Mapping[str, object] = {
        "undefined": dict(row.undefined),
        "warnings": row.warnings,
        "n": row.values.size,
    }
    content = json.dumps(head).encode() + b"\n" + row.values.astype("<f8").tobytes()
    write_atomically(row_path(cache, extractor, key), content)


def read_row(cache: Path, extractor: Extractor, key: str) -> FeatureRow | None:
    """Read the stored row, or None when it is absent or not what this extractor writes."""
    try:
        head, _, body = row_path(cache, extractor, key).read_bytes().partition(b"\n")
        known = json_of(head)
        values = np.frombuffer(body, "<f8").astype(np.float64)
        if values.size != len(extractor.names) or known["n"] != values.size:
            return None
        undefined, warnings = dict(known["undefined"]), tuple(known["warnings"])
        if not all(isinstance(text, str) for text in (*undefined, *undefined.values(), *warnings)):
            return None
        return FeatureRow(values, undefined, warnings)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


_SMALL = 1 << 27  # bytes of a table
_SWELLING = 20  # times: of features hardly two are alike


def read_frame(path: Path) -> pd.DataFrame:
    """The table of features that a run keeps in Parquet, indexed by case id; InvalidInput where it is damaged."""
    from pyarrow import parquet

    try:
        told = parquet.read_metadata(path)
        if (size := 8 * told.num_rows * told.num_columns) > max(_SMALL, _SWELLING * path.stat().st_size):
            raise ValueError(f"{size >> 20} MiB, unpacked")
        frame = pd.read_parquet(path)
        if frame.index.name != "case_id":
            raise ValueError("no index case_id")
    except Exception as error:  # noqa: BLE001 a decoder may fail in any way on a damaged file
        found = f"cannot be read ({' '.join(str(error).split())[:120]})"
        raise InvalidInput([Fault(path.name, found, "a table as it was kept", "Run the study again.")]) from None
    return frame
