"""Settings -> the fields of a form, and what is typed into them -> values of study.yaml."""

import functools
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ..plain_text import yaml_of
from ..settings import Settings

Kind = Literal["section", "switch", "choice", "choices", "number", "numbers", "list", "count", "yaml", "text"]
_LEFT_OUT = {"schema"}


@dataclass(frozen=True)
class Entry:
    """One field of the form: where it stands in the file, how it is asked for, what holds without it."""

    keys: tuple[str, ...]
    kind: Kind
    options: tuple[str, ...] = ()
    default: str = ""

    @property
    def name(self) -> str:
        """The keys as the file's faults name them."""
        return ".".join(self.keys)

    @property
    def word(self) -> str:
        """Under which key the words of every language have its label."""
        return "set_" + "_".join(self.keys)


@functools.cache
def entries() -> dict[str, Entry]:
    """Every setting by its dotted name, in the order of the settings; a section that may be left out has a switch."""
    return {entry.name: entry for entry in _entries(Settings, ())}


def groups() -> dict[str, list[Entry]]:
    """The fields by the section they are in; those of the study itself under "study"."""
    made: dict[str, list[Entry]] = {"study": []}
    for entry in entries().values():
        made.setdefault(entry.keys[0] if len(entry.keys) > 1 or entry.kind == "section" else "study", []).append(entry)
    return made


def values(content: Any) -> dict[str, str]:
    """What the file says, as each field shows it; absent where its default holds."""
    found = {}
    for name, entry in entries().items():
        value, there = content, True
        for key in entry.keys:
            there = there and isinstance(value, Mapping) and key in value
            value = value[key] if there else None
        if there and not (entry.kind == "section" and value is None):
            found[name] = "true" if entry.kind == "section" else shown(value)
    return found


def typed(entry: Entry, text: str) -> Any:
    """The value that a field's text stands for; None where it is empty, so that the default holds."""
    text = text.strip()
    if not text or (entry.kind == "section" and text != "true"):
        return None
    if entry.kind == "section":
        return {}
    parts = [part.strip() for part in text.replace("，", ",").split(",") if part.strip()]
    if entry.kind in {"list", "choices"} or (entry.kind == "count" and not text.isdecimal()):
        return parts
    if entry.kind == "numbers":
        return [_loaded(part) for part in parts]
    return text if entry.kind in {"text", "choice"} else _loaded(text)


def shown(value: Any) -> str:
    """A value as a field shows it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    if isinstance(value, str):
        return value
    made = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return made.removesuffix("\n").removesuffix("\n...")


def _loaded(text: str) -> Any:
    try:
        return yaml_of(text)
    except ValueError:
        return text  # the settings will say what is wrong with it


def _entries(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[Entry]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key in _LEFT_OUT:
            continue
        keys, kind = (*above, key), _without_none(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if type(None) in get_args(field.annotation) and field.default is None:
                yield Entry(keys, "section")
            yield from _entries(kind, keys)
        else:
            yield Entry(keys, *_asked(kind), _default(field))


def _asked(annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "choice", tuple(map(str, inside))
    if origin is tuple:
        options = get_args(inside[0]) if get_origin(inside[0]) is Literal else ()
        return ("choices", tuple(map(str, options))) if options else ("list" if inside[0] is str else "numbers", ())
    if annotation is bool:
        return "switch", ("true", "false")
    if int in inside:
        return "count", ()
    return ("number" if annotation in (int, float) else "text" if annotation is str else "yaml"), ()


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    others = [one for one in get_args(annotation) if one is not type(None)]
    return others[0] if len(others) == 1 else annotation


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    return "" if value is None or value in ((), {}) else shown(value)
