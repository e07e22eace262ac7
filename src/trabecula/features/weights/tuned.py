"""The file of a network that was tuned here: torchvision's keys with its head, and in its metadata what it is fed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from ...errors import Fault, InvalidInput
from .files import AGAIN, METADATA, read_metadata
from .parse import Weights


@dataclass(frozen=True, eq=False)
class Head:
    """The linear layer behind the average pool: the score of a class is its row times the features, and its bias."""

    classes: tuple[str, ...]
    weight: Float32[np.ndarray, "classes features"]
    bias: Float32[np.ndarray, " classes"]


def pack_tuned(weights: Weights, head: Head, course: Mapping[str, object]) -> bytes:
    """The bytes of a file that parse_weights and read_head read; ``course`` says how it was tuned."""
    from safetensors.numpy import save

    network = weights.architecture
    told = {"weights": weights.record, "network": asdict(network), "classes": head.classes, "course": course}
    tensors = {**weights.state, "fc.weight": head.weight, "fc.bias": head.bias}
    return save(tensors, {METADATA: json.dumps(told)})


def read_head(path: Path) -> Head:
    """The head of a network that was tuned here."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        content = path.read_bytes()
        tensors, classes = load(content), read_metadata(content)["classes"]
        return Head(tuple(classes), tensors["fc.weight"], tensors["fc.bias"])
    except (OSError, KeyError, SafetensorError):
        raise InvalidInput([Fault(path.name, "cannot be read", "a network that was tuned here", AGAIN)]) from None
