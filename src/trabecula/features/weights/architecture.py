"""The one network whose weights are read: ResNet-50 of He et al. 2016, doi:10.1109/CVPR.2016.90.

Narrower or shallower networks of the same blocks are an ``Architecture`` too; no file of one is taken for a ResNet-50.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

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


@dataclass(frozen=True)
class Architecture:
    """A residual network of bottlenecks: the stem's ``width``, which each further stage doubles; blocks a stage."""

    width: int = 64
    counts: tuple[int, ...] = (3, 4, 6, 3)

    @classmethod
    def of(cls, state: Mapping[str, np.ndarray]) -> "Architecture":
        """The network that tensors under torchvision's keys belong to."""
        blocks = {tuple(key.split(".")[:2]) for key in state if key.startswith("layer")}
        stages = sorted({stage for stage, _ in blocks})
        return cls(len(state["conv1.weight"]), tuple(sum(one == stage for one, _ in blocks) for stage in stages))

    @functools.cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks, in order."""
        return tuple(self._blocks())

    @property
    def frozen(self) -> tuple[Block, ...]:
        """The blocks before the last stage."""
        return self.blocks[: -self.counts[-1]]

    @functools.cached_property
    def convolutions(self) -> tuple[tuple[str, str, Shape], ...]:
        """Each convolution with the batch normalisation after it and its shape (outputs, inputs, height, width)."""
        return tuple(self._convolutions())

    @functools.cached_property
    def shapes(self) -> dict[str, Shape]:
        """Each key of torchvision's with its shape."""
        return dict(self._shapes())

    @functools.cached_property
    def biases(self) -> dict[str, Shape]:
        """The biases that only Keras' convolutions have."""
        return {f"{convolution}.bias": shape[:1] for convolution, _, shape in self.convolutions}

    @property
    def features(self) -> int:
        """How many numbers the average pool gives."""
        return EXPANSION * self.blocks[-1].width

    def _blocks(self) -> Iterator[Block]:
        inputs = self.width
        for stage, count in enumerate(self.counts, start=1):
            width = self.width * 2 ** (stage - 1)
            for i in range(count):
                yield Block(f"layer{stage}.{i}", inputs, width, 1 + (i == 0 and stage > 1), has_downsample=i == 0)
                inputs = EXPANSION * width

    def _convolutions(self) -> Iterator[tuple[str, str, Shape]]:
        yield "conv1", "bn1", (self.width, 3, 7, 7)
        for block in self.blocks:
            name, width, wide = block.name, block.width, EXPANSION * block.width
            yield f"{name}.conv1", f"{name}.bn1", (width, block.inputs, 1, 1)
            yield f"{name}.conv2", f"{name}.bn2", (width, width, 3, 3)
            yield f"{name}.conv3", f"{name}.bn3", (wide, width, 1, 1)
            if block.has_downsample:
                yield f"{name}.downsample.0", f"{name}.downsample.1", (wide, block.inputs, 1, 1)

    def _shapes(self) -> Iterator[tuple[str, Shape]]:
        for convolution, norm, shape in self.convolutions:
            yield f"{convolution}.weight", shape
            yield from ((f"{norm}.{part}", shape[:1]) for part in NORM_PARTS)


RESNET50 = Architecture()
SHAPES, BIASES = RESNET50.shapes, RESNET50.biases
FEATURES = RESNET50.features
