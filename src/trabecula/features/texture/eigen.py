"""The one eigenvalue that GLCM's MCC needs, in half the time that LAPACK takes for all of them at 32 grey levels.

Householder's reduction to three diagonals, then Sturm's count of eigenvalues on many places at once (Golub and Van
Loan, Matrix Computations, 4th ed., 8.3.1 and 8.4.2).
"""

import numba
import numpy as np
from jaxtyping import Float64

_PLACES = 16
_ROUNDS = 13  # 17 ** 13 is 2 ** 53
_AT_ONCE = 16  # rows are this number of values wide, or a multiple, so that none is left over to be done alone


@numba.njit(cache=True, nogil=True, error_model="numpy")
def room(n: int) -> Float64[np.ndarray, "n wide"]:
    """Room for a symmetric matrix of n rows, as ``second_magnitude`` takes it; its further columns are 0."""
    return np.zeros((n, n + -n % _AT_ONCE))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def second_magnitude(a: Float64[np.ndarray, "n wide"]) -> float:
    """The second largest magnitude of the eigenvalues of a symmetric matrix whose largest is at most 1.

    ``a`` is overwritten; two rows at least.
    """
    diagonal, beside = _three_diagonals(a)
    squares = beside * beside
    low, high = 0.0, 1.0 + 1e-9
    places, below, q = np.empty(2 * _PLACES), np.empty(2 * _PLACES), np.empty(2 * _PLACES)
    for _ in range(_ROUNDS):
        step = (high - low) / (_PLACES + 1)
        for k in range(_PLACES):
            places[k] = low + step * (k + 1)
            places[_PLACES + k] = -places[k]
        _count_below(diagonal, squares, places, below, q)
        beyond = 0  # places that at least two eigenvalues lie beyond; they come first
        while beyond < _PLACES and diagonal.size - below[beyond] + below[_PLACES + beyond] >= 2:
            beyond += 1
        low, high = low + step * beyond, low + step * (beyond + 1)
    return (low + high) / 2


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _count_below(diagonal, squares, places, count, q):  # type: ignore[no-untyped-def]
    """The number of eigenvalues below each place; ``q`` is room to work in."""
    for k in range(places.size):
        count[k], q[k] = 0.0, 1.0
    for i in range(diagonal.size):
        own, square = diagonal[i], squares[i - 1] if i else 0.0
        for k in range(places.size):
            x = own - places[k] - square / q[k]
            x = x if abs(x) > 1e-290 else -1e-290
            q[k] = x
            count[k] += 1.0 if x < 0.0 else 0.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _three_diagonals(a):  # type: ignore[no-untyped-def]
    """Diagonal and side diagonal of a matrix with the same eigenvalues."""
    n, wide = a.shape
    diagonal, beside, x, w = np.empty(n), np.zeros(n), np.zeros(wide), np.empty(wide)
    for k in range(n - 1):
        diagonal[k], first, tail = a[k, k], a[k, k + 1], 0.0
        for j in range(wide):
            x[j] = a[k, j] if j > k else 0.0
        for j in range(k + 2, n):
            tail += x[j] * x[j]
        if tail == 0:
            beside[k] = first
            continue
        beside[k] = -np.copysign(np.sqrt(tail + first * first), first)
        x[k + 1] = first - beside[k]
        _reflect(a, x, w, k + 1, (tail + x[k + 1] * x[k + 1]) / 2)
    diagonal[n - 1] = a[n - 1, n - 1]
    return diagonal, beside


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _reflect(a, x, w, start, half):  # type: ignore[no-untyped-def]
    """Reflect the rows and columns from ``start`` on along x, which is 0 before it; ``w`` is room to work in.

    Every row is taken whole, and rows are added up, so that no sum waits for the one before.
    """
    n, wide = a.shape
    w[:] = 0.0
    for i in range(start, n):
        times = x[i] / half
        for j in range(wide):
            w[j] += a[i, j] * times
    along = 0.0
    for j in range(start, n):
        along += w[j] * x[j]
    for j in range(wide):
        w[j] = w[j] - along / (2 * half) * x[j] if j >= start else 0.0
    for i in range(start, n):
        own, other = x[i], w[i]
        for j in range(wide):
            a[i, j] -= own * w[j] + other * x[j]
