"""ResNet-50's average-pool vector, computed on ONNX Runtime from the weights themselves.

The network is that of He et al. 2016, doi:10.1109/CVPR.2016.90.
"""

import functools
import gc
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, cast

import numpy as np
import onnx
import onnxruntime
from jaxtyping import Float, Float32
from onnx import helper, numpy_helper

from ..errors import Fault, InvalidInput
from ..records import FeatureRow, Region, Xray
from ..settings import DeepSettings
from .crop import CropFrame, InputPolicy, Picture, crop_frame, crop_region, grey_window
from .gradcam import Maps
from .weights import (
    BLOCKS,
    CONVOLUTIONS,
    FEATURES,
    NORM_PARTS,
    Block,
    InputConvention,
    Weights,
    load_weights,
)

Output: TypeAlias = Literal["features", "maps"]
NetworkInput: TypeAlias = Float32[np.ndarray, "1 3 size size"]

_RUNTIME = {"definition": 2, "precision": "float32"}  # raise it when a value could change for the same inputs
_OPSET, _IR_VERSION = 17, 8  # read by every ONNX Runtime since 1.14


@dataclass(frozen=True)
class ResNetFeatures:
    """Extracts the 2048 average-pool features of a region; small enough to be sent to another process.

    The network is loaded at the first row in each process and shared there. ``entry`` is what the study calls the
    weights, ``sha256`` theirs; ``record`` is all that is known of them, of the input and of the network.
    """

    entry: str
    folder: Path
    asked: str | None
    sha256: str
    policy: InputPolicy
    name: str
    statement: str
    record: Mapping[str, object] = field(repr=False)
    names: tuple[str, ...] = field(default=tuple(f"resnet50_avgpool_{i:04d}" for i in range(FEATURES)), repr=False)

    @classmethod
    def from_settings(cls, settings: DeepSettings, folder: Path) -> list["ResNetFeatures"]:
        """One extractor for each set of weights, each read and checked; raises with the faults of all."""
        policy = InputPolicy(settings.margin, settings.size, settings.crop, settings.masked, settings.resize)
        made: list[ResNetFeatures] = []
        faults = _conventions_of_none(settings)
        for entry in settings.weights:
            asked = settings.conventions.get(entry)
            try:
                weights = load_weights(entry, folder, asked)
            except InvalidInput as error:
                faults += error.faults
                continue
            record = {"weights": weights.record, "policy": {"name": policy.name, **asdict(policy)}}
            name, statement = f"deep-{weights.name}", weights.statement
            made.append(cls(entry, folder, asked, weights.sha256, policy, name, statement, record | _RUNTIME))
        faults += _said_twice([extractor.name for extractor in made])
        if faults:
            raise InvalidInput(faults)
        return made

    @property
    def digest(self) -> str:
        """SHA-256 of the weights, what is fed to them, the network and the version of this definition."""
        weights = cast("Mapping[str, object]", self.record["weights"])
        kept = ("sha256", "convention", "stride_in", "epsilon")
        parts = {"weights": {part: weights[part] for part in kept}, "policy": asdict(self.policy)}
        return hashlib.sha256(json.dumps(parts | _RUNTIME, sort_keys=True).encode()).hexdigest()

    def rows(self, xray: Xray, regions: Sequence[Region]) -> list[FeatureRow]:
        """One row a region, each computed alone, so that it never depends on the others."""
        network = self._network("features")
        window = self.window(xray)
        flat = ("the film has one grey only: its deep features mean nothing",)
        warnings = flat if window[0] == window[1] else ()
        pictures = (crop_region(xray.pixels, region.inside, window, self.policy) for region in regions)
        return [FeatureRow(network(picture), warnings=warnings) for picture in pictures]

    def window(self, xray: Xray) -> tuple[float, float]:
        """The two greys of the film between which the network sees it."""
        return grey_window(xray.pixels, self.policy)

    def maps(self, xray: Xray, region: Region) -> tuple[Maps, CropFrame]:
        """The 2048 maps whose means are the features of a region, and what of the film they cover."""
        window = self.window(xray)
        picture = crop_region(xray.pixels, region.inside, window, self.policy)
        return self._network("maps")(picture), crop_frame(region.inside, self.policy)

    def _network(self, output: Output) -> "Network":
        return _loaded(self.entry, self.folder, self.asked, self.sha256, self.policy.size, output)


class Network:
    """A ResNet-50 without its last layer: one picture in, one ``output`` out, on one thread in float32.

    ``output`` "features" are the 2048 numbers, "maps" the 2048 maps of which they are the means.
    """

    def __init__(self, weights: Weights, size: int, output: Output = "features"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        graph = onnx_graph(weights, size, output).SerializeToString()
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._weights = weights.name
        self._convention = weights.convention

    def __call__(self, picture: Picture) -> Float[np.ndarray, "2048 *map"]:
        """Run one picture with greys in 0..1."""
        (found,) = self._session.run(None, {"picture": network_input(picture, self._convention)})
        if not np.isfinite(found).all():
            words, wanted = "features that are not finite numbers", "weights whose activations stay in range"
            raise InvalidInput([Fault(f"weights {self._weights}", words, wanted, "Use another weights file.")])
        return np.asarray(found[0], dtype=np.float64)


def network_input(picture: Picture, convention: InputConvention) -> NetworkInput:
    """Put greys in 0..1 on the scale of the weights, three equal channels before mean and SD."""
    mean, sd = (np.array(part, np.float32)[:, None, None] for part in (convention.mean, convention.sd))
    return ((picture[None] * np.float32(convention.scale) - mean) / sd)[None]


def onnx_graph(weights: Weights, size: int, output: Output = "features") -> onnx.ModelProto:
    """Write the network with each batch normalisation folded into the convolution before it."""
    shape, kind = [1, 3, size, size], onnx.TensorProto.FLOAT
    name, made = (BLOCKS[-1].name, [1, FEATURES, None, None]) if output == "maps" else (output, [1, FEATURES])
    graph = helper.make_graph(
        list(_nodes(weights.stride_in))[: -len(_POOL) if output == "maps" else None],
        "resnet50",
        [helper.make_tensor_value_info("picture", kind, shape)],
        [helper.make_tensor_value_info(name, kind, made)],
        [tensor for convolution, norm, _ in CONVOLUTIONS for tensor in _folded(weights, convolution, norm)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)


@functools.lru_cache(maxsize=8)
def _loaded(entry: str, folder: Path, asked: str | None, sha256: str, size: int, output: Output) -> Network:
    weights = load_weights(entry, folder, asked)
    if weights.sha256 != sha256:
        action = "Leave the weights file alone while a study runs, and run again."
        raise InvalidInput([Fault(entry, "changed since the study was checked", f"SHA-256 {sha256}", action)])
    network = Network(weights, size, output)
    gc.freeze()  # joblib's workers collect garbage every second, through all libraries: a tenth of their time
    return network


def _conventions_of_none(settings: DeepSettings) -> list[Fault]:
    unused = sorted(set(settings.conventions) - set(settings.weights))
    expected = f"one of deep.weights: {', '.join(settings.weights) or 'none'}"
    return [Fault("study.yaml, deep.conventions", f"the key {name!r}", expected) for name in unused]


def _said_twice(names: list[str]) -> list[Fault]:
    twice = sorted({name for name in names if names.count(name) > 1})
    expected, action = "one name for each set of weights", "Rename one file: features are named after it."
    return [Fault("study.yaml, deep.weights", f"two are named {name}", expected, action) for name in twice]


_POOL = (
    helper.make_node("GlobalAveragePool", [BLOCKS[-1].name], ["average"]),
    helper.make_node("Flatten", ["average"], ["features"]),
)


def _nodes(stride_in: str) -> Iterator[onnx.NodeProto]:
    yield _convolve("conv1", "picture", "stem.sum", stride=2, padding=3)
    yield _relu("stem.sum", "stem")
    yield helper.make_node("MaxPool", ["stem"], ["pooled"], kernel_shape=[3] * 2, strides=[2] * 2, pads=[1] * 4)
    source = "pooled"
    for block in BLOCKS:
        yield from _bottleneck(block, source, stride_in)
        source = block.name
    yield from _POOL


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
