"""Screen Cases: a study made of the films in a folder; its table, classes set in place, each reader's progress."""

from collections import Counter
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from ..errors import InvalidInput
from ..reading import films_in
from ..reading.drawn import readers_of, state_of_case
from ..settings import FILE_NAME
from ..workflow.make import start_study
from .page import render
from .state import state_of
from .table import Row, edit_case, film_of, read_cases
from .thumbnails import Small, small_film

router = APIRouter()
_MOST_NAMED = 12


class NewStudy(BaseModel):
    """What the first page asks for."""

    name: str = Field("", max_length=200)
    classes: list[str] = Field(max_length=20)


class Edit(BaseModel):
    """Cells of one case."""

    case_id: str
    cells: dict[str, str]


def study_folder(asked: Request) -> Path:
    """The folder that the app was started on; 404 where it was started on a bundle alone."""
    folder = state_of(asked).study
    if folder is None:
        raise HTTPException(404)
    return folder


@router.get("/cases")
def cases_page(asked: Request) -> Response:
    """The table; without a study.yaml, what is needed to make a study of the films that lie here."""
    folder = study_folder(asked)
    if (folder / FILE_NAME).exists():
        return render(asked, "cases.html")
    films = [path.relative_to(folder).as_posix() for path in films_in(folder)]
    return render(asked, "new_study.html", films=films, most=_MOST_NAMED, folder=folder.resolve())


@router.post("/api/study/new")
def new_study(asked: Request, wish: NewStudy) -> dict[str, Any]:
    """Write study.yaml and cases.csv; nothing is overwritten."""
    classes = [name.strip() for name in wish.classes if name.strip()]
    made = start_study(study_folder(asked), classes, wish.name.strip())
    return {"cases": len(made.rows), "notes": made.notes}


@router.get("/api/cases")
def cases(asked: Request) -> dict[str, Any]:
    """Every case with its state for this reader, and how far each reader is."""
    table, state = read_cases(study_folder(asked)), state_of(asked)
    readers = dict.fromkeys((state.reader, *readers_of(table.folder)))
    states = {reader: [_state(table.folder, reader, row) for row in table.rows] for reader in readers}
    mine = states[state.reader]
    return {
        "classes": table.settings.classes,
        "reader": state.reader,
        "cases": [_told(row, how) for row, how in zip(table.rows, mine, strict=True)],
        "progress": {reader: Counter(how for how, _ in of_reader) for reader, of_reader in states.items()},
    }


@router.post("/api/cases/edit")
def edit(asked: Request, wish: Edit) -> dict[str, Any]:
    """Set cells of one case in the table; all other cells stay."""
    edit_case(read_cases(study_folder(asked)), wish.case_id, wish.cells)
    table = read_cases(study_folder(asked))
    row = table.row(wish.case_id)
    assert row is not None, "the row that was edited"
    return _told(row, _state(table.folder, state_of(asked).reader, row))


@router.get("/api/cases/thumbnail")
def thumbnail(asked: Request, case_id: str) -> Response:
    """The film, small; 404 where it cannot be read."""
    small = _small(study_folder(asked), case_id)
    if not small.png:
        raise HTTPException(404)
    return Response(small.png, media_type="image/png", headers={"Cache-Control": "private, max-age=600"})


@router.get("/api/cases/notes")
def notes(asked: Request, case_id: str) -> dict[str, Any]:
    """What reading the film showed."""
    return {"notes": _small(study_folder(asked), case_id).notes}


def _small(folder: Path, case_id: str) -> Small:
    found = film_of(folder, case_id)
    if found is None:
        raise HTTPException(404)
    return small_film(folder, *found)


def _state(folder: Path, reader: str, row: Row) -> tuple[str, str]:
    """How far the reader is with a case, and what is wrong with his files of it."""
    try:
        return state_of_case(folder, reader, row.case_id), ""
    except InvalidInput as error:
        return "not started", str(error)


def _told(row: Row, state: tuple[str, str]) -> dict[str, Any]:
    how, wrong = state
    of_drawing = (("amiss_drawing", wrong),) if wrong and row.case_id else ()
    return {
        "case_id": row.case_id,
        "patient_id": row.patient_id,
        "film": row.image.name,
        "region": row.region,
        "label": row.label,
        "cohort": row.cohort,
        "state": how.replace(" ", "_"),
        "amiss": (*row.amiss, *of_drawing),
    }
