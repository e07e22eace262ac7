"""The local app: its screens behind the guard, one process, one browser."""

import importlib
import importlib.util
import mimetypes
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, FastAPI, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from ..errors import InvalidInput, TrabeculaError
from .page import render
from .security import Guard, Protect
from .state import State, state_of
from .words import COOKIE, LANGUAGES, language_of, words

_STATIC = Path(__file__).with_name("static")
_ROOMS = ("cases", "study", "report", "annotate", "agreement", "predict")  # modules with a `router`
mimetypes.add_type("text/javascript", ".js")  # a Windows registry may say otherwise, and no browser would run it

router = APIRouter()


def make_app(state: State) -> FastAPI:
    """The app over a study, a bundle or both; nothing is read before a page asks."""
    app = FastAPI(title="Trabecula", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.started = state
    app.include_router(router)
    for name in _ROOMS:
        if importlib.util.find_spec(f"{__package__}.{name}"):
            app.include_router(importlib.import_module(f".{name}", __package__).router)
    app.mount("/static", StaticFiles(directory=_STATIC))
    app.add_exception_handler(TrabeculaError, _in_words)
    app.add_exception_handler(HTTPException, _not_here)
    app.add_middleware(Guard, token=state.token)
    app.add_middleware(Protect)  # outermost: refusals have its headers too
    return app


@router.get("/")
def home(asked: Request) -> Response:
    """The first screen: cases where there is a study, else the bundle's."""
    return RedirectResponse("/cases" if state_of(asked).study or not state_of(asked).bundle else "/predict", 303)


@router.get("/words.json")
def phrases(asked: Request) -> JSONResponse:
    """The words of the chosen language, for scripts."""
    return JSONResponse(dict(words(language_of(asked))))


@router.post("/language")
def choose_language(language: Annotated[str, Form()], back: Annotated[str, Form()] = "/") -> Response:
    """Keep the chosen language and go back to the page."""
    inside = back.startswith("/") and not back.startswith(("//", "/\\"))
    answer = RedirectResponse(back if inside else "/", 303)
    if language in LANGUAGES:
        answer.set_cookie(COOKIE, language, max_age=31_536_000, httponly=True, samesite="strict")
    return answer


def _in_words(asked: Request, error: Exception) -> Response:
    """What Trabecula foresaw: all faults at once, as JSON to a script and as a page to a reader."""
    faults = error.faults if isinstance(error, InvalidInput) else ()
    if asked.url.path.startswith("/api/"):
        said = [{"where": f.where, "found": f.found, "expected": f.expected, "action": f.action} for f in faults]
        return JSONResponse({"message": str(error), "faults": said}, 422)
    return render(asked, "faults.html", 422, message=str(error), faults=faults)


def _not_here(asked: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "the handler is for no other"
    if asked.url.path.startswith("/api/"):
        return JSONResponse({"message": error.detail, "faults": []}, error.status_code)
    key = "page_absent" if error.status_code == 404 else "page_refused"
    return render(asked, "faults.html", error.status_code, message=words(language_of(asked))[key], faults=())
