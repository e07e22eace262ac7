"""One of N parts of a long work, for array jobs: no engine, any order, any number at once."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..errors import Fault, InvalidInput

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
