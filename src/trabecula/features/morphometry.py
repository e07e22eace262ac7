"""Heights of a vertebral body from its region or from six points, height loss and Genant's grade.

Six-point morphometry measures the anterior, middle and posterior height (Chou and Vokes 2015,
doi:10.1016/j.jocd.2015.08.005); the grade is that of Genant 1993, doi:10.1002/jbmr.5650080915, by the largest loss
alone. It is a reader's grade: measured heights both over- and under-call it (Wáng 2019, doi:10.21037/qims.2019.02.04),
and a body that lost height everywhere alike is only seen against its neighbours, which one region does not have.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from numpy.polynomial import Polynomial
from scipy import ndimage

from ..records import FeatureRow, Region, Xray

Axis = Float64[np.ndarray, " places"]

_VERSION = "2"
_FEWEST = 6  # rows, columns and places of a border
_WALL = 0.3  # of the height to each side of the middle: where a wall is seen without its corners
_RIM = 0.1  # of the depth at each end: rounded corners of an endplate
_TURNS = 12
GRADES = ((0.20, 0), (0.25, 1), (0.40, 2))  # loss below the first: grade 0, ... and 3 above the last

NAMES = (
    "morphometry_AnteriorHeight", "morphometry_MiddleHeight", "morphometry_PosteriorHeight", "morphometry_Depth",
    "morphometry_AnteriorToPosterior", "morphometry_MiddleToPosterior", "morphometry_MiddleToLargest",
    "morphometry_SmallerToLargerEnd", "morphometry_HeightToDepth", "morphometry_HeightLoss", "morphometry_GenantGrade",
)  # fmt: skip


@dataclass(frozen=True)
class Heights:
    """Heights at both ends of the endplates and half-way, and the depth, all in one unit.

    ``left`` and ``right`` are sides of the film; which of them is anterior is for the caller to know.
    """

    left: float
    middle: float
    right: float
    depth: float

    @property
    def loss(self) -> float:
        """The share of the largest height that the smallest lacks, 0 to 1."""
        return 1 - min(self.left, self.middle, self.right) / max(self.left, self.middle, self.right)

    def facing(self, anterior: str | None) -> tuple[float, float] | tuple[None, None]:
        """The anterior and the posterior height of a patient who faces that side of the film; None for no side."""
        sides = {"left": (self.left, self.right), "right": (self.right, self.left)}
        return sides.get(anterior or "", (None, None))


def genant_grade(loss: float) -> int:
    """0 below a loss of 20 %, 1 below 25 %, 2 up to 40 %, 3 above."""
    for limit, grade in GRADES[:2]:
        if loss < limit:
            return grade
    return GRADES[2][1] if loss <= GRADES[2][0] else 3


def six_point_heights(points: Float64[np.ndarray, "6 2"]) -> Heights:
    """From upper left, middle, right and lower left, middle, right: (row, column) or (y, x) in one unit of length."""
    upper, lower = points[:3], points[3:]
    left, middle, right = (float(np.hypot(*gap)) for gap in upper - lower)
    across = (upper[2] - upper[0], lower[2] - lower[0])
    return Heights(left, middle, right, float(np.mean([np.hypot(*gap) for gap in across])))


def region_heights(inside: Bool[np.ndarray, "rows cols"], spacing: tuple[float, float] = (1.0, 1.0)) -> Heights | None:
    """From a mask; None where the region is too small or has no two endplates and two walls.

    The region is turned until its endplates lie evenly about the horizontal, starting from the smallest rectangle
    around it. A parabola is fitted to each endplate and a line to each wall, rounded corners left out; where they meet
    are four of the six points, half-way on the endplates the other two. A lip or an osteophyte at a rim does not count.
    """
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows) < _FEWEST or len(columns) < _FEWEST:
        return None
    cropped = np.pad(inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    tilt = _rectangle_tilt(np.argwhere(cropped) * np.asarray(spacing))
    for _ in range(_TURNS):
        sides = _sides(cropped, spacing, tilt)
        if sides is None:
            return None
        turn = float(np.arctan(sides.slope))
        tilt += turn
        if abs(turn) < 1e-3:
            break
    sides = _sides(cropped, spacing, tilt)
    return None if sides is None else sides.heights


class Morphometry:
    """An extractor (see records.Extractor) of the heights of a vertebra on a lateral film.

    Where nothing says which side of the film the patient faces, what needs it is undefined. Heights and depth are in
    mm, undefined without a spacing; ratios then take the pixels for square.
    """

    name = "morphometry"
    names = NAMES

    @property
    def digest(self) -> str:
        """SHA-256 of the version of the definitions."""
        return hashlib.sha256(f"{_VERSION} {NAMES}".encode()).hexdigest()

    def rows(self, xray: Xray, regions: Sequence[Region]) -> list[FeatureRow]:
        """One row a region."""
        return [_row(region.inside, xray) for region in regions]


def _row(inside: Bool[np.ndarray, "rows cols"], xray: Xray) -> FeatureRow:
    heights = region_heights(inside, xray.spacing_mm or (1.0, 1.0))
    if heights is None:
        reason = "the region is too small, or has no two endplates and two walls"
        return FeatureRow(np.full(len(NAMES), np.nan), dict.fromkeys(NAMES, reason))
    undefined: dict[str, str] = {}
    if xray.spacing_mm is None:
        undefined |= dict.fromkeys(NAMES[:4], "the film's spacing is unknown")
    if xray.anterior is None:
        sided = (NAMES[0], NAMES[2], NAMES[4], NAMES[5])
        undefined |= dict.fromkeys(sided, "nothing says which side the patient faces: set image.anterior")
    values = np.array(_values(heights, xray.anterior))
    values[[NAMES.index(name) for name in undefined]] = np.nan
    return FeatureRow(values, undefined)


def _values(heights: Heights, anterior: str | None) -> tuple[float, ...]:
    """In the order of the names; without a side those that need one mean nothing."""
    front, back = heights.facing(anterior)
    if front is None or back is None:
        front, back = heights.right, heights.left
    middle, largest = heights.middle, max(front, back, heights.middle)
    return (
        front,
        middle,
        back,
        heights.depth,
        front / back,
        middle / back,
        middle / largest,
        min(front, back) / max(front, back),
        largest / heights.depth,
        heights.loss,
        float(genant_grade(heights.loss)),
    )


@dataclass(frozen=True)
class _Sides:
    """Endplates as parabolas y(x), walls as lines x(y), in the frame of the tilt; ``slope`` of the mean endplate."""

    upper: Polynomial
    lower: Polynomial
    left: Polynomial
    right: Polynomial
    slope: float

    @property
    def heights(self) -> Heights | None:
        upper = [self._corner(self.upper, wall) for wall in (self.left, self.right)]
        lower = [self._corner(self.lower, wall) for wall in (self.left, self.right)]
        points = np.array([*self._three(self.upper, upper), *self._three(self.lower, lower)])
        if (points[:3, 0] >= points[3:, 0]).any() or upper[0] >= upper[1] or lower[0] >= lower[1]:
            return None
        return six_point_heights(points)

    @staticmethod
    def _corner(plate: Polynomial, wall: Polynomial) -> float:
        """The x where a wall meets an endplate."""
        x = float(wall(0.0))
        for _ in range(20):
            x = float(wall(plate(x)))
        return x

    @staticmethod
    def _three(plate: Polynomial, ends: list[float]) -> list[tuple[float, float]]:
        left, right = ends
        return [(float(plate(x)), x) for x in (left, (left + right) / 2, right)]


def _sides(inside: Bool[np.ndarray, "rows cols"], spacing: tuple[float, float], tilt: float) -> _Sides | None:
    turned, y, x = _turned(inside, spacing, tilt)
    top, bottom = _borders(turned, y)
    height = float(np.nanmedian(bottom - top))
    beside = np.abs(y) < _WALL * height
    left, right = (_fit(y[beside], border[beside], 1) for border in _borders(turned.T, x))
    if left is None or right is None:
        return None
    ends = np.array([-height / 2, height / 2])
    inner, outer = float(left(ends).max()), float(right(ends).min())
    between = (x > inner + _RIM * (outer - inner)) & (x < outer - _RIM * (outer - inner))
    upper, lower = (_fit(x[between], border[between], 2) for border in (top, bottom))
    if upper is None or lower is None:
        return None
    slope = np.mean([np.polyfit(x[between], border[between], 1)[0] for border in (top, bottom)])
    return _Sides(upper, lower, left, right, float(slope))


def _turned(
    inside: Bool[np.ndarray, "rows cols"], spacing: tuple[float, float], tilt: float
) -> tuple[Float64[np.ndarray, "y x"], Axis, Axis]:
    """How much of each cell of a turned square grid is inside, and the places of its rows and columns."""
    size = np.asarray(inside.shape) * spacing
    step = min(spacing)
    axis = np.arange(-np.hypot(*size) / 2 - step, np.hypot(*size) / 2 + 2 * step, step)
    y, x = axis[:, None], axis[None, :]
    centre = np.argwhere(inside).mean(axis=0)
    at = [
        (x * np.sin(tilt) + y * np.cos(tilt)) / spacing[0] + centre[0],
        (x * np.cos(tilt) - y * np.sin(tilt)) / spacing[1] + centre[1],
    ]
    return ndimage.map_coordinates(inside.astype(np.float64), at, order=1), axis, axis


def _borders(turned: Float64[np.ndarray, "y x"], y: Axis) -> tuple[Axis, Axis]:
    """Of each column the first and last place inside, from how much is inside and where its middle is."""
    total = turned.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.where(total > 0.5, (turned * y[:, None]).sum(axis=0) / total, np.nan)
    half = total * (y[1] - y[0]) / 2
    return middle - half, middle + half


def _fit(x: Axis, y: Axis, degree: int) -> Polynomial | None:
    known = np.isfinite(y)
    return Polynomial.fit(x[known], y[known], degree) if known.sum() >= _FEWEST else None


def _rectangle_tilt(points: Float64[np.ndarray, "pixels 2"]) -> float:
    """The angle, within 45 degrees of upright, of the smallest rectangle around the points (row, column)."""
    angles = np.deg2rad(np.arange(-45, 45, 1.0))
    across = np.outer(points[:, 1], np.cos(angles)) + np.outer(points[:, 0], np.sin(angles))
    down = np.outer(points[:, 0], np.cos(angles)) - np.outer(points[:, 1], np.sin(angles))
    return float(angles[np.argmin(np.ptp(across, axis=0) * np.ptp(down, axis=0))])
