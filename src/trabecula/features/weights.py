"""Weights of a ResNet-50: read from a file or drawn from a seed, checked, with the input they want."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float32

from ..errors import Fault, InvalidInput, MissingExtra

Tensor: TypeAlias = Float32[np.ndarray, "..."]
State: TypeAlias = Mapping[str, Tensor]
Shape: TypeAlias = tuple[int, ...]

UNTRAINED = "untrained"
EXPANSION = 4


@dataclass(frozen=True)
class InputConvention:
    """What a set of weights expects: each channel is (grey in 0..1 x ``scale`` - ``mean``) / ``sd``.

    ``mean`` and ``sd`` follow ``channel_order``. ``stride_in`` names the convolution of a block that halves
    the picture: 3x3 (v1.5, torchvision) or 1x1 (v1, Keras). ``epsilon`` is that of batch normalisation.
    """

    channel_order: Literal["RGB", "BGR"]
    mean: tuple[float, float, float]
    sd: tuple[float, float, float]
    scale: float = 1.0
    epsilon: float = 1e-5
    stride_in: Literal["3x3", "1x1"] = "3x3"


@dataclass(frozen=True, eq=False)
class Weights:
    """The parameters of one ResNet-50 under torchvision's keys, without its last, fully connected layer.

    ``sha256`` is of the file's bytes, or of the drawn numbers; ``statement`` says in a sentence what they are.
    """

    name: str
    sha256: str
    state: State
    convention: InputConvention
    pretrained: bool
    statement: str


@dataclass(frozen=True)
class Block:
    """One bottleneck: 1x1 to ``width``, 3x3, 1x1 to four times ``width``; ``stride`` 2 halves the picture."""

    name: str
    inputs: int
    width: int
    stride: int
    has_downsample: bool


def _blocks() -> Iterator[Block]:
    inputs = 64
    for stage, (width, count) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=1):
        for i in range(count):
            stride = 2 if i == 0 and stage > 1 else 1
            yield Block(f"layer{stage}.{i}", inputs, width, stride, has_downsample=i == 0)
            inputs = EXPANSION * width


def _convolutions() -> Iterator[tuple[str, str, Shape]]:
    """Each convolution, the batch normalisation after it, and the shape (outputs, inputs, height, width)."""
    yield "conv1", "bn1", (64, 3, 7, 7)
    for block in BLOCKS:
        wide = EXPANSION * block.width
        yield f"{block.name}.conv1", f"{block.name}.bn1", (block.width, block.inputs, 1, 1)
        yield f"{block.name}.conv2", f"{block.name}.bn2", (block.width, block.width, 3, 3)
        yield f"{block.name}.conv3", f"{block.name}.bn3", (wide, block.width, 1, 1)
        if block.has_downsample:
            yield f"{block.name}.downsample.0", f"{block.name}.downsample.1", (wide, block.inputs, 1, 1)


def _shapes() -> Iterator[tuple[str, Shape]]:
    for convolution, norm, shape in CONVOLUTIONS:
        yield f"{convolution}.weight", shape
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{norm}.{part}", shape[:1]


BLOCKS = tuple(_blocks())
CONVOLUTIONS = tuple(_convolutions())
SHAPES: Mapping[str, Shape] = MappingProxyType(dict(_shapes()))
