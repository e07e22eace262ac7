"""JSON and XML from strangers: of limited size, an object at the top, no document type and so no entities."""

import json
import xml.etree.ElementTree as ElementTree  # noqa: ICN001 a first pass refuses what makes XML dangerous
from pathlib import Path
from typing import Any
from xml.parsers import expat  # S405 does not apply: nothing is resolved by it

from ...errors import InvalidInput
from ..picture import refuse, words

LARGEST = 1 << 28  # bytes


def read_json(path: Path, largest: int = LARGEST) -> dict[str, Any]:
    """An object; refused in words where it is anything else."""
    try:
        content = json.loads(_bytes(path, largest))
    except InvalidInput:
        raise
    except (ValueError, RecursionError) as error:
        raise refuse(path, f"no JSON ({words(error, path)})", "a whole JSON file") from None
    if not isinstance(content, dict):
        raise refuse(path, f"a {type(content).__name__}", "a JSON object")
    return content


def read_xml(path: Path) -> ElementTree.Element:
    """The root element; a document type, in which entities would be declared, is refused unread."""
    content = _bytes(path, LARGEST)
    first = expat.ParserCreate()
    first.StartDoctypeDeclHandler = _no_doctype
    try:
        first.Parse(content, True)
        return ElementTree.fromstring(content)  # noqa: S314 without a document type there is no entity to expand
    except _DoctypeError:
        raise refuse(path, "a document type (<!DOCTYPE ...>)", "annotations alone", "Export it again.") from None
    except (expat.ExpatError, ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise refuse(path, f"no XML ({words(error, path)})", "a whole XML file") from None


class _DoctypeError(Exception):
    pass


def _no_doctype(*_: object) -> None:
    raise _DoctypeError


def _bytes(path: Path, largest: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > largest:
            raise refuse(path, f"{size:,} bytes", f"at most {largest:,}")
        return path.read_bytes()
    except OSError as error:
        raise refuse(path, f"cannot be read ({error.strerror})", "a readable file") from None
