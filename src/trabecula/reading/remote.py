"""Films and masks at addresses (s3://bucket/film.dcm), read where they lie, if this machine's owner lets them be read.

An address in a table or in study.yaml, which may come from anybody, opens no connection: the variable ``ALLOWED`` of
the environment names what addresses may begin with, and without it nothing leaves this machine.
"""

import contextlib
import functools
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from ..errors import Fault, InvalidInput, MissingExtra, TrabeculaError
from ..records import Case
from .images import sidecar_name, sidecar_of
from .picture import LARGEST

ALLOWED = "TRABECULA_REMOTE"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters: C:// is a drive
_START = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:///?[^/\s]+")
_OBJECTS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "abfs", "abfss": "abfss"}
_WEB = ("http", "https")
_LATER = (408, 429)  # status of HTTP: it took too long, or was asked too often
_PAUSES = (0.5, 2.0)  # seconds before a store is asked again that did not answer
_LARGEST_FILE = 16 * LARGEST  # bytes
# what stores tell of an object that changes with it: size, time, checksum, version
_MARKS = re.compile(
    r"(?i)size|e_?tag|last.?modified|mtime|created|updated|content.?md5|md5_?hash|digest|version(_?id)?"
)
_INSTALL = "Films at such addresses need the extra: pip install 'trabecula[remote]'."
_UNANSWERED = (
    "Is the network there, and are the store's address and credentials set? "
    "What was finished is kept; the same command goes on from there."
)
_T = TypeVar("_T")


def is_address(cell: str) -> bool:
    """Whether the cell names a place in a store, not a file."""
    return _ADDRESS.match(cell) is not None


def address_faults(where: str, cell: str) -> list[Fault]:
    """Why an address will not be asked, if it is one."""
    if not is_address(cell):
        return []
    if _is_odd(cell):
        expected = "store://place/folder/name, without . or .. and without \\ and :: in it"
        return [Fault(where, f"the address {in_words(cell)!r}", expected)]
    starts = os.environ.get(ALLOWED, "").split()
    if not any(_START.match(start) and cell.startswith(start.rstrip("/") + "/") for start in starts):
        expected = f"a file, or an address below {' or '.join(map(in_words, starts))}" if starts else "a file"
        known = _START.match(in_words(cell))
        start = f"{known[0]}/" if known else "STORE://PLACE/"
        action = f"If films are to be read from there, set {ALLOWED}={start} in the environment."
        return [Fault(where, f"the address {in_words(cell)}", expected, action)]
    return []


def placed(folder: Path, *cells: str) -> tuple[list[Path], Mapping[Path, str]]:
    """Where the files of the cells lie, and the addresses of those that ``at_hand`` must fetch.

    Such a file has a name of its own below the folder, where nothing lies.
    """
    addresses = {}
    paths = []
    for cell in cells:
        path = folder / cell
        if is_address(cell) and not address_faults("", cell):
            path = folder / ".remote" / hashlib.sha256(cell.encode()).hexdigest()[:16] / _name(cell)
            addresses[path] = cell
        paths.append(path)
    return paths, addresses


@contextlib.contextmanager
def at_hand(cases: Sequence[Case]) -> Iterator[Sequence[Case]]:
    """The same cases, their files on this machine as long as the block lasts; InvalidInput with every fault."""
    if not any(case.addresses for case in cases):
        yield cases
        return
    with tempfile.TemporaryDirectory(prefix="trabecula-") as folder:
        here: dict[Path, Path] = {}
        faults: list[Fault] = []
        for case in cases:
            for path in (case.image, case.region):
                if path in case.addresses and path not in here:
                    here[path] = Path(folder, path.parent.name, path.name)
                    here[path].parent.mkdir()
                    faults += _fetched(case, path, here[path])
        if faults:
            raise InvalidInput(faults)
        yield [
            replace(case, image=here.get(case.image, case.image), region=here.get(case.region, case.region))
            for case in cases
        ]


def state_at(address: str) -> str | None:
    """What the store tells of the object that changes with it, in words; None where there is none to be had."""
    try:
        told = _asked(address, lambda store, path: store.info(path))
        known = {name: str(told[name]) for name in sorted(told) if _MARKS.fullmatch(name) and told[name] is not None}
        if set(known) - {"size"}:
            return repr(known)
        content = _asked(address, lambda store, path: store.cat_file(path))  # a store that tells nothing
    except (FileNotFoundError, PermissionError, InvalidInput):
        return None
    return hashlib.sha256(content).hexdigest()


def sidecar_at(address: str) -> str | None:
    """Where the notes of a film would lie; one that is asked for by a query has no neighbours."""
    name = _name(address)
    return address.removesuffix(name) + sidecar_name(name) if address.endswith(name) else None


def in_words(address: str) -> str:
    """An address without what gives access: user, password and query."""
    scheme, _, rest = address.partition("://")
    place, slash, name = rest.partition("/")
    if scheme.lower() in _WEB:
        name = name.partition("?")[0]
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{name}"


def _is_odd(address: str) -> bool:
    """Whether a store could take it for another: who may be asked is decided by how it begins."""
    parts = [unquote(part) for part in re.split(r"[/\\]", address)][2:]
    empty = _scheme(address) in _OBJECTS and "" in parts
    return (
        "::" in address or "\\" in address or not address.isprintable() or empty
        or bool({".", ".."} & set(parts)) or not _name(address)
    )  # fmt: skip


def _scheme(address: str) -> str:
    return address.partition("://")[0].lower()


def _name(address: str) -> str:
    """The file's, as on a disk; "" where there is none."""
    path = urlsplit(address).path if _scheme(address) in _WEB else address.split("://", 1)[1]
    name = path.rpartition("/")[2]
    return name if len(os.fsencode(name)) <= 200 and "\0" not in name else ""


def _fetched(case: Case, path: Path, to: Path) -> list[Fault]:
    """Copy an object, with its notes if it is a film; what is wrong with it."""
    address = case.addresses[path]
    where = f"case {case.case_id}, {'image' if path == case.image else 'region'}"
    try:
        _copy(address, to)
    except FileNotFoundError:
        return [Fault(where, f"no file {in_words(address)}", "an address where there is one")]
    except PermissionError as error:
        return [_refused(where, address, error)]
    except InvalidInput as error:
        return [replace(fault, where=where) for fault in error.faults]
    notes = sidecar_at(address) if path == case.image else None
    if notes is not None:
        try:
            _copy(notes, sidecar_of(to))
        except FileNotFoundError:
            pass
        except PermissionError as error:
            return [_refused(where, notes, error)]
    return []


def _refused(where: str, address: str, error: Exception) -> Fault:
    action = "Set the credentials of the store; they must allow to read and to list, so that what is absent is known."
    return Fault(where, f"{in_words(address)} may not be read ({_line(error)})", "access to it", action)


def _copy(address: str, to: Path) -> None:
    told = _asked(address, lambda store, path: store.info(path))
    if told.get("type", "file") != "file":
        raise FileNotFoundError(address)
    if (told.get("size") or 0) > _LARGEST_FILE:
        found = f"{told['size']:,} bytes at {in_words(address)}"
        raise InvalidInput([Fault("", found, f"one film, at most {_LARGEST_FILE:,} bytes")])
    _asked(address, lambda store, path: store.get_file(path, str(to)))


def _asked(address: str, ask: Callable[[Any, str], _T]) -> _T:
    """What the store answers: what is absent or forbidden is the caller's; a store that does not answer ends all."""
    store = _store(_scheme(address))
    path = address.partition("://")[2] if _scheme(address) in _OBJECTS else store._strip_protocol(address)
    for pause in (*_PAUSES, None):
        try:
            return ask(store, path)
        except (PermissionError, TrabeculaError):
            raise
        except Exception as error:  # noqa: BLE001 each store fails in its own ways
            cause = error.__cause__ or error  # of what HTTP calls absent whatever it was
            status = getattr(cause, "status", None)
            if isinstance(cause, FileNotFoundError) or status in (404, 410):
                raise FileNotFoundError(address) from None
            if isinstance(cause, TrabeculaError):
                raise cause from None
            if status is not None and 400 <= status < 500 and status not in _LATER:
                raise PermissionError(f"status {status}") from None
            if pause is None:
                raise TrabeculaError(
                    f"{in_words(address)} cannot be had: {_line(cause, address)}. {_UNANSWERED}"
                ) from None
            time.sleep(pause)
    raise AssertionError("the last time returns or raises")


@functools.cache
def _store(scheme: str) -> Any:
    """The file system of a scheme, set as its own variables of the environment say (AWS_ENDPOINT_URL, ...)."""
    try:
        import fsspec

        if scheme in _OBJECTS:
            from obstore.fsspec import FsspecStore

            patience = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}
            client = {"connect_timeout": "10s", "timeout": "300s", "allow_http": True}  # as its endpoint is set
            return FsspecStore(_OBJECTS[scheme], retry_config=patience, client_options=client, skip_instance_cache=True)
        if scheme in _WEB:
            return fsspec.filesystem(scheme, client_kwargs={"trace_configs": [_no_redirect()], "trust_env": True})
        return fsspec.filesystem(scheme)
    except ImportError as error:
        raise MissingExtra(f"{scheme}://: {_line(error)}. {_INSTALL}") from None
    except ValueError:
        expected = "s3, gs, az, https, or another that fsspec knows"
        raise InvalidInput([Fault(f"{scheme}://", "no store that we know", expected)]) from None
    except OSError as error:
        raise TrabeculaError(f"{scheme}:// cannot be read from this machine: {_line(error)}.") from None


def _no_redirect() -> Any:
    """Who may be asked is what the address says: an answer that leads elsewhere is not followed."""
    from aiohttp import TraceConfig

    async def stop(_session: Any, _context: Any, asked: Any) -> None:
        raise InvalidInput([Fault(str(asked.url), "an answer that leads to another address", "the film itself")])

    tracing = TraceConfig()
    tracing.on_request_redirect.append(stop)
    return tracing


def _line(error: BaseException, address: str = "") -> str:
    """What a store's client complains of, without its own inside."""
    text = " ".join(str(error).split()).partition(" Debug source:")[0].rpartition(" - ")[2] or type(error).__name__
    return (text.replace(address, in_words(address)) if address else text)[:160].rstrip(".")
