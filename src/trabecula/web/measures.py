"""Heights of what is drawn and Genant's grade, as the reader sees them while drawing."""

from dataclasses import asdict, dataclass

import numpy as np

from ..features.morphometry import Heights, genant_grade, region_heights, six_point_heights
from ..reading.drawn import Drawing, region_of
from ..records import Xray
from .film import unit_of

_FROM_SIX = [0, 1, 2, 5, 4, 3]  # of outline.ORDER: the upper three and the lower three, anterior first


@dataclass(frozen=True)
class Measures:
    """Heights in ``unit``; anterior and posterior are None where nothing says which side the patient faces.

    ``loss`` is the share of the largest height that the smallest lacks. ``warnings`` are keys of words.
    """

    unit: str
    anterior: float | None
    middle: float
    posterior: float | None
    depth: float
    loss: float
    grade: int
    source: str
    warnings: tuple[str, ...] = ()

    @property
    def ratios(self) -> dict[str, float | None]:
        """Anterior and middle height over the posterior."""
        front, back = self.anterior, self.posterior
        return {
            "anterior_to_posterior": front / back if front is not None and back else None,
            "middle_to_posterior": self.middle / back if back else None,
        }

    def as_json(self) -> dict[str, object]:
        """All of it, the ratios too."""
        return asdict(self) | self.ratios


def measures_of(drawing: Drawing, xray: Xray, anterior: str | None) -> Measures | None:
    """From the six points where there are six, else from the region; None where neither gives heights."""
    if len(drawing.points) == len(_FROM_SIX):
        return _of_points(drawing, xray, anterior)
    if not drawing.closed:
        return None
    inside = region_of(drawing, (xray.pixels.shape[0], xray.pixels.shape[1]))
    heights = region_heights(inside, xray.spacing_mm or (1.0, 1.0))
    if heights is None:
        return None
    front, back = heights.facing(anterior)
    return _measures(heights, front, back, xray, "region", () if anterior else ("annotate_side_unknown",))


def _of_points(drawing: Drawing, xray: Xray, anterior: str | None) -> Measures:
    points = np.array(drawing.points, dtype=np.float64)
    row, column = xray.spacing_mm or (1.0, 1.0)
    heights = six_point_heights(points[_FROM_SIX] * (column, row))
    front, back = points[[0, 5]].mean(axis=0), points[[2, 3]].mean(axis=0)
    upper, lower = points[:3].mean(axis=0), points[3:].mean(axis=0)
    warnings = []
    if anterior and (front[0] < back[0]) != (anterior == "left"):
        warnings.append("annotate_wrong_side")
    if upper[1] > lower[1]:
        warnings.append("annotate_upside_down")
    return _measures(heights, heights.left, heights.right, xray, "six points", tuple(warnings))


def _measures(
    heights: Heights, front: float | None, back: float | None, xray: Xray, source: str, warnings: tuple[str, ...]
) -> Measures:
    loss = heights.loss
    return Measures(
        unit_of(xray), front, heights.middle, back, heights.depth, loss, genant_grade(loss), source, warnings
    )
