"""The cases that a reader is to draw: the table without what a reader must not know, and regions that may be absent."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import Fault, InvalidInput
from ..settings import FILE_NAME, ImageSettings, read_settings
from .cases import missing_columns, read_table
from .edit_table import set_cells

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
    table: Path
    image: ImageSettings
    headings: dict[str, str]  # our name of a column -> the table's own
    cases: tuple[ToDraw, ...]

    def case(self, case_id: str) -> ToDraw | None:
        """The case of that name."""
        return next((case for case in self.cases if case.case_id == case_id), None)

    def set_region(self, case_id: str, region: str) -> bool:
        """Write a region of its own into the case's row; a value that would point into another mask goes."""
        cells = {self.headings.get("region", "region"): region}
        if "region_value" in self.headings:
            cells[self.headings["region_value"]] = ""
        return set_cells(self.table, (self.headings["case_id"], case_id), cells)


def read_worklist(folder: Path) -> Worklist:
    """The cases of a study's table as far as they can be drawn: rows without a name or a film are left out."""
    settings, faults = read_settings(folder / FILE_NAME)
    if settings is None:
        raise InvalidInput(faults)
    if settings.data.cases is None:
        found = "a study that starts from features"
        raise InvalidInput([Fault(f"{FILE_NAME}, data.cases", found, "a table of cases with films to draw on")])
    table = folder / settings.data.cases
    written, rows = read_table(table)
    headings = {settings.data.columns.get(heading, heading): heading for heading in written}
    if missing := missing_columns(table.name, list(headings), _NEEDED):
        raise InvalidInput(missing)
    cases = {}
    for row in rows:
        name, image, region, level, view, anterior = (row.get(headings.get(column, ""), "") for column in _CELLS)
        if name and image:
            cases[name] = ToDraw(name, folder / image, region, level, view, anterior)
    return Worklist(folder, table, settings.image, headings, tuple(cases.values()))


_CELLS = (*_NEEDED, "region", "level", "view", "anterior")
