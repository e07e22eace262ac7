"""An archive spoken to by DICOMweb: QIDO-RS, WADO-RS, STOW-RS."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..errors import ArchiveUnavailable
from . import words
from .archive import Fetched, Level, Stored
from .files import read_all
from .profiles import WebProfile, password

_Found = TypeVar("_Found")
_STUDY = {"StudyInstanceUID": "study_instance_uid"}  # keys that are part of the address, and its arguments
_SERIES = {**_STUDY, "SeriesInstanceUID": "series_instance_uid"}


@dataclass(frozen=True)
class WebArchive:
    """The PACS of one profile."""

    profile: WebProfile
    client: Any = field(repr=False)

    @classmethod
    def of(cls, profile: WebProfile, name: str) -> "WebArchive":
        """Sign in as the profile says; nothing is sent yet."""
        from dicomweb_client import DICOMwebClient
        from requests import Session

        session = Session()
        secret = password(profile, name)
        if profile.user is not None and secret is not None:
            session.auth = (profile.user, secret)
        if profile.ca_file is not None:
            session.verify = str(profile.ca_file)
        client = DICOMwebClient(profile.url.rstrip("/"), session, timeout=profile.timeout_s)
        client.set_http_retry_params(retry=False)
        return cls(profile, client)

    def echo(self) -> list[str]:
        """A query with one key; DICOMweb has no ping."""
        self.find("STUDY", {"StudyInstanceUID": "", "PatientID": "TRABECULA-ECHO"})
        return [f"{self.profile.url} answers the query."]

    def find(self, level: Level, keys: Mapping[str, str]) -> list[Any]:
        """QIDO-RS."""
        from pydicom.dataset import Dataset

        search, places = {
            "STUDY": (self.client.search_for_studies, {}),
            "SERIES": (self.client.search_for_series, _STUDY),
            "IMAGE": (self.client.search_for_instances, _SERIES),
        }[level]
        within = {argument: keys[keyword] for keyword, argument in places.items()}
        filters = {keyword: value for keyword, value in keys.items() if value and keyword not in places}
        fields = [keyword for keyword in keys if keyword not in places]
        found = self._ask(partial(search, **within, search_filters=filters, fields=fields, get_remaining=True))
        return [Dataset.from_json(one) for one in found]

    def fetch(self, study: str, series: str, sops: Sequence[str]) -> Iterator[Fetched]:
        """WADO-RS, a file at a time, encoded as the PACS keeps it."""
        from requests import HTTPError

        as_kept = (("application/dicom", "*"),)
        for sop in sops:
            retrieve = partial(self.client.retrieve_instance, study, series, sop, media_types=as_kept)
            try:
                dataset = self._ask(retrieve, HTTPError)
            except HTTPError as error:
                yield Fetched(sop, reason=words.http_in_words(_code(error), self.profile.url))
                continue
            out = io.BytesIO()
            dataset.save_as(out, enforce_file_format=True)
            yield Fetched(sop, out.getvalue())

    def store(self, paths: Iterable[Path]) -> Iterator[Stored]:
        """STOW-RS, a file at a time, so that each has its own reason."""
        from requests import HTTPError

        files, unreadable = read_all(paths)
        yield from unreadable
        for path, dataset in files:
            try:
                said = self._ask(partial(self.client.store_instances, [dataset]), HTTPError)
            except HTTPError as error:
                if _code(error) in (401, 403, 404):
                    raise self._unavailable(error) from None
                said = _parsed(error.response)
                if not said.get("FailedSOPSequence"):
                    yield Stored(path, str(self._unavailable(error)))
                    continue
            yield Stored(path, _failed(said))

    def _ask(self, question: Callable[[], _Found], kept: type[Exception] | tuple[()] = ()) -> _Found:
        """The answer; ArchiveUnavailable in words where there is none, but for errors of the type ``kept``."""
        from requests import HTTPError, RequestException
        from requests.exceptions import SSLError

        try:
            return question()
        except kept:
            raise
        except HTTPError as error:
            raise self._unavailable(error) from None
        except SSLError:
            said = f"The certificate of {self.profile.url} is not known here: name the hospital's own in ca_file."
            raise ArchiveUnavailable(said) from None
        except RequestException:
            raise ArchiveUnavailable(words.unreachable(self.profile.url)) from None

    def _unavailable(self, error: Any) -> ArchiveUnavailable:
        return ArchiveUnavailable(words.http_in_words(_code(error), self.profile.url))


def _code(error: Any) -> int:
    return int(error.response.status_code)


def _parsed(response: Any) -> Any:
    from pydicom.dataset import Dataset

    try:
        return Dataset.from_json(response.json())
    except Exception:  # noqa: BLE001 an error page of any kind
        return Dataset()


def _failed(said: Any) -> str:
    """The reason in the answer to one stored file; empty where it was stored or is there already."""
    for one in said.get("FailedSOPSequence") or []:
        reason = int(one.get("FailureReason") or 0)
        if reason not in words.WARNINGS:
            return words.status_in_words(reason)
    return ""
