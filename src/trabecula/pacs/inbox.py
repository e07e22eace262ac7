"""Films that were sent to us and what became of them: where a file lies says how far it is.

    films/FILM.dcm                     received; FILM is the SOP instance UID
    quarantine/FILM.dcm, FILM.txt      kept apart, and why
    answered/FILM.json                 what was asked about it last, and the answer
    accepted/FILM_KEY.json             a person accepted that answer; results/FILM_KEY/ is to be sent
    sent/FILM_KEY.json                 the archive has it

Each step is one rename of a whole file, so whatever stops the program leaves a film at one step or at the next. KEY
follows from film, question and answer: the same accepted again is the same.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from ..errors import Fault, InvalidInput
from ..storage import drop_unfinished, settle, write_atomically
from .files import file_away, is_uid, judge

State = Literal["received", "answered", "accepted", "sent"]
_FOLDERS = ("films", "quarantine", "answered", "accepted", "results", "sent")
_SHOWN = ("PatientID", "PatientName", "StudyDate", "AccessionNumber", "Modality", "BodyPartExamined", "ViewPosition")


@dataclass(frozen=True)
class Asked:
    """One question about a film and the answer to it, an object as ``predict --json`` prints it."""

    film: str
    model: str
    points: str
    values: Mapping[str, str]
    site: str
    level: float
    answer: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The same for the same film, question and answer; ``model`` is but a file's name."""
        told = {name: value for name, value in asdict(self).items() if name != "model"}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.film}_{self.key}"


@dataclass(frozen=True)
class Film:
    """A film as a list shows it; ``waiting`` names what is accepted of it and not yet sent."""

    path: Path
    state: State
    waiting: tuple[str, ...]
    sent: int
    asked: Asked | None

    @property
    def film(self) -> str:
        """Its SOP instance UID."""
        return self.path.stem

    @property
    def about(self) -> Mapping[str, str]:
        """What a person knows it by."""
        return _about(self.path)


class Inbox:
    """One folder; one program at a time works on it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock = threading.Lock()
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # the films name patients

    def resume(self) -> None:
        """Clear away what a killed program left half-done, and judge what it had not judged yet; before all else."""
        for name in _FOLDERS:
            drop_unfinished(self.folder / name)
        for path in (self.folder / "quarantine").glob("*.dcm"):
            if not path.with_suffix(".txt").exists():
                judge(self.folder, path)
        for path in self._files("answered", ".json"):
            asked = self.asked(path.stem)
            if asked and any((self.folder / step / f"{asked.name}.json").exists() for step in ("accepted", "sent")):
                path.unlink()

    def receive(self, sop: str, content: bytes) -> str:
        """Keep a file; what it is now: received, known, quarantined, or nameless, which is not kept.

        The disk has it when this returns.
        """
        if not is_uid(sop):
            return "nameless"
        with self._lock:
            if self.path(sop) is not None:
                return "known"
            return "quarantined" if file_away(self.folder, sop, content) else "received"

    def path(self, film: str) -> Path | None:
        """Of a film that is here."""
        path = self.folder / "films" / f"{film}.dcm"
        return path if is_uid(film) and path.is_file() else None

    @property
    def films(self) -> list[Film]:
        """All of them: those not yet sent first, then the newest."""
        accepted, sent = self._by_film("accepted"), self._by_film("sent")
        found = []
        for path in self._files("films", ".dcm"):
            name = path.stem
            asked, waiting, gone = self.asked(name), accepted.get(name, ()), sent.get(name, ())
            state: State = "answered" if asked else "accepted" if waiting else "sent" if gone else "received"
            film = Film(path, state, tuple(waiting), len(gone), asked)
            found.append((state == "sent", -path.stat().st_mtime, film))
        return [film for *_, film in sorted(found, key=lambda one: one[:2])]

    @property
    def quarantined(self) -> dict[str, str]:
        """Names of files kept apart, and why."""
        kept = self._files("quarantine", ".dcm")
        return {path.stem: _text(path.with_suffix(".txt")).strip() for path in kept}

    def answer(self, asked: Asked) -> None:
        """Keep an answer that nobody has accepted yet, in place of an earlier one about the film."""
        write_atomically(self.folder / "answered" / f"{asked.film}.json", json.dumps(asdict(asked), indent=1))

    def asked(self, film: str) -> Asked | None:
        """The answer that waits for a person to accept it."""
        try:
            return Asked(**json.loads(_text(self.folder / "answered" / f"{film}.json") or "null"))
        except (ValueError, TypeError):  # none, or one of another version
            return None

    def results(self, name: str) -> Path:
        """The folder of what is to be sent."""
        return self.folder / "results" / name

    def accept(self, asked: Asked, by: str) -> None:
        """From now on its results are sent until the archive has them; they are there already."""
        if not any(self.results(asked.name).glob("*.dcm")):
            raise InvalidInput([Fault(asked.film, "no results", "results, made before they are accepted")])
        settle(self.results(asked.name))
        settle(self.folder / "results")
        about = asdict(asked) | {"accepted_by": by}
        write_atomically(self.folder / "accepted" / f"{asked.name}.json", json.dumps(about, indent=1))
        settle(self.folder / "accepted")
        (self.folder / "answered" / f"{asked.film}.json").unlink(missing_ok=True)

    @property
    def waiting(self) -> list[str]:
        """Names of what is accepted and not yet sent, oldest first."""
        return [path.stem for path in sorted(self._files("accepted", ".json"), key=lambda one: one.stat().st_mtime)]

    def sent(self, name: str) -> None:
        """The archive has it."""
        (self.folder / "accepted" / f"{name}.json").replace(self.folder / "sent" / f"{name}.json")
        settle(self.folder / "sent")
        settle(self.folder / "accepted")

    def _by_film(self, folder: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in self._files(folder, ".json"):
            found.setdefault(path.stem.partition("_")[0], []).append(path.stem)
        return found

    def _files(self, folder: str, suffix: str) -> list[Path]:
        found = (self.folder / folder).glob(f"*{suffix}")
        return [path for path in found if not path.name.startswith(".")]  # not one that is being written


@lru_cache(maxsize=10_000)
def _about(path: Path) -> dict[str, str]:
    """From the header; a film's file never changes."""
    import pydicom

    header = pydicom.dcmread(path, specific_tags=list(_SHOWN), stop_before_pixels=True)
    return {name: str(header.get(name) or "") for name in _SHOWN}


def _text(path: Path) -> str:
    """Empty where the file is not, or not any more."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
