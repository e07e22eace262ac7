"""Where a tuning stands after an epoch, in one file that is whole or absent; tensors and JSON, nothing pickled."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ..storage import write_atomically
from .weights import METADATA, read_metadata

Arrays: TypeAlias = Mapping[str, np.ndarray]

_PARTS = ("now", "best", "first", "second")


@dataclass(frozen=True)
class Epoch:
    """Mean loss of the training rows, as they were augmented and while they were learnt; of the validation part after.

    NaN: not known.
    """

    training: float
    validation: float


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The learnt tensors ``now`` and at the ``best`` epoch (``kept``), AdamW's two moments and the steps so far.

    ``history`` begins with the state before the first epoch. Chance needs no state: each epoch draws anew from the seed
    and its own number.
    """

    now: Arrays
    best: Arrays
    first: Arrays
    second: Arrays
    steps: int
    history: tuple[Epoch, ...]
    kept: int

    def is_over(self, epochs: int, patience: int | None) -> bool:
        """Whether all epochs are done, or the best one lies ``patience`` epochs back."""
        done = len(self.history) - 1
        return done >= epochs or (patience is not None and done - self.kept >= patience)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write it in one step."""
    from safetensors.numpy import save

    tensors = {f"{part} {key}": value for part in _PARTS for key, value in getattr(checkpoint, part).items()}
    told = {"steps": checkpoint.steps, "kept": checkpoint.kept, "history": [asdict(one) for one in checkpoint.history]}
    write_atomically(path, save(tensors, {METADATA: json.dumps(told)}))


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Read what write_checkpoint wrote; None where there is nothing, or nothing whole: the tuning begins anew."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if not path.exists():
        return None
    content = path.read_bytes()
    told = read_metadata(content)
    parts: dict[str, dict[str, np.ndarray]] = {part: {} for part in _PARTS}
    try:
        for name, value in load(content).items():
            part, _, key = name.partition(" ")
            parts[part][key] = value
        history = tuple(Epoch(float(one["training"]), float(one["validation"])) for one in told["history"])
        steps, kept = told["steps"], told["kept"]
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if type(steps) is not int or type(kept) is not int or not 0 <= kept < len(history):
        return None
    ordered = {part: dict(sorted(tensors.items())) for part, tensors in parts.items()}
    return Checkpoint(**ordered, steps=steps, history=history, kept=kept)


def epochs_done(path: Path) -> int:
    """How many epochs the checkpoint at this place has behind it, without its tensors being read."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
            head += file.read(min(int.from_bytes(head, "little"), path.stat().st_size))
        return max(len(read_metadata(head)["history"]) - 1, 0)
    except (OSError, KeyError, TypeError):
        return 0
