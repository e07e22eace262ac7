"""What a network is run on: the processor, or a GPU that torch can use."""

import importlib.util
from typing import Literal, TypeAlias

from ..errors import Fault, InvalidInput

Device: TypeAlias = Literal["cpu", "cuda", "mps"]
AskedDevice: TypeAlias = Literal["auto", "cpu", "cuda", "mps"]

_NAMES = {"cuda": "NVIDIA GPU", "mps": "Apple GPU"}
_WITHOUT = (
    "Leave --device out: the processor computes the same features. A GPU needs its driver and a PyTorch made for it."
)


def find_device(asked: AskedDevice) -> Device:
    """The device that was asked for, if it is there; ``auto`` is a GPU where torch can use one, else the processor."""
    if asked == "cpu":
        return "cpu"
    present = _gpus()
    if asked == "auto":
        return present[0] if present else "cpu"
    if asked not in present:
        found = f"no {_NAMES[asked]} that PyTorch can use" if _has_torch() else "PyTorch is not installed"
        action = _WITHOUT if _has_torch() else 'Install it: pip install "trabecula[train]".'
        raise InvalidInput([Fault(f"--device {asked}", found, f"an {_NAMES[asked]}", action)])
    return asked


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


def _gpus() -> list[Device]:
    if not _has_torch():
        return []
    import torch

    found: list[tuple[Device, bool]] = [
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
    ]
    return [name for name, there in found if there]
