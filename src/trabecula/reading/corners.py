"""The edges of a film in one strip, for a person to look for words that were burned into it."""

from html import escape

import numpy as np
from jaxtyping import UInt8, UInt16

from .sixteen import png

_WIDE, _HIGH = 260, 130  # pixels of a tile
_SHARE = (0.16, 0.30)  # of the film's height and width that a corner shows


def strip(greys: UInt16[np.ndarray, "rows cols"]) -> bytes:
    """Four corners and the whole film side by side, each stretched from its darkest to its brightest; a PNG."""
    rows, columns = greys.shape
    high, wide = max(1, round(rows * _SHARE[0])), max(1, round(columns * _SHARE[1]))
    parts = [greys[:high, :wide], greys[:high, -wide:], greys[-high:, :wide], greys[-high:, -wide:], greys]
    return png(np.hstack([_tile(part) for part in parts]))


def sheet(strips: list[tuple[str, str, str]]) -> str:
    """A page of strips: (name, address of its picture, what the film says of words in it), the doubtful first."""
    order = sorted(strips, key=lambda one: (one[2] == "no", one[0]))
    rows = "\n".join(
        f'<h2>{escape(name)} <small>burned-in text: {escape(said)}</small></h2><img loading="lazy" src="{escape(at)}" '
        f'alt="four corners and the whole film {escape(name)}">'
        for name, at, said in order
    )
    return f"{_HEAD}{rows}\n</html>\n"


_HEAD = """\
<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Corners of the films</title>
<style>body{font:15px sans-serif;margin:1.5em;max-width:1320px}h2{font-size:1em;margin:1em 0 .2em}img{max-width:100%}
small{font-weight:normal}</style>
<h1>Is a name written on a film?</h1>
<p>Look at each row: four corners and the whole film. Delete the files of a film on which you can read who it is, a date
or a number. Software did not look for words in the picture; only you do. Research use only; not a medical device.</p>
"""


def _tile(part: UInt16[np.ndarray, "rows cols"]) -> UInt8[np.ndarray, "rows cols"]:
    from PIL import Image

    values = part.astype(np.float64)
    low, high = values.min(), values.max()
    eight = np.rint((values - low) / ((high - low) or 1.0) * 255).astype(np.uint8)
    picture = Image.fromarray(eight)
    picture.thumbnail((_WIDE, _HIGH), Image.Resampling.LANCZOS)
    tile = np.full((_HIGH + 4, _WIDE + 4), 128, dtype=np.uint8)
    tile[2 : 2 + picture.height, 2 : 2 + picture.width] = np.asarray(picture)
    return tile
