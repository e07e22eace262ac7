"""ResNet-50 without its last layer, run on ONNX Runtime; the graph is written from the weights themselves.

The network is that of He et al. 2016, doi:10.1109/CVPR.2016.90.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import numpy as np
import onnx
import onnxruntime
from jaxtyping import Float, Float32
from onnx import helper, numpy_helper

from ..errors import Fault, InvalidInput
from .crop import Picture
from .weights import EXPANSION, NORM_PARTS, Block, InputConvention, Weights

Output: TypeAlias = Literal["features", "maps", "before"]
NetworkInput: TypeAlias = Float32[np.ndarray, "1 3 size size"]

_OPSET, _IR_VERSION = 17, 8  # read by every ONNX Runtime since 1.14


class Network:
    """A ResNet-50 without its last layer: one picture in, one ``output`` out, on one thread in float32.

    ``output`` "features" are the 2048 numbers, "maps" the 2048 maps of which they are the means, "before" those from
    which the last stage makes them.
    """

    def __init__(self, weights: Weights, size: int, output: Output = "features"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        graph = onnx_graph(weights, size, output).SerializeToString()
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._weights = weights.name
        self._convention = weights.convention

    def __call__(self, picture: Picture) -> Float[np.ndarray, "maps *cells"]:
        """Run one picture with greys in 0..1."""
        (found,) = self._session.run(None, {"picture": network_input(picture, self._convention)})
        return in_range(found[0], self._weights)


def in_range(found: np.ndarray, weights: str) -> np.ndarray:
    """What a network gave, as float64; refused when it is not finite."""
    if not np.isfinite(found).all():
        words, wanted = "features that are not finite numbers", "weights whose activations stay in range"
        raise InvalidInput([Fault(f"weights {weights}", words, wanted, "Use another weights file.")])
    return np.asarray(found, dtype=np.float64)


def network_input(picture: Picture, convention: InputConvention) -> NetworkInput:
    """Put greys in 0..1 on the scale of the weights, three equal channels before mean and SD."""
    mean, sd = (np.array(part, np.float32)[:, None, None] for part in (convention.mean, convention.sd))
    return ((picture[None] * np.float32(convention.scale) - mean) / sd)[None]


def onnx_graph(weights: Weights, size: int, output: Output = "features") -> onnx.ModelProto:
    """Write the network with each batch normalisation folded into the convolution before it."""
    shape, kind = [1, 3, size, size], onnx.TensorProto.FLOAT
    network = weights.architecture
    blocks = network.frozen if output == "before" else network.blocks
    last, count = blocks[-1].name, EXPANSION * blocks[-1].width
    name, made = (output, [1, count]) if output == "features" else (last, [1, count, None, None])
    used = ("conv1", *(f"{block.name}." for block in blocks))
    graph = helper.make_graph(
        [*_nodes(blocks, weights.stride_in), *(_pool(last) if output == "features" else ())],
        "resnet50",
        [helper.make_tensor_value_info("picture", kind, shape)],
        [helper.make_tensor_value_info(name, kind, made)],
        [
            tensor
            for convolution, norm, _ in network.convolutions
            if convolution.startswith(used)
            for tensor in _folded(weights, convolution, norm)
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)


def _pool(maps: str) -> Iterator[onnx.NodeProto]:
    yield helper.make_node("GlobalAveragePool", [maps], ["average"])
    yield helper.make_node("Flatten", ["average"], ["features"])


def _nodes(blocks: Sequence[Block], stride_in: str) -> Iterator[onnx.NodeProto]:
    yield _convolve("conv1", "picture", "stem.sum", stride=2, padding=3)
    yield _relu("stem.sum", "stem")
    yield helper.make_node("MaxPool", ["stem"], ["pooled"], kernel_shape=[3] * 2, strides=[2] * 2, pads=[1] * 4)
    source = "pooled"
    for block in blocks:
        yield from _bottleneck(block, source, stride_in)
        source = block.name


def _bottleneck(block: Block, source: str, stride_in: str) -> Iterator[onnx.NodeProto]:
    name = block.name
    first, second = (block.stride, 1) if stride_in == "1x1" else (1, block.stride)
    yield _convolve(f"{name}.conv1", source, f"{name}.sum1", stride=first)
    yield _relu(f"{name}.sum1", f"{name}.relu1")
    yield _convolve(f"{name}.conv2", f"{name}.relu1", f"{name}.sum2", stride=second, padding=1)
    yield _relu(f"{name}.sum2", f"{name}.relu2")
    yield _convolve(f"{name}.conv3", f"{name}.relu2", f"{name}.sum3")
    shortcut = source
    if block.has_downsample:
        shortcut = f"{name}.shortcut"
        yield _convolve(f"{name}.downsample.0", source, shortcut, stride=block.stride)
    yield helper.make_node("Add", [f"{name}.sum3", shortcut], [f"{name}.sum"])
    yield _relu(f"{name}.sum", name)


def _convolve(name: str, source: str, target: str, stride: int = 1, padding: int = 0) -> onnx.NodeProto:
    inputs = [source, f"{name}.kernel", f"{name}.shift"]
    return helper.make_node("Conv", inputs, [target], strides=[stride] * 2, pads=[padding] * 4)


def _relu(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Relu", [source], [target])


def _folded(weights: Weights, convolution: str, norm: str) -> Iterator[onnx.TensorProto]:
    keys = [f"{convolution}.weight", *(f"{norm}.{part}" for part in NORM_PARTS)]
    kernel, gain, shift, mean, variance = (weights.state[key].astype(np.float64) for key in keys)
    factor = gain / np.sqrt(variance + weights.epsilon)
    bias = weights.state.get(f"{convolution}.bias", np.zeros(1))
    folded = {"kernel": kernel * factor[:, None, None, None], "shift": shift + (bias - mean) * factor}
    for part, array in folded.items():
        yield numpy_helper.from_array(array.astype(np.float32), f"{convolution}.{part}")
