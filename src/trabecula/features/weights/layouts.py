"""How families of files name a ResNet-50's tensors -> torchvision's names, with the network they were made for."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...settings import ConventionName
from .architecture import BIASES
from .files import Tensors


@dataclass(frozen=True)
class Layout:
    """A family of files: ``title`` in words; what its network was given, where its strides sit, its epsilon.

    ``stride_in`` names the convolution of a block that halves the picture: 3x3 (v1.5) or 1x1 (v1, Keras). ``doubt``
    is why another convention may be meant.
    """

    title: str
    convention: ConventionName
    stride_in: Literal["3x3", "1x1"] = "3x3"
    epsilon: float = 1e-5
    doubt: str = ""


# https://github.com/BMEII-AI/RadImageNet/issues/18
_DOUBT = "RadImageNet's own samples disagree between caffe and minus-one-to-one: choose with deep.conventions"
TORCHVISION = Layout("keys as in torchvision and timm", "imagenet")
WITHOUT_TOP = Layout(
    "keys as in torchvision and timm, without a last layer",
    "imagenet",
    doubt="if the file is RadImageNet's, choose minus-one-to-one with deep.conventions",
)
HUGGING_FACE = Layout("keys as in Hugging Face's transformers", "imagenet")
NUMBERED = Layout("RadImageNet's numbered keys for PyTorch", "minus-one-to-one", doubt=_DOUBT)
KERAS = Layout("Keras' layers, biases and strides", "caffe", "1x1", 1.001e-5, _DOUBT)
KERAS_PORT = Layout(
    "torchvision's keys with the biases of a network trained in Keras", "caffe", "1x1", 1.001e-5, _DOUBT
)


def as_torchvision(tensors: Tensors) -> tuple[Tensors, Layout]:
    """Rename to torchvision's keys and order of axes; keys that no layout knows stay as they are.

    Wrappers' prefixes and the last, fully connected layer go, and so do counters of batches.
    """
    kept = {key: array for key, array in tensors.items() if not _LEFT_OUT.search(key)}
    bare = _without_prefix(kept)
    state, layout = bare, TORCHVISION
    for mark, family, translate in _LAYOUTS:
        if any(mark.search(key) for key in bare):
            state, layout = dict(translate(key, array) for key, array in bare.items()), family
            break
    if layout is TORCHVISION and not any(_TOP.search(key) for key in tensors):
        layout = WITHOUT_TOP
    if layout is not KERAS and any(key in BIASES for key in state):
        layout = KERAS_PORT  # only Keras' convolutions have biases: strides and epsilon are Keras' as well
    return state, layout


_PREFIXES = ("module.", "state_dict.", "model.", "backbone.", "encoder.", "resnet.", "base_model.", "_orig_mod.")
_TOP = re.compile(
    rf"^({'|'.join(map(re.escape, _PREFIXES))})*(fc|classifier(\.1)?)\.(weight|bias)$|^(predictions|probs|fc1000)/"
)
_LEFT_OUT = re.compile(rf"num_batches_tracked$|{_TOP.pattern}")


def _without_prefix(tensors: Tensors) -> Tensors:
    """Take off what a wrapper put before every key, e.g. ``module.`` of DataParallel."""
    for prefix in _PREFIXES:
        if tensors and all(key.startswith(prefix) for key in tensors):
            return _without_prefix({key.removeprefix(prefix): array for key, array in tensors.items()})
    return tensors


Translate = Callable[[str, np.ndarray], tuple[str, np.ndarray]]

_CHILDREN = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


def _from_numbered(key: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    number, _, rest = key.partition(".")
    known = number.isdigit() and int(number) < len(_CHILDREN)
    return f"{_CHILDREN[int(number)]}.{rest}" if known else key, array


_STEM = {"convolution": "conv1", "normalization": "bn1"}
_SHORTCUT = {"convolution": "downsample.0", "normalization": "downsample.1"}
_FACE = re.compile(
    r"embedder\.embedder\.(?P<stem>\w+)\.(?P<stem_part>\w+)$"
    r"|encoder\.stages\.(?P<stage>\d+)\.layers\.(?P<block>\d+)\."
    r"(shortcut\.|layer\.(?P<layer>\d+)\.)(?P<kind>convolution|normalization)\.(?P<part>\w+)$"
)


def _from_hugging_face(key: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    match = _FACE.match(key)
    if match is None:
        return key, array
    if match["stem"]:
        return f"{_STEM.get(match['stem'], match['stem'])}.{match['stem_part']}", array
    block, kind = f"layer{int(match['stage']) + 1}.{match['block']}", match["kind"]
    if match["layer"] is None:
        return f"{block}.{_SHORTCUT[kind]}.{match['part']}", array
    return f"{block}.{'conv' if kind == 'convolution' else 'bn'}{int(match['layer']) + 1}.{match['part']}", array


_ROLES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
# Keras 2.2.3 and later: conv3_block1_0_conv; before: res3a_branch1, bn3a_branch2b
_KERAS = re.compile(r"conv(?P<stage>[2-5])_block(?P<block>\d+)_(?P<place>[0-3])_(?P<kind>conv|bn)$")
_KERAS_OLD = re.compile(r"(?P<kind>res|bn)(?P<stage>[2-5])(?P<letter>[a-f])_branch(?P<branch>1|2a|2b|2c)$")
_KERAS_STEM = {"conv1_conv": "conv1", "conv1": "conv1", "conv1_bn": "bn1", "bn_conv1": "bn1"}
_BRANCHES = {"1": 0, "2a": 1, "2b": 2, "2c": 3}


def _from_keras(key: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    layer, _, role = key.partition("/")
    named = _keras_layer(layer)
    if named is None or role not in _ROLES:
        return key, array
    if role == "kernel" and array.ndim == 4:
        array = array.transpose(3, 2, 0, 1)  # rows, columns, inputs, outputs -> outputs, inputs, rows, columns
    return f"{named}.{_ROLES[role]}", array


def _keras_layer(layer: str) -> str | None:
    if layer in _KERAS_STEM:
        return _KERAS_STEM[layer]
    if new := _KERAS.match(layer):
        return _keras_place(new["stage"], int(new["block"]) - 1, int(new["place"]), new["kind"] == "bn")
    if old := _KERAS_OLD.match(layer):
        return _keras_place(old["stage"], ord(old["letter"]) - ord("a"), _BRANCHES[old["branch"]], old["kind"] == "bn")
    return None


def _keras_place(stage: str, block: int, place: int, is_norm: bool) -> str:
    inside = f"downsample.{int(is_norm)}" if place == 0 else f"{'bn' if is_norm else 'conv'}{place}"
    return f"layer{int(stage) - 1}.{block}.{inside}"


_LAYOUTS: tuple[tuple[re.Pattern[str], Layout, Translate], ...] = (
    (re.compile(r"^(conv1_conv|conv1|conv2_block1_1_conv|res2a_branch2a)/"), KERAS, _from_keras),
    (re.compile(r"^embedder\.embedder\.|^encoder\.stages\."), HUGGING_FACE, _from_hugging_face),
    (re.compile(r"^0\.weight$|^4\.0\.conv1\.weight$"), NUMBERED, _from_numbered),
)


def looks_like(tensors: Mapping[str, np.ndarray]) -> str:
    """Say in words what network these tensors, under torchvision's keys where known, seem to be of."""
    for mark, words in _OTHERS:
        if any(mark.search(key) for key in tensors):
            return words
    stages = [len({k.split(".")[1] for k in tensors if k.startswith(f"layer{s}.")}) for s in (1, 2, 3, 4)]
    stem, inner = (tensors[key].shape if key in tensors else () for key in ("conv1.weight", "layer1.0.conv2.weight"))
    if stages[3] == 0 and stages[0] and len(set(stages[:3])) == 1:
        return f"a ResNet-{6 * stages[0] + 2} for the 32 x 32 pictures of CIFAR (three stages)"
    deep = any(key.startswith("layer1.0.conv3") for key in tensors)
    named = _FAMILY.get((*stages, deep), "")
    if named and deep and inner and inner[0] != 64:
        return f"a {'ResNeXt' if inner[1:2] != inner[:1] else 'wide ResNet'} of {named}'s depth"
    if named and len(stem) == 4 and stem[1] != 3:
        return f"a {named} for pictures of {stem[1]} channel{'s' * (stem[1] != 1)}"
    return f"a {named}" if named else ""


_FAMILY: dict[tuple[int, ...], str] = {
    (2, 2, 2, 2, False): "ResNet-18",
    (3, 4, 6, 3, False): "ResNet-34",
    (3, 4, 6, 3, True): "ResNet-50",
    (3, 4, 23, 3, True): "ResNet-101",
    (3, 8, 36, 3, True): "ResNet-152",
}
_OTHERS = (
    (re.compile(r"attn|attention|cls_token"), "a vision transformer"),
    (re.compile(r"denseblock|^conv2_block1_0_bn/"), "a DenseNet"),
    (re.compile(r"\.se\.|se_module|\.fc1\.weight"), "a squeeze-and-excitation network"),
    (re.compile(r"^conv1\.0\.weight|\.downsample\.2\.|_0_pool"), "a ResNet-D, with another stem than a ResNet-50's"),
    (re.compile(r"^post_bn/|preact_bn"), "a Keras ResNet V2"),
    (re.compile(r"mixed|Mixed_|^Conv2d_1a"), "an Inception network"),
    (re.compile(r"^features\."), "a VGG, AlexNet or MobileNet"),
    (re.compile(r"lora_|\.encoder_k\."), "a training checkpoint with a second network inside"),
)
