"""Films with regions marked on them: what every layout writes and reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from ...errors import Fault
from ...records import Inside, Xray
from ..outline import Points


@dataclass(frozen=True, eq=False)
class Cut:
    """A region kept as the box around it, so that those of a thousand films fit into memory."""

    shape: tuple[int, int]
    top: int
    left: int
    inside: Inside

    @classmethod
    def of(cls, inside: Inside) -> "Cut":
        """The smallest box; empty for an empty region."""
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        shape = (int(inside.shape[0]), int(inside.shape[1]))
        if not rows.size:
            return cls(shape, 0, 0, np.zeros((0, 0), dtype=bool))
        box = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return cls(shape, int(rows[0]), int(columns[0]), np.ascontiguousarray(box))

    @property
    def whole(self) -> Inside:
        """The region on the grid of its film."""
        out = np.zeros(self.shape, dtype=bool)
        rows, columns = self.inside.shape
        out[self.top : self.top + rows, self.left : self.left + columns] = self.inside
        return out

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width, height in pixels."""
        return self.left, self.top, self.inside.shape[1], self.inside.shape[0]


@dataclass(frozen=True, eq=False)
class Mark:
    """One case on its way out; ``value`` is its number in a label map of its film, ``name`` what that number means."""

    case_id: str
    cut: Cut
    value: int
    name: str
    points: Points | None = None  # x, y, whole numbers at pixel centres, in outline.ORDER


@dataclass(frozen=True, eq=False)
class Film:
    """One film on its way out, under a name that no other film of the export has."""

    name: str
    image: Path
    xray: Xray
    marks: tuple[Mark, ...]
    patient_id: str = ""
    training: bool = True  # all its cases are


@dataclass(frozen=True, eq=False)
class Found:
    """One region on its way in, and who it is as far as its file says.

    ``named``: words that may be a case's id. ``group``: parts of one region share it. ``points`` are six clicks.
    """

    where: str
    film: str
    cut: Cut | None
    named: tuple[str, ...] = ()
    level: str = ""
    value: int | None = None
    group: str = ""
    points: Points | None = None


@dataclass(frozen=True)
class Haul:
    """All that a source holds, and everything that is wrong with it."""

    found: tuple[Found, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class About:
    """What an export is of: the study's name, the meaning of each value in a label map, the free columns by case."""

    study: str
    names: Mapping[int, str]
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Write(Protocol):
    """Writes films, one after another, into a new folder."""

    def __call__(self, films: Iterable[Film], folder: Path, about: About) -> None: ...  # noqa: D102


class Read(Protocol):
    """Reads all that a file or folder holds."""

    def __call__(self, source: Path) -> Haul: ...  # noqa: D102


class Recognise(Protocol):
    """Whether a file or folder is of this layout, from its content."""

    def __call__(self, source: Path) -> bool: ...  # noqa: D102
