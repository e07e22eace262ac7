"""Weights of a ResNet-50: read from a file or drawn from a seed, checked, with the input they want."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import safetensors
from jaxtyping import Float32
from safetensors.numpy import load as read_safetensors

from ..errors import Fault, InvalidInput, MissingExtra

Tensor: TypeAlias = Float32[np.ndarray, "..."]
Shape: TypeAlias = tuple[int, ...]
State: TypeAlias = Mapping[str, Tensor]

UNTRAINED = "untrained"
EXPANSION = 4
NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


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
            yield Block(f"layer{stage}.{i}", inputs, width, 1 + (i == 0 and stage > 1), has_downsample=i == 0)
            inputs = EXPANSION * width


def _convolutions() -> Iterator[tuple[str, str, Shape]]:
    yield "conv1", "bn1", (64, 3, 7, 7)
    for block in BLOCKS:
        name, width, wide = block.name, block.width, EXPANSION * block.width
        yield f"{name}.conv1", f"{name}.bn1", (width, block.inputs, 1, 1)
        yield f"{name}.conv2", f"{name}.bn2", (width, width, 3, 3)
        yield f"{name}.conv3", f"{name}.bn3", (wide, width, 1, 1)
        if block.has_downsample:
            yield f"{name}.downsample.0", f"{name}.downsample.1", (wide, block.inputs, 1, 1)


def _shapes() -> Iterator[tuple[str, Shape]]:
    for convolution, norm, shape in CONVOLUTIONS:
        yield f"{convolution}.weight", shape
        yield from ((f"{norm}.{part}", shape[:1]) for part in NORM_PARTS)


# The whole architecture: the blocks in order; each convolution with the batch normalisation after it and its
# shape (outputs, inputs, height, width); each key of a file with its shape.
BLOCKS = tuple(_blocks())
CONVOLUTIONS = tuple(_convolutions())
SHAPES = dict(_shapes())


@dataclass(frozen=True)
class InputConvention:
    """What a set of weights wants: each channel is (grey in 0..1 x ``scale`` - ``mean``) / ``sd``.

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


IMAGENET = InputConvention("RGB", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PLUS_MINUS_ONE = InputConvention("RGB", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def load_weights(name_or_path: str, folder: Path) -> Weights:
    """Read a weights file (its path is taken from ``folder``), or draw those named ``untrained``.

    The file's format and layout are told by its content. Raises InvalidInput when it does not hold exactly one
    ResNet-50, and MissingExtra when only torch can read it and torch is not installed.
    """
    if name_or_path == UNTRAINED:
        return draw_untrained()
    path = folder / name_or_path
    content = _bytes_of(path)
    tensors: dict = {} #_read(path.name, content)
    layout = next(layout for layout in _LAYOUTS if layout.recognises(tensors))
    state = {layout.rename(key): array for key, array in tensors.items()}
    _check(path.name, state)
    return Weights(
        name=path.stem,
        sha256=hashlib.sha256(content).hexdigest(),
        state={key: state[key].astype(np.float32) for key in SHAPES},
        convention=layout.convention,
        pretrained=True,
        statement=f"ResNet-50 weights from the file {path.name}, {layout.statement}",
    )


def draw_untrained(seed: int = 20241370838) -> Weights:
    """x."""
    generator = np.random.Generator(np.random.PCG64(seed))
    import os
    ws = os.environ.get("WS")=="1"; last=float(os.environ.get("LAST","1"))
    state = {}
    for convolution, norm, shape in CONVOLUTIONS:
        kernel = generator.standard_normal(shape, dtype=np.float32)
        if ws:
            kernel -= kernel.mean(axis=(1,2,3), keepdims=True)
            kernel /= np.sqrt((kernel**2).sum(axis=(1,2,3), keepdims=True))
            kernel *= np.float32(np.sqrt(2/(1-1/np.pi)))
        else:
            kernel *= np.float32(np.sqrt(2/np.prod(shape[1:])))
        state[f"{convolution}.weight"]=kernel
        g = last if convolution.endswith(("conv3",)) else 1.0
        for p, v in zip(NORM_PARTS, (g,0,0,1)):
            state[f"{norm}.{p}"]=np.full(shape[:1], v, np.float32)
    digest = hashlib.sha256()
    for a in state.values(): digest.update(a)
    return Weights("untrained", digest.hexdigest(), state, PLUS_MINUS_ONE, False, "")
