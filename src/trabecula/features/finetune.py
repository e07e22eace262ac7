"""Tune a network to the classes of a study: its last stage or all of it, beneath a new linear head.

The norms' means and variances stay those of the weights, so that a picture's features never depend on the rest of its
batch and the tuned network is the one that ``network.py`` writes. AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101)
with a cosine schedule (the same 2017, arXiv:1608.03983).
"""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Int64

from ..errors import Fault, InvalidInput, MissingExtra
from ..settings import AugmentSettings, FinetuneSettings
from .checkpoint import Checkpoint, Epoch, read_checkpoint, write_checkpoint
from .network import Network
from .weights import Block, Head, Weights

try:
    import torch
    from torch.nn import functional
except ImportError:
    raise MissingExtra("Fine-tuning (deep.finetune) needs torch: pip install 'trabecula[train]'.") from None

Pictures: TypeAlias = Float32[np.ndarray, "rows size size"]
Tensors: TypeAlias = dict[str, torch.Tensor]

_HEAD = ("fc.weight", "fc.bias")
_AT_ONCE = 32  # pictures through layers of which no gradient is wanted


@dataclass(frozen=True, eq=False)
class Examples:
    """Pictures with greys in 0..1, the number of each one's class, and which are not learnt from but say when to stop.

    ``pictures`` may hold others too: ``rows`` are those that are meant.
    """

    pictures: Pictures
    rows: Int64[np.ndarray, " examples"]
    codes: Int64[np.ndarray, " examples"]
    validation: Bool[np.ndarray, " examples"]


@dataclass(frozen=True, eq=False)
class Tuned:
    """A tuned network, its head, and the course of its tuning; ``best`` is the epoch that was kept, 0 the start."""

    weights: Weights
    head: Head
    history: tuple[Epoch, ...]
    best: int

    @property
    def course(self) -> dict[str, object]:
        """Its tuning, for the record."""
        return {"history": [asdict(one) for one in self.history], "kept": self.best, "torch": torch.__version__}


def tune(
    weights: Weights,
    classes: tuple[str, ...],
    examples: Examples,
    settings: FinetuneSettings,
    seed: int,
    checkpoint: Path,
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Tuned:
    """Tune to the end, from ``checkpoint`` where it lies; it is written whole after each epoch.

    The same examples, settings and seed give the same bytes on the same machine and version of torch, stopped or not,
    beside whatever else runs: on the CPU one thread is used, whatever torch is set to.
    """
    with _reproducibly(device):
        work = _Work(weights, len(classes), examples, settings, seed, torch.device(device))
        now = read_checkpoint(checkpoint) or work.start()
        while not now.is_over(settings.epochs, settings.patience):
            now = work.epoch(now)
            write_checkpoint(checkpoint, now)
            progress(len(now.history) - 1, settings.epochs)
    kept = {**weights.state, **now.best}
    head = Head(classes, *(kept.pop(key) for key in _HEAD))
    return Tuned(replace(weights, state=kept), head, now.history, now.kept)


class _Work:
    """What stays the same from epoch to epoch."""

    def __init__(
        self,
        weights: Weights,
        classes: int,
        examples: Examples,
        settings: FinetuneSettings,
        seed: int,
        device: torch.device,
    ):
        self._settings, self._seed, self._device, self._classes = settings, seed, device, classes
        self._net = _Net(weights, device)
        # ONNX Runtime takes about half of torch's time for the layers of which no gradient is wanted
        size = examples.pictures.shape[1]
        self._fast = Network(weights, size, "before") if settings.layers == "last" and device.type == "cpu" else None
        self._examples = examples
        self._learnt = [key for key in weights.state if settings.layers == "all" or key.startswith(self._net.last)]
        self._learnt = [key for key in self._learnt if not key.endswith(("running_mean", "running_var"))]
        self._codes = torch.tensor(examples.codes, device=device)
        self._importance = _importance(examples, classes, settings).to(device)
        # without augmentation the layers that are not learnt see the same picture each time: once is enough
        fixed = settings.layers == "last" and settings.augment is None
        self._maps = self._frozen(np.arange(len(examples.rows))).cpu() if fixed else None

    def start(self) -> Checkpoint:
        """Before the first epoch: the weights as they came and a head that knows nothing."""
        tensors = {key: self._net.tensors[key].cpu().numpy() for key in self._learnt}
        features = self._net.features
        tensors |= {
            "fc.weight": np.zeros((self._classes, features), np.float32),
            "fc.bias": np.zeros(self._classes, np.float32),
        }
        nothing = {key: np.zeros_like(value) for key, value in tensors.items()}
        begun = Checkpoint(tensors, tensors, nothing, nothing, 0, (), 0)
        self._load(begun)
        first = Epoch(float("nan"), self._validation_loss())
        return replace(begun, history=(first,))

    def epoch(self, before: Checkpoint) -> Checkpoint:
        """One pass over the training rows; all chance in it comes from the seed and the epoch's number."""
        optimiser = self._load(before)
        rng = np.random.default_rng([self._seed, len(before.history)])
        rows = rng.permutation(np.flatnonzero(~self._examples.validation))
        total, steps = 0.0, before.steps
        batches = np.array_split(rows, math.ceil(len(rows) / self._settings.batch))
        for batch in batches:
            share = 0.5 * (1 + math.cos(math.pi * steps / (self._settings.epochs * len(batches))))
            for group, rate in zip(optimiser.param_groups, self._rates, strict=True):
                group["lr"] = rate * share
            optimiser.zero_grad()
            loss = self._loss(self._logits(batch, rng), batch)
            loss.backward()
            optimiser.step()
            total, steps = total + float(loss.detach()) * len(batch), steps + 1
        if not math.isfinite(total):
            raise _diverged(len(before.history))
        return self._unload(before, optimiser, steps, total / len(rows))

    @property
    def _rates(self) -> tuple[float, float]:
        return self._settings.learning_rate, self._settings.head_learning_rate

    def _logits(self, rows: np.ndarray, rng: np.random.Generator | None) -> torch.Tensor:
        if self._settings.layers == "all":
            return self._net.head(self._net.end(self._net.begin(self._pictures(rows, rng))))
        maps = self._frozen(rows, rng) if self._maps is None else self._maps[torch.from_numpy(rows)].to(self._device)
        return self._net.head(self._net.end(maps))

    def _frozen(self, rows: np.ndarray, rng: np.random.Generator | None = None) -> torch.Tensor:
        pictures = self._pictures(rows, rng)
        if self._fast is not None:
            return torch.tensor(np.stack([self._fast(one).astype(np.float32) for one in pictures[:, 0].numpy()]))
        with torch.no_grad():
            return torch.cat([self._net.begin(part) for part in pictures.split(_AT_ONCE)])

    def _pictures(self, rows: np.ndarray, rng: np.random.Generator | None) -> torch.Tensor:
        pictures = torch.tensor(self._examples.pictures[self._examples.rows[rows]], device=self._device)[:, None]
        rules = self._settings.augment
        return pictures if rng is None or rules is None else _moved(pictures, rules, rng)

    def _loss(self, logits: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        return functional.cross_entropy(logits, self._codes[torch.from_numpy(rows)], weight=self._importance)

    def _validation_loss(self) -> float:
        """Mean weighted cross-entropy of the validation part, not augmented; NaN where there is none."""
        rows = np.flatnonzero(self._examples.validation)
        total, importance = 0.0, self._importance[self._codes].cpu().numpy().astype(np.float64)
        with torch.no_grad():
            for batch in np.array_split(rows, math.ceil(len(rows) / _AT_ONCE)) if len(rows) else ():
                weight = importance[batch].sum()
                total += float(self._loss(self._logits(batch, None), batch)) * weight if weight else 0.0
        weight = importance[rows].sum()
        return float(total / weight) if weight else float("nan")

    def _load(self, before: Checkpoint) -> Any:
        """Put an epoch's end into the network and into a new optimiser."""
        for key, value in before.now.items():
            self._net.tensors[key] = torch.tensor(value, device=self._device, requires_grad=True)
        own = [self._net.tensors[key] for key in self._learnt]
        head = [self._net.tensors[key] for key in _HEAD]
        groups = [{"params": own}, {"params": head}]
        made = torch.optim.AdamW(groups, lr=0.0, weight_decay=self._settings.weight_decay, foreach=False)
        if before.steps:
            for key in before.now:
                made.state[self._net.tensors[key]] = {
                    "step": torch.tensor(float(before.steps)),
                    "exp_avg": torch.tensor(before.first[key], device=self._device),
                    "exp_avg_sq": torch.tensor(before.second[key], device=self._device),
                }
        return made

    def _unload(self, before: Checkpoint, optimiser: Any, steps: int, training: float) -> Checkpoint:
        now = {key: _array(self._net.tensors[key]) for key in before.now}
        of_optimiser = {key: optimiser.state[self._net.tensors[key]] for key in now}
        first = {key: _array(value["exp_avg"]) for key, value in of_optimiser.items()}
        second = {key: _array(value["exp_avg_sq"]) for key, value in of_optimiser.items()}
        epoch = Epoch(training, self._validation_loss())
        lowest = before.history[before.kept].validation
        better = self._settings.patience is None or epoch.validation < lowest
        best, kept = (now, len(before.history)) if better else (before.best, before.kept)
        return Checkpoint(now, best, first, second, steps, (*before.history, epoch), kept)


class _Net:
    """The network that ``network.onnx_graph`` writes, in torch; ``tensors`` are under torchvision's keys."""

    def __init__(self, weights: Weights, device: torch.device):
        self.tensors: Tensors = {key: torch.tensor(value, device=device) for key, value in weights.state.items()}
        network = weights.architecture
        self._frozen, self._tail = network.frozen, network.blocks[len(network.frozen) :]
        self.features, self.last = network.features, self._tail[0].name.partition(".")[0] + "."
        self._weights = weights
        convention = weights.convention
        self._mean, self._sd = (
            torch.tensor(part, device=device).view(1, 3, 1, 1) for part in (convention.mean, convention.sd)
        )

    def begin(self, pictures: torch.Tensor) -> torch.Tensor:
        """From greys in 0..1 to the maps before the last stage."""
        x = (pictures * self._weights.convention.scale - self._mean) / self._sd
        x = torch.relu(self._convolve(x, "conv1", "bn1", 2, 3))
        x = functional.max_pool2d(x, 3, 2, 1)
        for block in self._frozen:
            x = self._bottleneck(block, x)
        return x

    def end(self, x: torch.Tensor) -> torch.Tensor:
        """The last stage and the average pool."""
        for block in self._tail:
            x = self._bottleneck(block, x)
        return x.mean(dim=(2, 3))

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """One number a class."""
        return functional.linear(features, *(self.tensors[key] for key in _HEAD))

    def _bottleneck(self, block: Block, x: torch.Tensor) -> torch.Tensor:
        name = block.name
        first, second = (block.stride, 1) if self._weights.stride_in == "1x1" else (1, block.stride)
        inner = torch.relu(self._convolve(x, f"{name}.conv1", f"{name}.bn1", first))
        inner = torch.relu(self._convolve(inner, f"{name}.conv2", f"{name}.bn2", second, 1))
        inner = self._convolve(inner, f"{name}.conv3", f"{name}.bn3")
        if block.has_downsample:
            x = self._convolve(x, f"{name}.downsample.0", f"{name}.downsample.1", block.stride)
        return torch.relu(inner + x)

    def _convolve(self, x: torch.Tensor, name: str, norm: str, stride: int = 1, padding: int = 0) -> torch.Tensor:
        t = self.tensors
        x = functional.conv2d(x, t[f"{name}.weight"], t.get(f"{name}.bias"), stride, padding)
        mean, variance, gain, shift = (t[f"{norm}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, mean, variance, gain, shift, eps=self._weights.epsilon)


def _diverged(epoch: int) -> InvalidInput:
    found, action = f"a loss that is no finite number in epoch {epoch}", "Lower deep.finetune.learning_rate."
    return InvalidInput([Fault("deep.finetune", found, "rates at which the network learns", action)])


def _importance(examples: Examples, classes: int, settings: FinetuneSettings) -> torch.Tensor:
    """What a row of each class counts in the loss; a class that no row is learnt from counts nothing."""
    counts = np.bincount(examples.codes[~examples.validation], minlength=classes).astype(np.float64)
    if settings.class_weights == "balanced":
        return torch.tensor(
            np.divide(counts.sum() / classes, counts, out=np.zeros(classes), where=counts > 0), dtype=torch.float32
        )
    return torch.tensor(counts > 0, dtype=torch.float32)


def _moved(pictures: torch.Tensor, rules: AugmentSettings, rng: np.random.Generator) -> torch.Tensor:
    """Each picture turned, shifted, scaled and with its contrast changed by chance; its edge is repeated beyond it."""
    n = len(pictures)
    angle, size = np.radians(rng.uniform(-1, 1, n) * rules.rotate), 1 + rng.uniform(-1, 1, n) * rules.scale
    shift = rng.uniform(-2, 2, (2, n)) * rules.shift  # the side is 2 long in the grid's coordinates
    contrast = 1 + rng.uniform(-1, 1, n) * rules.contrast
    mirror = np.where(rng.random(n) < 0.5 * rules.flip, -1, 1)
    cos, sin = np.cos(angle) / size, np.sin(angle) / size
    theta = np.array([[cos * mirror, -sin, shift[0]], [sin * mirror, cos, shift[1]]]).transpose(2, 0, 1)
    where = functional.affine_grid(torch.tensor(theta, dtype=torch.float32), list(pictures.shape), align_corners=False)
    moved = functional.grid_sample(pictures, where.to(pictures.device), padding_mode="border", align_corners=False)
    mean = moved.mean(dim=(2, 3), keepdim=True)
    factor = torch.tensor(contrast, dtype=torch.float32, device=pictures.device).view(-1, 1, 1, 1)
    return (mean + (moved - mean) * factor).clamp(0, 1)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().copy()


@contextmanager
def _reproducibly(device: str) -> Iterator[None]:
    """One thread, deterministic algorithms and whole float32, then everything as it was."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS adds up in any order
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=device != "cpu")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
