"""The one network whose weights are read: ResNet-50 of He et al. 2016, doi:10.1109/CVPR.2016.90."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]

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
# shape (outputs, inputs, height, width); each key of torchvision's with its shape; and the biases that only
# Keras' convolutions have.
BLOCKS = tuple(_blocks())
CONVOLUTIONS = tuple(_convolutions())
SHAPES = dict(_shapes())
BIASES = {f"{convolution}.bias": shape[:1] for convolution, _, shape in CONVOLUTIONS}
FEATURES = EXPANSION * BLOCKS[-1].width
