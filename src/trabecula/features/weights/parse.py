"""A file's bytes, or a seed -> the Weights of one ResNet-50, checked, with the input that they want."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Float32

from ...settings import ConventionName
from .architecture import BIASES, NORM_PARTS, RESNET50, SHAPES, Architecture
from .check import check_state
from .files import read_metadata, read_tensors
from .known import known_as
from .layouts import as_torchvision

Tensor: TypeAlias = Float32[np.ndarray, "..."]
State: TypeAlias = Mapping[str, Tensor]

UNTRAINED = "untrained"


@dataclass(frozen=True)
class InputConvention:
    """What a set of weights wants: each channel is (grey in 0..1 x ``scale`` - ``mean``) / ``sd``.

    ``mean`` and ``sd`` follow ``channel_order``.
    """

    name: ConventionName
    channel_order: Literal["RGB", "BGR"]
    mean: tuple[float, float, float]
    sd: tuple[float, float, float]
    scale: float = 1.0


# imagenet: torchvision.models.ResNet50_Weights; caffe: keras.applications.resnet50.preprocess_input
CONVENTIONS: dict[str, InputConvention] = {
    one.name: one
    for one in (
        InputConvention("imagenet", "RGB", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        InputConvention("caffe", "BGR", (103.939, 116.779, 123.68), (1.0, 1.0, 1.0), 255.0),
        InputConvention("minus-one-to-one", "RGB", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        InputConvention("zero-to-one", "RGB", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    )
}
assert tuple(CONVENTIONS) == get_args(ConventionName)


@dataclass(frozen=True, eq=False)
class Weights:
    """The parameters of one ResNet-50 under torchvision's keys, without its last, fully connected layer.

    ``sha256`` is of the bytes of the file they were first read from, or of the drawn numbers. ``stride_in`` and
    ``epsilon`` are the network's; ``source`` and ``licence`` say where they come from, as far as that is known;
    ``doubt`` is why another convention may be meant.
    """

    name: str
    sha256: str
    state: State
    convention: InputConvention
    stride_in: Literal["3x3", "1x1"]
    epsilon: float
    pretrained: bool
    source: str
    licence: str = "not known: ask the source"
    doubt: str = ""

    @property
    def architecture(self) -> Architecture:
        """A ResNet-50, for all that is read from files of others."""
        return Architecture.of(self.state)

    @property
    def statement(self) -> str:
        """One sentence: what they are and what is fed to them."""
        if not self.pretrained:
            return f"The ResNet-50 was NOT pre-trained: {self.source}."
        fed = f"input {self.convention.name}" + (f" ({self.doubt})" if self.doubt else "")
        return f"ResNet-50 weights {self.name}: {self.source}; {fed}; SHA-256 {self.sha256}."

    @property
    def record(self) -> dict[str, object]:
        """All but the numbers, for the record of a study."""
        parts = {key: value for key, value in self.__dict__.items() if key != "state"}
        return parts | {"convention": asdict(self.convention)}


def parse_weights(file: str, content: bytes, convention: str | None = None) -> Weights:
    """Make weights of a file's bytes; the name is the file's without its suffixes.

    A network that was tuned here says itself what it is and what it is fed.
    """
    told = read_metadata(content)
    if "weights" in told:
        return _tuned_here(file, content, told, convention)
    state, layout = as_torchvision(read_tensors(file, content))
    check_state(file, state, layout)
    digest = hashlib.sha256(content).hexdigest()
    known = known_as(content, digest)
    chosen = convention or (known.convention if known else None) or layout.convention
    return Weights(
        name=Path(file).stem.removesuffix(".weights"),
        sha256=digest,
        state=_float32(state),
        convention=CONVENTIONS[chosen],
        stride_in=layout.stride_in,
        epsilon=layout.epsilon,
        pretrained=True,
        source=f"the file {file}, {layout.title}" + (f", known as {known.title}" if known else ""),
        doubt="" if convention or known else layout.doubt,
        licence=known.licence if known else Weights.licence,
    )


def _tuned_here(file: str, content: bytes, told: Mapping[str, Any], convention: str | None) -> Weights:
    state, layout = as_torchvision(read_tensors(file, content))
    network = Architecture(told["network"]["width"], tuple(told["network"]["counts"]))
    check_state(file, state, layout, network)
    weights = from_record(told["weights"], state)
    chosen = CONVENTIONS[convention] if convention else weights.convention
    return replace(weights, name=Path(file).stem, sha256=hashlib.sha256(content).hexdigest(), convention=chosen)


def _float32(state: Mapping[str, np.ndarray]) -> State:
    return {key: np.ascontiguousarray(state[key], dtype=np.float32) for key in (*SHAPES, *BIASES) if key in state}


def draw_untrained(seed: int = 1370838, architecture: Architecture = RESNET50) -> Weights:
    """Draw kernels by He et al. 2015 (doi:10.1109/ICCV.2015.123); every batch normalisation does nothing."""
    generator = np.random.Generator(np.random.PCG64(seed))
    state: dict[str, Tensor] = {}
    digest = hashlib.sha256()
    for convolution, norm, shape in architecture.convolutions:
        gain = np.float32(np.sqrt(2 / np.prod(shape[1:])))
        state[f"{convolution}.weight"] = generator.standard_normal(shape, dtype=np.float32) * gain
        for part, value in zip(NORM_PARTS, (1, 0, 0, 1), strict=True):
            state[f"{norm}.{part}"] = np.full(shape[:1], value, np.float32)
        digest.update(state[f"{convolution}.weight"].tobytes())
    source = (
        f"its weights are random numbers (He initialisation, seed {seed}). "
        "Its features show that the study runs, not what deep transfer learning can do"
    )
    return Weights(
        name=UNTRAINED,
        sha256=digest.hexdigest(),
        state=state,
        convention=CONVENTIONS["minus-one-to-one"],
        stride_in="3x3",
        epsilon=1e-5,
        pretrained=False,
        source=source,
        licence="none needed",
    )


def from_record(record: Mapping[str, object], state: State) -> Weights:
    """Weights again from their record and their tensors."""
    fields = json.loads(json.dumps(record))
    convention = fields.pop("convention")
    convention |= {part: tuple(convention[part]) for part in ("mean", "sd")}
    return Weights(state=state, convention=InputConvention(**convention), **fields)
