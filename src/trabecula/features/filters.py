"""2-D image filters, each evaluated only on the window that a region needs.

A filter gives the value that filtering the whole film would give. PyRadiomics (doi 10.1158/0008-5472.CAN-17-0339)
defines them; the LoG is the recursive Gaussian of Farnebäck and Westin (2006, "Improving Deriche-style recursive
Gaussian filters", doi 10.1007/s10851-006-8464-z), as in ITK.
"""

import functools
import math
from collections.abc import Callable

import numba
import numpy as np
import pywt
from jaxtyping import Float, Float32, Float64, Int64

from ..settings import Standard
from .patch import Box, Film, known_spacing

Window = Float[np.ndarray, "height width"]
Taps = Float64[np.ndarray, " four"]

_U = np.uintp  # an index of this type is not looked at for being negative
Filter = Callable[[Film, Box], Window]


def original(film: Film, box: Box) -> Window:
    """The greys as they are."""
    return film.pixels[box.slices]


def square(film: Film, box: Box) -> Window:
    """Squares, scaled so that the film's largest magnitude stays what it is."""
    coefficient = 1 / math.sqrt(film.largest) if film.largest else 0.0
    return (coefficient * _wide(film, box)) ** 2


def squareroot(film: Film, box: Box) -> Window:
    """Square roots of magnitudes with their sign, scaled so that the largest magnitude stays."""
    x = _wide(film, box)
    return np.copysign(np.sqrt(np.abs(x) * film.largest), x)


def logarithm(film: Film, box: Box) -> Window:
    """log(|x| + 1) with the sign of x, scaled so that the largest magnitude stays."""
    x = _wide(film, box)
    scale = film.largest / math.log(film.largest + 1) if film.largest else 0.0
    return np.copysign(np.log(np.abs(x) + 1) * scale, x)


def exponential(film: Film, box: Box) -> Window:
    """exp(c x) with c such that the film's largest grey stays what it is."""
    coefficient = math.log(film.largest) / film.largest if film.largest else 0.0
    return np.exp(coefficient * _wide(film, box))


def gradient(film: Film, box: Box, *, use_spacing: bool = True) -> Window:
    """Magnitude of central differences, in greys per mm where spacing is known and wanted, else per pixel."""
    row_mm, column_mm = film.spacing_mm if use_spacing and film.spacing_mm else (1.0, 1.0)
    window, inner = _window(film, box, 1)
    return _slopes(np.ascontiguousarray(window), row_mm, column_mm)[inner]


def wavelet_bands(
    film: Film, box: Box, *, wavelet: str, level: int, standard: Standard = "pyradiomics"
) -> dict[str, Window]:
    """Undecimated wavelet bands of one level: LL, LH, HL, HH (first letter along columns, second along rows).

    PyRadiomics filters every level with the same kernels and continues the film periodically, after its first row
    or column is repeated where its size is odd. IBSI doubles the kernels' reach at each level and mirrors the film.
    """
    low, high = _taps(wavelet)
    ibsi = standard == "ibsi"
    steps = [2**depth if ibsi else 1 for depth in range(level)]
    before, after = sum(steps) * (low.size // 2 - 1), sum(steps) * (low.size // 2)
    index = _mirrored if ibsi else _periodic
    rows, columns = (
        index(np.arange(first - before, last + after), size)
        for first, last, size in zip((box.top, box.left), (box.bottom, box.right), film.pixels.shape, strict=True)
    )
    data = film.pixels[np.ix_(rows, columns)].T.copy()
    for step in steps[:-1]:
        data = _convolved(_convolved(data, low, step).T.copy(), low, step).T.copy()
    bands: dict[str, Window] = {}
    for letter, along in zip("LH", (low, high), strict=True):
        half = _convolved(data, along, steps[-1]).T.copy()
        bands |= {
            letter + other: _convolved(half, down, steps[-1]) for other, down in zip("LH", (low, high), strict=True)
        }
    return bands


def log(film: Film, box: Box, *, sigma: float, in_mm: bool, standard: Standard = "pyradiomics") -> Window:
    """Laplacian of Gaussian. ``sigma`` in mm or pixels.

    PyRadiomics' is recursive and normalised across scales (times sigma squared); IBSI's is a sampled kernel,
    truncated at 4 sigma, on the mirrored film, as it is.
    """
    instead = "use radiomics.log_sigma_px"
    spacing = known_spacing(film, f"LoG with sigma {sigma} mm", instead) if in_mm else (1.0, 1.0)
    sigmas = [sigma / s for s in spacing]
    if standard == "ibsi":
        return _sampled_log(film, box, sigmas)
    window, (rows, columns) = _window(film, box, math.ceil(_LOG_REACH * max(sigmas)))
    window = np.ascontiguousarray(window)
    smooth = [_coefficients(s, order=0) for s in sigmas]
    second = [_coefficients(s, order=2) * s**2 for s in sigmas]
    poles = [_poles(s) for s in sigmas]
    smoothed, curved = _recursive_pair(window, smooth[0], second[0], poles[0])
    halves = (np.ascontiguousarray(half[rows].T) for half in (smoothed, curved))
    total = _recursive_sum(*halves, second[1], smooth[1], poles[1])
    return np.ascontiguousarray(total[columns].T.astype(np.float32))


def lbp2d(film: Film, box: Box, *, radius: float, samples: int) -> Window:
    """Uniform local binary patterns (Ojala, Pietikainen and Maenpaa 2002, doi 10.1109/TPAMI.2002.1017623).

    ``samples`` points on a circle of ``radius`` pixels, interpolated linearly, are compared with the centre: the
    number that are not darker, or samples + 1 where the circle turns more than twice. Beyond the film it is 0.
    """
    margin = math.ceil(radius) + 1
    known, (rows, columns) = _window(film, box, margin)
    down_by, right_by = margin - rows.start, margin - columns.start
    window = np.zeros((box.bottom - box.top + 2 * margin, box.right - box.left + 2 * margin))
    window[down_by : down_by + known.shape[0], right_by : right_by + known.shape[1]] = known
    angles = 2 * np.pi * np.arange(samples) / samples
    down, right = np.round(-radius * np.sin(angles), 5), np.round(radius * np.cos(angles), 5)
    return _patterns(window, margin, box.top, box.left, down, right)


_LOG_REACH = 14.0  # the slowest pole decays as exp(-1.3732 d / sigma): 1e-8 at 14 sigma


def _wide(film: Film, box: Box) -> Float64[np.ndarray, "height width"]:
    return original(film, box).astype(np.float64)


def _window(film: Film, box: Box, margin: int) -> tuple[Window, tuple[slice, slice]]:
    """The box with a margin, cut at the film's borders, and where the box lies in it."""
    top, left = max(box.top - margin, 0), max(box.left - margin, 0)
    window = film.pixels[top : box.bottom + margin, left : box.right + margin]
    return window, (slice(box.top - top, box.bottom - top), slice(box.left - left, box.right - left))


def _sampled_log(film: Film, box: Box, sigmas: list[float]) -> Window:
    """The LoG of IBSI's filters (doi 10.48550/arXiv.2006.05470), sigmas in pixels, as two separable passes."""
    smooth, curved = [], []
    for s in sigmas:
        reach = math.floor(4 * s + 0.5)
        x = np.arange(-reach, reach + 1)
        smooth.append(np.exp(-(x**2) / (2 * s**2)) / (math.sqrt(2 * np.pi) * s))
        curved.append(smooth[-1] * (x**2 / s**4 - 1 / s**2))
    index = [
        _mirrored(np.arange(low - part.size // 2, high + part.size // 2), size)
        for low, high, size, part in zip(
            (box.top, box.left), (box.bottom, box.right), film.pixels.shape, smooth, strict=True
        )
    ]
    window = film.pixels[np.ix_(*index)].astype(np.float64)
    total = np.zeros((box.bottom - box.top, box.right - box.left))
    for down, across in ((curved[0], smooth[1]), (smooth[0], curved[1])):
        along = np.apply_along_axis(np.convolve, 0, window, down, mode="valid")
        total += np.apply_along_axis(np.convolve, 1, along, across, mode="valid")
    return total.astype(np.float32)


@functools.cache
def _taps(wavelet: str) -> tuple[Float32[np.ndarray, " taps"], Float32[np.ndarray, " taps"]]:
    """PyWavelets' low- and high-pass taps as it uses them on greys of single precision: its answer to an impulse.

    They differ in the last bit from what it shows in double precision, and PyRadiomics' values depend on it.
    """
    reach = pywt.Wavelet(wavelet).dec_len // 2
    impulse = np.zeros(8 * reach, dtype=np.float32)
    impulse[4 * reach] = 1
    ((low, high),) = pywt.swt(impulse, wavelet, level=1)
    return low[3 * reach : 5 * reach].copy(), high[3 * reach : 5 * reach].copy()


def _mirrored(places: Int64[np.ndarray, " n"], size: int) -> Int64[np.ndarray, " n"]:
    """Row numbers of a film that is mirrored at its edges: c b a | a b c."""
    folded = places % (2 * size)
    return np.where(folded < size, folded, 2 * size - 1 - folded)


def _periodic(places: Int64[np.ndarray, " n"], size: int) -> Int64[np.ndarray, " n"]:
    """Row numbers of a film that begins again at its end; an odd one repeats its first row before."""
    return (places % (size + size % 2)) % size


@functools.lru_cache(maxsize=256)
def _poles(sigma: float) -> Float64[np.ndarray, " four"]:
    cos1, cos2 = math.cos(0.6681 / sigma), math.cos(2.0787 / sigma)
    exp1, exp2 = math.exp(-1.3932 / sigma), math.exp(-1.3732 / sigma)
    return np.array(
        [
            -2 * (exp2 * cos2 + exp1 * cos1),
            4 * cos2 * cos1 * exp1 * exp2 + exp1**2 + exp2**2,
            -2 * cos1 * exp1 * exp2**2 - 2 * cos2 * exp2 * exp1**2,
            exp1**2 * exp2**2,
        ]
    )


def _numerator(sigma: float, a1: float, b1: float, a2: float, b2: float) -> Float64[np.ndarray, " four"]:
    sin1, sin2 = math.sin(0.6681 / sigma), math.sin(2.0787 / sigma)
    cos1, cos2 = math.cos(0.6681 / sigma), math.cos(2.0787 / sigma)
    exp1, exp2 = math.exp(-1.3932 / sigma), math.exp(-1.3732 / sigma)
    return np.array(
        [
            a1 + a2,
            exp2 * (b2 * sin2 - (a2 + 2 * a1) * cos2) + exp1 * (b1 * sin1 - (a1 + 2 * a2) * cos1),
            2 * exp1 * exp2 * ((a1 + a2) * cos2 * cos1 - b1 * cos2 * sin1 - b2 * cos1 * sin2)
            + a2 * exp1**2
            + a1 * exp2**2,
            exp2 * exp1**2 * (b2 * sin2 - a2 * cos2) + exp1 * exp2**2 * (b1 * sin1 - a1 * cos1),
        ]
    )


@functools.lru_cache(maxsize=256)
def _coefficients(sigma: float, *, order: int) -> Float64[np.ndarray, " four"]:
    """Causal numerator of the Gaussian (order 0) or of its second derivative (order 2), per pixel."""
    poles = _poles(sigma)
    ramp = np.arange(4)
    sd = 1 + poles.sum()
    plain = _numerator(sigma, 1.3530, 1.8151, -0.3531, 0.0902)
    if order == 0:
        return plain / (2 * plain.sum() / sd - plain[0])
    curved = _numerator(sigma, -1.3563, 5.2318, 0.3446, -2.2355)
    beta = -(2 * curved.sum() - sd * curved[0]) / (2 * plain.sum() - sd * plain[0])
    n = curved + beta * plain
    dd, ed = ((ramp + 1) * poles).sum(), ((ramp + 1) ** 2 * poles).sum()
    sn, dn, en = n.sum(), (ramp * n).sum(), (ramp**2 * n).sum()
    alpha = (en * sd**2 - ed * sn * sd - 2 * dn * dd * sd + 2 * dd**2 * sn) / sd**3
    return n / alpha


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _recursive_pair(
    image: Window, first: Taps, second: Taps, d: Taps
) -> tuple[Float64[np.ndarray, "rows cols"], Float64[np.ndarray, "rows cols"]]:
    """Two filters of the same poles down the rows, forward plus backward, which share their recursion.

    Beyond the first and last row their values go on for ever.
    """
    rows, cols = image.shape
    gain = 1 / (1 + d.sum())
    one, other, state = np.empty((rows, cols)), np.empty((rows, cols)), np.empty((_RING, cols))
    for k in range(_RING):
        state[k] = image[0] * gain
    for r in range(rows):
        _forward(one, other, image, state, r, first, second, d)
    for k in range(_RING):
        state[k] = image[rows - 1] * gain
    first, second = _backwards(first, d), _backwards(second, d)
    for k in range(rows):
        _backward(one, other, image, state, rows - 1 - k, k, first, second, d)
    return one, other


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _recursive_sum(
    one: Float64[np.ndarray, "rows cols"], other: Float64[np.ndarray, "rows cols"], first: Taps, second: Taps, d: Taps
) -> Float64[np.ndarray, "rows cols"]:
    """The sum of two images, each filtered down the rows, forward plus backward, with the same poles."""
    rows, cols = one.shape
    last, gain = rows - 1, 1 / (1 + d.sum())
    out, state = np.empty((rows, cols)), np.empty((_RING, cols))
    for k in range(_RING):
        state[k] = (one[0] * first.sum() + other[0] * second.sum()) * gain
    for r in range(rows):
        _step(state, r, one, other, (r, max(r - 1, 0), max(r - 2, 0), max(r - 3, 0)), first, second, d)
        out[r] = state[r % _RING]
    first, second = _backwards(first, d), _backwards(second, d)
    for k in range(_RING):
        state[k] = (one[last] * first.sum() + other[last] * second.sum()) * gain
    for k in range(rows):
        r = last - k
        places = min(r + 1, last), min(r + 2, last), min(r + 3, last), min(r + 4, last)
        _step(state, k, one, other, places, first, second, d)
        out[r] += state[k % _RING]
    return out


_RING = 5  # rows of state: the one to fill and the four before it


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _backwards(n, d):  # type: ignore[no-untyped-def]
    """The numerator of the same filter the other way, which begins one row later."""
    return np.array([n[1] - d[0] * n[0], n[2] - d[1] * n[0], n[3] - d[2] * n[0], -d[3] * n[0]])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _forward(one, other, image, state, r, n, m, d):  # type: ignore[no-untyped-def]
    """The state of one row from the four before it, and what both filters make of it: several columns at once."""
    k, k1, k2, k3, k4 = r % _RING, (r + 4) % _RING, (r + 3) % _RING, (r + 2) % _RING, (r + 1) % _RING
    n0, n1, n2, n3 = n[0], n[1], n[2], n[3]
    m0, m1, m2, m3 = m[0], m[1], m[2], m[3]
    d0, d1, d2, d3 = d[0], d[1], d[2], d[3]
    for c in range(image.shape[1]):
        y1, y2, y3 = state[k1, c], state[k2, c], state[k3, c]
        y = image[r, c] - (d0 * y1 + d1 * y2 + d2 * y3 + d3 * state[k4, c])
        state[k, c] = y
        one[r, c] = n0 * y + n1 * y1 + n2 * y2 + n3 * y3
        other[r, c] = m0 * y + m1 * y1 + m2 * y2 + m3 * y3


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _backward(one, other, image, state, r, number, n, m, d):  # type: ignore[no-untyped-def]
    """The same from below, added to what is there; the filters see the rows after this one."""
    k, k1, k2 = number % _RING, (number + 4) % _RING, (number + 3) % _RING
    k3, k4 = (number + 2) % _RING, (number + 1) % _RING
    n0, n1, n2, n3 = n[0], n[1], n[2], n[3]
    m0, m1, m2, m3 = m[0], m[1], m[2], m[3]
    d0, d1, d2, d3 = d[0], d[1], d[2], d[3]
    for c in range(image.shape[1]):
        y1, y2, y3, y4 = state[k1, c], state[k2, c], state[k3, c], state[k4, c]
        one[r, c] += n0 * y1 + n1 * y2 + n2 * y3 + n3 * y4
        other[r, c] += m0 * y1 + m1 * y2 + m2 * y3 + m3 * y4
        state[k, c] = image[r, c] - (d0 * y1 + d1 * y2 + d2 * y3 + d3 * y4)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _step(state, number, one, other, places, n, m, d):  # type: ignore[no-untyped-def]
    """One row of the sum from four rows of each image and the four rows of the sum before it."""
    k, k1, k2 = number % _RING, (number + 4) % _RING, (number + 3) % _RING
    k3, k4 = (number + 2) % _RING, (number + 1) % _RING
    r0, r1, r2, r3 = places
    n0, n1, n2, n3 = n[0], n[1], n[2], n[3]
    m0, m1, m2, m3 = m[0], m[1], m[2], m[3]
    d0, d1, d2, d3 = d[0], d[1], d[2], d[3]
    for c in range(state.shape[1]):
        taken = n0 * one[r0, c] + n1 * one[r1, c] + n2 * one[r2, c] + n3 * one[r3, c]
        taken += m0 * other[r0, c] + m1 * other[r1, c] + m2 * other[r2, c] + m3 * other[r3, c]
        before = d0 * state[k1, c] + d1 * state[k2, c] + d2 * state[k3, c] + d3 * state[k4, c]
        state[k, c] = taken - before


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _convolved(
    image: Float32[np.ndarray, "height width"], taps: Float32[np.ndarray, " taps"], step: int
) -> Float32[np.ndarray, "fewer width"]:
    """Convolve down the rows, taps ``step`` rows apart, where all of them lie within the image."""
    reach = (taps.size - 1) * step
    out = np.zeros((image.shape[0] - reach, image.shape[1]), dtype=np.float32)
    for r in range(out.shape[0]):
        row = out[r]
        for k in range(taps.size):
            tap, source = taps[k], image[r + reach - k * step]
            for c in range(row.size):
                row[c] += tap * source[c]
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _slopes(window: Window, row_mm: float, column_mm: float) -> Float32[np.ndarray, "height width"]:
    """Central differences; beyond the window its own border goes on."""
    height, width = window.shape
    out = np.empty((height, width), dtype=np.float32)
    own = np.empty(width + 2)
    for r in range(height):
        above, below = max(r - 1, 0), min(r + 1, height - 1)
        own[0], own[width + 1] = window[r, 0], window[r, width - 1]
        own[1 : width + 1] = window[r]
        for c in range(width):
            by_row = (np.float64(window[below, c]) - window[above, c]) / (2 * row_mm)
            by_column = (own[c + 2] - own[c]) / (2 * column_mm)
            out[r, c] = np.sqrt(by_row * by_row + by_column * by_column)
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _patterns(
    window: Float64[np.ndarray, "rows cols"],
    margin: int,
    film_row: int,
    film_column: int,
    down: Float64[np.ndarray, " samples"],
    right: Float64[np.ndarray, " samples"],
) -> Float64[np.ndarray, "height width"]:
    samples = down.size
    height, width = window.shape[0] - 2 * margin, window.shape[1] - 2 * margin
    out = np.empty((height, width))
    # places on the film: rounding, and so a tie with the centre, must not depend on the window
    across = right.reshape(-1, 1) + np.arange(film_column, film_column + width)
    across -= np.floor(across)
    left, above = np.floor(right).astype(np.int64) + margin, np.floor(down).astype(np.int64) + margin
    between = np.empty((2 * samples, width))  # for each sample the two rows around it, which change places
    state = np.empty((3, width), np.int32)
    for k in range(samples):
        _interpolate(between, 2 * k, window, above[k], left[k], across, k)
    for r in range(height):
        state[:] = 0
        for k in range(samples):
            y = film_row + r + down[k]
            upper, lower = 2 * k + r % 2, 2 * k + 1 - r % 2
            _interpolate(between, lower, window, above[k] + r + 1, left[k], across, k)
            _turn(state, between, upper, lower, y - np.floor(y), window, r + margin, margin)
            if k == 0:
                state[1] = 0
        for c in range(width):
            out[r, c] = state[0, c] if state[1, c] <= 2 else samples + 1
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _interpolate(out, to, window, row, left, across, k):  # type: ignore[no-untyped-def]
    """A row's greys between its columns."""
    for c in range(out.shape[1]):
        t = across[k, c]
        out[to, c] = (1 - t) * window[row, _U(left + c)] + t * window[row, _U(left + c + 1)]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _turn(state, between, upper, lower, dy, window, row, margin):  # type: ignore[no-untyped-def]
    """One sample further around the circle: how many are not darker, how often that changed, whether this one is."""
    one, none = np.int32(1), np.int32(0)
    for c in range(state.shape[1]):
        sample = (1 - dy) * between[upper, c] + dy * between[lower, c]
        bright = one if sample >= window[row, _U(margin + c)] else none
        state[0, c] += bright
        state[1, c] += bright ^ state[2, c]
        state[2, c] = bright
