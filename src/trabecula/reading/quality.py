"""What is wrong across a study: films that are nearly the same in different patients.

A film is known by a 32 x 32 thumbnail. Two are near-duplicates when their thumbnails correlate by 0.98 or more and
their difference hashes (which neighbour is brighter, 240 bits) differ in 40 bits at most. Measured on real films:
another gamma, window, size, 3 % noise or a cropped edge stays within it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32
from PIL import Image

from ..records import Case, Pixels, Study

Thumbnail = Float32[np.ndarray, "32 32"]
_SIDE = 32
_ALIKE, _BITS = 0.98, 40
_MOST_NAMED = 20
ONE_FILM, NEARLY = "one film", "nearly the same film"


def thumbnail(pixels: Pixels) -> Thumbnail:
    """The film at 32 x 32, mean 0 and length 1; zeros for a film that is flat."""
    small = np.asarray(Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64)
    small = small - small.mean()
    length = np.sqrt((small**2).sum())
    flat = length <= 1e-6 * max(float(np.abs(pixels).max()), 1e-30)
    return np.asarray(np.zeros_like(small) if flat else small / length, dtype=np.float32)


@dataclass(frozen=True)
class Pair:
    """Two cases of different patients whose films are one, or nearly the same; ``cohorts`` are those of the films."""

    what: str
    cases: tuple[str, str]
    cohorts: tuple[str, str]


def near_duplicates(study: Study, images: Sequence[str], thumbnails: Sequence[Thumbnail]) -> tuple[Pair, ...]:
    """The first case of each film that a film of another patient is like, and of two patients who share a film."""
    of_film: dict[str, list[Case]] = {}
    for case in study.cases:
        of_film.setdefault(case.image.name, []).append(case)
    pairs = []
    for first, *others in of_film.values():
        other = next((case for case in others if case.patient_id != first.patient_id), None)
        if other is not None:
            pairs.append(Pair(ONE_FILM, (first.case_id, other.case_id), (first.cohort, other.cohort)))
    alike = _alike(np.stack(thumbnails)) if len(thumbnails) else np.zeros((0, 0), dtype=bool)
    for i, k in np.argwhere(np.triu(alike, 1)):
        one, other_film = of_film.get(images[i], []), of_film.get(images[k], [])
        if one and other_film and {case.patient_id for case in one}.isdisjoint(case.patient_id for case in other_film):
            cohorts = _cohorts(one), _cohorts(other_film)
            pairs.append(Pair(NEARLY, (one[0].case_id, other_film[0].case_id), cohorts))
    return tuple(pairs)


def in_words(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """A sentence a pair; the first 20, then a count."""
    said = [
        " and ".join(f"{case} ({cohort})" for case, cohort in zip(pair.cases, pair.cohorts, strict=True))
        + f" of different patients: {pair.what}"
        for pair in pairs[:_MOST_NAMED]
    ]
    more = len(pairs) - _MOST_NAMED
    return tuple(said) if more <= 0 else (*said, f"{more} more pairs of films are nearly the same")


def _cohorts(cases: Sequence[Case]) -> str:
    return " and ".join(dict.fromkeys(case.cohort for case in cases))


def _alike(thumbnails: Float32[np.ndarray, "films 32 32"]) -> Bool[np.ndarray, "films films"]:
    flat = thumbnails.reshape(len(thumbnails), -1)
    halves = thumbnails.reshape(len(thumbnails), _SIDE // 2, 2, _SIDE // 2, 2).mean(axis=(2, 4))
    bits = np.where(np.diff(halves, axis=2) > 0, 1.0, -1.0).reshape(len(thumbnails), -1)
    differing = (bits.shape[1] - bits @ bits.T) / 2
    return np.asarray((flat @ flat.T >= _ALIKE) & (differing <= _BITS))
