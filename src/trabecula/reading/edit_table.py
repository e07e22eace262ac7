"""The table of cases while it is worked on: cells set in place, every other byte of a CSV file as it was."""

import csv
import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..errors import Fault, InvalidInput
from ..settings import Settings
from ..storage import write_atomically
from .cases import read_table


@dataclass(frozen=True)
class OpenTable:
    """Its rows by our names of columns; ``headings`` are the table's own by ours. Nothing need be filled in yet."""

    path: Path
    headings: Mapping[str, str]
    rows: tuple[dict[str, str], ...]

    def set(self, case_id: str, cells: Mapping[str, str]) -> bool:
        """Set cells of the one row of a case, as ``set_cells`` does; True where that changed any."""
        return bool(self._set({case_id: cells}))

    def set_regions(self, regions: Mapping[str, str]) -> list[str]:
        """Give cases regions of their own; a value that would point into another mask goes. The cases that changed."""
        without = dict.fromkeys({"region_value"} & self.headings.keys(), "")
        return self._set({case_id: {"region": region} | without for case_id, region in regions.items()})

    def _set(self, wanted: Mapping[str, Mapping[str, str]]) -> list[str]:
        def named(cells: Mapping[str, str]) -> dict[str, str]:
            return {self.headings.get(name, name): cell for name, cell in cells.items()}

        column = self.headings.get("case_id", "case_id")
        return set_cells(self.path, column, {case_id: named(cells) for case_id, cells in wanted.items()})


def open_table(folder: Path, settings: Settings) -> OpenTable:
    """The table that a study of films names."""
    assert settings.data.cases is not None, "the caller has seen that it begins with films"
    path = folder / settings.data.cases
    written, rows = read_table(path)
    ours = {heading: settings.data.columns.get(heading, heading) for heading in written}
    renamed = ({ours[heading]: cell for heading, cell in row.items()} for row in rows)
    return OpenTable(path, {name: heading for heading, name in ours.items()}, tuple(renamed))


_EDITING = threading.Lock()  # a request a thread: the second reads what the first wrote


def set_cells(path: Path, column: str, wanted: Mapping[str, Mapping[str, str]]) -> list[str]:
    """For each name, set cells in the one row that holds it in a column; the names of rows that this changed.

    Headings are the table's own; one that is absent is added on the right. The file is replaced whole and keeps its
    encoding, its separator and its line ends; refused where a row is absent or not the only one.
    """
    with _EDITING:
        headings, rows = read_table(path)
        found: dict[str | None, list[dict[str, str]]] = {}
        for row in rows:
            found.setdefault(row.get(column), []).append(row)
        counts = {name: len(found.get(name, ())) for name in wanted}
        faults = [
            Fault(f"{path.name}, {column} {name}", f"{n} rows", "one row") for name, n in counts.items() if n != 1
        ]
        if faults:
            raise InvalidInput(faults)
        changed = {
            name: {heading: cell for heading, cell in cells.items() if found[name][0].get(heading, "") != cell}
            for name, cells in wanted.items()
        }
        changed = {name: cells for name, cells in changed.items() if cells}
        if changed:
            write = _xlsx_with if path.suffix.lower() == ".xlsx" else _csv_with
            write_atomically(path, write(path, headings, column, changed))
    return list(changed)


def _csv_with(path: Path, headings: Sequence[str], column: str, changed: Mapping[str, Mapping[str, str]]) -> bytes:
    content = path.read_bytes()
    try:
        text, encoding = content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        text, encoding = content.decode("gb18030"), "gb18030"
    mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    new = _new_headings(headings, changed)
    made: list[str] = []
    first: list[str] = []
    for piece, row in _pieces(text, delimiter):
        filled = any(cell.strip() for cell in row)
        if filled and not first:
            first = [cell.strip() for cell in row]
            wished = [*row, *new]
        else:
            named = dict(zip(first, row, strict=False))
            cells = changed.get(named.get(column, "").strip(), {})
            wished = [{**named, **cells}.get(heading, "") for heading in (*first, *new)]
            filled = filled and bool(cells or new)
        end = piece[len(piece.rstrip("\r\n")) :]
        made.append(_line(wished, delimiter) + end if filled and (new or wished != row) else piece)
    return mark + "".join(made).encode(encoding)


def _new_headings(headings: Sequence[str], changed: Mapping[str, Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(heading for cells in changed.values() for heading in cells if heading not in headings))


def _pieces(text: str, delimiter: str) -> list[tuple[str, list[str]]]:
    """Each row's own text, its line end with it, beside its cells; a quoted cell may hold line ends."""
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows, ends = [], [0]
    for row in reader:
        rows.append(row)
        ends.append(reader.line_num)
    return [("".join(lines[a:b]), row) for (a, b), row in zip(pairwise(ends), rows, strict=True)]


def _line(row: Sequence[str], delimiter: str) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow(row)  # so that both are quoted in a cell
    return line.getvalue().removesuffix("\r\n")


def _xlsx_with(path: Path, headings: Sequence[str], key: str, changed: Mapping[str, Mapping[str, str]]) -> bytes:
    import openpyxl

    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    filled = [row for row in sheet.iter_rows() if any(cell.value not in (None, "") for cell in row)]
    column = {str(cell.value).strip(): cell.column for cell in filled[0] if cell.value is not None}
    for heading in _new_headings(headings, changed):
        column[heading] = max(column.values()) + 1
        sheet.cell(filled[0][0].row, column[heading], heading)
    for row in filled[1:]:
        number = row[0].row
        value = sheet.cell(number, column[key]).value
        name = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        for heading, cell in changed.get(name.strip(), {}).items():
            sheet.cell(number, column[heading], cell)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()
