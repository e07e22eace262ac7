"""One of N parts of a long work, for array jobs: no engine, any order, any number at once."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..errors import Fault, InvalidInput
from ..storage import write_atomically

_Item = TypeVar("_Item")
_WORDS = re.compile(r"(\d{1,9})/(\d{1,9})")


@dataclass(frozen=True)
class Shard:
    """The ``number``-th of ``count`` parts, counted from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read I/N."""
        found = _WORDS.fullmatch(text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            count = found[2] if found and int(found[2]) else "10"
            action = f"Number the jobs of an array from 1, as sbatch --array=1-{count} does."
            raise InvalidInput([Fault("--shard", repr(text), f"I/N, from 1/{count} to {count}/{count}", action)])
        return cls(int(found[1]), int(found[2]))

    def of(self, items: Sequence[_Item]) -> Sequence[_Item]:
        """Its own of the items: every ``count``-th."""
        return items[self.number - 1 :: self.count]

    def note_end(self, notes: Path) -> None:
        """Leave word that this job did all its work."""
        write_atomically(notes / f"{self.number}-of-{self.count}", "")


def take_missing(notes: Path) -> tuple[str, ...]:
    """The jobs of the latest array that left no word that they did all their work; all words are forgotten."""
    ended = sorted(notes.glob("*-of-*"), key=lambda note: note.stat().st_mtime)
    if not ended:
        return ()
    count = int(ended[-1].name.rpartition("-of-")[2])
    names = {note.name for note in ended}
    shutil.rmtree(notes)
    return tuple(f"{number}/{count}" for number in range(1, count + 1) if f"{number}-of-{count}" not in names)
