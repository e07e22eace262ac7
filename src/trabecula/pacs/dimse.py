"""An archive spoken to by DIMSE: C-ECHO, C-FIND, C-GET or C-MOVE, C-STORE."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ArchiveUnavailable
from . import words
from .archive import Fetched, Level, Stored
from .files import read_all
from .profiles import DimseProfile

_MOST_CONTEXTS = 128  # of one association (PS3.8 9.3.2.2)
_PENDING = (0xFF00, 0xFF01)
COMPRESSED = (  # that films come in, and that we can decode
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.5",
)
PLAIN = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")  # explicit and implicit little endian
_FILM_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.1",  # CR
    "1.2.840.10008.5.1.4.1.1.1.1",  # DX for presentation
    "1.2.840.10008.5.1.4.1.1.1.1.1",  # DX for processing
)


@dataclass(frozen=True)
class DimseArchive:
    """The PACS of one profile."""

    profile: DimseProfile

    def echo(self) -> list[str]:
        """C-ECHO, then a C-FIND with one key: many archives answer the first to anybody."""
        from pynetdicom import build_context
        from pynetdicom.sop_class import Verification

        with self._associated([build_context(Verification)]) as association:
            status = association.send_c_echo()
            if "Status" not in status or status.Status != 0:
                raise ArchiveUnavailable("The PACS took the connection and did not answer the ping.")
        said = [f"{self.profile.ae_title} at {self._place} answers the ping."]
        self.find("STUDY", {"StudyInstanceUID": "", "PatientID": "TRABECULA-ECHO"})
        return [*said, f"It answers the query of {self.profile.our_ae_title}."]

    def find(self, level: Level, keys: Mapping[str, str]) -> list[Any]:
        """C-FIND, study root."""
        from pynetdicom import build_context
        from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as Find

        found = []
        with self._associated([build_context(Find)]) as association:
            if not association.accepted_contexts:
                raise self._refused("it does not offer queries")
            for status, match in association.send_c_find(_identifier(level, keys), Find):
                if "Status" not in status:
                    raise self._refused("it broke the connection off")
                if status.Status in _PENDING:
                    found.append(match)
                elif status.Status != 0:
                    raise self._refused(words.status_in_words(status.Status))
        return found

    def fetch(self, study: str, series: str, sops: Sequence[str]) -> Iterator[Fetched]:
        """C-GET or C-MOVE, a file at a time, all over one association."""
        arrived: dict[str, bytes] = {}
        how = self._getting if self.profile.retrieve == "get" else self._moving
        with how(arrived, frozenset(sops)) as ask:
            for sop in sops:
                keys = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": sop}
                reason = _outcome(ask(_identifier("IMAGE", keys)))
                if sop in arrived:
                    yield Fetched(sop, arrived.pop(sop))
                else:
                    yield Fetched(sop, reason=reason or "the PACS said that it sent the film, and none arrived")

    def store(self, paths: Iterable[Path]) -> Iterator[Stored]:
        """C-STORE; proposes the kinds and encodings of these files and no others."""
        from pynetdicom import build_context

        files, unreadable = read_all(paths)
        yield from unreadable
        needed = sorted({(str(one.SOPClassUID), _encodings(one)) for _, one in files})
        for first in range(0, len(needed), _MOST_CONTEXTS):
            part = needed[first : first + _MOST_CONTEXTS]
            with self._associated([build_context(kind, list(encodings)) for kind, encodings in part]) as association:
                for path, dataset in files:
                    if (str(dataset.SOPClassUID), _encodings(dataset)) in part:
                        yield Stored(path, _store(association, dataset))

    @property
    def _place(self) -> str:
        return f"{self.profile.host}:{self.profile.port}"

    def _refused(self, said: str) -> ArchiveUnavailable:
        return ArchiveUnavailable(words.query_refused(self.profile.our_ae_title, self.profile.our_port, said))

    def _entity(self) -> Any:
        from pynetdicom import AE

        entity = AE(ae_title=self.profile.our_ae_title)
        entity.connection_timeout = entity.acse_timeout = self.profile.timeout_s
        entity.dimse_timeout = entity.network_timeout = self.profile.timeout_s
        return entity

    @contextmanager
    def _associated(self, contexts: list[Any], **more: Any) -> Iterator[Any]:
        """An association, released in the end; ArchiveUnavailable in words where there is none."""
        their = self.profile
        association = self._entity().associate(their.host, their.port, contexts, ae_title=their.ae_title, **more)
        if association.is_established:
            try:
                yield association
            finally:
                association.release() if association.is_established else association.abort()
            return
        answer = association.acceptor.primitive
        if association.is_rejected and answer is not None:
            source, reason = answer.result_source, answer.diagnostic
            raise ArchiveUnavailable(words.rejected(source, reason, their.ae_title, their.our_ae_title, their.our_port))
        if answer is not None:  # it answered and takes none of what was proposed
            raise ArchiveUnavailable(f"The PACS at {self._place} offers nothing of what was asked of it.")
        raise ArchiveUnavailable(words.unreachable(self._place))

    @contextmanager
    def _getting(self, arrived: dict[str, bytes], wanted: frozenset[str]) -> Iterator[Callable[[Any], Any]]:
        from pynetdicom import build_context, build_role
        from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as Get

        contexts = [build_context(Get)]
        for kind in _FILM_CLASSES:
            contexts += [build_context(kind, list(PLAIN)), *(build_context(kind, one) for one in COMPRESSED)]
        roles = [build_role(kind, scp_role=True) for kind in _FILM_CLASSES]
        with self._associated(contexts, ext_neg=roles, evt_handlers=_keeping(arrived, wanted)) as association:
            if not any(one.abstract_syntax == Get for one in association.accepted_contexts):
                raise ArchiveUnavailable("The PACS does not offer C-GET. Write `retrieve: move` into the profile.")
            yield lambda identifier: association.send_c_get(identifier, Get)

    @contextmanager
    def _moving(self, arrived: dict[str, bytes], wanted: frozenset[str]) -> Iterator[Callable[[Any], Any]]:
        from pynetdicom import build_context
        from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as Move

        entity = self._entity()
        for kind in _FILM_CLASSES:
            entity.add_supported_context(kind, [*PLAIN, *COMPRESSED])
        entity.require_called_aet = True
        try:
            listening = entity.start_server(
                ("", self.profile.our_port), block=False, evt_handlers=_keeping(arrived, wanted)
            )
        except OSError as error:
            found = f"cannot be listened at ({error.strerror})"
            raise ArchiveUnavailable(f"Port {self.profile.our_port} {found}: set another our_port.") from None
        try:
            with self._associated([build_context(Move)]) as association:
                yield lambda identifier: association.send_c_move(identifier, self.profile.our_ae_title, Move)
        finally:
            listening.shutdown()


def _identifier(level: Level, keys: Mapping[str, str]) -> Any:
    from pydicom.dataset import Dataset

    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    if any(not value.isascii() for value in keys.values()):
        identifier.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def _keeping(arrived: dict[str, bytes], wanted: frozenset[str]) -> list[Any]:
    """Keep what was asked for; whoever sends something else is told that it is not authorised to."""
    from pynetdicom import evt

    def keep(event: Any) -> int:
        sop = str(event.request.AffectedSOPInstanceUID)
        if sop not in wanted:
            return 0x0124
        arrived[sop] = event.encoded_dataset()
        return 0

    return [(evt.EVT_C_STORE, keep)]


def _outcome(answers: Iterable[tuple[Any, Any]]) -> str:
    """The last status of a C-GET or C-MOVE as a reason; empty where it went well."""
    last = None
    for status, _ in answers:
        last = status
    if last is None or "Status" not in last:
        return "the PACS broke the connection off"
    return "" if last.Status == 0 else words.status_in_words(last.Status)


def _encodings(dataset: Any) -> tuple[str, ...]:
    own = str(dataset.file_meta.TransferSyntaxUID)
    return PLAIN if own in PLAIN else (own,)


def _store(association: Any, dataset: Any) -> str:
    """The reason why a file was not stored."""
    if not association.is_established:
        return "the PACS broke the connection off"
    try:
        status = association.send_c_store(dataset)
    except ValueError:
        return "the PACS does not take this kind of file, or not so encoded"
    if "Status" not in status:
        return "the PACS broke the connection off"
    return "" if status.Status == 0 or status.Status in words.WARNINGS else words.status_in_words(status.Status)
