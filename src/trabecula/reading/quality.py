"""What is wrong across a study: films that are nearly the same in different patients.

A film is known by a 32 x 32 thumbnail. Two are near-duplicates when their thumbnails correlate by 0.98 or more and
their difference hashes (which neighbour is brighter, 240 bits) differ in 40 bits at most. Measured on real films:
another gamma, window, size, 3 % noise or a cropped edge stays within it.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float32
from PIL import Image

from ..records import Pixels, Study

Thumbnail = Float32[np.ndarray, "32 32"]
_SIDE = 32
_ALIKE, _BITS = 0.98, 40
_MOST_NAMED = 20


def thumbnail(pixels: Pixels) -> Thumbnail:
    """The film at 32 x 32, mean 0 and length 1; zeros for a film that is flat."""
    small = np.asarray(Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64)
    small = small - small.mean()
    length = np.sqrt((small**2).sum())
    flat = length <= 1e-6 * max(float(np.abs(pixels).max()), 1e-30)
    return np.asarray(np.zeros_like(small) if flat else small / length, dtype=np.float32)


def near_duplicates(study: Study, images: Sequence[str], thumbnails: Sequence[Thumbnail]) -> tuple[str, ...]:
    """A sentence for each pair of films of different patients that are nearly the same; the first 20, then a count."""
    said = list(_sentences(study, images, thumbnails))
    more = len(said) - _MOST_NAMED
    return tuple(said) if more <= 0 else (*said[:_MOST_NAMED], f"{more} more pairs of films are nearly the same")


def _sentences(study: Study, images: Sequence[str], thumbnails: Sequence[Thumbnail]) -> Iterator[str]:
    patients: dict[str, set[str]] = {}
    cohorts: dict[str, list[str]] = {}
    for case in study.cases:
        patients.setdefault(case.image.name, set()).add(case.patient_id)
        cohorts.setdefault(case.image.name, []).append(case.cohort)
    places = {name: " and ".join(dict.fromkeys(of_film)) for name, of_film in cohorts.items()}
    for name in dict.fromkeys(images):
        if len(patients.get(name, ())) > 1:
            yield f"{name} is the film of {len(patients[name])} patients ({places[name]})"
    alike = _alike(np.stack(thumbnails)) if len(thumbnails) else np.zeros((0, 0), dtype=bool)
    for i, k in np.argwhere(np.triu(alike, 1)):
        one, other = images[i], images[k]
        if patients.get(one, set()).isdisjoint(patients.get(other, set())):
            yield f"{one} ({places[one]}) and {other} ({places[other]}) of different patients are nearly the same film"


def _alike(thumbnails: Float32[np.ndarray, "films 32 32"]) -> Bool[np.ndarray, "films films"]:
    flat = thumbnails.reshape(len(thumbnails), -1)
    halves = thumbnails.reshape(len(thumbnails), _SIDE // 2, 2, _SIDE // 2, 2).mean(axis=(2, 4))
    bits = np.where(np.diff(halves, axis=2) > 0, 1.0, -1.0).reshape(len(thumbnails), -1)
    differing = (bits.shape[1] - bits @ bits.T) / 2
    return np.asarray((flat @ flat.T >= _ALIKE) & (differing <= _BITS))
