"""The radiomics of a region: filters, classes and names of PyRadiomics, on flat images."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..records import FeatureRow, Region, Xray
from ..settings import RadiomicsSettings
from . import filters
from .intensity import first_order
from .parameters import CLASSES, Parameters, default_parameters, read_parameters
from .patch import Box, Film, Outline, box_of, discretise, outline_of, prepare_film
from .shape import shape2d
from .texture import grids, texture_features

DEFINITIONS = "2026.2"  # raise it when any value may change
_BINS_FINE = (16, 128)
_BINS_MOST = 4096  # the memory of a GLCM grows with the square
_NO_VALUE = "not defined for this region"


@dataclass(frozen=True)
class Radiomics:
    """An extractor (see records.Extractor) of 2-D radiomics with the given parameters."""

    parameters: Parameters

    @classmethod
    def from_settings(cls, settings: RadiomicsSettings, folder: Path) -> "Radiomics":
        """The study's grey policy and filters, or its PyRadiomics parameter file in place of all of them."""
        if settings.params is not None:
            return cls(read_parameters(folder / settings.params))
        return cls(default_parameters(settings))

    @property
    def name(self) -> str:
        """The name of the table."""
        return "radiomics"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the parameters and the version of the definitions."""
        return hashlib.sha256(f"{DEFINITIONS} {self.parameters!r}".encode()).hexdigest()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """``<image>_<class>_<feature>``, shape once and of the original image."""
        listed = [f"original_shape2D_{feature}" for feature in dict(self.parameters.classes).get("shape2D", ())]
        for image in _image_names(self.parameters):
            for group, features in self.parameters.classes:
                if group != "shape2D":
                    listed += [f"{image}_{group}_{feature}" for feature in features]
        return tuple(listed)

    def rows(self, xray: Xray, regions: Sequence[Region]) -> list[FeatureRow]:
        """One row a region; a value does not depend on the other regions of the film."""
        p = self.parameters
        film = prepare_film(xray, normalise=p.normalise, scale=p.scale, outliers=p.outliers)
        return [self._row(film, region) for region in regions]

    def _row(self, film: Film, region: Region) -> FeatureRow:
        box = box_of(region.inside)
        outline = outline_of(region, box)
        too_small = self._too_small(outline.inside)
        if too_small:
            return FeatureRow(np.full(len(self.names), np.nan), dict.fromkeys(self.names, too_small))
        warnings: list[str] = []
        parts: list[np.ndarray] = []
        reasons = dict(_REASONS)
        if "shape2D" in self._wanted:
            parts.append(shape2d(outline.inside, film.spacing_mm or (1.0, 1.0))[self._wanted["shape2D"]])
        for image, pixels, options in _derived(film, box, self.parameters):
            greys = np.asarray(pixels).ravel()[outline.places]
            width = options.get("binWidth", self.parameters.bin_width)
            too_many = _too_many_bins(greys, width)
            if too_many:
                reasons[image] = too_many
                parts += [np.full(places.size, np.nan) for group, places in self._wanted.items() if group != "shape2D"]
                continue
            if image == "original" and width is not None:
                warnings += _bin_warning(greys, width)
            parts += self._of_image(greys, width, outline, film)
        row = np.concatenate(parts) if parts else np.zeros(0)
        undefined = {
            self.names[k]: next((reasons[part] for part in self.names[k].split("_") if part in reasons), _NO_VALUE)
            for k in np.flatnonzero(~np.isfinite(row))
        }
        row[~np.isfinite(row)] = np.nan
        return FeatureRow(row, undefined, tuple(warnings))

    @cached_property
    def _wanted(self) -> dict[str, np.ndarray]:
        """For each class, the places of its wanted features among all of the class."""
        return {
            group: np.array([CLASSES[group].index(name) for name in features], dtype=np.int64)
            for group, features in self.parameters.classes
        }

    def _of_image(self, greys: np.ndarray, width: float | None, outline: Outline, film: Film) -> list[np.ndarray]:
        p = self.parameters
        of_pixels = discretise(greys, bin_width=width, bin_count=p.bin_count)
        rows, columns = outline.inside.shape
        levels = grids(of_pixels, outline.bordered, rows + 2, columns + 2)
        found: dict[str, np.ndarray] = {}
        if "firstorder" in self._wanted:
            area = math.prod(film.spacing_mm) if film.spacing_mm else 1.0
            found["firstorder"] = first_order(greys, levels[-1], area, p.shift)
        found |= texture_features(levels, self._wanted, distances=p.distances, alpha=p.alpha)
        return [found[group][places] for group, places in self._wanted.items() if group != "shape2D"]

    def _too_small(self, inside: np.ndarray) -> str:
        pixels, dimensions = int(inside.sum()), sum(size > 1 for size in inside.shape)
        if pixels < self.parameters.minimum_size:
            return f"the region has {pixels} pixels, fewer than minimumROISize {self.parameters.minimum_size}"
        if dimensions < self.parameters.minimum_dimensions and self.parameters.minimum_dimensions > 1:
            return f"the region extends in {dimensions} dimensions, fewer than minimumROIDimensions"
        return ""


_REASONS = {
    "glcm": "no two pixels of the region are neighbours",
    "ngtdm": "no pixel of the region has a neighbour in it",
    "shape2D": "a single pixel has no axes",
}


def _image_names(parameters: Parameters) -> Iterator[str]:
    for image, options in parameters.images:
        given = dict(options)
        if image == "wavelet":
            for level in range(1, given["level"] + 1):
                suffix = "" if level == 1 else str(level)
                yield from (f"wavelet{suffix}-{band}" for band in ("LH", "HL", "HH"))
            yield "wavelet-LL" if given["level"] == 1 else f"wavelet{given['level']}-LL"
        elif image == "log":
            yield from (_log_name(sigma, unit) for unit in ("px", "mm") for sigma in given.get(_SIGMA[unit], ()))
        else:
            yield image


def _derived(film: Film, box: Box, parameters: Parameters) -> Iterator[tuple[str, np.ndarray, Mapping[str, Any]]]:
    """Each derived image with its name and the options of its type."""
    for image, options in parameters.images:
        given = dict(options)
        if image == "wavelet":
            for level in range(1, given["level"] + 1):
                suffix = "" if level == 1 else str(level)
                bands = filters.wavelet_bands(film, box, wavelet=given["wavelet"], level=level)
                wanted = ("LH", "HL", "HH") + (("LL",) if level == given["level"] else ())
                yield from ((f"wavelet{suffix}-{band}", bands[band], given) for band in wanted)
        elif image == "log":
            for unit in ("px", "mm"):
                for sigma in given.get(_SIGMA[unit], ()):
                    pixels = filters.log(film, box, sigma=float(sigma), in_mm=unit == "mm")
                    yield _log_name(sigma, unit), pixels, given
        elif image == "gradient":
            yield image, filters.gradient(film, box, use_spacing=given.get("gradientUseSpacing", True)), given
        elif image == "lbp-2D":
            pixels = filters.lbp2d(film, box, radius=float(given["lbp2DRadius"]), samples=given["lbp2DSamples"])
            yield image, pixels, given
        else:
            yield image, getattr(filters, image)(film, box), given


_SIGMA = {"px": "sigma_px", "mm": "sigma"}


def _log_name(sigma: float, unit: str) -> str:
    """PyRadiomics says 3D after a sigma in mm, flat images included; a sigma in pixels is ours alone."""
    suffix = "mm-3D" if unit == "mm" else "px-2D"
    return f"log-sigma-{float(sigma)}-{suffix}".replace(".", "-")


def _bins(greys: np.ndarray, width: float) -> int:
    low, high = float(greys.min()), float(greys.max())
    return int((high - (low - low % width)) / width) + 1


def _bin_warning(greys: np.ndarray, width: float) -> list[str]:
    bins = _bins(greys, width)
    if _BINS_FINE[0] <= bins <= _BINS_FINE[1]:
        return []
    return [f"binWidth {width:g} gives {bins} bins, outside 16-128; {_proposal(greys)}"]


def _too_many_bins(greys: np.ndarray, width: float | None) -> str:
    if width is None or _bins(greys, width) <= _BINS_MOST:
        return ""
    return f"binWidth {width:g} gives {_bins(greys, width)} bins, more than {_BINS_MOST}; {_proposal(greys)}"


def _proposal(greys: np.ndarray) -> str:
    return f"binWidth {float(f'{(float(greys.max()) - float(greys.min())) / 32:.2g}'):g} would give about 32"
