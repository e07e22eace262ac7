"""A film on its way to the browser: greys as 16-bit numbers, everything else in one header.

Browsers decode a 16-bit PNG to 8 bits; raw numbers keep every grey, and window and level cost no further request.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import asdict

from fastapi import Request, Response

from ..reading.sixteen import sixteen_bits
from ..reading.windows import Window
from ..records import Xray


def film_answer(asked: Request, xray: Xray, windows: Sequence[Window]) -> Response:
    """Little-endian uint16, row by row; the header X-Film says how the numbers become greys again."""
    numbers = sixteen_bits(xray.pixels)
    about = {
        "rows": xray.pixels.shape[0],
        "columns": xray.pixels.shape[1],
        "slope": numbers.slope,
        "intercept": numbers.intercept,
        "spacing_mm": xray.spacing_mm,
        "spacing_source": xray.spacing_source,
        "unit": unit_of(xray),
        "anterior": xray.anterior,
        "windows": [asdict(window) for window in windows],
    }
    headers = {"X-Film": json.dumps(about), "Vary": "Accept-Encoding"}
    content = numbers.greys.astype("<u2", copy=False).tobytes()
    if "gzip" in asked.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = gzip.compress(content, compresslevel=1, mtime=0), "gzip"
    return Response(content, media_type="application/octet-stream", headers=headers)


def unit_of(xray: Xray) -> str:
    """What a length on the film is in: the detector's plane is not the patient's."""
    if xray.spacing_mm is None:
        return "px"
    return "mm (detector)" if xray.spacing_source == "imager_pixel_spacing" else "mm"
