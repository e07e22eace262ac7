"""Templates -> pages: everything is escaped, every page knows its language, its reader and the way to the others."""

import functools
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from .state import state_of
from .words import LANGUAGES, language_of, words

SCREENS = ("cases", "annotate", "agreement", "study", "report", "predict")  # the words of each are nav_NAME


def render(asked: HTTPConnection, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """One page from a template of ours; it has `t` (words), `state`, `language`, `here` and what is given."""
    language = language_of(asked)
    text = (
        _environment()
        .get_template(template)
        .render(
            t=words(language),
            language=language,
            languages=LANGUAGES,
            state=state_of(asked),
            here=asked.url.path,
            screens=getattr(asked.app.state, "screens", ()),
            **values,
        )
    )
    return HTMLResponse(text, status)


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
