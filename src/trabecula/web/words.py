"""The words of every screen, one file a language; the browser gets the same ones as JSON."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from starlette.requests import HTTPConnection

LANGUAGES = {"en": "English", "zh": "中文"}
COOKIE = "trabecula-language"
_FOLDER = Path(__file__).with_name("words")


@functools.cache
def words(language: str) -> Mapping[str, str]:
    """Every phrase under its key; in a template `t.key`, with `t.key.format(n=3)` where it holds a number."""
    assert language in LANGUAGES, "language_of gives no other"
    found: dict[str, str] = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return MappingProxyType(found)


def language_of(connection: HTTPConnection) -> str:
    """The language that was chosen, else the first of the browser's that we have, else English."""
    asked = connection.headers.get("accept-language", "").split(",")
    wishes = [connection.cookies.get(COOKIE, ""), *(one.partition(";")[0].partition("-")[0].strip() for one in asked)]
    return next((wish.lower() for wish in wishes if wish.lower() in LANGUAGES), "en")
