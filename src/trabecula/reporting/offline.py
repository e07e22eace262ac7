"""Pages that need nothing beside them: one way to read a template, and the style sheets within it."""

import functools
from pathlib import Path

import jinja2
from markupsafe import Markup

_TEMPLATES = Path(__file__).with_name("templates")


def templates() -> jinja2.Environment:
    """The templates; what is put into one is escaped, and a name that nobody gave is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def template(name: str) -> jinja2.Template:
    """One of them, compiled once: a run has a page for every case."""
    return templates().get_template(name)


@functools.cache
def style(*names: str) -> Markup:
    """Our own style sheets, one after the other."""
    return Markup("".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in names))  # noqa: S704
