"""JSON and YAML from strangers -> plain values; ValueError, in words, for all that is no such text or would swell."""

import json
from typing import Any

import yaml

_LARGEST = 1 << 20  # letters of a YAML text, which PyYAML reads slowly
_MOST = 100_000  # values of a YAML text once its aliases are written out
_LONGEST_NUMBER = 100  # letters
_TOO_DEEP = "values nested too deeply"


def json_of(text: str | bytes) -> Any:
    """What a JSON text says."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def yaml_of(text: str) -> Any:
    """What a YAML text says, plain values alone; None for an empty one."""
    if len(text) > _LARGEST:
        raise ValueError(f"{len(text):,} letters, more than {_LARGEST:,}")
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            if _weight(node, {}) > _MOST:
                raise ValueError(f"more than {_MOST:,} values once its aliases are written out")
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except Exception as error:  # noqa: BLE001 of a bad date, number or tag the constructors fail in any way
        raise ValueError(" ".join(str(error).split()) or "a value that is none of its kind") from None


def _weight(node: yaml.Node, known: dict[int, float]) -> float:
    """How many values a node stands for, with every alias below it written out; long texts count for more."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = float("inf")  # an alias within what it stands for has no end
    weight = 1.0
    if isinstance(node, yaml.ScalarNode):
        if node.tag.endswith((":int", ":float")) and len(node.value) > _LONGEST_NUMBER:
            raise ValueError(f"a number of {len(node.value):,} letters")
        weight += len(node.value) / 10
    elif isinstance(node, yaml.MappingNode):
        weight += sum(_weight(key, known) + _weight(value, known) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        weight += sum(_weight(one, known) for one in node.value)
    known[id(node)] = weight
    return weight
