"""Regions as lengths of runs, in the ways of COCO and CVAT."""

from collections.abc import Sequence

import numpy as np

from ...records import Inside
from .marks import Cut


def coco_counts(inside: Inside) -> list[int]:
    """Lengths down the columns, in turn outside and inside, beginning outside."""
    return _lengths(inside.ravel(order="F"))


def from_coco(counts: Sequence[int], shape: tuple[int, int]) -> Inside:
    """ValueError where the lengths do not add up to the film."""
    return _unfold(counts, shape[0] * shape[1]).reshape(shape, order="F")


def coco_text(text: str) -> list[int]:
    """Lengths from COCO's short text: five bits a letter, each from the third on as the difference to two before."""
    counts: list[int] = []
    value = shift = 0
    for letter in text.encode("ascii"):
        bits = letter - 48
        if not 0 <= bits < 64:
            raise ValueError(f"the letter {chr(letter)!r}")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            if shift > 60:
                raise ValueError("a length without end")
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("it ends within a length")
    return counts


def cvat_counts(inside: Inside) -> list[int]:
    """Lengths along the rows of the box, beginning outside."""
    return _lengths(inside.ravel())


def from_cvat(counts: Sequence[int], box: tuple[int, int, int, int], shape: tuple[int, int]) -> Cut:
    """``box`` is left, top, width, height; ValueError where it or the lengths do not fit."""
    left, top, width, height = box
    if left < 0 or top < 0 or width < 1 or height < 1 or left + width > shape[1] or top + height > shape[0]:
        raise ValueError("its box lies beyond the film")
    return Cut(shape, top, left, _unfold(counts, width * height).reshape(height, width))


def _lengths(flat: np.ndarray) -> list[int]:
    changes = np.flatnonzero(np.diff(flat)) + 1
    ends = [0, *changes.tolist(), flat.size]
    lengths = np.diff(ends).tolist()
    return [0, *lengths] if flat.size and flat[0] else lengths


def _unfold(counts: Sequence[int], size: int) -> np.ndarray:
    if any(not isinstance(n, int) or n < 0 for n in counts) or sum(counts) != size:
        raise ValueError(f"lengths that do not add up to {size} pixels")
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts)
