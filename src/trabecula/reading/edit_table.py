"""Set cells of the table of cases; every other byte of a CSV stays as it was written."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import Fault, InvalidInput
from ..storage import write_atomically


def set_cells(path: Path, key: tuple[str, str], cells: Mapping[str, str]) -> None:
    """In the one row whose column ``key[0]`` holds ``key[1]``, set each heading's cell; the file is replaced whole.

    Headings are the table's own. Refused where there is no such row or heading, or more than one such row.
    """
    write = _in_workbook if path.suffix.lower() == ".xlsx" else _in_text
    write(path, key, cells)


def _in_text(path: Path, key: tuple[str, str], cells: Mapping[str, str]) -> None:
    content = path.read_bytes()
    encoding = "utf-8"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        encoding = "gb18030"
        text = content.decode(encoding)
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    records = list(_records(text[len(mark) :], delimiter))
    headings = next(([cell.strip() for cell in row] for _, row in records if any(row)), [])
    number = _place(path, [row for _, row in records], headings, key, cells)
    raw, row = records[number]
    row += [""] * (len(headings) - len(row))
    for heading, cell in cells.items():
        row[headings.index(heading)] = cell
    end = raw[len(raw.rstrip("\r\n")) :]
    line = io.StringIO(newline="")
    csv.writer(line, delimiter=delimiter, lineterminator=end).writerow(row)
    parts = [raw for raw, _ in records]
    parts[number] = line.getvalue()
    write_atomically(path, (mark + "".join(parts)).encode(encoding))


def _records(text: str, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Each record as it is written, with its end, and its cells."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            taken.append(line)
            yield line

    for row in csv.reader(lines(), delimiter=delimiter, strict=True):
        yield "".join(taken), row
        taken.clear()


def _in_workbook(path: Path, key: tuple[str, str], cells: Mapping[str, str]) -> None:
    import openpyxl

    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    rows = [["" if cell is None else str(cell).removesuffix(".0") for cell in row] for row in sheet.values]
    first = next((number for number, row in enumerate(rows) if any(row)), 0)
    headings = [cell.strip() for cell in rows[first]] if rows else []
    number = _place(path, rows, headings, key, cells)
    for heading, cell in cells.items():
        sheet.cell(number + 1, headings.index(heading) + 1).value = cell
    buffer = io.BytesIO()
    book.save(buffer)
    write_atomically(path, buffer.getvalue())


def _place(
    path: Path, rows: list[list[str]], headings: list[str], key: tuple[str, str], cells: Mapping[str, str]
) -> int:
    column, wanted = key
    faults = [
        Fault(f"{path.name}, column {name}", "absent; found " + ", ".join(headings), "present", "Add it.")
        for name in (column, *cells)
        if name not in headings
    ]
    if faults:
        raise InvalidInput(faults)
    at = headings.index(column)
    found = [number for number, row in enumerate(rows) if len(row) > at and row[at].strip() == wanted]
    if len(found) != 1:
        raise InvalidInput([Fault(f"{path.name}, {column} {wanted}", f"{len(found)} rows", "one row")])
    return found[0]
