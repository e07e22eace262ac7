"""Where on the film a linear class score of deep features comes from.

Grad-CAM (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74) weights each map of the last block by the mean gradient of
the score. Behind global average pooling and a linear layer that gradient is the layer's weight over the number of
cells, everywhere: no gradient has to be computed (class activation maps, Zhou et al. 2016, doi:10.1109/CVPR.2016.319).
"""

from typing import TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Float
from PIL import Image

from ..records import Pixels
from .crop import CropFrame

Maps: TypeAlias = Float[np.ndarray, "features rows cols"]
Cells: TypeAlias = Float[np.ndarray, "rows cols"]


def score_map(maps: Maps, weights: Float[np.ndarray, " features"]) -> Cells:
    """What each cell adds to the score ``weights`` x features; its sum is that score, without the constant."""
    return np.tensordot(weights, maps, axes=1) / maps[0].size


def grad_cam(maps: Maps, weights: Float[np.ndarray, " features"]) -> Cells:
    """The cells that speak for the class: the score map without what speaks against it."""
    return np.maximum(score_map(maps, weights), 0)


def weights_on_features(coefficients: "pd.Series[float]", training: pd.DataFrame) -> Float[np.ndarray, " features"]:
    """Weights of the features as they are, from coefficients of standardised ones and the training rows.

    A feature that ``coefficients`` does not name has weight 0; standardised by the SD over all rows (1/n), as the
    pipeline does.
    """
    spread = training.std(ddof=0).replace(0, 1)
    return (coefficients.reindex(training.columns).fillna(0) / spread).to_numpy(np.float64)


def on_film(cells: Cells, frame: CropFrame, shape: tuple[int, int]) -> Pixels:
    """Lay a map over the film's own pixels, bilinear between the cells' centres; 0 outside of the crop."""
    fine = Image.fromarray(cells.astype(np.float32)).resize(
        (len(frame.cols), len(frame.rows)), Image.Resampling.BILINEAR
    )
    film = np.zeros(shape, np.float32)
    rows, cols = (_both(part, length) for part, length in zip((frame.rows, frame.cols), shape, strict=True))
    film[rows[0], cols[0]] = np.asarray(fine)[rows[1], cols[1]]
    return film


def _both(positions: range, length: int) -> tuple[slice, slice]:
    """The part of the film that a crop covers, and the part of the crop that lies on the film."""
    first, last = max(positions.start, 0), min(positions.stop, length)
    return slice(first, last), slice(first - positions.start, last - positions.start)
