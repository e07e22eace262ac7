"""Six points on a film -> the region of a vertebra."""

import hashlib

import numpy as np

from ..errors import Fault, InvalidInput
from ..records import SIX_POINTS, Region, Xray
from .outline import ORDER, fill, snap

FEWEST_PIXELS = 25  # pixels of a region
_APART = 2.0  # pixels
_ACTION = f"Give them in this order: {', '.join(ORDER)}."


def region_of_points(xray: Xray, text: str, name: str) -> Region:
    """Within the outline through six points, "x,y x,y ..." in pixels in the order of ``outline.ORDER``, snapped."""
    inside = fill(outline_of_points(xray, text), xray.pixels.shape)
    if int(inside.sum()) < FEWEST_PIXELS:
        found = f"points that enclose {int(inside.sum())} pixels"
        raise InvalidInput([Fault("points", found, f"a vertebral body, at least {FEWEST_PIXELS}", _ACTION)])
    return Region(inside, name, SIX_POINTS, hashlib.sha256(text.encode()).hexdigest())


def outline_of_points(xray: Xray, text: str) -> np.ndarray:
    """The outline itself, places x and y."""
    return snap(xray.pixels, _points(text, xray.pixels.shape))


def check_points(points: np.ndarray, text: str, shape: tuple[int, ...]) -> np.ndarray:
    """Six finite points, if they lie on the film and apart; ``text`` is how they were given."""
    if (points < 0).any() or (points >= np.array(shape[::-1])).any():
        expected = f"points on the film, x below {shape[1]} and y below {shape[0]}"
        raise InvalidInput([Fault("points", repr(text), expected)])
    if np.hypot(*(points - np.roll(points, 1, axis=0)).T).min() < _APART:
        raise InvalidInput([Fault("points", repr(text), f"neighbours at least {_APART:g} pixels apart", _ACTION)])
    return points


def _points(text: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        points = np.array([[float(one) for one in pair.split(",")] for pair in text.split()], dtype=np.float64)
    except ValueError:
        points = np.zeros(0)
    if points.shape != (len(ORDER), 2) or not np.isfinite(points).all():
        raise InvalidInput([Fault("points", repr(text), 'six points, "x,y x,y x,y x,y x,y x,y"', _ACTION)])
    return check_points(points, text, shape)
