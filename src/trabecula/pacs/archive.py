"""What an archive is to us, whichever way it is spoken to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Level = Literal["STUDY", "SERIES", "IMAGE"]
FILMS = ("CR", "DX")  # modalities


@dataclass(frozen=True)
class Fetched:
    """One file that was asked for: its bytes, or the reason why there are none."""

    sop: str
    content: bytes = b""
    reason: str = ""


@dataclass(frozen=True)
class Stored:
    """One file that was sent; ``reason`` says why it was not stored, and is empty where it was."""

    path: Path
    reason: str = ""


class Archive(Protocol):
    """A PACS; every call raises ArchiveUnavailable where it cannot be reached or refuses."""

    def echo(self) -> list[str]:
        """Ask whether it answers, and whether it answers queries; what it said, in words."""
        ...

    def find(self, level: Level, keys: Mapping[str, str]) -> list[Any]:
        """The datasets that match ``keys``: DICOM keyword -> value; an empty value asks for it back."""
        ...

    def fetch(self, study: str, series: str, sops: Sequence[str]) -> Iterator[Fetched]:
        """The files, as they come."""
        ...

    def store(self, paths: Iterable[Path]) -> Iterator[Stored]:
        """Send files, each once; one that is there already is stored."""
        ...
