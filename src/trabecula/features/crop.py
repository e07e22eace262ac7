"""Film + region -> the square picture that a network sees; every choice is in one InputPolicy."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float32
from PIL import Image

from ..records import Inside, Pixels

Picture: TypeAlias = Float32[np.ndarray, "size size"]

_SAMPLES = 1 << 16
_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "area": Image.Resampling.BOX}  # both antialias where they shrink


@dataclass(frozen=True)
class InputPolicy:
    """How a region becomes a picture; it is part of the digest of every deep feature.

    ``crop`` "square" is a square around the region's bounding box with ``margin`` times its longer side on each
    of the four sides; "box" is the bounding box itself with ``margin`` times each side, stretched to a square.
    What lies beyond the film repeats the film's edge. It is resized to ``size`` x ``size`` by ``resize``. The film's
    greys from its ``dark`` to its ``bright`` percentile become 0..1. ``masked`` makes all outside the region 0.
    """

    margin: float = 0.1
    size: int = 224
    crop: Literal["square", "box"] = "square"
    masked: bool = False
    resize: Literal["bicubic", "area"] = "bicubic"
    dark: float = 0.5
    bright: float = 99.5

    @property
    def name(self) -> str:
        """The whole policy in one word, e.g. ``square-0.1-bicubic-224-p0.5-p99.5``."""
        crop = f"{self.crop}-{self.margin:g}" + ("-masked" if self.masked else "")
        return f"{crop}-{self.resize}-{self.size}-p{self.dark:g}-p{self.bright:g}"


@dataclass(frozen=True)
class CropFrame:
    """The rows and columns of the film, some of them perhaps beyond its border, that a picture shows."""

    rows: range
    cols: range


def grey_window(pixels: Pixels, policy: InputPolicy) -> tuple[float, float]:
    """Find the greys of the film that become 0 and 1, from a regular grid of about 65,000 of its pixels."""
    step = max(1, int(np.sqrt(pixels.size / _SAMPLES)))
    dark, bright = np.percentile(pixels[::step, ::step], (policy.dark, policy.bright))
    return float(dark), float(bright)


def crop_frame(inside: Inside, policy: InputPolicy) -> CropFrame:
    """Find what a region's picture shows of the film."""
    across = np.flatnonzero(inside.any(axis=1))[[0, -1]] + (0, 1)
    down = np.flatnonzero(inside[slice(*across)].any(axis=0))[[0, -1]] + (0, 1)
    sides = [int(stop - start) for start, stop in (across, down)]
    if policy.crop == "square":
        sides = [max(sides)] * 2
    wide = [int(np.ceil(side * (1 + 2 * policy.margin))) for side in sides]
    starts = [int(start + stop - side) // 2 for (start, stop), side in zip((across, down), wide, strict=True)]
    return CropFrame(*(range(start, start + side) for start, side in zip(starts, wide, strict=True)))


def crop_region(pixels: Pixels, inside: Inside, window: tuple[float, float], policy: InputPolicy) -> Picture:
    """Cut, resize and scale one region; every grey is in 0..1, and 0 throughout where the window is empty."""
    frame = crop_frame(inside, policy)
    patch = _scaled(cut_film(pixels, frame), window)
    if policy.masked:
        patch *= cut_region(inside, frame)
    resized = Image.fromarray(patch).resize((policy.size,) * 2, _FILTERS[policy.resize])
    return np.clip(np.asarray(resized, dtype=np.float32), 0, 1)


def cut_film(pixels: Pixels, frame: CropFrame) -> Pixels:
    """What the frame shows of a film; beyond the film its edge goes on."""
    rows, cols = (_within(part, length) for part, length in zip((frame.rows, frame.cols), pixels.shape, strict=True))
    return pixels[rows[:, None], cols]


def cut_region(inside: Inside, frame: CropFrame) -> Inside:
    """What the frame shows of a region; beyond the film nothing is inside."""
    rows, cols = (_within(part, length) for part, length in zip((frame.rows, frame.cols), inside.shape, strict=True))
    on_film = np.equal(rows, frame.rows)[:, None] & np.equal(cols, frame.cols)
    return inside[rows[:, None], cols] & on_film


def _within(positions: range, length: int) -> np.ndarray:
    return np.clip(positions, 0, length - 1)


def _scaled(patch: Pixels, window: tuple[float, float]) -> Pixels:
    dark, bright = window
    if bright <= dark:
        return np.zeros_like(patch)
    return np.clip((patch - np.float32(dark)) / np.float32(bright - dark), 0, 1)
