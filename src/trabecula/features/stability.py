"""The same vertebra drawn again: perturbed regions and films, to see which features survive it.

The chain of Zwanenburg et al. 2019 (doi 10.1038/s41598-018-36938-4): rotation, translation, growth, contour
randomisation and added noise. Here all that happens to the region happens to its signed distance at once.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pywt
from scipy import ndimage

from ..agreement import Form, icc
from ..records import Case, Inside, Pixels, Region, Xray
from .patch import box_of

Film = Sequence[Case]


@dataclass(frozen=True)
class Perturbation:
    """How far one redrawing may go. Lengths are shares of the region's diameter, that of a circle of its area.

    ``shift`` and ``grow`` (of the diameter) are the largest of a uniform draw, ``rotate`` too, in degrees;
    ``contour`` is the SD of the outline's wavering, ``noise`` that of the noise added, times the film's own. ``swell``
    is no draw: every region grows by it, or shrinks where it is negative.
    """

    shift: float = 0.03
    rotate: float = 3.0
    grow: float = 0.03
    contour: float = 0.02
    noise: float = 1.0
    number: int = 1
    seed: int = 0
    swell: float = 0.0


Load = Callable[[Film], tuple[Xray, list[Region]]]
Digests = Callable[[Film], list[str]]


def load_perturbed(film: Film, *, load: Load, how: Perturbation) -> tuple[Xray, list[Region]]:
    """What ``load`` gives, drawn again."""
    xray, regions = load(film)
    pixels = _noisy(xray.pixels, how.noise, _chance(how, xray.digest))
    again = [
        replace(region, inside=redrawn(region.inside, how, _chance(how, case.case_id)))
        for case, region in zip(film, regions, strict=True)
    ]
    return replace(xray, pixels=pixels), again


def perturbed_digests(film: Film, *, digests: Digests, how: Perturbation) -> list[str]:
    """Digests that change with the redrawing."""
    return [
        hashlib.sha256(f"{digest} {case.case_id} {how!r}".encode()).hexdigest()
        for case, digest in zip(film, digests(film), strict=True)
    ]


def redrawn(inside: Inside, how: Perturbation, chance: np.random.Generator) -> Inside:
    """The region as another hand, or the same on another day, might have drawn it; never empty."""
    diameter = math.sqrt(4 * inside.sum() / math.pi)
    box = box_of(inside)
    margin = 2 + math.ceil(
        diameter * (how.shift + how.grow + abs(how.swell) + 4 * how.contour) + diameter * math.radians(how.rotate)
    )
    top, left = max(box.top - margin, 0), max(box.left - margin, 0)
    cut = np.s_[top : box.bottom + margin, left : box.right + margin]
    window = np.pad(inside[cut], 1)
    distance = ndimage.distance_transform_edt(window) - ndimage.distance_transform_edt(~window)
    angle = math.radians(chance.uniform(-how.rotate, how.rotate))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    centre = np.array(ndimage.center_of_mass(window))
    offset = centre - turn @ (centre + chance.uniform(-how.shift, how.shift, 2) * diameter)
    moved = ndimage.affine_transform(distance, turn, offset=offset, order=1, mode="nearest")
    waves = ndimage.gaussian_filter(chance.normal(size=window.shape), diameter / 8)
    waves *= how.contour * diameter / (waves.std() or 1.0)
    growth = how.swell + chance.uniform(-how.grow, how.grow)
    drawn = moved + growth * diameter / 2 + waves > 0
    out = np.zeros_like(inside)
    out[cut] = drawn[1:-1, 1:-1]
    return out if out.any() else inside


def noise_of(pixels: Pixels) -> float:
    """SD of a film's noise, from the finest diagonal wavelet band.

    Donoho and Johnstone 1994, doi 10.1093/biomet/81.3.425.
    """
    _, (_, _, diagonal) = pywt.dwt2(pixels, "coif1")
    return float(np.median(np.abs(diagonal)) / 0.6745)


def stability_table(readings: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """ICC(1,1), ICC(2,1) and ICC(3,1) of every feature with 95 % intervals.

    One table a reading, all with the same columns; cases are those that every reading has.
    """
    shared = sorted(set.intersection(*(set(table.index) for table in readings)))
    values = np.stack([table.loc[shared].to_numpy(np.float64) for table in readings], axis=1)
    columns: dict[str, object] = {"feature": list(readings[0].columns), "readings": len(readings)}
    forms: dict[str, Form] = {"icc_1_1": "one-way", "icc_2_1": "agreement", "icc_3_1": "consistency"}
    for name, form in forms.items():
        made = icc(values, form)
        columns |= {
            "cases": made.cases.astype(int),
            name: made.value,
            f"{name}_low": made.low,
            f"{name}_high": made.high,
        }
    return pd.DataFrame(columns)


def _noisy(pixels: Pixels, times: float, chance: np.random.Generator) -> Pixels:
    sd = times * noise_of(pixels)
    return pixels if sd == 0 else (pixels + chance.normal(0, sd, pixels.shape)).astype(np.float32)


def _chance(how: Perturbation, what: str) -> np.random.Generator:
    """A generator of its own for every film and every case, whatever else is drawn."""
    words = hashlib.sha256(f"{how.seed} {how.number} {what}".encode()).digest()
    return np.random.default_rng(int.from_bytes(words[:8], "big"))
