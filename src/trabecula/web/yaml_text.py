"""One key of a YAML text set or taken out; comments, order and spelling of all the rest stay as they were."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from ..errors import Fault, InvalidInput
from ..plain_text import yaml_of
from ..settings import FILE_NAME

_WIDE = 10**6  # one value, one line


def set_key(text: str, keys: Sequence[str], value: Any) -> str:
    """Set the value under a path of keys; None takes the key out, and a section that is empty then with it.

    InvalidInput where the text is no mapping, or spells it in a way that cannot be edited by key (anchors).
    """
    root = _root(text)
    wanted = _with(yaml_of(text) or {}, keys, value)
    made = _put(text, root, keys, value) if value is not None else _taken_out(text, root, keys, wanted)
    try:
        same = (yaml_of(made) or {}) == wanted
    except ValueError:
        same = False
    if not same:
        found = "a spelling that cannot be changed by key"
        raise InvalidInput([Fault(f"{FILE_NAME}, {'.'.join(keys)}", found, "plain keys", "Change the text itself.")])
    return made


def _root(text: str) -> yaml.MappingNode | None:
    try:
        yaml_of(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except ValueError as error:
        words = " ".join(str(error).split())[:160]
        raise InvalidInput([Fault(FILE_NAME, f"cannot be read ({words})", "YAML", "Mend the text first.")]) from None
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise InvalidInput([Fault(FILE_NAME, "no keys", "keys such as classes: and data:", "Mend the text first.")])
    return root


def _with(content: Any, keys: Sequence[str], value: Any) -> dict[str, Any]:
    """The content as it shall be read again."""
    made = dict(content) if isinstance(content, Mapping) else {}
    if len(keys) > 1:
        inner = _with(made.get(keys[0]), keys[1:], value)
        value = inner if inner or value is not None else None
    if value is None:
        made.pop(keys[0], None)
    else:
        made[keys[0]] = value
    return made


def _put(text: str, node: yaml.MappingNode | None, keys: Sequence[str], value: Any) -> str:
    if node is None:
        return f"{text.rstrip()}\n{_line(keys, value)}\n".lstrip("\n")
    for key, inner in node.value:
        if key.value == keys[0]:
            if len(keys) > 1 and isinstance(inner, yaml.MappingNode) and inner.value:
                return _put(text, inner, keys[1:], value)
            new = _flow(value) if len(keys) == 1 else "{" + _line(keys[1:], value) + "}"
            return f"{text[: key.end_mark.index]}: {new}{text[_end(inner, key) :]}"
    if node.flow_style:
        last = _end(node.value[-1][1], node.value[-1][0]) if node.value else node.start_mark.index + 1
        return text[:last] + (", " if node.value else "") + _line(keys, value) + text[last:]
    first, last = node.value[0][0], _end(node.value[-1][1], node.value[-1][0])
    stop = text.find("\n", last)
    before, after = (text, "") if stop < 0 else (text[:stop], text[stop + 1 :])
    return f"{before}\n{' ' * first.start_mark.column}{_line(keys, value)}\n{after}"


def _taken_out(text: str, root: yaml.MappingNode | None, keys: Sequence[str], wanted: dict[str, Any]) -> str:
    """Without the key; of sections that are empty then, without the outermost."""
    node, left = root, wanted
    for depth, name in enumerate(keys):
        pair = next(((k, v) for k, v in node.value if k.value == name), None) if node is not None else None
        if node is None or pair is None:
            return text
        if depth == len(keys) - 1 or name not in left:
            return _without(text, node, pair, left)
        node, left = (pair[1] if isinstance(pair[1], yaml.MappingNode) else None), left[name]
    return text


def _without(text: str, node: yaml.MappingNode, pair: tuple[Any, Any], left: dict[str, Any]) -> str:
    if node.flow_style or not left:
        return text[: node.start_mark.index] + _flow(left) + text[_end(node) :]
    start, last = pair[0].start_mark.index - pair[0].start_mark.column, _end(pair[1], pair[0])
    stop = text.find("\n", last)
    return text[:start] + ("" if stop < 0 else text[stop + 1 :])


def _end(node: yaml.Node, key: yaml.Node | None = None) -> int:
    """Where a node's own text ends: a block's mark lies behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1], last[0]) if isinstance(last, tuple) else _end(last)
    if key is not None and node.start_mark.index == node.end_mark.index:
        return key.end_mark.index + 1  # nothing after the colon
    if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        return node.end_mark.index - 1
    return node.end_mark.index


def _line(keys: Sequence[str], value: Any) -> str:
    new = _flow(value)
    for key in reversed(keys[1:]):
        new = f"{{{_flow(key)}: {new}}}"
    return f"{_flow(keys[0])}: {new}"


def _flow(value: Any) -> str:
    made = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=_WIDE, sort_keys=False)
    return made.removesuffix("\n").removesuffix("\n...")
