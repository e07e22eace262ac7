"""Film + region -> the square picture that a network sees; every choice is in one InputPolicy."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32
from PIL import Image

from ..records import Inside, Pixels

Picture: TypeAlias = Float32[np.ndarray, "size size"]

_SAMPLES = 1 << 16


@dataclass(frozen=True)
class InputPolicy:
    """How a region becomes a picture; it is part of the digest of every deep feature.

    The crop is a square around the region's bounding box with ``margin`` times its longer side on each of the
    four sides; what lies beyond the film repeats the film's edge. It is resized to ``size`` x ``size`` by
    bicubic interpolation, antialiased where it shrinks. The film's greys from its ``dark`` to its ``bright``
    percentile become 0..1; the region itself is not cut out of its surroundings.
    """

    margin: float = 0.1
    size: int = 224
    dark: float = 0.5
    bright: float = 99.5


def grey_window(pixels: Pixels, policy: InputPolicy) -> tuple[float, float]:
    """Find the greys of the film that become 0 and 1, from a regular grid of about 65,000 of its pixels."""
    step = max(1, int(np.sqrt(pixels.size / _SAMPLES)))
    dark, bright = np.percentile(pixels[::step, ::step], (policy.dark, policy.bright))
    return float(dark), float(bright)


def crop_region(pixels: Pixels, inside: Inside, window: tuple[float, float], policy: InputPolicy) -> Picture:
    """Cut, resize and scale one region; every grey is in 0..1, and 0 throughout where the window is empty."""
    rows, cols = _square(inside, policy.margin)
    patch = pixels[np.ix_(_inside_film(rows, pixels.shape[0]), _inside_film(cols, pixels.shape[1]))]
    resized = Image.fromarray(_scaled(patch, window)).resize((policy.size,) * 2, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(resized, dtype=np.float32), 0, 1)


def _square(inside: Inside, margin: float) -> tuple[range, range]:
    bounds = [np.flatnonzero(inside.any(axis=axis))[[0, -1]] + (0, 1) for axis in (1, 0)]
    side = int(np.ceil(max(stop - start for start, stop in bounds) * (1 + 2 * margin)))
    starts = [int(start + stop - side) // 2 for start, stop in bounds]
    return range(starts[0], starts[0] + side), range(starts[1], starts[1] + side)


def _inside_film(positions: range, length: int) -> np.ndarray:
    return np.clip(positions, 0, length - 1)


def _scaled(patch: Pixels, window: tuple[float, float]) -> Pixels:
    dark, bright = window
    if bright <= dark:
        return np.zeros_like(patch)
    return np.clip((patch - np.float32(dark)) / np.float32(bright - dark), 0, 1)
