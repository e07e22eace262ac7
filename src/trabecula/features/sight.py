"""What a film looks like, in a few numbers that tell a film of another kind from those of training."""

import numpy as np

from ..records import Inside, Xray
from .crop import InputPolicy, grey_window

SPACING = "pixel spacing, mm"


def film_facts(xray: Xray, inside: Inside) -> dict[str, float]:
    """Spacing, where it is known; the region's height in pixels; greys as shares of the film's dark-to-bright range.

    Dark and bright are the film's 0.5 and 99.5 percentiles. Inverted greys turn both shares round.
    """
    dark, bright = grey_window(xray.pixels, InputPolicy())
    width = bright - dark or 1.0
    facts = {
        "height of the region, pixels": float(inside.any(axis=1).sum()),
        "grey of the region, share of the film's range": (float(xray.pixels[inside].mean()) - dark) / width,
        "middle grey of the film, share of its range": (float(np.median(xray.pixels)) - dark) / width,
    }
    return facts if xray.spacing_mm is None else {SPACING: float(np.mean(xray.spacing_mm)), **facts}
