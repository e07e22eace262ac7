"""Small pictures of regions: grey crops with an outline, a heat map or a filter's answer, as WebP of few bytes."""

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image
from scipy import ndimage

from ..records import Inside, Pixels
from .overlay import mixed

THUMBNAIL, PANEL = 112, 272  # pixels a side
MOST_BYTES = 5_000  # of a thumbnail
_LINE = np.array((255, 190, 40), np.float32)  # amber is seen on every grey, by the colour-blind too
_FOLDER = "cases"

Colours = UInt8[np.ndarray, "size size 3"]


@dataclass(frozen=True)
class Panel:
    """One large picture and what it shows."""

    caption: str
    content: bytes

    @property
    def address(self) -> str:
        """The picture as a data address, to stand in a page."""
        return data_address(self.content)


@dataclass(frozen=True)
class Pictures:
    """What was drawn of a run: a thumbnail a case, panels of the cases to show large, files that hold the others'."""

    thumbnails: Mapping[str, bytes] = field(default_factory=dict)
    large: Mapping[str, tuple[Panel, ...]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def as_asked(self, images: Literal["none", "thumbs", "full"]) -> "Pictures":
        """All of them, the thumbnails alone, or none."""
        return {"full": self, "thumbs": Pictures(self.thumbnails), "none": Pictures()}[images]


def thumbnail(patch: Pixels, inside: Inside) -> bytes:
    """A region's outline on its surroundings, in at most 5,000 bytes."""
    drawn = _outlined(_grey(_resized(patch, THUMBNAIL)), inside)
    for quality in (62, 50, 38, 26, 14, 4):
        content = _webp(drawn, quality)
        if len(content) <= MOST_BYTES:
            return content
    return content


def film_panel(patch: Pixels, inside: Inside | None = None) -> bytes:
    """A large crop, with the region's outline where it is given."""
    drawn = _grey(_resized(patch, PANEL))
    return _webp(drawn if inside is None else _outlined(drawn, inside), 70)


def heat_panel(patch: Pixels, inside: Inside, heat: Pixels) -> bytes:
    """A large crop under a heat map that goes from nothing to the crop's own maximum."""
    grey = _grey(_resized(patch, PANEL))[..., 0] / np.float32(255)
    return _webp(_outlined(mixed(grey, np.maximum(_resized(heat, PANEL), 0)), inside), 70)


def data_address(content: bytes) -> str:
    """Bytes of a WebP picture as an address that needs no file."""
    return "data:image/webp;base64," + base64.b64encode(content).decode()


def file_stem(case_id: str) -> str:
    """A file's name that holds nothing but letters, digits and ``._-+``, another for every case."""
    return quote(case_id, safe="").replace("%", "+")


def anchor(case_id: str) -> str:
    """The id of a case on the page; an id holds no blank."""
    return "case-" + "_".join(case_id.split())


def large_json(large: Mapping[str, tuple[Panel, ...]]) -> str:
    """The panels to show in the page, as text for ``large.json``."""
    return json.dumps(
        {name: [[p.caption, base64.b64encode(p.content).decode()] for p in panels] for name, panels in large.items()},
        ensure_ascii=False,
    )


def read_pictures(run: Path, case_ids: list[str]) -> Pictures:
    """What was drawn of a run, as far as it is there."""
    place = run / _FOLDER
    thumbs = {name: place / "thumbnails" / f"{file_stem(name)}.webp" for name in case_ids}
    files = {name: f"{_FOLDER}/{file_stem(name)}.html" for name in case_ids}
    large: dict[str, tuple[Panel, ...]] = {}
    if (place / "large.json").exists():
        for name, panels in json.loads((place / "large.json").read_text(encoding="utf-8")).items():
            large[name] = tuple(Panel(caption, base64.b64decode(content)) for caption, content in panels)
    return Pictures(
        {name: path.read_bytes() for name, path in thumbs.items() if path.exists()},
        large,
        {name: path for name, path in files.items() if (run / path).exists()},
    )


def _resized(patch: Pixels, side: int) -> Float32[np.ndarray, "size size"]:
    picture = Image.fromarray(np.ascontiguousarray(patch, np.float32))
    return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC), np.float32)


def _grey(patch: Float32[np.ndarray, "size size"]) -> Float32[np.ndarray, "size size 3"]:
    """0 to 255 between the crop's own percentiles 0.5 and 99.5."""
    dark, bright = np.percentile(patch, (0.5, 99.5))
    grey = np.clip((patch - np.float32(dark)) / np.float32(max(bright - dark, 1e-9)), 0, 1) * np.float32(255)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.float32)


def _outlined(drawn: Float32[np.ndarray, "size size 3"], inside: Inside) -> Float32[np.ndarray, "size size 3"]:
    """A soft line where the region ends: where its blurred mask passes one half."""
    side = drawn.shape[0]
    soft = ndimage.gaussian_filter(_resized(inside.astype(np.float32), side), side / 160)
    share = np.clip(1.5 * 4 * soft * (1 - soft) - 0.5, 0, 1)[..., None].astype(np.float32)
    return drawn * (1 - share) + _LINE * share


def _webp(drawn: Float32[np.ndarray, "size size 3"], quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.clip(np.rint(drawn), 0, 255).astype(np.uint8)).save(stream, "WEBP", quality=quality, method=2)
    return stream.getvalue()
