"""The spine of one simulated patient: where each body lies, its outline and what it does to the beam.

Lengths in mm, x from anterior (left) to posterior, y from head to feet, attenuation in multiples of ln 10 / 2.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy import ndimage

from .design import LEVELS, Patient, Vertebra

Grid = Float64[np.ndarray, "rows cols"]
ROOM = (190.0, 150.0)  # height and width of the field in mm


@dataclass(frozen=True)
class Body:
    """A vertebral body: centre, tilt (radians), depth, and anterior, middle and posterior heights."""

    level: str
    x: float
    y: float
    tilt: float
    depth: float
    heights: tuple[float, float, float]
    bulge: float = 0.0

    def local(self, x: Grid, y: Grid) -> tuple[Grid, Grid]:
        """Coordinates along the depth (-1 anterior, 1 posterior rim) and along the height (mm)."""
        dx, dy = x - self.x, y - self.y
        along = (dx * np.cos(self.tilt) + dy * np.sin(self.tilt)) / (self.depth / 2)
        return along, -dx * np.sin(self.tilt) + dy * np.cos(self.tilt)

    def distance(self, x: Grid, y: Grid) -> Grid:
        """Depth below the surface in mm: positive inside, negative outside (a bound, exact near the rims)."""
        u, v = self.local(x, y)
        front, middle, back = self.heights
        half = np.clip((middle + (back - front) / 2 * u + ((front + back) / 2 - middle) * u**2) / 2, 1.0, 40.0)
        waist = 0.06 * (1 - np.clip(v / half, -1, 1) ** 2)
        side = np.where(u > 0, 1 - waist + self.bulge * (1 - np.clip(v / half, -1, 1) ** 2), 1 - waist)
        return np.minimum(half - np.abs(v), (side - np.abs(u)) * self.depth / 2)

    def window(self, spacing: float, shape: tuple[int, int]) -> tuple[slice, slice]:
        """The part of the detector that the vertebra with its posterior elements can reach."""
        (top, bottom), (left, right) = (self.y - 34, self.y + 55), (self.x - 30, self.x + 75)
        bounds = [(top, bottom, shape[0]), (left, right, shape[1])]
        rows, cols = (
            slice(int(np.clip(low / spacing, 0, size)), int(np.clip(high / spacing, 0, size)))
            for low, high, size in bounds
        )
        return rows, cols

    def inside(self, x: Grid, y: Grid) -> Bool[np.ndarray, "rows cols"]:
        """The body's pixels."""
        return self.distance(x, y) > 0


def bodies(patient: Patient, rng: np.random.Generator) -> list[Body]:
    """T12 to S1 of one patient along a lordotic curve; the study's vertebrae carry their deformity."""
    affected = {vertebra.level: vertebra for vertebra in patient.vertebrae}
    size = (0.94 if patient.sex == "F" else 1.04) * rng.normal(1, 0.03)
    lordosis = rng.uniform(0.35, 0.6)
    y = rng.uniform(-14, -4)
    x = ROOM[1] * 0.52 + rng.uniform(-6, 6)
    made = []
    for number, level in enumerate(("T12", *LEVELS, "S1")):
        height = size * (24.5 + 0.7 * number)
        tilt = lordosis * (3.2 - number) / 3.5 + 0.05
        heights, bulge = _deformed(affected.get(level), height * rng.normal(1, 0.012, 3))
        gap = size * (7.0 + 0.9 * number) * rng.uniform(0.75, 1.1)
        step = float(np.mean(heights)) / 2
        y += step * np.cos(tilt)
        x -= step * np.sin(tilt)
        made.append(Body(level, x, y, tilt, size * (33 + 0.6 * number), heights, bulge))
        y += (step + gap) * np.cos(tilt)
        x -= (step + gap) * np.sin(tilt)
    return made


def attenuation(patient: Patient, spine: list[Body], spacing: float, rng: np.random.Generator) -> Grid:
    """What the beam loses on its way through the patient, one value a pixel of the hospital's detector."""
    rows, cols = (round(length / spacing) for length in ROOM)
    y, x = np.mgrid[:rows, :cols] * spacing
    field = _soft_tissue(x, y, rng)
    texture = _trabeculae((rows, cols), spacing, patient.t_score, rng)
    mineral = float(np.clip(1 + 0.16 * (patient.t_score + 2.5), 0.55, 1.3))
    for body in spine:
        window = body.window(spacing, (rows, cols))
        near = body.distance(x[window], y[window])
        solid = ndimage.gaussian_filter((near > 0).astype(np.float64), 0.45 / spacing)
        rim = np.exp(-0.5 * ((near - 0.7) / (0.55 + 0.18 * mineral)) ** 2)
        field[window] += solid * mineral * (0.42 + texture[window]) + (0.20 + 0.12 * mineral) * rim
        field[window] += _posterior_elements(body, x[window], y[window], mineral)
    return field + _ribs(x, y, rng) - _gas(x, y, rng)


def _deformed(vertebra: Vertebra | None, heights: np.ndarray) -> tuple[tuple[float, float, float], float]:
    front, middle, back = (float(height) for height in heights)
    if vertebra is None:
        return (front, middle * 0.97, back), 0.0
    left = 1 - vertebra.height_loss
    kept = {
        "wedge": (left, (1 + left) / 2, 1.0),
        "biconcave": ((2 + left) / 3, left, (2 + left) / 3),
        "crush": (left, left, (1 + 2 * left) / 3),
        "burst": (left, left * 0.95, (1 + 3 * left) / 4),
    }[vertebra.shape]
    return (front * kept[0], middle * kept[1], back * kept[2]), 0.12 if vertebra.shape == "burst" else 0.0


def _soft_tissue(x: Grid, y: Grid, rng: np.random.Generator) -> Grid:
    across = (x - ROOM[1] * 0.55) / ROOM[1]
    thick = 1.15 - 1.1 * across**2 + 0.25 * y / ROOM[0]
    knots = rng.normal(size=(8, 7))
    zoom = [size / knot for size, knot in zip(x.shape, knots.shape, strict=True)]
    return thick + 0.06 * ndimage.zoom(knots, zoom, order=3, mode="nearest")


def _trabeculae(shape: tuple[int, int], spacing: float, t_score: float, rng: np.random.Generator) -> Grid:
    """Struts along the load and, while bone is dense, across it; coarser and weaker as the T-score falls."""
    loss = float(np.clip((-1.0 - t_score) / 3.5, 0, 1))
    coarse = (0.42 + 0.25 * loss) / spacing
    vertical = _unit(ndimage.gaussian_filter(rng.normal(size=shape), (3.2 * coarse, 0.55 * coarse)))
    horizontal = _unit(ndimage.gaussian_filter(rng.normal(size=shape), (0.55 * coarse, 3.2 * coarse)))
    return 0.075 * (1 - 0.25 * loss) * vertical + 0.06 * (1 - 0.9 * loss) * horizontal


def _unit(noise: Grid) -> Grid:
    return noise / noise.std()


def _posterior_elements(body: Body, x: Grid, y: Grid, mineral: float) -> Grid:
    u, v = body.local(x, y)
    height = 0.78 * body.depth  # a fracture of the body leaves them as they were
    pedicle = np.exp(-(((u - 1.25) / 0.32) ** 2) - ((v + 0.15 * height) / (0.24 * height)) ** 2)
    spinous = np.exp(-(((u - 2.5) / 0.6) ** 4) - ((v - 0.35 * height) / (0.30 * height)) ** 4)
    return mineral * (0.28 * pedicle + 0.24 * spinous)


def _ribs(x: Grid, y: Grid, rng: np.random.Generator) -> Grid:
    total = np.zeros_like(x)
    for number in range(2):
        start = rng.uniform(-12, 22) + 26 * number
        line = start + rng.uniform(0.25, 0.5) * (ROOM[1] - x) + 8 * np.sin(x / 45)
        offset = np.abs(y - line)
        fading = np.clip(1.2 - y / (ROOM[0] * 0.5), 0, 1)
        total += fading * (0.10 * np.exp(-((offset / 3.6) ** 4)) + 0.05 * np.exp(-(((offset - 3.4) / 0.8) ** 2)))
    return total


def _gas(x: Grid, y: Grid, rng: np.random.Generator) -> Grid:
    total = np.zeros_like(x)
    for _ in range(int(rng.integers(2, 6))):
        centre_x, centre_y = rng.uniform(2, ROOM[1] * 0.42), rng.uniform(40, ROOM[0])
        wide, high = rng.uniform(6, 16), rng.uniform(4, 11)
        total += rng.uniform(0.06, 0.16) * np.exp(-((((x - centre_x) / wide) ** 2 + ((y - centre_y) / high) ** 2) ** 2))
    return total
