"""PySERA's ResNet-50 features of one region beside ours, as users call them; processor time, one thread, in turns.

    pip install --no-deps pysera && python benchmarks/deep_peer.py [REGIONS] [ROUNDS]

torchvision cannot be installed beside the torch that is pinned here. PySERA asks it for a network and for the
subtraction of a mean; a plain torch network of the same layers with random weights stands in, which is also what PySERA
falls back to where it cannot download. Reading files is left out on both sides.
"""

import importlib.util
import statistics
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.features.plain_resnet import ResNet50

from trabecula.features import ResNetFeatures
from trabecula.records import Region, Xray
from trabecula.settings import DeepSettings

SHAPE, REGION = (2000, 1000), (slice(900, 1100), slice(400, 550))


def main(regions: int = 8, rounds: int = 5) -> None:
    """Print milliseconds of processor time a region, and the median ratio."""
    torch.set_num_threads(1)
    film = np.random.default_rng(0).normal(2000, 20, SHAPE).astype(np.float32)
    mask = np.zeros(SHAPE, np.uint8)
    mask[REGION] = 1
    (extractor,) = ResNetFeatures.from_settings(DeepSettings(weights=("untrained",)), Path())
    xray, region = Xray(film, None, "none", "film", ""), Region(mask > 0, "r", "r", "")
    pysera = _pysera()
    took: dict[str, list[float]] = {"PySERA": [], "ours": []}
    for _ in range(rounds + 1):
        took["PySERA"].append(_time(lambda: pysera.process_single_image_pair(film, mask, "a", "r"), regions))
        took["ours"].append(_time(lambda: extractor.rows(xray, [region]), regions))
    for name, seconds in took.items():
        print(f"{name}: {statistics.median(seconds[1:]) * 1e3:.0f} ms of processor time a region")
    ratios = [theirs / ours for theirs, ours in zip(took["PySERA"][1:], took["ours"][1:], strict=True)]
    print(f"PySERA / ours: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def _time(call: Callable[[], Any], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        assert call()
    return (time.process_time() - start) / times


def _pysera() -> Any:
    """PySERA's own class; the rest of its package and its other dependencies are not loaded."""
    found = importlib.util.find_spec("pysera")
    if found is None or found.origin is None:
        sys.exit("pysera is not installed")
    parts = {"": {}, ".models": {"resnet50": _Network, "ResNet50_Weights": _Weights}}
    for name, content in (parts | {".transforms": {"Normalize": _Normalise}}).items():
        sys.modules[f"torchvision{name}"] = module = types.ModuleType(f"torchvision{name}")
        vars(module).update(content)
    path = Path(found.origin).parent / "engine" / "deep_features" / "radiomics_df_extractor.py"
    spec = importlib.util.spec_from_file_location("pysera_deep", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["torchvision"].models = sys.modules["torchvision.models"]
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]
    spec.loader.exec_module(made)
    return made.deep_learning_feature_extractor("resnet50")


class _Weights:
    IMAGENET1K_V1 = None


class _Network(ResNet50):
    def __init__(self, weights: None):  # noqa: ARG002
        super().__init__()
        self.relu, self.maxpool = torch.nn.ReLU(inplace=True), torch.nn.MaxPool2d(3, 2, 1)
        self.avgpool = torch.nn.AdaptiveAvgPool2d(1)


class _Normalise:
    def __init__(self, mean: list[float], std: list[float]):
        self.mean, self.std = (torch.tensor(part).view(3, 1, 1) for part in (mean, std))

    def __call__(self, picture: torch.Tensor) -> torch.Tensor:
        return (picture - self.mean) / self.std


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
