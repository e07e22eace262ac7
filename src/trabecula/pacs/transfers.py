"""Studies found, films pulled into a folder, results pushed: over either kind of archive."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import Fault, InvalidInput, MissingExtra
from ..workflow.check import Tell, silent
from .archive import FILMS, Archive, Stored
from .files import file_away, inbox_has
from .profiles import WebProfile, read_profile

_SHOWN = ("PatientID", "StudyDate", "StudyDescription", "AccessionNumber", "ModalitiesInStudy", "StudyInstanceUID")


@dataclass(frozen=True)
class Query:
    """What is looked for; DICOM's wildcards and ranges hold, and what is empty matches all."""

    patient: str = ""
    study: str = ""
    date: str = ""
    accession: str = ""

    @property
    def keys(self) -> dict[str, str]:
        """Of a query on the level of studies."""
        asked = {"PatientID": self.patient, "StudyInstanceUID": self.study}
        asked |= {"StudyDate": self.date, "AccessionNumber": self.accession}
        return dict.fromkeys(_SHOWN, "") | asked


@dataclass(frozen=True)
class Pulled:
    """What became of every file of the studies: names of films here now, ones kept apart or not had, series left."""

    films: tuple[str, ...]
    known: tuple[str, ...]
    quarantined: tuple[tuple[str, str], ...]
    missing: tuple[tuple[str, str], ...]
    left: tuple[str, ...]


def open_archive(name: str, file: Path | None = None) -> Archive:
    """The archive of a profile; nothing is sent yet."""
    profile = read_profile(name, file)
    try:
        if isinstance(profile, WebProfile):
            from .dicomweb import WebArchive

            return WebArchive.of(profile, name)
        import pynetdicom  # noqa: F401
    except ImportError:
        raise MissingExtra('A PACS needs more packages: pip install "trabecula[pacs]"') from None
    from .dimse import DimseArchive

    return DimseArchive(profile)


def find_studies(archive: Archive, query: Query) -> list[dict[str, str]]:
    """One row a study, newest last."""
    found = [{name: _text(one, name) for name in _SHOWN} for one in archive.find("STUDY", query.keys)]
    return sorted(found, key=lambda row: (row["StudyDate"], row["StudyInstanceUID"]))


def pull(archive: Archive, query: Query, folder: Path, tell: Tell = silent) -> Pulled:
    """Every CR and DX film of the studies into ``folder/films``; a later call asks only for those not yet there."""
    wanted, left = _listed(archive, query)
    known = [sop for _, _, sop in wanted if inbox_has(folder, sop)]
    total, done = len(wanted), len(known)
    films: list[str] = []
    quarantined: list[tuple[str, str]] = []
    missing: list[tuple[str, str]] = []
    by_series: dict[tuple[str, str], list[str]] = {}
    for study, series, sop in wanted:
        if not inbox_has(folder, sop):
            by_series.setdefault((study, series), []).append(sop)
    for (study, series), sops in by_series.items():
        for one in archive.fetch(study, series, sops):
            reason = one.reason or file_away(folder, one.sop, one.content)
            if not reason:
                films.append(one.sop)
            else:
                (missing if one.reason else quarantined).append((one.sop, reason))
            done += 1
            tell("films", done, total)
    return Pulled(tuple(films), tuple(known), tuple(quarantined), tuple(missing), tuple(left))


def push(archive: Archive, sources: Iterable[Path], tell: Tell = silent) -> list[Stored]:
    """Send files, and all ``*.dcm`` of folders; what the archive has already, it keeps once."""
    paths = [path for source in sources for path in (sorted(source.rglob("*.dcm")) if source.is_dir() else [source])]
    if not paths:
        raise InvalidInput([Fault("files to send", "none", "DICOM files, or folders with *.dcm")])
    sent = []
    for one in archive.store(paths):
        sent.append(one)
        tell("files", len(sent), len(paths))
    return sent


def _listed(archive: Archive, query: Query) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Study, series and name of every film, and the series that hold none."""
    wanted, left = [], []
    for row in find_studies(archive, query):
        study = row["StudyInstanceUID"]
        keys = {"StudyInstanceUID": study, "SeriesInstanceUID": "", "Modality": "", "SeriesDescription": ""}
        for one in archive.find("SERIES", keys):
            series, modality = _text(one, "SeriesInstanceUID"), _text(one, "Modality")
            if modality not in FILMS:
                left.append(f"{modality or 'no modality'}  {_text(one, 'SeriesDescription')}".strip())
                continue
            within = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": ""}
            names = [_text(film, "SOPInstanceUID") for film in archive.find("IMAGE", within)]
            wanted += [(study, series, name) for name in names if name]
    return wanted, left


def _text(dataset: object, keyword: str) -> str:
    value = getattr(dataset, keyword, None)
    return "" if value is None else "/".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
