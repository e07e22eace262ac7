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
        """Set cells of the one row of a case, as ``set_cells`` does."""
        named = {self.headings.get(name, name): cell for name, cell in cells.items()}
        return set_cells(self.path, (self.headings.get("case_id", "case_id"), case_id), named)

    def set_region(self, case_id: str, region: str) -> bool:
        """Set a region of its own; a value that would point into another mask goes."""
        return self.set(case_id, {"region": region} | dict.fromkeys({"region_value"} & self.headings.keys(), ""))


def open_table(folder: Path, settings: Settings) -> OpenTable:
    """The table that a study of films names."""
    assert settings.data.cases is not None, "the caller has seen that it begins with films"
    path = folder / settings.data.cases
    written, rows = read_table(path)
    ours = {heading: settings.data.columns.get(heading, heading) for heading in written}
    renamed = ({ours[heading]: cell for heading, cell in row.items()} for row in rows)
    return OpenTable(path, {name: heading for heading, name in ours.items()}, tuple(renamed))


_EDITING = threading.Lock()  # a request a thread: the second reads what the first wrote


def set_cells(path: Path, key: tuple[str, str], cells: Mapping[str, str], *, only_empty: bool = False) -> bool:
    """In the one row whose column ``key[0]`` holds ``key[1]``, set each heading's cell; True where that changed any.

    Headings are the table's own; one that is absent is added on the right. ``only_empty`` leaves alone what is filled
    in. The file is replaced whole and keeps its encoding, its separator and its line ends; refused where the row is
    absent or not the only one.
    """
    name, wanted = key
    with _EDITING:
        headings, rows = read_table(path)
        found = [row for row in rows if row.get(name) == wanted]
        if len(found) != 1:
            raise InvalidInput([Fault(f"{path.name}, {name} {wanted}", f"{len(found)} rows", "one row")])
        changed = {
            heading: cell
            for heading, cell in cells.items()
            if found[0].get(heading, "") != cell and not (only_empty and found[0].get(heading))
        }
        if changed:
            write = _xlsx_with if path.suffix.lower() == ".xlsx" else _csv_with
            write_atomically(path, write(path, headings, key, changed))
    return bool(changed)


def _csv_with(path: Path, headings: Sequence[str], key: tuple[str, str], cells: Mapping[str, str]) -> bytes:
    content = path.read_bytes()
    try:
        text, encoding = content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        text, encoding = content.decode("gb18030"), "gb18030"
    mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    new = [heading for heading in cells if heading not in headings]
    made: list[str] = []
    first: list[str] = []
    for piece, row in _pieces(text, delimiter):
        filled = any(cell.strip() for cell in row)
        if filled and not first:
            first = [cell.strip() for cell in row]
            wished = [*row, *new]
        else:
            named = dict(zip(first, row, strict=False))
            is_it = named.get(key[0], "").strip() == key[1]
            wished = [({**named, **cells} if is_it else named).get(heading, "") for heading in (*first, *new)]
            filled = filled and (is_it or bool(new))
        end = piece[len(piece.rstrip("\r\n")) :]
        made.append(_line(wished, delimiter) + end if filled and (new or wished != row) else piece)
    return mark + "".join(made).encode(encoding)


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


def _xlsx_with(path: Path, headings: Sequence[str], key: tuple[str, str], cells: Mapping[str, str]) -> bytes:
    import openpyxl

    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    filled = [row for row in sheet.iter_rows() if any(cell.value not in (None, "") for cell in row)]
    column = {str(cell.value).strip(): cell.column for cell in filled[0] if cell.value is not None}
    for heading in cells:
        if heading not in headings:
            column[heading] = max(column.values()) + 1
            sheet.cell(filled[0][0].row, column[heading], heading)
    for row in filled[1:]:
        number = row[0].row
        value = sheet.cell(number, column[key[0]]).value
        if (str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)).strip() == key[1]:
            for heading, cell in cells.items():
                sheet.cell(number, column[heading], cell)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()
