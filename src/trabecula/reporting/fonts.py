"""Fonts of this computer for letters that the usual font lacks, such as Chinese; sought only when a text needs them.

A figure in Latin letters is drawn as if this module were not there.
"""

import contextlib
import functools
import logging
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

# how the names of files begin, the best first: Linux, Windows, macOS
_KNOWN = (
    "dejavusans.", "notosanscjk-regular", "notosanscjksc-regular", "notosanssc", "sourcehansans", "msyh.", "simhei",
    "pingfang", "stheiti", "hiragino", "wqy", "droidsansfallback", "arialuni", "arial unicode", "malgun", "meiryo",
    "notosans", "leelawad", "nirmala", "tahoma",
)  # fmt: skip
_OTHERWISE = ("bold", "italic", "oblique", "light", "thin", "black", "mono", "serif", "lastresort")  # last of all
_OUTLINES = b"OTTO"  # of PostScript: PDF holds them as TrueType only in name
INSTALL = (
    "install a font that has them (Debian, Ubuntu: apt install fonts-noto-cjk; else Noto Sans CJK or Noto Sans from "
    "https://fonts.google.com/noto; Windows and macOS bring Microsoft YaHei and PingFang) and make this again"
)


@dataclass(frozen=True)
class Face:
    """One face of a font's file."""

    path: Path
    family: str
    index: int


def faces_for(letters: Iterable[str]) -> tuple[tuple[Face, ...], str]:
    """Installed faces that together have these letters, as few as can be, and the letters that none has."""
    wanted, found = {letter for letter in letters if letter.isprintable() and not letter.isspace()}, []
    for path in _installed():
        if not wanted:
            break
        if has := wanted & _letters_of(path):
            found.append(_face(path))
            wanted -= has
    return tuple(found), "".join(sorted(wanted))


def face_with(letters: Iterable[str]) -> Face | None:
    """An installed face that alone has all these letters."""
    wanted = {letter for letter in letters if letter.isprintable() and not letter.isspace()}
    return next((_face(path) for path in _installed() if wanted <= _letters_of(path)), None)


def unshown(figure: Figure) -> str:
    """The letters of the figure that no font of this computer has."""
    return faces_for(_beyond_the_usual(figure))[1]


@contextlib.contextmanager
def lettered(figure: Figure) -> Iterator[None]:
    """Where the usual font lacks letters of the figure, draw and save it within here with fonts that have them."""
    letters = _beyond_the_usual(figure)
    if not letters:
        yield
        return
    faces, lacking = faces_for(letters)
    families = ["sans-serif", *(face.family for face in faces)]
    for text in figure.findobj(Text):
        text.set_fontfamily(families)
    whole = any(_is_postscript(face.path) for face in faces)
    with warnings.catch_warnings(), mpl.rc_context({"font.family": families, "pdf.fonttype": 3 if whole else 42}):
        if lacking:  # said in words by whoever writes the file
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        with _no_word_of_a_bold_face():
            yield


@contextlib.contextmanager
def _no_word_of_a_bold_face() -> Iterator[None]:
    """Most fonts of many letters have one weight, which matplotlib would say at each text."""
    log = logging.getLogger(font_manager.__name__)
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _beyond_the_usual(figure: Figure) -> frozenset[str]:
    for axes in figure.axes:
        axes.get_xticklabels(), axes.get_yticklabels()  # gives ticks their words
    letters = {letter for text in figure.findobj(Text) for letter in text.get_text() if letter.isprintable()}
    if all(letter.isascii() for letter in letters):
        return frozenset()
    usual = font_manager.findfont(font_manager.FontProperties(family=["sans-serif"]))
    return frozenset(letters - _letters_of(Path(usual)))


@functools.cache
def _installed() -> tuple[Path, ...]:
    """Every font file here, as it is now: the list that matplotlib keeps may be older."""
    own = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return tuple(sorted({own, *map(Path, font_manager.findSystemFonts())}, key=_rank))


def _rank(path: Path) -> tuple[int, bool, str]:
    name = path.name.lower()
    known = next((place for place, beginning in enumerate(_KNOWN) if name.startswith(beginning)), len(_KNOWN))
    return known, any(word in name for word in _OTHERWISE), str(path)


@functools.cache
def _letters_of(path: Path) -> frozenset[str]:
    try:
        return frozenset(map(chr, FT2Font(str(path)).get_charmap()))
    except (OSError, RuntimeError, ValueError):  # a bitmap, or broken
        return frozenset()


@functools.cache
def _face(path: Path) -> Face:
    """The file's face for simplified Chinese where it has several, else the first; matplotlib knows it afterwards."""
    font_manager.fontManager.addfont(str(path))
    entries = [one for one in font_manager.fontManager.ttflist if Path(one.fname) == path]
    best = next((one for one in entries if one.name.endswith((" SC", " GB"))), entries[0])
    return Face(path, best.name, int(getattr(best, "index", 0)))


def _is_postscript(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(16)
        if head[:4] == b"ttcf":  # a collection: where its first font begins
            file.seek(int.from_bytes(head[12:16], "big"))
            head = file.read(4)
    return head[:4] == _OUTLINES
