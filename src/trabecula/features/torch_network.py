"""The same graph run by torch, on a GPU: many pictures at once, always in batches of one size.

torch is imported here, where ``.pth`` is read, where a network is fine-tuned and where a device is looked for.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from onnx import NodeProto, helper, numpy_helper
from torch.nn import functional

from ..errors import Fault, InvalidInput
from .crop import Picture
from .network import in_range, onnx_graph
from .weights import Weights

Step: TypeAlias = tuple[Callable[..., torch.Tensor], list[str], str]
Rows: TypeAlias = Float[np.ndarray, "pictures features"]

BATCH = 64


class TorchNetwork:
    """A ResNet-50 without its last layer: any number of pictures in, their 2048 features out.

    ``batch`` pictures are computed at once, the last ones filled up with black, so that all of them meet the same
    kernels; it is halved, for good, when the device's memory does not suffice.
    """

    def __init__(self, weights: Weights, size: int, device: str, precision: str = "float32", batch: int = BATCH):
        graph = onnx_graph(weights, size).graph
        self.batch = batch
        self._device, self._type = torch.device(device), getattr(torch, precision)
        self._steps = [_step(node) for node in graph.node]
        self._last = {name: i for i, (_, inputs, _) in enumerate(self._steps) for name in inputs}
        self._constant = {one.name: self._placed(numpy_helper.to_array(one)) for one in graph.initializer}
        self._name, self._scale = weights.name, weights.convention.scale
        fed = (weights.convention.mean, weights.convention.sd)
        self._mean, self._sd = (torch.tensor(part, device=device).view(1, 3, 1, 1) for part in fed)

    def __call__(self, pictures: Sequence[Picture]) -> Rows:
        """Run pictures with greys in 0..1; raises when even one alone is too much for the device's memory."""
        rows: list[np.ndarray] = []
        while len(rows) < len(pictures):
            chosen = pictures[len(rows) : len(rows) + self.batch]
            try:
                rows.extend(self._run(chosen))
            except RuntimeError as error:  # of torch.OutOfMemoryError's kind, which not every device raises
                if "out of memory" not in str(error).lower():
                    raise
                self._halve()
        return in_range(np.stack(rows), self._name)

    def forward(self, greys: torch.Tensor) -> torch.Tensor:
        """Pictures x 1 x size x size in 0..1, on the device, to pictures x features in float32."""
        fed = (greys * self._scale - self._mean) / self._sd
        values = {"picture": fed.to(self._type, memory_format=torch.channels_last)}
        made = ""
        for i, (function, inputs, made) in enumerate(self._steps):
            values[made] = function(*(self._constant.get(name, values.get(name)) for name in inputs))
            for name in inputs:
                if self._last[name] == i:
                    values.pop(name, None)  # or every layer would stay in memory
        return values[made]

    def _run(self, pictures: Sequence[Picture]) -> np.ndarray:
        filled = np.zeros((self.batch, 1, *pictures[0].shape), np.float32)
        filled[: len(pictures), 0] = pictures
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with exact, torch.inference_mode():
            return self.forward(torch.from_numpy(filled).to(self._device))[: len(pictures)].cpu().numpy()

    def _placed(self, array: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(array.copy()).to(self._device, self._type)
        return tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor

    def _halve(self) -> None:
        if self.batch == 1:
            found, expected = "too little memory for one picture", "about 1 GB that is free"
            action = "Close what else uses it, or compute with --device cpu."
            raise InvalidInput([Fault(f"device {self._device}", found, expected, action)])
        self.batch //= 2
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def _step(node: NodeProto) -> Step:
    named = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    return functools.partial(_OPERATIONS[node.op_type], **named), list(node.input), node.output[0]


def _convolve(x: torch.Tensor, kernel: torch.Tensor, shift: torch.Tensor, **how: Any) -> torch.Tensor:
    return functional.conv2d(x, kernel, shift, stride=how["strides"], padding=how["pads"][:2])


def _largest(x: torch.Tensor, **how: Any) -> torch.Tensor:
    return functional.max_pool2d(x, how["kernel_shape"], how["strides"], how["pads"][:2])


def _average(x: torch.Tensor) -> torch.Tensor:
    return x.mean(dim=(2, 3), dtype=torch.float32, keepdim=True)


_OPERATIONS: dict[str, Callable[..., torch.Tensor]] = {
    "Conv": _convolve,
    "Relu": functional.relu,
    "MaxPool": _largest,
    "Add": torch.add,
    "GlobalAveragePool": _average,
    "Flatten": functools.partial(torch.flatten, start_dim=1),
}
