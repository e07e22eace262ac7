"""What a paper takes from a run, as files beside the page: tables, methods, checklists, figures for a journal."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..storage import write_atomically
from .checklists import checklist_files, checklists
from .documents import sheet_files
from .drawings import drawings
from .journal import FORMATS as PICTURES
from .journal import UNSHOWN, journal_files
from .methods import methods
from .recorded import Recorded
from .sheets import sheets

FORMATS = (*PICTURES, "docx", "tex")


def write_exports(folder: Path, run: Recorded, formats: Sequence[str] = ()) -> None:
    """Write methods.md, checklists/ and tables/ (CSV); what ``formats`` names (see ``FORMATS``) beside them."""
    if set(formats) & set(PICTURES):
        (folder / UNSHOWN).unlink(missing_ok=True)
    for path, content in _files(run, formats):
        write_atomically(folder / path, content)


def lacking_letters(folder: Path) -> list[str]:
    """What the figures for a journal say they could not draw."""
    said = folder / UNSHOWN
    return [said.read_text(encoding="utf-8").strip()] if said.exists() else []


def _files(run: Recorded, formats: Sequence[str]) -> Iterator[tuple[str, bytes | str]]:
    text = methods(run)
    yield "methods.md", text.markdown()
    if "docx" in formats:
        yield "methods.docx", text.docx()
    yield from checklist_files(checklists(run), docx="docx" in formats)
    yield from sheet_files(sheets(run), formats)
    pictures = [name for name in PICTURES if name in formats]
    if pictures:
        yield from journal_files(lambda: drawings(run), pictures)
