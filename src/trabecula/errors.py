"""The tree of errors. Every message names the place, what was found, what was expected and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong with what the user gave, in words a doctor understands.

    ``where`` is the case, file or setting; ``found`` and ``expected`` are phrases without a full stop;
    ``action`` is one sentence that says what to do.
    """

    where: str
    found: str
    expected: str
    action: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.found}; expected {self.expected}."
        return f"{text} {self.action}".rstrip()


class TrabeculaError(Exception):
    """Any failure that Trabecula foresaw; everything else is a bug."""


class InvalidInput(TrabeculaError):
    """What the user gave cannot be used; ``faults`` lists every reason at once."""

    def __init__(self, faults: Iterable[Fault]):
        self.faults = tuple(faults)
        assert self.faults, "InvalidInput needs at least one fault"
        super().__init__("\n".join(map(str, self.faults)))

    def __reduce__(self) -> tuple[type["InvalidInput"], tuple[tuple[Fault, ...]]]:
        return type(self), (self.faults,)


class MissingExtra(TrabeculaError):
    """An optional package is needed and absent; the message says what to install."""


class Interrupted(TrabeculaError):
    """The work stopped before its end; what was finished is kept and the next run goes on."""


class NotWritten(TrabeculaError):
    """A file cannot be written: the disk is full, or the folder may only be read; the message says what to do."""


class WorkerLost(TrabeculaError):
    """A process that shared the work was ended from outside; what was finished is kept."""


class ArchiveUnavailable(TrabeculaError):
    """A PACS cannot be reached, or refuses what it is asked; the message says what to tell whom."""
