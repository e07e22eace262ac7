"""PyRadiomics parameter files, read unchanged: every key is honoured or refused by name, never ignored."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pywt
import yaml

from ..errors import Fault, InvalidInput
from ..settings import RadiomicsSettings
from .intensity import NAMES as FIRST_ORDER
from .shape import NAMES as SHAPE
from .texture import TEXTURE_CLASSES

CLASSES: dict[str, tuple[str, ...]] = {"shape2D": SHAPE, "firstorder": FIRST_ORDER, **TEXTURE_CLASSES}
Image = tuple[str, tuple[tuple[str, Any], ...]]  # an image type and its options as sorted pairs
POINT_FILTERS = ("square", "squareroot", "logarithm", "exponential", "gradient")


@dataclass(frozen=True)
class Parameters:
    """Everything a radiomics value depends on but the film and the region.

    ``images`` are (PyRadiomics image type in lower case, its options as sorted pairs); ``classes`` are (class,
    features). ``outliers`` in SD; ``minimum_size`` in pixels.
    """

    images: tuple[Image, ...]
    classes: tuple[tuple[str, tuple[str, ...]], ...]
    normalise: bool = False
    scale: float = 1.0
    outliers: float | None = None
    bin_width: float | None = 25.0
    bin_count: int = 32
    distances: tuple[int, ...] = (1,)
    alpha: float = 0.0
    shift: float = 0.0
    minimum_size: int = 1
    minimum_dimensions: int = 1


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
    )


def read_parameters(path: Path) -> Parameters:
    """Read a PyRadiomics parameter file (YAML or JSON), or raise InvalidInput with every fault in it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        found = f"cannot be read ({' '.join(str(error).split())[:120]})"
        raise InvalidInput([Fault(path.name, found, "a PyRadiomics parameter file in YAML or JSON")]) from None
    if not isinstance(content, dict):
        raise InvalidInput([Fault(path.name, "no keys", "setting:, imageType: and featureClass:")])
    reader = _Reader(path.name)
    reader.known(content, ("setting", "imageType", "featureClass"), "")
    settings = reader.settings(content.get("setting") or {})
    images = reader.images(content.get("imageType") or {"Original": {}})
    classes = reader.classes(content.get("featureClass"))
    if reader.faults:
        raise InvalidInput(reader.faults)
    return Parameters(images=images, classes=classes, **settings)


_SETTINGS: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "normalize": ("normalise", bool),
    "normalizeScale": ("scale", (int, float)),
    "removeOutliers": ("outliers", (int, float)),
    "binWidth": ("bin_width", (int, float)),
    "binCount": ("bin_count", int),
    "distances": ("distances", list),
    "gldm_a": ("alpha", (int, float)),
    "voxelArrayShift": ("shift", (int, float)),
    "minimumROISize": ("minimum_size", int),
    "minimumROIDimensions": ("minimum_dimensions", int),
}
_POSITIVE = ("normalizeScale", "removeOutliers", "binWidth", "binCount", "distances")
_ONLY: dict[str, tuple[Any, ...]] = {
    "force2D": (True,),
    "force2Ddimension": (0,),
    "symmetricalGLCM": (True,),
    "weightingNorm": (None,),
    "label": (1,),
    "additionalInfo": (True, False),
    "correctMask": (True, False),
    "enableCExtensions": (True, False),
    "preCrop": (False,),
    "resampledPixelSpacing": (None,),
    "resegmentRange": (None,),
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
_WITHOUT_EFFECT = ("interpolator", "padDistance", "geometryTolerance")  # matter only when resampling


class _Reader:
    """Walks the file and collects every fault."""

    def __init__(self, file: str):
        self.file = file
        self.faults: list[Fault] = []

    def known(self, content: Mapping[Any, Any], names: tuple[str, ...], place: str) -> None:
        for key in content:
            if key not in names:
                near = difflib.get_close_matches(str(key), names, n=1)
                advice = f"Did you mean {near[0]!r}?" if near else "Remove the key."
                self._refuse(f"{place}{key}", "a key that is not supported", "one of " + ", ".join(names), advice)

    def settings(self, content: Mapping[str, Any]) -> dict[str, Any]:
        self.known(content, (*_SETTINGS, *_ONLY, *_WITHOUT_EFFECT), "setting.")
        for key, allowed in _ONLY.items():
            if key in content and content[key] not in allowed:
                words = " or ".join(map(str, allowed))
                self._refuse(f"setting.{key}", f"{content[key]!r}", words, "Nothing else is supported on films.")
        made: dict[str, Any] = {}
        for key, (ours, kind) in _SETTINGS.items():
            value = content.get(key)
            if value is None:
                continue
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                self._refuse(f"setting.{key}", f"{value!r}", f"{_words(kind)}")
            elif key in _POSITIVE and not _all_above_zero(value):
                self._refuse(f"setting.{key}", f"{value!r}", "above 0")
            else:
                made[ours] = tuple(value) if isinstance(value, list) else value
        if "bin_count" in made:
            made["bin_width"] = None
        return made

    def images(self, content: Mapping[str, Any]) -> tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]:
        self.known(content, tuple(_IMAGES), "imageType.")
        made = []
        for name, (ours, options) in _IMAGES.items():
            if name not in content:
                continue
            given = dict(content[name] or {})
            self.known(given, (*options, "binWidth"), f"imageType.{name}.")
            if ours == "wavelet":
                given = {"wavelet": "coif1", "level": 1, "start_level": 0} | given
                if given["start_level"] != 0:
                    self._refuse("imageType.Wavelet.start_level", str(given["start_level"]), "0")
            width = given.get("binWidth", 1)
            if isinstance(width, bool) or not isinstance(width, int | float) or width <= 0:
                self._refuse(f"imageType.{name}.binWidth", f"{width!r}", "a number above 0")
            if ours == "log" and not given.get("sigma"):
                self._refuse("imageType.LoG.sigma", "missing", "a list of sigmas in mm")
            if ours == "lbp-2D":
                given = {"lbp2DRadius": 1, "lbp2DSamples": 8, "lbp2DMethod": "uniform"} | given
                self._lbp(given)
            frozen = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
            made.append((ours, tuple(sorted(frozen.items()))))
        return tuple(made)

    def _lbp(self, given: Mapping[str, Any]) -> None:
        if given["lbp2DMethod"] != "uniform":
            self._refuse("imageType.LBP2D.lbp2DMethod", f"{given['lbp2DMethod']!r}", "uniform")
        for key, kind in (("lbp2DRadius", int | float), ("lbp2DSamples", int)):
            if isinstance(given[key], bool) or not isinstance(given[key], kind) or given[key] <= 0:
                self._refuse(f"imageType.LBP2D.{key}", f"{given[key]!r}", "a number above 0")

    def classes(self, content: Mapping[str, Any] | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
        if content is None:
            return tuple(CLASSES.items())
        if "shape" in content:
            content = {"shape2D" if key == "shape" else key: value for key, value in content.items()}
        self.known(content, tuple(CLASSES), "featureClass.")
        made = []
        for name, features in CLASSES.items():
            if name in content:
                wanted = tuple(content[name] or features)
                self.known(dict.fromkeys(wanted), features, f"featureClass.{name}.")
                made.append((name, tuple(feature for feature in features if feature in wanted)))
        return tuple(made)

    def _refuse(self, key: str, found: str, expected: str, action: str = "") -> None:
        self.faults.append(Fault(f"{self.file}, {key}", found, expected, action))


def _all_above_zero(value: Any) -> bool:
    """A number above 0, or a list of whole numbers above 0 with at least one."""
    if isinstance(value, list):
        return bool(value) and all(type(item) is int and item > 0 for item in value)
    return bool(value > 0)


def _words(kind: type | tuple[type, ...]) -> str:
    return {bool: "true or false", int: "a whole number", list: "a list"}.get(kind, "a number")  # type: ignore[arg-type]
