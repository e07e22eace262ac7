"""The radiomics of a region: filters, classes and names of PyRadiomics, on flat images."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..records import FeatureRow, Inside, Pixels, Region, Xray
from ..settings import RadiomicsSettings
from . import filters
from .crop import InputPolicy, crop_frame
from .intensity import NAMES as FIRST_ORDER
from .intensity import first_order
from .parameters import CLASSES, Parameters, default_parameters, read_parameters
from .patch import Box, Film, Outline, box_of, cropped, discretise, outline_of, prepare_film, resegmented
from .resampling import resample_film, resample_region
from .shape import shape2d
from .texture import grids, texture_features

DEFINITIONS = "2026.5"  # raise it when any value may change
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
            return cls(read_parameters(folder / settings.params, settings.standard))
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
        if p.spacing_mm is None:
            return [self._row(film, region.inside) for region in regions]
        film, grid = resample_film(film, p.spacing_mm, order=p.order, centred=p.standard == "ibsi")
        return [self._row(film, resample_region(region.inside, grid)) for region in regions]

    def responses(self, xray: Xray, inside: Inside, images: Sequence[str], policy: InputPolicy) -> dict[str, Pixels]:
        """What the filters of these images make of the square around a region; beyond the film its edge goes on.

        An image is what the names of its features begin with. With resampling the square is one of the new pixels.
        """
        p = self.parameters
        film = prepare_film(xray, normalise=p.normalise, scale=p.scale, outliers=p.outliers)
        if p.spacing_mm is not None:
            film, grid = resample_film(film, p.spacing_mm, order=p.order, centred=p.standard == "ibsi")
            inside = resample_region(inside, grid)
        frame = crop_frame(inside, policy)
        height, width = film.pixels.shape
        box = Box(
            max(frame.rows.start, 0),
            min(frame.rows.stop, height),
            max(frame.cols.start, 0),
            min(frame.cols.stop, width),
        )
        beyond = (
            (box.top - frame.rows.start, frame.rows.stop - box.bottom),
            (box.left - frame.cols.start, frame.cols.stop - box.right),
        )
        return {
            name: np.pad(window.astype(np.float32), beyond, mode="edge")
            for name, window, _ in _derived(film, box, p)
            if name in images
        }

    def warm_up(self) -> None:
        """Compile what these parameters need, or load it where it was compiled before: once for each installation."""
        pixels = np.arange(400, dtype=np.float32).reshape(20, 20)
        inside = np.zeros((20, 20), dtype=bool)
        inside[5:15, 5:15] = True
        self.rows(Xray(pixels, (1.0, 1.0), "none", "none", ""), [Region(inside, "none", "none", "")])

    def _row(self, film: Film, inside: Inside) -> FeatureRow:
        p = self.parameters
        whole = inside
        if p.resegment is not None and inside.any():
            inside = resegmented(film, inside, p.resegment, p.resegment_mode)
        box = box_of(inside) if inside.any() else Box(0, 0, 0, 0)
        outline = outline_of(inside, box)
        too_small = self._too_small(outline)
        if too_small:
            return FeatureRow(np.full(len(self.names), np.nan), dict.fromkeys(self.names, too_small))
        warnings: list[str] = []
        parts: list[np.ndarray] = []
        reasons = dict(_REASONS)
        if "shape2D" in self._wanted:
            outer = outline.inside if whole is inside or p.resegment_shape else whole[box_of(whole).slices]
            parts.append(shape2d(outer, film.spacing_mm or (1.0, 1.0))[self._wanted["shape2D"]])
        if p.crop is not None:
            uncut = box_of(whole)
            film, moved = cropped(film, uncut, p.crop)
            box = box.moved(moved.top - uncut.top, moved.left - uncut.left)
        for image, pixels, options in _derived(film, box, p):
            greys = outline.greys(pixels)
            width, count = self._binning(options)
            too_many = _too_many_bins(greys, width)
            if too_many:
                reasons[image] = too_many
                parts += [np.full(places.size, np.nan) for group, places in self._wanted.items() if group != "shape2D"]
                continue
            if image == "original" and width is not None:
                warnings += _bin_warning(greys, width)
            bounds = p.bin_range if image == "original" else None
            start = self._first_edge(image, greys)
            levels = discretise(greys, bin_width=width, bin_count=count, start=start, bounds=bounds)
            parts += self._of_image(greys, levels, outline, film)
        row = np.concatenate(parts) if parts else np.zeros(0)
        undefined = {
            self.names[k]: next((reasons[part] for part in self.names[k].split("_") if part in reasons), _NO_VALUE)
            for k in np.flatnonzero(~np.isfinite(row))
        }
        row[~np.isfinite(row)] = np.nan
        return FeatureRow(row, undefined, tuple(warnings))

    def _binning(self, options: Mapping[str, Any]) -> tuple[float | None, int]:
        """Bin width and count for one image; the width is None where the count holds."""
        if "binCount" in options:
            return None, options["binCount"]
        return options.get("binWidth", self.parameters.bin_width), self.parameters.bin_count

    def _first_edge(self, image: str, greys: np.ndarray) -> float | None:
        """Where IBSI's bins of fixed size start: at the lower bound of the greys, if one was given."""
        p = self.parameters
        if p.standard != "ibsi":
            return None
        if image == "original" and p.resegment is not None and p.resegment_mode == "absolute":
            return min(p.resegment)
        return float(greys.min())

    @cached_property
    def _wanted(self) -> dict[str, np.ndarray]:
        """For each class, the places of its wanted features among all of the class."""
        return {
            group: np.array([CLASSES[group].index(name) for name in features], dtype=np.int64)
            for group, features in self.parameters.classes
        }

    def _of_image(self, greys: np.ndarray, of_pixels: np.ndarray, outline: Outline, film: Film) -> list[np.ndarray]:
        p = self.parameters
        spacing = film.spacing_mm or (1.0, 1.0)
        levels = grids(of_pixels, outline.spans, outline.inside.shape, p.rules.border)
        found: dict[str, np.ndarray] = {}
        if "firstorder" in self._wanted:
            found["firstorder"] = first_order(greys, levels[-1], math.prod(spacing), p.shift)
            if p.standard == "ibsi" and found["firstorder"][_VARIANCE] > 0:
                found["firstorder"][_KURTOSIS] -= 3
        found |= texture_features(levels, self._wanted, p.rules, spacing)
        return [found[group][places] for group, places in self._wanted.items() if group != "shape2D"]

    def _too_small(self, outline: Outline) -> str:
        p = self.parameters
        pixels = int(outline.spans[:, 2].sum())
        if pixels == 0 or (p.resegment is not None and pixels == 1):
            steps = [("resampledPixelSpacing", p.spacing_mm), ("resegmentRange", p.resegment)]
            named = " and ".join(name for name, value in steps if value is not None)
            return f"{named} left {pixels} pixels of the region"
        dimensions = sum(side > 1 for side in outline.inside.shape)  # the box fits tightly
        if pixels < p.minimum_size:
            return f"the region has {pixels} pixels, fewer than minimumROISize {p.minimum_size}"
        if dimensions < p.minimum_dimensions and p.minimum_dimensions > 1:
            return f"the region extends in {dimensions} dimensions, fewer than minimumROIDimensions"
        return ""


_KURTOSIS, _VARIANCE = (FIRST_ORDER.index(name) for name in ("Kurtosis", "Variance"))
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
                yield from (f"wavelet{_number(level)}-{band}" for band in ("LH", "HL", "HH"))
            yield f"wavelet{_number(given['level'])}-LL"
        elif image == "log":
            yield from (_log_name(sigma, unit) for unit in ("px", "mm") for sigma in given.get(_SIGMA[unit], ()))
        else:
            yield image


def _derived(film: Film, box: Box, parameters: Parameters) -> Iterator[tuple[str, np.ndarray, Mapping[str, Any]]]:
    """Each derived image with its name and the options of its type."""
    standard = parameters.standard
    for image, options in parameters.images:
        given = dict(options)
        if image == "wavelet":
            for level in range(1, given["level"] + 1):
                depth = given["start_level"] + level
                bands = filters.wavelet_bands(film, box, wavelet=given["wavelet"], level=depth, standard=standard)
                wanted = ("LH", "HL", "HH") + (("LL",) if level == given["level"] else ())
                yield from ((f"wavelet{_number(level)}-{band}", bands[band], given) for band in wanted)
        elif image == "log":
            for unit in ("px", "mm"):
                for sigma in given.get(_SIGMA[unit], ()):
                    pixels = filters.log(film, box, sigma=float(sigma), in_mm=unit == "mm", standard=standard)
                    yield _log_name(sigma, unit), pixels, given
        elif image == "gradient":
            yield image, filters.gradient(film, box, use_spacing=given.get("gradientUseSpacing", True)), given
        elif image == "lbp-2D":
            pixels = filters.lbp2d(film, box, radius=float(given["lbp2DRadius"]), samples=given["lbp2DSamples"])
            yield image, pixels, given
        else:
            yield image, getattr(filters, image)(film, box), given


_SIGMA = {"px": "sigma_px", "mm": "sigma"}


def _number(level: int) -> str:
    return "" if level == 1 else str(level)


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
