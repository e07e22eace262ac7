"""What an image file holds, and how a file is refused."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Shaped

from ..errors import Fault, InvalidInput
from ..records import Side

LARGEST = 10**8  # pixels; a larger picture is refused before memory is taken
SWOLLEN = 9 * LARGEST  # bytes of a file, unpacked: 64 bits a pixel and room for the rest
_PLAUSIBLE = (1e-4, 1e3)  # mm from pixel to pixel
_FARTHEST = 1e30  # of a grey from 0; beyond it sums of squares are no numbers any more

Grid = Shaped[np.ndarray, "rows cols"]


@dataclass(frozen=True, eq=False)
class Picture:
    """What a file holds; ``highest`` is the largest grey its depth can store, ``anterior`` as in records.Xray."""

    pixels: Grid
    highest: float
    spacing_mm: tuple[float, float] | None = None
    spacing_source: str = "none"
    history: tuple[str, ...] = ()
    device: str = ""
    anterior: Side | None = None


def inverted(picture: Picture, why: str) -> Picture:
    """Turn the greys round within the range that the file's depth can store."""
    pixels = picture.highest - picture.pixels.astype(np.float64)
    return replace(picture, pixels=pixels, history=(*picture.history, f"greys inverted ({why})"))


def finite(picture: Picture, path: Path) -> Picture:
    """The same, if every pixel is a number that can be reckoned with."""
    if picture.pixels.dtype.kind == "f" and not -_FARTHEST <= picture.pixels.min() <= picture.pixels.max() <= _FARTHEST:
        action = "Export it with a grey in their place."
        raise refuse(path, "pixels that are no finite numbers (NaN or infinite)", "greys", action)
    return picture


def spacing_of(row: float, column: float) -> tuple[float, float] | None:
    """Both, if a film can have them: above 0 and finite, 0.0001 to 1000 mm."""
    low, high = _PLAUSIBLE
    return (row, column) if low <= row <= high and low <= column <= high else None


def as_float(picture: Picture) -> Float32[np.ndarray, "rows cols"]:
    """The pixels as float32, contiguous."""
    return np.ascontiguousarray(picture.pixels, dtype=np.float32)


def refuse(path: Path, found: str, expected: str, action: str = "") -> InvalidInput:
    """An error about one file."""
    return InvalidInput([Fault(path.name, found, expected, action)])


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that can be none's is none's."""
    try:
        return path.is_file()
    except OSError:
        return False


def whole(path: Path) -> bytes:
    """What the file holds: a decoder that works on it cannot ask for more of it than there is."""
    try:
        if (size := path.stat().st_size) > SWOLLEN:
            raise refuse(path, f"{size >> 20} MiB", f"one film, at most {SWOLLEN >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise refuse(path, f"cannot be read ({error.strerror})", "a readable file") from None


def words(error: BaseException, path: Path | None = None) -> str:
    """A decoder's complaint on one line; of where the file lies, its name alone."""
    said = str(error) if path is None else str(error).replace(str(path), path.name)
    return " ".join(said.split())[:100] or type(error).__name__
