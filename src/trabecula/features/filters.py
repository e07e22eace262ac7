"""2-D image filters, each evaluated only on the window that a region needs.

A filter gives the value that filtering the whole film would give. PyRadiomics (doi 10.1158/0008-5472.CAN-17-0339)
defines them; the LoG is the recursive Gaussian of Farnebäck and Westin (2006, "Improving Deriche-style recursive
Gaussian filters", doi 10.1007/s10851-006-8464-z), as in ITK.
"""

import math
from collections.abc import Callable

import numba
import numpy as np
import pywt
from jaxtyping import Float, Float64

from ..errors import Fault, InvalidInput
from ..settings import Standard
from .patch import Box, Film

Window = Float[np.ndarray, "height width"]
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
    return np.sign(x) * np.sqrt(np.abs(x) * film.largest)


def logarithm(film: Film, box: Box) -> Window:
    """log(|x| + 1) with the sign of x, scaled so that the largest magnitude stays."""
    x = _wide(film, box)
    scale = film.largest / math.log(film.largest + 1) if film.largest else 0.0
    return np.sign(x) * np.log(np.abs(x) + 1) * scale


def exponential(film: Film, box: Box) -> Window:
    """exp(c x) with c such that the film's largest grey stays what it is."""
    coefficient = math.log(film.largest) / film.largest if film.largest else 0.0
    return np.exp(coefficient * _wide(film, box))


def gradient(film: Film, box: Box, *, use_spacing: bool = True) -> Window:
    """Magnitude of central differences, in greys per mm where spacing is known and wanted, else per pixel."""
    row_mm, column_mm = film.spacing_mm if use_spacing and film.spacing_mm else (1.0, 1.0)
    window, inner = _window(film, box, 1)
    wide = np.pad(window.astype(np.float64), 1, mode="edge")
    by_row = (wide[2:, 1:-1] - wide[:-2, 1:-1]) / (2 * row_mm)
    by_column = (wide[1:-1, 2:] - wide[1:-1, :-2]) / (2 * column_mm)
    return np.hypot(by_row, by_column).astype(np.float32)[inner]


def wavelet_bands(
    film: Film, box: Box, *, wavelet: str, level: int, standard: Standard = "pyradiomics"
) -> dict[str, Window]:
    """Undecimated wavelet bands of one level: LL, LH, HL, HH (first letter along columns, second along rows).

    PyRadiomics filters every level with the same kernels and continues the film periodically, after its first row
    or column is repeated where its size is odd. IBSI doubles the kernels' reach at each level and mirrors the film.
    """
    ibsi = standard == "ibsi"
    step = 2**level if ibsi else 2  # PyWavelets wants sizes that are multiples of it
    reach = pywt.Wavelet(wavelet).dec_len * (2**level if ibsi else 2 * level)
    index = _mirrored if ibsi else _periodic
    rows, top = index(box.top, box.bottom, film.pixels.shape[0], reach, step)
    columns, left = index(box.left, box.right, film.pixels.shape[1], reach, step)
    data = film.pixels[np.ix_(rows, columns)]
    inner = (slice(top, top + box.bottom - box.top), slice(left, left + box.right - box.left))
    for depth in range(level):
        bands = pywt.swtn(data, wavelet, level=1, start_level=depth if ibsi else 0, axes=(1, 0))[0]
        data = bands["aa"]
    return {name.replace("a", "L").replace("d", "H"): bands[name][inner] for name in ("aa", "ad", "da", "dd")}


def log(film: Film, box: Box, *, sigma: float, in_mm: bool, standard: Standard = "pyradiomics") -> Window:
    """Laplacian of Gaussian. ``sigma`` in mm or pixels.

    PyRadiomics' is recursive and normalised across scales (times sigma squared); IBSI's is a sampled kernel,
    truncated at 4 sigma, on the mirrored film, as it is.
    """
    if in_mm and film.spacing_mm is None:
        raise InvalidInput(
            [
                Fault(
                    "radiomics",
                    f"LoG with sigma {sigma} mm on a film of unknown spacing",
                    "a spacing in mm",
                    "Give the spacing (image.spacing_mm) or use radiomics.log_sigma_px.",
                )
            ]
        )
    spacing = film.spacing_mm if in_mm and film.spacing_mm else (1.0, 1.0)
    sigmas = [sigma / s for s in spacing]
    if standard == "ibsi":
        return _sampled_log(film, box, sigmas)
    window, (rows, columns) = _window(film, box, math.ceil(_LOG_REACH * max(sigmas)))
    smooth = [_coefficients(s, order=0) for s in sigmas]
    second = [_coefficients(s, order=2) * (sigma / mm) ** 2 for s, mm in zip(sigmas, spacing, strict=True)]
    poles = [_poles(s) for s in sigmas]
    # down the columns: smoothed and differentiated; then along the rows, the other way round, summed in one pass
    none = np.zeros(4)
    smoothed, curved = (_recursive(window, window, n, none, poles[0])[rows] for n in (smooth[0], second[0]))
    across = [np.ascontiguousarray(part.T) for part in (smoothed, curved)]
    return _recursive(across[0], across[1], second[1], smooth[1], poles[1])[columns].T.astype(np.float32)


def lbp2d(film: Film, box: Box, *, radius: float, samples: int) -> Window:
    """Uniform local binary patterns (Ojala, Pietikainen and Maenpaa 2002, doi 10.1109/TPAMI.2002.1017623).

    ``samples`` points on a circle of ``radius`` pixels, interpolated linearly, are compared with the centre: the
    number that are not darker, or samples + 1 where the circle turns more than twice. Beyond the film it is 0.
    """
    margin = math.ceil(radius) + 1
    rows, columns = (
        np.arange(low - margin, high + margin) for low, high in ((box.top, box.bottom), (box.left, box.right))
    )
    within = [(part >= 0) & (part < size) for part, size in zip((rows, columns), film.pixels.shape, strict=True)]
    window = np.zeros((rows.size, columns.size))
    window[np.ix_(*within)] = film.pixels[np.ix_(rows[within[0]], columns[within[1]])]
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
        _mirrored(low, high, size, part.size // 2, 1)[0]
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


def _mirrored(start: int, stop: int, size: int, margin: int, step: int) -> tuple[np.ndarray, int]:
    """Row numbers of a window with margins, mirrored at the film's edges, its length a multiple of ``step``."""
    low, high = start - margin, stop + margin
    high += -(high - low) % step
    folded = np.arange(low, high) % (2 * size)
    return np.where(folded < size, folded, 2 * size - 1 - folded), margin


def _periodic(start: int, stop: int, size: int, margin: int, step: int) -> tuple[np.ndarray, int]:
    """Row numbers of a window with margins, continued periodically, its length a multiple of ``step``.

    The film counts as padded to a multiple of ``step`` with its own first rows.
    """
    period = -(-size // step) * step
    low = start - -(-margin // step) * step
    low -= low % step
    high = stop + margin
    high += -(high - low) % step
    return (np.arange(low, high) % period) % size, start - low


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


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _recursive(
    a: Window,
    b: Window,
    of_a: Float64[np.ndarray, " four"],
    of_b: Float64[np.ndarray, " four"],
    d: Float64[np.ndarray, " four"],
) -> Float64[np.ndarray, "rows cols"]:
    """Filter two images with the same poles down the rows, forward plus backward, and add them.

    Beyond the first and last row their values go on for ever. Rows are handled whole, so that the processor
    works on several columns at once.
    """
    rows, cols = a.shape
    gain = 1 / (1 + d.sum())
    out = np.empty((rows, cols))
    y1 = (a[0] * of_a.sum() + b[0] * of_b.sum()) * gain
    y2, y3, y4, y0 = y1.copy(), y1.copy(), y1.copy(), np.empty(cols)
    n0, n1, n2, n3 = of_a
    m0, m1, m2, m3 = of_b
    d0, d1, d2, d3 = d
    for r in range(rows):
        r1, r2, r3 = max(r - 1, 0), max(r - 2, 0), max(r - 3, 0)
        for c in range(cols):
            y0[c] = (
                n0 * a[r, c] + n1 * a[r1, c] + n2 * a[r2, c] + n3 * a[r3, c]
                + (m0 * b[r, c] + m1 * b[r1, c] + m2 * b[r2, c] + m3 * b[r3, c])
                - (d0 * y1[c] + d1 * y2[c] + d2 * y3[c] + d3 * y4[c])
            )  # fmt: skip
            out[r, c] = y0[c]
        y0, y1, y2, y3, y4 = y4, y0, y1, y2, y3
    last = rows - 1
    n1, n2, n3, n4 = n1 - d0 * n0, n2 - d1 * n0, n3 - d2 * n0, -d3 * n0
    m1, m2, m3, m4 = m1 - d0 * m0, m2 - d1 * m0, m3 - d2 * m0, -d3 * m0
    y1 = (a[last] * (n1 + n2 + n3 + n4) + b[last] * (m1 + m2 + m3 + m4)) * gain
    y2, y3, y4 = y1.copy(), y1.copy(), y1.copy()
    for r in range(last, -1, -1):
        r1, r2, r3, r4 = min(r + 1, last), min(r + 2, last), min(r + 3, last), min(r + 4, last)
        for c in range(cols):
            y0[c] = (
                n1 * a[r1, c] + n2 * a[r2, c] + n3 * a[r3, c] + n4 * a[r4, c]
                + (m1 * b[r1, c] + m2 * b[r2, c] + m3 * b[r3, c] + m4 * b[r4, c])
                - (d0 * y1[c] + d1 * y2[c] + d2 * y3[c] + d3 * y4[c])
            )  # fmt: skip
            out[r, c] += y0[c]
        y0, y1, y2, y3, y4 = y4, y0, y1, y2, y3
    return out


@numba.njit(cache=True, nogil=True)
def _patterns(
    window: Float64[np.ndarray, "rows cols"],
    margin: int,
    film_row: int,
    film_column: int,
    down: Float64[np.ndarray, " samples"],
    right: Float64[np.ndarray, " samples"],
) -> Float64[np.ndarray, "height width"]:
    samples = down.size
    out = np.empty((window.shape[0] - 2 * margin, window.shape[1] - 2 * margin))
    bright = np.empty(samples, dtype=np.bool_)
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            centre = window[r + margin, c + margin]
            for k in range(samples):
                # places on the film: rounding, and so a tie with the centre, must not depend on the window
                y, x = film_row + r + down[k], film_column + c + right[k]
                dy, dx = y - np.floor(y), x - np.floor(x)
                top, left = int(np.floor(y)) - film_row + margin, int(np.floor(x)) - film_column + margin
                bottom, far = int(np.ceil(y)) - film_row + margin, int(np.ceil(x)) - film_column + margin
                upper = (1 - dx) * window[top, left] + dx * window[top, far]
                lower = (1 - dx) * window[bottom, left] + dx * window[bottom, far]
                bright[k] = (1 - dy) * upper + dy * lower >= centre
            turns, count = 0, 0
            for k in range(samples):
                turns += bright[k] != bright[k - 1] if k else 0
                count += bright[k]
            out[r, c] = count if turns <= 2 else samples + 1
    return out
