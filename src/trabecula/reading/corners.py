"""The edges of a film in one strip, for a person to look for words that were burned into it."""

from html import escape

import numpy as np
from jaxtyping import UInt8, UInt16

from .sixteen import png

_TILE = 240  # pixels
_SHARE = 0.3  # of the film's width that a corner shows, and as much of its height


def strip(greys: UInt16[np.ndarray, "rows cols"]) -> bytes:
    """Four corners and the whole film side by side, each stretched from its darkest to its brightest; a PNG."""
    size = max(1, round(greys.shape[1] * _SHARE))
    parts = [greys[:size, :size], greys[:size, -size:], greys[-size:, :size], greys[-size:, -size:], greys]
    return png(np.hstack([_tile(part) for part in parts]))


def sheet(strips: list[tuple[str, str, str]]) -> str:
    """A page of strips: (name, address of its picture, what the film says of words in it), the doubtful first."""
    order = sorted(strips, key=lambda one: (one[2] == "no", one[0]))
    rows = "\n".join(
        f"<h2>{escape(name)} <small>burned-in text: {escape(said)}</small></h2>"
        f'<div><img loading="lazy" src="{escape(at)}" alt="four corners and the whole film {escape(name)}"></div>'
        for name, at, said in order
    )
    return f"{_HEAD}{rows}\n</html>\n"


_HEAD = """\
<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Corners of the films</title>
<style>body{font:15px sans-serif;margin:1.5em;max-width:1320px}h2{font-size:1em;margin:1em 0 .2em}div{overflow-x:auto}
small{font-weight:normal}</style>
<h1>Is a name written on a film?</h1>
<p>Look at each row: four corners and the whole film. Can you read who it is, a date or a number? Then write the name of
the film on a line of its own into the file left-out.txt beside this page, and run the same command again: it takes the
film away for good. Software did not look for words in the picture; only you do. Research use only; not a medical
device.</p>
"""


def _tile(part: UInt16[np.ndarray, "rows cols"]) -> UInt8[np.ndarray, "rows cols"]:
    from PIL import Image

    values = part.astype(np.float64)
    low, high = values.min(), values.max()
    eight = np.rint((values - low) / ((high - low) or 1.0) * 255).astype(np.uint8)
    picture = Image.fromarray(eight)
    picture.thumbnail((_TILE, _TILE), Image.Resampling.LANCZOS)
    tile = np.full((_TILE + 4, _TILE + 4), 128, dtype=np.uint8)
    tile[2 : 2 + picture.height, 2 : 2 + picture.width] = np.asarray(picture)
    return tile
