"""Grad-CAM of one answer of a bundle: where on the film the deep part of its score comes from."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..features import ResNetFeatures, grad_cam, on_film
from ..modelling import drivers
from ..modelling.contributions import CLOSED, LOG_ODDS
from ..records import Region, Xray
from ..reporting import overlay_png
from .predict import Answer, Predictor


def heat_map(
    predictor: Predictor, xray: Xray, region: Region, answer: Answer, values: Mapping[str, str], site: str = ""
) -> bytes | None:
    """A PNG of the film's size for the predicted class.

    None for a model without deep features, for one whose score is no weighted sum of them, and where none of them
    speaks for the class.
    """
    network = next((one for one in predictor.extractors if isinstance(one, ResNetFeatures)), None)
    spread = predictor.bundle.manifest.spread
    if network is None or spread is None:
        return None
    row, _ = predictor.row(xray, region, values, site)
    weights = _weights(predictor, row, network, np.array(spread.mean), answer)
    if weights is None:
        return None
    maps, frame = network.maps(xray, region)
    heat = on_film(grad_cam(maps, weights), frame, xray.pixels.shape)
    return overlay_png(xray.pixels, heat, network.window(xray)) if heat.any() else None


def _weights(
    predictor: Predictor, row: pd.DataFrame, network: ResNetFeatures, mean: np.ndarray, answer: Answer
) -> np.ndarray | None:
    """How fast the score of the predicted class rises with each deep feature: of a sum, the same at every step."""
    steps = {name: max(high - low, 1e-9) for name, (low, high) in predictor.bundle.manifest.features.items()}
    taken = [name for name in network.names if name in row and name in steps]
    before = drivers(predictor.pipeline, row, mean)
    best = predictor.bundle.manifest.classes.index(answer.predicted)
    if before is None or before.how != _LINEAR or best not in before.parts.index:
        return None
    if not taken or not set(before.parts) <= set(steps):  # principal components have no place on the film
        return None
    moved = row.copy()
    moved[taken] = row[taken] + pd.Series(steps)[taken]
    after = drivers(predictor.pipeline, moved, mean)
    assert after is not None, "the same model has parts for every row"
    rises = (after.parts.loc[best] - before.parts.loc[best]).reindex(network.names).fillna(0)
    return (rises / pd.Series(steps).reindex(network.names).fillna(1)).to_numpy(np.float64)


_LINEAR = f"{CLOSED}; score: {LOG_ODDS}"
