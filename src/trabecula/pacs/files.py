"""Files to send, and the folder that films are pulled into."""

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import InvalidInput
from ..reading.dicom import read_dicom
from ..storage import settle, write_atomically
from .archive import FILMS, Stored
from .finding import read_header

_UID = re.compile(r"[0-9.]{1,64}")


def read_all(paths: Iterable[Path]) -> tuple[list[tuple[Path, Any]], list[Stored]]:
    """The DICOM files, and those that are none with the reason."""
    import pydicom

    files, unreadable = [], []
    for path in paths:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = pydicom.dcmread(path)
                named = dataset.get("SOPClassUID") and dataset.get("SOPInstanceUID")
        except (OSError, pydicom.errors.InvalidDicomError):
            named = ""
        if named:
            files.append((path, dataset))
        else:
            unreadable.append(Stored(path, "no DICOM file that names itself"))
    return files, unreadable


def inbox_has(folder: Path, sop: str) -> bool:
    """Whether a film was pulled, or quarantined with its reason."""
    return (folder / "films" / f"{sop}.dcm").exists() or (folder / "quarantine" / f"{sop}.txt").exists()


def is_uid(text: str) -> bool:
    """Whether a name is safe as a file's name too."""
    return _UID.fullmatch(text) is not None


def file_away(folder: Path, sop: str, content: bytes) -> str:
    """Write a film to ``films/``, or to ``quarantine/`` with the reason beside it, which is returned.

    The disk has it when this returns.
    """
    if not is_uid(sop):
        return f"its name {sop[:80]!r} is no UID"
    aside = folder / "quarantine" / f"{sop}.dcm"
    write_atomically(aside, content)
    return judge(folder, aside)


def judge(folder: Path, aside: Path) -> str:
    """Leave a file in quarantine with the reason beside it, or move it to the films."""
    reason = _unfit(aside)
    if reason:
        write_atomically(aside.with_suffix(".txt"), reason + "\n")
    else:
        (folder / "films").mkdir(exist_ok=True)
        aside.replace(folder / "films" / aside.name)
        settle(folder / "films")
        aside.with_suffix(".txt").unlink(missing_ok=True)  # of an earlier one of this name, which was damaged
    settle(aside.parent)
    return reason


def _unfit(path: Path) -> str:
    """Why a file is no film that we can use."""
    import pydicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, stop_before_pixels=True)
            modality = str(header.get("Modality") or "none")
        if modality not in FILMS:
            return f"modality {modality}; expected {' or '.join(FILMS)}"
        if header.get("SOPInstanceUID", path.stem) != path.stem:
            return "it was sent under another SOP instance UID than its own; expected one name"
        read_dicom(path)
        read_header(path)
    except pydicom.errors.InvalidDicomError:
        return "no DICOM file"
    except InvalidInput as error:
        return "; ".join(f"{fault.found}; expected {fault.expected}" for fault in error.faults)
    except Exception as error:  # noqa: BLE001 a parser may fail in any way on a damaged file
        return f"cannot be read ({type(error).__name__}); expected a whole DICOM image"
    return ""
