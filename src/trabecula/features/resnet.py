"""The extractor of ResNet-50's average-pool vector: weights and input policy in, one row a region out."""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import Fault, InvalidInput
from ..records import FeatureRow, Region, Xray
from ..settings import DeepSettings
from .crop import CropFrame, InputPolicy, Picture, crop_frame, crop_region, grey_window
from .gradcam import Maps
from .weights import FEATURES, load_weights

if TYPE_CHECKING:
    from .network import Network, Output

_RUNTIME = {"definition": 2, "precision": "float32"}  # raise it when a value could change for the same inputs


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
    features: int = FEATURES

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
            count = weights.architecture.features
            made.append(cls(entry, folder, asked, weights.sha256, policy, name, statement, record | _RUNTIME, count))
        faults += _said_twice([extractor.name for extractor in made])
        if faults:
            raise InvalidInput(faults)
        return made

    @property
    def names(self) -> tuple[str, ...]:
        """The features, in order."""
        return tuple(f"resnet50_avgpool_{i:04d}" for i in range(self.features))

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
        return [FeatureRow(network(picture), warnings=warnings) for picture in self.pictures(xray, regions)]

    def pictures(self, xray: Xray, regions: Sequence[Region]) -> list[Picture]:
        """What the network sees of each region, with greys in 0..1."""
        window = self.window(xray)
        return [crop_region(xray.pixels, region.inside, window, self.policy) for region in regions]

    def window(self, xray: Xray) -> tuple[float, float]:
        """The two greys of the film between which the network sees it."""
        return grey_window(xray.pixels, self.policy)

    def maps(self, xray: Xray, region: Region) -> tuple[Maps, CropFrame]:
        """The 2048 maps whose means are the features of a region, and what of the film they cover."""
        (picture,) = self.pictures(xray, [region])
        return self._network("maps")(picture), crop_frame(region.inside, self.policy)

    def _network(self, output: "Output") -> "Network":
        return _loaded(self.entry, self.folder, self.asked, self.sha256, self.policy.size, output)


@functools.lru_cache(maxsize=8)
def _loaded(entry: str, folder: Path, asked: str | None, sha256: str, size: int, output: "Output") -> "Network":
    from .network import Network  # onnx and its runtime: 40 MB that radiomics alone do without

    weights = load_weights(entry, folder, asked)
    if weights.sha256 != sha256:
        action = "Leave the weights file alone while a study runs, and run again."
        raise InvalidInput([Fault(entry, "changed since the study was checked", f"SHA-256 {sha256}", action)])
    return Network(weights, size, output)


def _conventions_of_none(settings: DeepSettings) -> list[Fault]:
    unused = sorted(set(settings.conventions) - set(settings.weights))
    expected = f"one of deep.weights: {', '.join(settings.weights) or 'none'}"
    return [Fault("study.yaml, deep.conventions", f"the key {name!r}", expected) for name in unused]


def _said_twice(names: list[str]) -> list[Fault]:
    twice = sorted({name for name in names if names.count(name) > 1})
    expected, action = "one name for each set of weights", "Rename one file: features are named after it."
    return [Fault("study.yaml, deep.weights", f"two are named {name}", expected, action) for name in twice]
