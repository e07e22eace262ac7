"""PyRadiomics parameter files, read unchanged: every key is honoured or refused by name, never ignored."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pywt

from ..errors import Fault, InvalidInput
from ..plain_text import json_of, yaml_of
from ..settings import RadiomicsSettings, Standard
from .intensity import NAMES as FIRST_ORDER
from .shape import NAMES as SHAPE
from .texture import TEXTURE_CLASSES, TextureRules

CLASSES: dict[str, tuple[str, ...]] = {"shape2D": SHAPE, "firstorder": FIRST_ORDER, **TEXTURE_CLASSES}
Image = tuple[str, tuple[tuple[str, Any], ...]]  # an image type and its options as sorted pairs
POINT_FILTERS = ("square", "squareroot", "logarithm", "exponential", "gradient")


@dataclass(frozen=True)
class Parameters:
    """Everything a radiomics value depends on but the film and the region.

    ``images`` are (PyRadiomics image type in lower case, its options as sorted pairs); ``classes`` are (class,
    features). ``outliers`` in SD; ``minimum_size`` and ``crop`` (the margin that stays, before filtering) in
    pixels; ``spacing_mm`` and ``order`` (of the spline) of the resampled film, 0 keeping its own spacing;
    ``resegment`` are one or two bounds of the greys of a region, as they are, times its largest, or in SD. A
    ``bin_range`` is divided into the ``bin_count`` bins of the original image, whatever the region's own greys.
    """

    images: tuple[Image, ...]
    classes: tuple[tuple[str, tuple[str, ...]], ...]
    standard: Standard = "pyradiomics"
    normalise: bool = False
    scale: float = 1.0
    outliers: float | None = None
    bin_width: float | None = 25.0
    bin_count: int = 32
    texture: TextureRules = field(default_factory=TextureRules)
    shift: float = 0.0
    spacing_mm: tuple[float, float] | None = None
    order: int = 3
    resegment: tuple[float, ...] | None = None
    resegment_mode: str = "absolute"
    resegment_shape: bool = False
    crop: int | None = None

    minimum_size: int = 1
    minimum_dimensions: int = 1
    bin_range: tuple[float, float] | None = None

    @cached_property
    def rules(self) -> TextureRules:
        """How textures are counted, by the standard."""
        return replace(self.texture, isolated=self.standard == "pyradiomics")


def default_parameters(settings: RadiomicsSettings) -> Parameters:
    """Our own grey policy: film z-scored over the film, a fixed number of bins over the region, all classes."""
    images: dict[str, list[Image]] = {
        "original": [("original", ())],
        "wavelet": [("wavelet", (("level", 1), ("start_level", 0), ("wavelet", settings.wavelet)))],
        "log": [("log", (("sigma_px", settings.log_sigma_px),))],
    }
    if settings.wavelet not in pywt.wavelist(kind="discrete"):
        found = f"wavelet {settings.wavelet!r}"
        raise InvalidInput([Fault("study.yaml, radiomics.wavelet", found, "a discrete wavelet such as coif1")])
    return Parameters(
        images=tuple(image for name in settings.filters for image in images[name]),
        classes=tuple(CLASSES.items()),
        normalise=settings.normalise == "film",
        bin_width=None,
        bin_count=settings.bins,
        bin_range=settings.bin_range,
        standard=settings.standard,
    )


def read_parameters(path: Path, standard: Standard = "pyradiomics") -> Parameters:
    """Read a PyRadiomics parameter file (YAML or JSON), or raise InvalidInput with every fault in it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json_of(text) if path.suffix == ".json" else yaml_of(text)
    except (OSError, ValueError) as error:
        found = f"cannot be read ({' '.join(str(error).split())[:120]})"
        raise InvalidInput([Fault(path.name, found, "a PyRadiomics parameter file in YAML or JSON")]) from None
    if not isinstance(content, dict):
        raise InvalidInput([Fault(path.name, "no keys", "setting:, imageType: and featureClass:")])
    reader = _Reader(path.name)
    reader.known(content, ("setting", "imageType", "featureClass"), "")
    setting, types, wanted = (reader.section(content, key) for key in ("setting", "imageType", "featureClass"))
    settings = reader.settings(setting)
    images = reader.images(types or {"Original": {}}, setting)
    classes = reader.classes(wanted)
    if reader.faults:
        raise InvalidInput(reader.faults)
    return Parameters(images=images, classes=classes, standard=standard, **settings)


_Check = Callable[[Any], bool]
_FARTHEST = 1e15  # no number here is meant to be larger


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -_FARTHEST < value < _FARTHEST


def _is_whole(value: Any) -> bool:
    return type(value) is int and abs(value) < _FARTHEST


def _list_of(fits: _Check, *lengths: int) -> _Check:
    return lambda v: isinstance(v, list) and bool(v) and all(map(fits, v)) and (not lengths or len(v) in lengths)


_BOOLEAN: tuple[_Check, str] = (lambda v: isinstance(v, bool), "true or false")
_NUMBER: tuple[_Check, str] = (_is_number, "a number")
_POSITIVE: tuple[_Check, str] = (lambda v: _is_number(v) and v > 0, "a number above 0")
_COUNT: tuple[_Check, str] = (lambda v: _is_whole(v) and v > 0, "a whole number above 0")
_COUNT_OR_0: tuple[_Check, str] = (lambda v: _is_whole(v) and v >= 0, "0 or a whole number above it")

_NORMS = ("manhattan", "euclidean", "infinity", "no_weighting")
# SimpleITK's names and numbers: the order of the spline
_ORDERS: dict[Any, int] = {"sitkBSpline": 3, "sitkLinear": 1, "sitkNearestNeighbor": 0, 3: 3, 2: 1, 1: 0}

_SETTINGS: dict[str, tuple[str, tuple[_Check, str]]] = {
    "normalize": ("normalise", _BOOLEAN),
    "normalizeScale": ("scale", _POSITIVE),
    "removeOutliers": ("outliers", _POSITIVE),
    "binWidth": ("bin_width", _POSITIVE),
    "binCount": ("bin_count", _COUNT),
    "voxelArrayShift": ("shift", _NUMBER),
    "minimumROISize": ("minimum_size", _COUNT),
    "minimumROIDimensions": ("minimum_dimensions", _COUNT),
    "resegmentRange": ("resegment", (_list_of(_is_number, 1, 2), "one or two numbers")),
    "resegmentMode": (
        "resegment_mode",
        (lambda v: v in ("absolute", "relative", "sigma"), "absolute, relative or sigma"),
    ),
    "resegmentShape": ("resegment_shape", _BOOLEAN),
    "distances": ("distances", (_list_of(_COUNT[0]), "a list of whole numbers above 0")),
    "gldm_a": ("alpha", _COUNT_OR_0),
    "symmetricalGLCM": ("symmetrical", _BOOLEAN),
    "weightingNorm": (
        "weighting",
        (lambda v: v in _NORMS, "manhattan, euclidean, infinity, no_weighting or null"),
    ),
    "resampledPixelSpacing": (
        "spacing",
        (_list_of(lambda v: _is_number(v) and v >= 0, 2, 3), "two or three numbers in mm: x, y (z plays no part)"),
    ),
    "interpolator": (
        "interpolator",
        (lambda v: isinstance(v, str | int) and v in _ORDERS, "sitkBSpline, sitkLinear or sitkNearestNeighbor"),
    ),
    "preCrop": ("pre_crop", _BOOLEAN),
    "padDistance": ("pad", _COUNT_OR_0),
}
_ONLY: dict[str, tuple[tuple[Any, ...], str]] = {
    "force2D": ((True, False), "A film is flat either way."),
    "force2Ddimension": ((0,), "A film has no other plane."),
    "label": ((1,), "Give the value of the mask in the table: region_value, or Label."),
    "label_channel": ((0,), "Save the mask with one channel."),
    "additionalInfo": ((True, False), ""),
    "correctMask": ((True, False), ""),
    "enableCExtensions": ((True, False), ""),
}
_IMAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Original": ("original", ()),
    "Wavelet": ("wavelet", ("wavelet", "level", "start_level")),
    "LoG": ("log", ("sigma",)),
    "Square": ("square", ()),
    "SquareRoot": ("squareroot", ()),
    "Logarithm": ("logarithm", ()),
    "Exponential": ("exponential", ()),
    "Gradient": ("gradient", ("gradientUseSpacing",)),
    "LBP2D": ("lbp-2D", ("lbp2DRadius", "lbp2DSamples", "lbp2DMethod")),
}
_WITHOUT_EFFECT = ("geometryTolerance",)  # masks must match their films exactly
_OF_FILTERS = tuple(option for _, options in _IMAGES.values() for option in options)


def _shown(value: Any) -> str:
    return repr(value)[:200]


class _Reader:
    """Walks the file and collects every fault."""

    def __init__(self, file: str):
        self.file = file
        self.faults: list[Fault] = []

    def known(self, content: Mapping[Any, Any], names: tuple[str, ...], place: str) -> None:
        for key in content:
            if key not in names:
                near = difflib.get_close_matches(str(key)[:60], names, n=1)
                advice = f"Did you mean {near[0]!r}?" if near else "Remove the key."
                self._refuse(
                    f"{place}{str(key)[:60]}", "a key that is not supported", "one of " + ", ".join(names), advice
                )

    def section(self, content: Mapping[Any, Any], key: str, place: str = "") -> dict[Any, Any]:
        """What lies under a key: keys of its own, none where nothing does."""
        found = content.get(key)
        if found is None or isinstance(found, dict):
            return found or {}
        self._refuse(f"{place}{key}", _shown(found), "keys with their values, or nothing")
        return {}

    def settings(self, content: Mapping[str, Any]) -> dict[str, Any]:
        self.known(content, (*_SETTINGS, *_ONLY, *_OF_FILTERS, *_WITHOUT_EFFECT), "setting.")
        for key, (allowed, action) in _ONLY.items():
            if key in content and content[key] not in allowed:
                self._refuse(f"setting.{key}", _shown(content[key]), " or ".join(map(str, allowed)), action)
        made: dict[str, Any] = {}
        for key, (ours, (fits, words)) in _SETTINGS.items():
            value = content.get(key)
            if value is None:
                continue
            if fits(value):
                made[ours] = tuple(value) if isinstance(value, list) else value
            else:
                self._refuse(f"setting.{key}", _shown(value), words)
        if "bin_count" in made:
            made["bin_width"] = None
        of_texture = {key: made.pop(key) for key in ("distances", "alpha", "symmetrical", "weighting") if key in made}
        made["texture"] = TextureRules(**of_texture)
        spacing, order = made.pop("spacing", None), _ORDERS[made.pop("interpolator", "sitkBSpline")]
        if spacing and any(spacing[:2]):
            made |= {"spacing_mm": (float(spacing[1]), float(spacing[0])), "order": order}
        pad = made.pop("pad", 5)
        return made | {"crop": pad if made.pop("pre_crop", False) else None}

    def images(
        self, content: Mapping[str, Any], setting: Mapping[str, Any]
    ) -> tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]:
        """The image types; an option said for all of them, under ``setting``, holds where a type has no own."""
        self.known(content, tuple(_IMAGES), "imageType.")
        made = []
        for name in (name for name in content if name in _IMAGES):
            ours, options = _IMAGES[name]
            given = {key: setting[key] for key in options if key in setting} | self.section(content, name, "imageType.")
            self.known(given, (*options, "binWidth", "binCount"), f"imageType.{name}.")
            for key in ("binWidth", "binCount"):
                fits, words = _SETTINGS[key][1]
                if key in given and not fits(given[key]):
                    self._refuse(f"imageType.{name}.{key}", _shown(given[key]), words)
            if ours == "wavelet":
                given = {"wavelet": "coif1", "level": 1, "start_level": 0} | given
                self._wavelet(given)
            if ours == "log" and not _list_of(_POSITIVE[0])(given.get("sigma")):
                self._refuse("imageType.LoG.sigma", _shown(given.get("sigma")), "a list of sigmas in mm")
            if ours == "lbp-2D":
                given = {"lbp2DRadius": 1, "lbp2DSamples": 8, "lbp2DMethod": "uniform"} | given
                self._lbp(given)
            frozen = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
            made.append((ours, tuple(sorted(frozen.items()))))
        return tuple(made)

    def _wavelet(self, given: Mapping[str, Any]) -> None:
        if given["wavelet"] not in pywt.wavelist(kind="discrete"):
            self._refuse("imageType.Wavelet.wavelet", _shown(given["wavelet"]), "a discrete wavelet such as coif1")
        for key, (fits, words) in (("level", _COUNT), ("start_level", _COUNT_OR_0)):
            if not fits(given[key]):
                self._refuse(f"imageType.Wavelet.{key}", _shown(given[key]), words)

    def _lbp(self, given: Mapping[str, Any]) -> None:
        if given["lbp2DMethod"] != "uniform":
            self._refuse("imageType.LBP2D.lbp2DMethod", _shown(given["lbp2DMethod"]), "uniform")
        for key, (fits, words) in (("lbp2DRadius", _POSITIVE), ("lbp2DSamples", _COUNT)):
            if not fits(given[key]):
                self._refuse(f"imageType.LBP2D.{key}", _shown(given[key]), words)

    def classes(self, content: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        if not content:
            return tuple(CLASSES.items())
        if "shape" in content:
            content = {"shape2D" if key == "shape" else key: value for key, value in content.items()}
        self.known(content, tuple(CLASSES), "featureClass.")
        made = []
        for name in (name for name in content if name in CLASSES):
            features = CLASSES[name]
            listed = content[name] or features
            if not isinstance(listed, list | tuple) or not all(isinstance(one, str) for one in listed):
                self._refuse(f"featureClass.{name}", _shown(listed), "a list of features, or nothing")
                continue
            wanted = tuple(dict.fromkeys(listed))
            self.known(dict.fromkeys(wanted), features, f"featureClass.{name}.")
            made.append((name, tuple(feature for feature in wanted if feature in features)))
        return tuple(made)

    def _refuse(self, key: str, found: str, expected: str, action: str = "") -> None:
        self.faults.append(Fault(f"{self.file}, {key}", found, expected, action))
