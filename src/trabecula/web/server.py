"""The local app: its screens behind the guard, one process, one browser."""

import contextlib
import mimetypes
import socket
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import APIRouter, FastAPI, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from ..errors import InvalidInput, TrabeculaError
from . import agreement, annotate, cases, predict, report, study
from .page import SCREENS, render
from .predict import refusal
from .running import Runner
from .security import Guard, Protect
from .state import State, state_of
from .words import COOKIE, LANGUAGES, language_of, words

_STATIC = Path(__file__).with_name("static")
mimetypes.add_type("text/javascript", ".js")  # a Windows registry may say otherwise, and no browser would run it

router = APIRouter()


def make_app(state: State) -> FastAPI:
    """The app over a study, a bundle or both; nothing is read before a page asks, and a run ends with it."""
    runner = None if state.study is None else Runner(state.study)

    @contextlib.asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        if runner is not None:
            await run_in_threadpool(runner.close)

    app = FastAPI(
        title="Trabecula", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=life
    )
    app.state.started, app.state.runner = state, runner
    app.include_router(router)
    for room in (cases, study, report, annotate, agreement, predict):
        app.include_router(room.router)
    app.state.screens = [name for name in SCREENS if state.study or name == "predict"]
    app.mount("/static", StaticFiles(directory=_STATIC))
    app.add_exception_handler(TrabeculaError, _in_words)
    app.add_exception_handler(HTTPException, _not_here)
    app.add_middleware(Guard, token=state.token)
    app.add_middleware(Protect)  # outermost: refusals have its headers too
    return app


def serve_app(state: State, listening: socket.socket, opened: Callable[[], object] | None = None) -> None:
    """Answer on a socket until Ctrl-C; ``opened`` is called once the app answers."""
    app = make_app(state)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=5, ws="none"
    )
    if opened is not None:
        threading.Timer(0.5, opened).start()  # the socket listens already: a browser that is sooner waits
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


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
        return refusal(422, str(error), faults)
    return render(asked, "faults.html", 422, message=str(error), faults=faults)


def _not_here(asked: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "the handler is for no other"
    if asked.url.path.startswith("/api/"):
        return refusal(error.status_code, error.detail)
    key = "page_absent" if error.status_code == 404 else "page_refused"
    return render(asked, "faults.html", error.status_code, message=words(language_of(asked))[key], faults=())
