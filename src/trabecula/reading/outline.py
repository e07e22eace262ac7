"""Six points of a vertebral body on a lateral film -> its outline, drawn through them and snapped to the edge.

The points carry the shape; the film moves the outline only within a narrow band around it, along the cheapest closed
path through that band (dynamic programming, after Amini et al. 1990, doi:10.1109/34.57681). They are the six points
of vertebral morphometry, so one set of clicks gives the region and the heights.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from scipy import ndimage

Points = Float64[np.ndarray, "6 2"]
Contour = Float64[np.ndarray, "places 2"]
Image = Float[np.ndarray, "rows cols"]
Band = Float64[np.ndarray, "places offsets"]

ORDER = (
    "anterior superior", "mid superior", "posterior superior",
    "posterior inferior", "mid inferior", "anterior inferior",
)  # fmt: skip
_DEPTH = 180.0  # of a body in pixels, on the scale at which its edge is looked for; the lengths below are on it
_STEP = 2.5  # between places of the outline
_BLUR = 1.5  # of the film before its gradient is taken
_OFFSET = 0.5  # between the offsets that a place may take
_BAND = 0.10  # of the smaller of depth and height: the largest offset
_NEAR = 0.06  # of the depth: as far a point holds the outline
_WAIST = 0.03  # of the depth: how far a wall lies inwards half-way, where the film says nothing
_AWAY = 0.35  # cost of the largest offset; the steepest brightening inwards earns 1
_HOLD = 1.0  # cost of the largest offset at a point
_BEND = 0.05  # cost of one offset's difference between neighbours, growing with its square
_JUMP = 3  # offsets between neighbours at most
_SMOOTH = 2.0  # places: Gaussian over the path found
PARAMETERS = {  # what an outline depends on besides film and points, for the record
    "depth": _DEPTH, "step": _STEP, "blur": _BLUR, "offset": _OFFSET, "band": _BAND, "near": _NEAR, "waist": _WAIST,
    "away": _AWAY, "hold": _HOLD, "bend": _BEND, "jump": _JUMP, "smooth": _SMOOTH,
}  # fmt: skip


def through_points(points: Points, step: float = 1.0) -> Contour:
    """The closed outline (x, y) through six points in ``ORDER``: a parabola an endplate, walls a little waisted.

    ``step`` is the distance between its places, in the points' unit.
    """
    waist = _WAIST * _lengths(points)[0]
    front_top, middle_top, back_top, back_low, middle_low, front_low = points
    centre = points.mean(axis=0)
    drawn = [
        _endplate(front_top, middle_top, back_top),
        _wall(back_top, back_low, centre, waist),
        _endplate(back_low, middle_low, front_low),
        _wall(front_low, front_top, centre, waist),
    ]
    return _evenly(np.vstack(drawn), step)


def snap(film: Image, points: Points) -> Contour:
    """The outline through the points, moved within a narrow band to where the film brightens inwards.

    Points and outline are (x, y) in pixels, their whole numbers at pixel centres; bone is bright on the film.
    """
    depth, height = _lengths(points)
    scale = _DEPTH / depth
    reach = _BAND * min(depth, height) * scale
    offsets = np.arange(-int(reach / _OFFSET), int(reach / _OFFSET) + 1) * _OFFSET
    outline = through_points(points * scale, _STEP)
    normals = _outward(outline)
    band = (outline[:, None] + offsets[:, None] * normals[:, None]) / scale
    gain = _brightening(film, band, normals, _BLUR / scale)
    from_points = np.linalg.norm(outline[:, None] - points * scale, axis=2).min(axis=1)
    held = _AWAY + _HOLD * np.clip(1 - from_points / (_NEAR * _DEPTH), 0, 1)
    path = _cheapest_path(held[:, None] * (offsets / reach) ** 2 - gain)
    moved = ndimage.gaussian_filter1d(offsets[path], _SMOOTH, mode="wrap")
    return (outline + moved[:, None] * normals) / scale


def fill(outline: Contour, shape: tuple[int, int]) -> Bool[np.ndarray, "rows cols"]:
    """The pixels whose centres lie within a closed outline (x, y); what lies beyond the film is cut off."""
    crossings = np.zeros((shape[0], shape[1] + 1), dtype=np.int64)
    for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        low, high = sorted((y0, y1))
        rows = np.arange(max(int(np.ceil(low)), 0), min(int(np.ceil(high)), shape[0]))
        if rows.size:
            columns = np.ceil(x0 + (rows - y0) * (x1 - x0) / (y1 - y0)).astype(np.int64)
            crossings[rows, np.clip(columns, 0, shape[1])] += 1
    return np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1


def _lengths(points: Points) -> tuple[float, float]:
    """Mean depth and mean height of the body."""
    front_top, middle_top, back_top, back_low, middle_low, front_low = points
    across = (back_top - front_top, back_low - front_low)
    down = (front_low - front_top, middle_low - middle_top, back_low - back_top)
    return float(np.linalg.norm(across, axis=1).mean()), float(np.linalg.norm(down, axis=1).mean())


_ALONG = np.linspace(0, 1, 200, endpoint=False)[:, None]


def _endplate(start: np.ndarray, middle: np.ndarray, end: np.ndarray) -> Contour:
    """The parabola through three points, parametrised by the chords between them (Lagrange's form)."""
    first, second = np.linalg.norm(middle - start), np.linalg.norm(end - middle)
    at = first / (first + second)
    return (
        (_ALONG - at) * (_ALONG - 1) / at * start
        + _ALONG * (_ALONG - 1) / (at * (at - 1)) * middle
        + _ALONG * (_ALONG - at) / (1 - at) * end
    )


def _wall(start: np.ndarray, end: np.ndarray, centre: np.ndarray, waist: float) -> Contour:
    """A parabola from corner to corner, half-way ``waist`` nearer to the centre than the straight line."""
    along = end - start
    across = np.array([-along[1], along[0]]) / np.linalg.norm(along)
    inwards = across * np.sign(across @ (centre - start))
    return start + _ALONG * along + 4 * _ALONG * (1 - _ALONG) * waist * inwards


def _evenly(drawn: Contour, step: float) -> Contour:
    """The closed line with its places about ``step`` apart."""
    closed = np.vstack([drawn, drawn[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    count = max(round(length[-1] / step), 12)
    at = np.arange(count) * length[-1] / count
    return np.column_stack([np.interp(at, length, axis) for axis in closed.T])


def _outward(outline: Contour) -> Contour:
    """Unit normals; corners are rounded a little, so that neighbouring normals do not cross."""
    soft = ndimage.gaussian_filter1d(outline, 2.0, axis=0, mode="wrap")
    along = np.roll(soft, -1, axis=0) - np.roll(soft, 1, axis=0)
    normals = np.column_stack([along[:, 1], -along[:, 0]]) / np.linalg.norm(along, axis=1)[:, None]
    outwards = ((outline - outline.mean(axis=0)) * normals).sum() > 0
    return normals if outwards else -normals


def _brightening(film: Image, band: np.ndarray, normals: Contour, blur: float) -> Band:
    """How steeply the film brightens inwards at each place and offset: 0 (or darkens) to 1 (the steepest twentieth)."""
    low = np.maximum(np.floor(band.min(axis=(0, 1))).astype(int) - 8, 0)
    high = np.ceil(band.max(axis=(0, 1))).astype(int) + 9
    part = film[low[1] : high[1], low[0] : high[0]].astype(np.float64)
    at = [band[..., 1] - low[1], band[..., 0] - low[0]]
    soft = max(blur, 0.5)
    slopes = [
        ndimage.map_coordinates(ndimage.gaussian_filter(part, soft, order=order), at, order=1, mode="nearest")
        for order in ((0, 1), (1, 0))
    ]
    inwards = -(slopes[0] * normals[:, None, 0] + slopes[1] * normals[:, None, 1])
    steepest = np.percentile(inwards, 95)
    return np.clip(inwards / steepest, 0, 1) if steepest > 0 else np.zeros_like(inwards)


def _cheapest_path(cost: Band) -> Int[np.ndarray, " places"]:
    """The offset of each place along the cheapest closed path (Viterbi, twice around; the middle is kept)."""
    places, offsets = cost.shape
    jumps = np.arange(-_JUMP, _JUMP + 1)
    bends = _BEND * jumps[:, None] ** 2
    window = np.arange(offsets) + _JUMP + jumps[:, None]
    padded = np.full(offsets + 2 * _JUMP, np.inf)
    columns = np.arange(offsets)
    best = cost[0]
    came_from = np.zeros((2 * places, offsets), dtype=np.int64)
    for place in range(1, 2 * places):
        padded[_JUMP:-_JUMP] = best
        reached = padded[window] + bends
        chosen = reached.argmin(axis=0)
        came_from[place] = columns + jumps[chosen]
        best = reached[chosen, columns] + cost[place % places]
    path = np.zeros(2 * places, dtype=np.int64)
    path[-1] = best.argmin()
    for place in range(2 * places - 1, 0, -1):
        path[place - 1] = came_from[place, path[place]]
    half = places // 2
    return np.roll(path[half : half + places], half)
