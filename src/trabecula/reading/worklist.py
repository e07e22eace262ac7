"""The cases that a reader is to draw: the table without what a reader must not know, and regions that may be absent."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import Fault, InvalidInput
from ..settings import FILE_NAME, ImageSettings, read_settings
from .cases import missing_columns
from .edit_table import OpenTable, open_table

_NEEDED = ("case_id", "image")


@dataclass(frozen=True)
class ToDraw:
    """A case for a reader's eyes: neither class nor cohort. ``region`` is what the table names, "" where nothing."""

    case_id: str
    image: Path
    region: str
    level: str
    view: str
    anterior: str


@dataclass(frozen=True)
class Worklist:
    """The cases of a study in the order of its table."""

    folder: Path
    table: OpenTable
    image: ImageSettings
    cases: tuple[ToDraw, ...]

    def case(self, case_id: str) -> ToDraw | None:
        """The case of that name."""
        return next((case for case in self.cases if case.case_id == case_id), None)


def read_worklist(folder: Path) -> Worklist:
    """The cases of a study's table as far as they can be drawn: rows without a name or a film are left out."""
    settings, faults = read_settings(folder / FILE_NAME)
    if settings is None:
        raise InvalidInput(faults)
    if settings.data.cases is None:
        found = "a study that starts from features"
        raise InvalidInput([Fault(f"{FILE_NAME}, data.cases", found, "a table of cases with films to draw on")])
    table = open_table(folder, settings)
    if missing := missing_columns(table.path.name, list(table.headings), _NEEDED):
        raise InvalidInput(missing)
    cases = {}
    for row in table.rows:
        name, image, region, level, view, anterior = (row.get(column, "") for column in _CELLS)
        if name and image:
            cases[name] = ToDraw(name, folder / image, region, level, view, anterior)
    return Worklist(folder, table, settings.image, tuple(cases.values()))


_CELLS = (*_NEEDED, "region", "level", "view", "anterior")
