"""A film with outline, heat map and answer burnt in, as a picture that any viewer shows."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from ..records import Pixels
from ..reporting.fonts import face_with
from ..reporting.overlay import mixed
from .finding import Finding, outline

LONGEST = 1400  # pixels of the film's longer side as drawn
_AMBER = (255, 190, 40)  # seen on every grey, by the colour-blind too
_SHOWN = 4  # warnings
_BANNER = "RESEARCH USE ONLY - not a medical device - preliminary, unverified"

Colours = UInt8[np.ndarray, "rows cols 3"]
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_capture(finding: Finding) -> Colours:
    """The film below a black head with the words; the film itself carries outline, heat map and the banner."""
    pixels = finding.xray.pixels
    scale = min(LONGEST / max(pixels.shape), 1.0)
    size = (max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1))
    heat = np.zeros(pixels.shape, np.float32) if finding.heat is None else finding.heat
    film = Image.fromarray(mixed(_grey(pixels), heat).round().astype(np.uint8)).resize(size, Image.Resampling.BOX)
    pencil = ImageDraw.Draw(film)
    shape = [(float(x) * scale, float(y) * scale) for x, y in outline(finding.region.inside)]
    pencil.line(shape, fill=_AMBER, width=max(round(size[0] / 500), 1), joint="curve")
    letters = max(size[0] / 45, 9.0)
    said = _said(finding)
    font, lacking = _font(said, letters)
    if lacking:
        said = [_shown(line, lacking) for line in said]
        said.append("? is a letter that no font here has: install Noto Sans CJK")
    lines = [_cut(line, font, size[0] - 8) for line in said]
    height = round(letters * 1.35)
    canvas = Image.new("RGB", (size[0], size[1] + height * len(lines) + 8))
    canvas.paste(film, (0, height * len(lines) + 8))
    words = ImageDraw.Draw(canvas)
    for k, line in enumerate(lines):
        words.text((4, 4 + k * height), line, fill=_AMBER if k == 0 else (255, 255, 255), font=font)
    words.text((4, canvas.height - height - 4), lines[0], fill=_AMBER, font=font)  # where a viewer crops the head
    return np.asarray(canvas)


def _grey(pixels: Pixels) -> Pixels:
    """0 to 1 between the greys that one in 200 pixels lies below and above."""
    dark, bright = np.percentile(pixels, (0.5, 99.5))
    return np.clip((pixels - np.float32(dark)) / np.float32(max(bright - dark, 1e-9)), 0, 1)


def _said(finding: Finding) -> list[str]:
    answer = finding.answer
    said = [
        _BANNER,
        f"Trabecula: class {answer.predicted}    "
        + "   ".join(f"{name}: {p:.1%}" for name, p in answer.probabilities.items()),
        f"{answer.model}; bundle {answer.bundle[:12]}",
        "heat: what in the region speaks for the class" if finding.heat is not None else "outline: the region",
        *(f"warning: {words}" for words in answer.warnings[:_SHOWN]),
    ]
    if len(answer.warnings) > _SHOWN:
        said.append(f"{len(answer.warnings) - _SHOWN} more warnings are in the report")
    return said


def _font(said: list[str], size: float) -> tuple[_Font, frozenset[str]]:
    """Pillow's own font, or one of this computer that has every letter; and the letters that are lacking still."""
    own = ImageFont.load_default(size)
    letters = frozenset("".join(said))
    lacking = frozenset(letter for letter in letters if not letter.isascii() and not _has(own, letter))
    if not lacking or (face := face_with(letters)) is None:
        return own, lacking
    return ImageFont.truetype(face.path, size, index=face.index), frozenset()


def _has(font: _Font, letter: str) -> bool:
    """A letter that a font lacks is drawn as one that no font has."""
    return bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))


def _shown(line: str, lacking: frozenset[str]) -> str:
    return "".join("?" if letter in lacking else letter for letter in line)


def _cut(line: str, font: _Font, width: int) -> str:
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "...") > width:
        line = line[:-1]
    return line + "..."
