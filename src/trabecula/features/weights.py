"""Weights of a ResNet-50: read from a file or drawn from a seed, checked, with the input they want."""

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float32

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

    The file's format and layout are told by its content: safetensors, or a PyTorch state dict. Raises
    InvalidInput when it does not hold exactly one ResNet-50, and MissingExtra when only torch can read it and
    torch is not installed.
    """
    if name_or_path == UNTRAINED:
        return draw_untrained()
    path = folder / name_or_path
    try:
        content = path.read_bytes()
    except OSError as error:
        found = f"cannot be read ({error.strerror})"
        raise InvalidInput([Fault(f"weights {name_or_path}", found, "a readable file", _HELP)]) from None
    tensors = _without_prefix(_tensors(path.name, content))
    layout = next((known for known in _LAYOUTS if known.mark in tensors), _LAYOUTS[0])
    state = {layout.rename(key): array for key, array in tensors.items()}
    _check(path.name, state)
    return Weights(
        name=path.stem,
        sha256=hashlib.sha256(content).hexdigest(),
        state={key: np.ascontiguousarray(state[key], dtype=np.float32) for key in SHAPES},
        convention=layout.convention,
        pretrained=True,
        statement=f"ResNet-50 weights from the file {path.name}, {layout.title}.",
    )


def draw_untrained(seed: int = 1370838) -> Weights:
    """Draw kernels by He et al. 2015 (doi:10.1109/ICCV.2015.123); every batch normalisation does nothing."""
    generator = np.random.Generator(np.random.PCG64(seed))
    state: dict[str, Tensor] = {}
    digest = hashlib.sha256()
    for convolution, norm, shape in CONVOLUTIONS:
        gain = np.float32(np.sqrt(2 / np.prod(shape[1:])))
        state[f"{convolution}.weight"] = generator.standard_normal(shape, dtype=np.float32) * gain
        for part, value in zip(NORM_PARTS, (1, 0, 0, 1), strict=True):
            state[f"{norm}.{part}"] = np.full(shape[:1], value, np.float32)
        digest.update(state[f"{convolution}.weight"].tobytes())
    statement = (
        f"The ResNet-50 was NOT pre-trained: its weights are random numbers (He initialisation, seed {seed}). "
        "Its features show that the study runs, not what deep transfer learning can do."
    )
    return Weights(UNTRAINED, digest.hexdigest(), state, PLUS_MINUS_ONE, pretrained=False, statement=statement)


_HELP = "Give the path of a ResNet-50 state dict (.pth) or .safetensors file, or `untrained`."
_PREFIXES = ("module.", "state_dict.", "model.", "encoder.", "resnet.")
_CHILDREN = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


@dataclass(frozen=True)
class _Layout:
    """How a family of files names its tensors: ``mark`` is a key that only this family has."""

    title: str
    mark: str
    convention: InputConvention
    numbered: bool = False

    def rename(self, key: str) -> str:
        """The key as torchvision writes it."""
        first, _, rest = key.removeprefix("backbone.").partition(".")
        if self.numbered and first.isdigit() and int(first) < len(_CHILDREN):
            return f"{_CHILDREN[int(first)]}.{rest}"
        return key


_LAYOUTS = (
    _Layout("keys as in torchvision, taken to want ImageNet's mean and SD", "conv1.weight", IMAGENET),
    _Layout("RadImageNet's numbered keys, greys from -1 to 1", "backbone.0.weight", PLUS_MINUS_ONE, numbered=True),
)


def _tensors(name: str, content: bytes) -> dict[str, np.ndarray]:
    if content[8:9] == b"{":
        return _read_safetensors(name, content)
    if content[:2] in {b"PK", b"\x80\x02"} or content[1:2] in {b"\x02", b"\x03", b"\x04"}:
        return _read_torch(name, content)
    raise InvalidInput([Fault(f"weights {name}", "a format that we do not know", "safetensors or .pth", _HELP)])


def _read_safetensors(name: str, content: bytes) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(content))
    except (SafetensorError, ValueError, KeyError) as error:
        raise _damaged(name, error) from None


def _read_torch(name: str, content: bytes) -> dict[str, np.ndarray]:
    """Read a state dict without unpickling anything but tensors and plain containers."""
    try:
        import torch
    except ImportError:
        words = f"Weights {name} are a PyTorch file; reading it needs torch: pip install 'trabecula[train]'."
        raise MissingExtra(words) from None
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 a damaged archive may fail in any way
        raise _damaged(name, error) from None
    found = found.get("state_dict", found) if isinstance(found, dict) else {}
    return {str(key): value.numpy() for key, value in found.items() if isinstance(value, torch.Tensor)}


def _damaged(name: str, error: Exception) -> InvalidInput:
    words = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
    action = "Download or copy it again and compare its size and checksum with the source."
    return InvalidInput([Fault(f"weights {name}", f"cannot be read ({words})", "a whole file", action)])


def _without_prefix(tensors: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Take off the prefixes that a wrapper put before every key, e.g. ``module.`` of DataParallel."""
    for prefix in _PREFIXES:
        if tensors and all(key.startswith(prefix) for key in tensors):
            return _without_prefix({key.removeprefix(prefix): array for key, array in tensors.items()})
    return tensors


def _check(name: str, state: Mapping[str, np.ndarray]) -> None:
    """Refuse what is not exactly one ResNet-50; the last, fully connected layer may be there or not."""
    extra = [key for key in state if key not in SHAPES and not key.endswith("num_batches_tracked")]
    extra = [key for key in extra if not key.startswith("fc.")]
    missing = [key for key in SHAPES if key not in state]
    changed = [key for key, shape in SHAPES.items() if key in state and state[key].shape != shape]
    where = f"weights {name}"
    faults = []
    if missing:
        found = f"not a ResNet-50: {len(missing)} of {len(SHAPES)} tensors are missing, e.g. {missing[0]}"
        faults.append(Fault(where, found, "every tensor of a ResNet-50", _HELP))
    if extra:
        found = f"{len(extra)} tensors that a ResNet-50 does not have, e.g. {extra[0]}"
        faults.append(Fault(where, found, "a ResNet-50 and nothing else", _HELP))
    if changed:
        key = changed[0]
        found = f"{len(changed)} tensors of another shape, e.g. {key} {state[key].shape}"
        faults.append(Fault(where, found, f"{SHAPES[key]}", _HELP))
    known = [key for key in SHAPES if key in state and key not in changed]
    wrong = [key for key in known if state[key].dtype.kind != "f" or not np.isfinite(state[key]).all()]
    if wrong:
        faults.append(Fault(where, f"numbers that are not finite floats in {wrong[0]}", "finite numbers", _HELP))
    if faults:
        raise InvalidInput(faults)
