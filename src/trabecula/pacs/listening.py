"""The door for films: C-ECHO is answered, C-STORE goes to the inbox; who calls must be named, and call us by name."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from ..errors import ArchiveUnavailable, Fault, InvalidInput, MissingExtra
from .archive import Archive
from .dimse import COMPRESSED, PLAIN, DimseArchive
from .inbox import Inbox
from .profiles import DimseProfile
from .transfers import open_archive

LARGEST = 256 * 2**20  # bytes of one file: a film of 10^8 pixels of 16 bits, and room for its header
_TITLE = r"[ -9;-?A-\[\]-~]{1,16}"  # what DICOM allows but @ and :
_OURS = re.compile(rf"(?P<title>{_TITLE})(?:@(?P<host>[^@]+))?:(?P<port>\d{{1,5}})")
_THEIRS = re.compile(rf"(?P<title>{_TITLE})@(?P<host>[^@]+):(?P<port>\d{{1,5}})")
_AT_ONCE = 8  # associations
_SECONDS = 60  # of silence, after which one is ended
_STORED, _NO_NAME, _NO_ROOM = 0x0000, 0x0117, 0xA700

Told = Callable[[str, str], object]  # the caller's AE title, and what became of what it sent


@dataclass(frozen=True)
class Place:
    """Where we listen, as ``--listen AET:PORT`` or ``AET@HOST:PORT`` says it; without a host, this computer alone."""

    title: str
    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> "Place":
        """InvalidInput where it is neither."""
        found = _OURS.fullmatch(text)
        if found is None or not found["title"].strip() or not 1 <= int(found["port"]) <= 65535:
            raise InvalidInput([Fault("--listen", repr(text), "AET:PORT or AET@ADDRESS:PORT, as TRABECULA:11112")])
        return cls(found["title"].strip(), found["host"] or "127.0.0.1", int(found["port"]))


def is_title(text: str) -> bool:
    """Whether an AE title may be so."""
    return re.fullmatch(_TITLE, text) is not None


def reply_to(text: str, ours: Place, profiles: Path | None = None) -> Archive:
    """Where results go: ``AET@HOST:PORT``, or a profile's name."""
    found = _THEIRS.fullmatch(text)
    if found is None:
        return open_archive(text, profiles)
    if not 1 <= int(found["port"]) <= 65535:
        raise InvalidInput([Fault("--reply", repr(text), "a port from 1 to 65535")])
    their_title = found["title"].strip()
    profile = DimseProfile(
        host=found["host"], port=int(found["port"]), ae_title=their_title, our_ae_title=ours.title, our_port=ours.port
    )
    return DimseArchive(profile)


@dataclass(frozen=True)
class Listener:
    """Takes files from the callers named, or from all where none is, until it is closed."""

    server: Any

    @classmethod
    def start(cls, place: Place, callers: tuple[str, ...], inbox: Inbox, told: Told) -> "Listener":
        """Listen; ArchiveUnavailable where the port cannot be had."""
        try:
            from pynetdicom import AE, AllStoragePresentationContexts, evt
            from pynetdicom.sop_class import Verification
        except ImportError:
            raise MissingExtra('A PACS needs more packages: pip install "trabecula[pacs]"') from None
        entity = AE(ae_title=place.title)
        entity.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, [*PLAIN, *COMPRESSED])
        entity.require_called_aet = True
        entity.require_calling_aet = list(callers)
        entity.maximum_associations = _AT_ONCE
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _SECONDS
        taking = _Taking(inbox, told)
        handlers = [
            (evt.EVT_C_STORE, taking.store),
            (evt.EVT_CONN_OPEN, taking.measure),
            (evt.EVT_REJECTED, taking.rejected),
        ]
        try:
            server = entity.start_server((place.host, place.port), block=False, evt_handlers=handlers)
        except OSError as error:
            said = f"{place.host}:{place.port} cannot be listened at ({error.strerror})"
            raise ArchiveUnavailable(f"{said}: set another port in --listen.") from None
        return cls(server)

    def close(self) -> None:
        """Take no more."""
        self.server.shutdown()


class _Taking:
    """What is done with each event of an association."""

    def __init__(self, inbox: Inbox, told: Told):
        self._inbox = inbox
        self._told = told
        # bytes of the file that comes just now, of each association
        self._come: WeakKeyDictionary[Any, int] = WeakKeyDictionary()

    def store(self, event: Any) -> int:
        """A status: success once the disk has the file, be it a film or kept apart."""
        caller = str(event.assoc.requestor.ae_title).strip()
        self._come.pop(event.assoc, None)
        try:
            became = self._inbox.receive(str(event.request.AffectedSOPInstanceUID), event.encoded_dataset())
        except OSError:
            self._told(caller, "not kept: the disk refuses")
            return _NO_ROOM
        self._told(caller, became)
        return _NO_NAME if became == "nameless" else _STORED

    def measure(self, event: Any) -> None:
        """Break off what is larger than a film before memory is taken for it, or stalls; pynetdicom itself does not."""
        association, socket = event.assoc, event.assoc.dul.socket
        socket.socket.settimeout(_SECONDS)
        read = socket.recv

        def counted(size: int) -> bytearray:
            before = self._come.get(association, 0)
            self._come[association] = before + size
            if before + size > LARGEST:
                if before <= LARGEST:
                    self._told(str(association.requestor.ae_title).strip(), "broken off: too large")
                raise ConnectionAbortedError("larger than a film")
            return read(size)

        socket.recv = counted

    def rejected(self, event: Any) -> None:
        """Somebody calls who is not named, or calls somebody else."""
        self._told(
            str(event.assoc.requestor.ae_title).strip(),
            "refused: --from does not name the caller, or --listen not whom it called",
        )
