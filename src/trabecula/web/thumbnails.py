"""A film small enough for a table: made once, kept in the study's cache beside what reading it showed."""

import hashlib
import io
import json
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import InvalidInput
from ..reading import read_film
from ..settings import ImageSettings
from ..storage import write_atomically

_FOLDER = Path("cache") / "thumbnails"
_SIDE = 192  # pixels of the longer side
_DARKEST, _BRIGHTEST = 0.5, 99.5  # percentiles of the film's greys
_AT_ONCE = threading.Semaphore(2)  # films decoded at a time: a large one takes a hundred megabytes


@dataclass(frozen=True)
class Small:
    """A PNG, empty where the film cannot be read, and what is worth knowing of the film."""

    png: bytes
    notes: tuple[str, ...]


def small_film(folder: Path, image: Path, settings: ImageSettings) -> Small:
    """The film's thumbnail and notes, from the cache where the file is as it was."""
    try:
        now = image.stat()
    except OSError:
        return Small(b"", ())
    key = repr((str(image), now.st_size, now.st_mtime_ns, settings.model_dump_json()))
    place = folder / _FOLDER / hashlib.sha256(key.encode()).hexdigest()[:32]
    picture, notes = place.with_suffix(".png"), place.with_suffix(".json")
    if not notes.is_file():
        with _AT_ONCE:
            made = _made(image, settings)
        write_atomically(picture, made.png)
        write_atomically(notes, json.dumps(made.notes))
        return made
    return Small(picture.read_bytes(), tuple(json.loads(notes.read_text(encoding="utf-8"))))


def _made(image: Path, settings: ImageSettings) -> Small:
    try:
        film = read_film(image, settings)
    except InvalidInput as error:
        return Small(b"", tuple(map(str, error.faults)))
    notes = list(film.history)
    if film.spacing_source == "imager_pixel_spacing":
        notes.append("spacing is that of the detector plane")
    step = max(1, max(film.pixels.shape) // (2 * _SIDE))
    low, high = np.percentile(film.pixels[::step, ::step], (_DARKEST, _BRIGHTEST))
    greys = (np.clip((film.pixels - low) / max(high - low, 1e-12), 0, 1) * 255).astype(np.uint8)
    small = Image.fromarray(greys)
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX, reducing_gap=None)
    buffer = io.BytesIO()
    small.save(buffer, format="PNG", optimize=True)
    return Small(buffer.getvalue(), tuple(notes))
