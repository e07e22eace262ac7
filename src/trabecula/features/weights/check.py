"""What is wrong with a set of tensors that should be one ResNet-50: everything at once, in words."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ...errors import Fault, InvalidInput
from .architecture import RESNET50, Architecture, Shape
from .files import AGAIN
from .layouts import Layout, looks_like

_SHOWN = 3


def check_state(name: str, state: Mapping[str, np.ndarray], layout: Layout, network: Architecture = RESNET50) -> None:
    """Refuse what is not exactly one ResNet-50 whose numbers can be used; raises with every fault.

    ``network`` is another one only for a file that was written here and says so.
    """
    biased = any(key in network.biases for key in state)
    wanted = network.shapes | network.biases if biased else network.shapes
    faults = [Fault(f"weights {name}", *words) for words in (*_keys(state, wanted, layout), *_numbers(state, wanted))]
    if faults:
        raise InvalidInput(faults)


_Words = tuple[str, str, str]


def _keys(state: Mapping[str, np.ndarray], wanted: Mapping[str, Shape], layout: Layout) -> list[_Words]:
    if not state:
        found = "no tensors, or those of a last layer alone"
        return [(found, "the tensors of a ResNet-50", "Give the file of the weights themselves.")]
    missing = [key for key in wanted if key not in state]
    extra = [key for key in state if key not in wanted]
    changed = [key for key in wanted if key in state and state[key].shape != wanted[key]]
    seems = looks_like(state)
    like = f"; it looks like {seems}" if seems else ""
    fitting = len(wanted) - len(missing) - len(changed)
    if fitting < len(wanted) // 2 and seems != "a ResNet-50":
        counted = ((missing, "missing"), (changed, "of another shape"), (extra, "unknown"))
        rest = ", ".join(_some(keys, word) for keys, word in counted if keys)
        found = f"not a ResNet-50: only {fitting} of {len(wanted)} tensors fit; {rest}{like}"
        return [(found, f"a ResNet-50 ({layout.title})", _ANOTHER)]
    words: list[_Words] = []
    if missing:
        found = f"not a whole ResNet-50: {_some(missing, f'of {len(wanted)} tensors missing')}{like}"
        words.append((found, "every tensor of a ResNet-50", _PART if "ResNet-50" in seems or not seems else _ANOTHER))
    if extra:
        found = f"{_some(extra, f'{_tensors(extra)} that a ResNet-50 does not have')}{like}"
        words.append((found, "a ResNet-50 and nothing else", _ANOTHER))
    if changed:
        shown = ", ".join(f"{key} {state[key].shape} for {wanted[key]}" for key in changed[:_SHOWN])
        found = f"{len(changed)} {_tensors(changed)} of another shape, e.g. {shown}{like}"
        words.append((found, "the shapes of a ResNet-50", _PART if _cut(state, wanted, changed) else _ANOTHER))
    return words


def _cut(state: Mapping[str, np.ndarray], wanted: Mapping[str, Shape], changed: Sequence[str]) -> bool:
    """Whether the tensors lack rows only, as in one part of a model that was saved in several."""
    return all(state[key].shape[1:] == wanted[key][1:] and len(state[key]) < wanted[key][0] for key in changed)


def _some(keys: Sequence[str], what: str) -> str:
    return f"{len(keys)} {what} ({'e.g. ' * (len(keys) > _SHOWN)}{', '.join(keys[:_SHOWN])})"


def _tensors(keys: Sequence[str]) -> str:
    return "tensor" + "s" * (len(keys) != 1)


_ANOTHER = "Give weights of a plain ResNet-50: torchvision, timm, Hugging Face, Keras or RadImageNet."
_PART = "It is a part of one: give the whole file, or join the parts that an index.json names."


def _not_floats(_key: str, array: np.ndarray) -> bool:
    return array.dtype.kind != "f"


def _not_finite(_key: str, array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and not np.isfinite(array).all()


def _empty(_key: str, array: np.ndarray) -> bool:
    """A kernel of zeros, which no training leaves: room was made for the file, and not all of it came."""
    return array.ndim == 4 and not array.any()


def _negative(key: str, array: np.ndarray) -> bool:
    return key.endswith("running_var") and bool((array < 0).any())


_TESTS: tuple[tuple[Callable[[str, np.ndarray], bool], str, str, str], ...] = (
    (_not_floats, "numbers that are not floats", "float32 or float16", "Give the weights before quantisation."),
    (_not_finite, "numbers that are not finite (NaN or infinite)", "finite numbers", AGAIN),
    (_empty, "nothing but zeros", "the numbers of a trained network", AGAIN),
    (_negative, "variances below 0", "variances of 0 or more", AGAIN),
)


def _numbers(state: Mapping[str, np.ndarray], wanted: Mapping[str, Shape]) -> list[_Words]:
    known = [key for key in wanted if key in state]
    return [
        (f"{found} in {_some(keys, _tensors(keys))}", expected, action)
        for test, found, expected, action in _TESTS
        if (keys := [key for key in known if test(key, state[key])])
    ]
