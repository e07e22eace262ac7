"""The extractor of ResNet-50's average-pool vector: weights and input policy in, one row a region out."""

import functools
import hashlib
import importlib.metadata
import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import Fault, InvalidInput
from ..records import FeatureRow, Region, Xray
from ..settings import DeepSettings
from .crop import CropFrame, InputPolicy, Picture, crop_frame, crop_region, grey_window
from .device import Device
from .gradcam import Maps
from .weights import FEATURES, Weights, load_weights

if TYPE_CHECKING:
    from .network import Network, Output
    from .torch_network import TorchNetwork

_DEFINITION = 2  # raise it when a value could change for the same inputs
_FLAT = "the film has one grey only: its deep features mean nothing"


@dataclass(frozen=True, eq=False)
class Fed:
    """A region as the network gets it, and what is to be said of it."""

    picture: Picture
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ResNetFeatures:
    """Extracts the 2048 average-pool features of a region; small enough to be sent to another process.

    The network is loaded at the first row in each process and shared there. ``entry`` is what the study calls the
    weights, ``sha256`` theirs; ``record`` is all that is known of them, of the input and of the network. On the
    ``device`` "cpu" a region is computed alone, elsewhere in batches by torch.
    """

    entry: str
    folder: Path
    asked: str | None
    sha256: str
    policy: InputPolicy
    name: str
    statement: str
    record: Mapping[str, object] = field(repr=False)
    device: Device = "cpu"
    precision: str = "float32"
    features: int = FEATURES

    @classmethod
    def from_settings(
        cls, settings: DeepSettings, folder: Path, device: Device = "cpu", *, keep: bool = False
    ) -> list["ResNetFeatures"]:
        """One extractor for each set of weights, each read and checked; raises with the faults of all.

        With ``keep`` this process is to use them at once: they are not read again when the network is loaded.
        """
        policy = InputPolicy(settings.margin, settings.size, settings.crop, settings.masked, settings.resize)
        made: list[ResNetFeatures] = []
        faults = [*_conventions_of_none(settings), *_precision_amiss(settings, device)]
        run_by = _run_by(device, settings.precision)
        for entry in settings.weights:
            asked = settings.conventions.get(entry)
            try:
                weights = load_weights(entry, folder, asked)
            except InvalidInput as error:
                faults += error.faults
                continue
            if keep:
                _READ[weights.sha256] = weights
            record = {"weights": weights.record, "policy": {"name": policy.name, **asdict(policy)}}
            name, statement = f"deep-{weights.name}", weights.statement
            known, count = record | run_by, weights.architecture.features
            whose = (entry, folder, asked, weights.sha256, policy, name, statement, known)
            made.append(cls(*whose, device, settings.precision, count))
        faults += _said_twice([extractor.name for extractor in made])
        if faults:
            raise InvalidInput(faults)
        return made

    @property
    def note(self) -> str:
        """In words: the weights, and what they are fed."""
        return f"{self.statement} Input policy {self.policy.name}."

    @property
    def names(self) -> tuple[str, ...]:
        """The features, in order."""
        return tuple(f"resnet50_avgpool_{i:04d}" for i in range(self.features))

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the weights, what is fed to them, the network and the version of this definition."""
        weights = cast("Mapping[str, object]", self.record["weights"])
        kept = ("sha256", "convention", "stride_in", "epsilon")
        parts = {"weights": {part: weights[part] for part in kept}, "policy": asdict(self.policy)}
        where = {} if self.device == "cpu" else {"device": self.device}  # the last bits differ from one to the other
        run_by = {"definition": _DEFINITION, "precision": self.precision, **where}
        return hashlib.sha256(json.dumps(parts | run_by, sort_keys=True).encode()).hexdigest()

    def rows(self, xray: Xray, regions: Sequence[Region]) -> list[FeatureRow]:
        """One row a region; on the processor each is computed alone, so that it never depends on the others."""
        return self.compute(self.prepare(xray, regions))

    def prepare(self, xray: Xray, regions: Sequence[Region]) -> list[Fed]:
        """What of a film the network is to be fed, one a region."""
        window = self.window(xray)
        warnings = (_FLAT,) if window[0] == window[1] else ()
        return [Fed(picture, warnings) for picture in self.pictures(xray, regions)]

    def pictures(self, xray: Xray, regions: Sequence[Region]) -> list[Picture]:
        """What the network sees of each region, with greys in 0..1."""
        window = self.window(xray)
        return [crop_region(xray.pixels, region.inside, window, self.policy) for region in regions]

    def compute(self, fed: Sequence[Fed]) -> list[FeatureRow]:
        """One row each, in order."""
        pictures = [one.picture for one in fed]
        values = self.batches()(pictures) if self.on_gpu else map(self._network("features"), pictures)
        return [FeatureRow(row, warnings=one.warnings) for row, one in zip(values, fed, strict=True)]

    def load_beside(self) -> None:
        """Begin to load the network while this thread goes on; the first row waits for it, and says what went wrong."""
        pool = ThreadPoolExecutor(1)
        pool.submit(self._network, "features")
        pool.shutdown(wait=False)

    @property
    def on_gpu(self) -> bool:
        """Whether torch computes in batches, which gain from being full."""
        return self.device != "cpu"

    def batches(self) -> "TorchNetwork":
        """The network as it is run where pictures are computed in batches."""
        with _LOADING:
            return _loaded_by_torch(
                self.entry, self.folder, self.asked, self.sha256, self.policy.size, self.device, self.precision
            )

    def window(self, xray: Xray) -> tuple[float, float]:
        """The two greys of the film between which the network sees it."""
        return grey_window(xray.pixels, self.policy)

    def maps(self, xray: Xray, region: Region) -> tuple[Maps, CropFrame]:
        """The 2048 maps whose means are the features of a region, and what of the film they cover."""
        (picture,) = self.pictures(xray, [region])
        return self._network("maps")(picture), crop_frame(region.inside, self.policy)

    def _network(self, output: "Output") -> "Network":
        with _LOADING:  # or each thread would load its own at first
            return _loaded(self.entry, self.folder, self.asked, self.sha256, self.policy.size, output)


_LOADING = threading.Lock()
_READ: dict[str, Weights] = {}  # by their SHA-256: read a moment ago, and to be run next


@functools.lru_cache(maxsize=8)
def _loaded(entry: str, folder: Path, asked: str | None, sha256: str, size: int, output: "Output") -> "Network":
    from .network import Network  # onnx and its runtime: 40 MB that radiomics alone do without

    return Network(_same(entry, folder, asked, sha256), size, output)


@functools.lru_cache(maxsize=8)
def _loaded_by_torch(
    entry: str, folder: Path, asked: str | None, sha256: str, size: int, device: str, precision: str
) -> "TorchNetwork":
    from .torch_network import TorchNetwork

    return TorchNetwork(_same(entry, folder, asked, sha256), size, device, precision)


def _same(entry: str, folder: Path, asked: str | None, sha256: str) -> Weights:
    weights = _READ.pop(sha256, None) or load_weights(entry, folder, asked)
    if weights.sha256 != sha256:
        action = "Leave the weights file alone while a study runs, and run again."
        raise InvalidInput([Fault(entry, "changed since the study was checked", f"SHA-256 {sha256}", action)])
    return weights


def _run_by(device: Device, precision: str) -> dict[str, object]:
    """What a record says of how the network was run."""
    runtime = "onnxruntime" if device == "cpu" else "torch"
    run_by = {"definition": _DEFINITION, "precision": precision, "device": device}
    return {**run_by, "runtime": f"{runtime} {importlib.metadata.version(runtime)}"}


def _precision_amiss(settings: DeepSettings, device: Device) -> list[Fault]:
    if device != "cpu" or settings.precision == "float32":
        return []
    found, expected = f"{settings.precision} on the processor", "float32 there; others with --device cuda or mps"
    return [Fault("study.yaml, deep.precision", found, expected)]


def _conventions_of_none(settings: DeepSettings) -> list[Fault]:
    unused = sorted(set(settings.conventions) - set(settings.weights))
    expected = f"one of deep.weights: {', '.join(settings.weights) or 'none'}"
    return [Fault("study.yaml, deep.conventions", f"the key {name!r}", expected) for name in unused]


def _said_twice(names: list[str]) -> list[Fault]:
    twice = sorted({name for name in names if names.count(name) > 1})
    expected, action = "one name for each set of weights", "Rename one file: features are named after it."
    return [Fault("study.yaml, deep.weights", f"two are named {name}", expected, action) for name in twice]
