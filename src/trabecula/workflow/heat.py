"""Where on the film the network's part of one answer comes from."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..features import ResNetFeatures, grad_cam, on_film
from ..records import Pixels, Region, Xray
from .predict import Predictor

_STEP = 1e-4  # of a feature's range in training


def heat_map(
    predictor: Predictor, xray: Xray, region: Region, values: Mapping[str, str], site: str = ""
) -> Pixels | None:
    """Grad-CAM of the log probability of the most probable class, on the film's grid.

    Asked as ``Predictor.answer``. None where the model has no network, and where the probability does not change with
    it: trees are flat between their cuts.
    """
    network = next((one for one in predictor.extractors if isinstance(one, ResNetFeatures)), None)
    if network is None:
        return None
    row, _ = predictor.row(xray, region, values, site)
    weights = _slopes(predictor, row, network.names)
    if not weights.any():
        return None
    maps, frame = network.maps(xray, region)
    heat = on_film(grad_cam(maps, weights), frame, xray.pixels.shape)
    return heat if heat.any() else None


def _slopes(predictor: Predictor, row: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Derivatives of log p by the network's features, by central differences; 0 of those not in the model."""
    ranges = predictor.bundle.manifest.features
    asked = [name for name in names if name in ranges and name in row and ranges[name][1] > ranges[name][0]]
    weights = np.zeros(len(names))
    if not asked:
        return weights
    best = int(predictor.probabilities(row)[0].argmax())
    steps = np.array([_STEP * (ranges[name][1] - ranges[name][0]) for name in asked])
    places = row.columns.get_indexer(pd.Index(asked))
    moved = np.repeat(row.to_numpy(np.float64), 2 * len(asked), axis=0)
    both = np.arange(len(asked)) * 2
    moved[both, places] += steps
    moved[both + 1, places] -= steps
    logs = np.log(
        np.maximum(predictor.probabilities(pd.DataFrame(moved, columns=row.columns))[:, best], 1e-300)
    ).reshape(-1, 2)
    weights[[names.index(name) for name in asked]] = (logs[:, 0] - logs[:, 1]) / (2 * steps)
    return weights
