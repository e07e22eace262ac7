"""A film with a map laid over it, as a picture of the film's own size."""

import io

import numpy as np
from jaxtyping import Float32
from PIL import Image

from ..records import Pixels

_LARGEST_SHARE = 0.6  # of colour, where the map is highest


def overlay_png(pixels: Pixels, heat: Pixels, window: tuple[float, float]) -> bytes:
    """Draw the film in grey between the window's two greys, and the heat over it from nothing to its maximum."""
    dark, bright = window
    grey = np.clip((pixels - dark) / max(bright - dark, 1e-9), 0, 1)
    stream = io.BytesIO()
    Image.fromarray(mixed(grey, heat).round().astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def mixed(grey: Pixels, heat: Pixels) -> Float32[np.ndarray, "rows cols 3"]:
    """Greys of 0 to 1 and a map over them as colours of 0 to 255; the map goes from nothing to its maximum."""
    import matplotlib as mpl

    share = heat / heat.max() if heat.max() > 0 else heat
    colour = mpl.colormaps["inferno"](share)[..., :3]
    both = grey[..., None] * (1 - _LARGEST_SHARE * share[..., None]) + colour * _LARGEST_SHARE * share[..., None]
    return (255 * both).astype(np.float32)
