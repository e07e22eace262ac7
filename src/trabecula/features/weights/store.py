"""Weights kept under a name on this computer, each with its record; added once, checked whenever they are opened."""

import hashlib
import http.client
import json
import os
import re
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, cast

from ...errors import Fault, InvalidInput
from ...storage import write_atomically
from .files import AGAIN
from .known import KNOWN, Known
from .parse import CONVENTIONS, UNTRAINED, Weights, from_record, parse_weights

Progress: TypeAlias = Callable[[int, int], None]

_TIMEOUT_S = 60
_MEGABYTE = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Stored:
    """One entry of the store: its name, its record and what is wrong with it ("" = nothing)."""

    name: str
    record: Mapping[str, object]
    fault: str = ""

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What a person wants to know of it: a word and its text each."""
        convention = cast("Mapping[str, object]", self.record["convention"])
        fed = " ".join(f"{part} {convention[part]}" for part in ("channel_order", "mean", "sd", "scale"))
        network = f"stride in the {self.record['stride_in']} convolution, epsilon {self.record['epsilon']}"
        return [
            ("from", str(self.record["source"])),
            ("SHA-256", str(self.record["sha256"])),
            ("input", f"{convention['name']}: {fed}"),
            *([("but", str(self.record["doubt"]))] if self.record["doubt"] else []),
            ("network", network),
            ("licence", str(self.record["licence"])),
        ]


def store_folder() -> Path:
    """Where weights are kept: ``TRABECULA_WEIGHTS``, or ``.trabecula/weights`` in the user's home."""
    named = os.environ.get("TRABECULA_WEIGHTS")
    return Path(named) if named else Path.home() / ".trabecula" / "weights"


def stored_names() -> list[str]:
    """The names in the store, sorted."""
    return sorted(path.stem for path in store_folder().glob("*.json"))


def add_weights(
    source: str,
    *,
    name: str | None = None,
    convention: str | None = None,
    download: bool = False,
    progress: Progress = lambda _done, _total: None,
) -> Stored:
    """Check a file, or download known weights by name, and keep them as safetensors beside their record.

    Nothing is downloaded without ``download``, and nothing is kept whose checksum is not the stated one. ``progress``
    is told of megabytes.
    """
    known = KNOWN.get(source)
    if known is not None and not Path(source).exists():
        content, file = _fetched(known, download, progress), known.address.rsplit("/", 1)[-1]
    else:
        content, file = _read(Path(source)), Path(source).name
    weights = parse_weights(file, content, convention)
    weights = replace(weights, name=_new_name(name or (known.name if known else weights.name), weights))
    return _write(weights)


def list_weights() -> list[Stored]:
    """Every entry as its record says, without opening the numbers."""
    return [Stored(name, _record(name)) for name in stored_names()]


def verify_weights() -> list[Stored]:
    """Every entry, its file read whole and compared with the checksum taken when it was added."""
    found = []
    for name in stored_names():
        try:
            open_stored(name)
            found.append(Stored(name, _record(name)))
        except InvalidInput as error:
            found.append(Stored(name, {}, "; ".join(fault.found for fault in error.faults)))
    return found


def open_stored(name: str, convention: str | None = None) -> Weights:
    """Read the weights kept under a name; raises when their bytes are not those that were kept."""
    from safetensors.numpy import load

    record = dict(_record(name))
    kept = record.pop("kept_sha256")
    try:
        content = _tensors_path(name).read_bytes()
    except OSError as error:
        raise _broken(name, f"its file {name}.safetensors cannot be read ({error.strerror})") from None
    if hashlib.sha256(content).hexdigest() != kept:
        raise _broken(name, "its file is not the one that was added: the checksum differs")
    try:
        weights = from_record(record, load(content))
    except (KeyError, TypeError):
        raise _broken(name, "its record is of another version of Trabecula") from None
    return replace(weights, convention=CONVENTIONS[convention], doubt="") if convention else weights


def _record(name: str) -> dict[str, object]:
    try:
        record = json.loads((store_folder() / f"{name}.json").read_text(encoding="utf-8"))
        record["kept_sha256"], record["convention"], record["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        raise _broken(name, f"its record {name}.json cannot be read") from None
    return record


def _write(weights: Weights) -> Stored:
    from safetensors.numpy import save

    content = save(dict(weights.state))
    record = weights.record | {"kept_sha256": hashlib.sha256(content).hexdigest()}
    write_atomically(_tensors_path(weights.name), content)
    write_atomically(store_folder() / f"{weights.name}.json", json.dumps(record, indent=1))
    return Stored(weights.name, _record(weights.name))


def _tensors_path(name: str) -> Path:
    return store_folder() / f"{name}.safetensors"


def _broken(name: str, found: str) -> InvalidInput:
    expected, action = "the weights as they were added", "Add them again: trabecula weights add FILE --name NAME."
    return InvalidInput([Fault(f"weights {name} in {store_folder()}", found, expected, action)])


def _new_name(name: str, weights: Weights) -> str:
    where = f"weights {name}"
    if not _NAME.fullmatch(name) or name == UNTRAINED:
        found, expected = f"the name {name!r}", f"letters, digits, `-`, `_` and `.`, and not {UNTRAINED!r}"
        raise InvalidInput([Fault(where, found, expected, "Choose one: --name NAME.")])
    if name in stored_names() and _record(name)["sha256"] != weights.sha256:
        found = "a name that the store has for other weights"
        raise InvalidInput([Fault(where, found, "a new name", "Choose another: --name NAME.")])
    return name


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        expected = f"a file, or one of the known names: {', '.join(KNOWN)}"
        found = f"cannot be read ({error.strerror})"
        raise InvalidInput([Fault(f"weights {path}", found, expected, "Give the path of the file.")]) from None


def _fetched(known: Known, download: bool, progress: Progress) -> bytes:
    where = f"weights {known.name}"
    if not download:
        found, expected = "not on this computer, and nothing is downloaded unasked", "the file, or --download"
        action = f"Add --download, or fetch {known.address} elsewhere and run: trabecula weights add FILE."
        raise InvalidInput([Fault(where, found, expected, action)])
    try:
        with urllib.request.urlopen(known.address, timeout=_TIMEOUT_S) as answer:  # noqa: S310 addresses of our table
            content, total = b"", int(answer.headers.get("Content-Length") or 0)
            while part := answer.read(_MEGABYTE):
                content += part
                progress(len(content) // _MEGABYTE, total // _MEGABYTE)
    except (OSError, http.client.HTTPException) as error:
        found = f"{known.address} cannot be reached ({error})"
        action = "Fetch it on a computer that reaches it and run: trabecula weights add FILE."
        raise InvalidInput([Fault(where, found, "an answer", action)]) from None
    if not known.matches(content):
        found = f"{len(content):,} bytes with another checksum; nothing was kept"
        expected = f"{known.checksum}, stated at {known.stated_at}"
        raise InvalidInput([Fault(where, found, expected, AGAIN)])
    return content
