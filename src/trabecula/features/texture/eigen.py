"""The one eigenvalue that GLCM's MCC needs, in half the time that LAPACK takes for all of them at 32 grey levels.

Householder's reduction to three diagonals, then Sturm's count of eigenvalues on many places at once (Golub and Van
Loan, Matrix Computations, 4th ed., 8.3.1 and 8.4.2).
"""

import numba
import numpy as np
from jaxtyping import Float64

_PLACES = 16  # a multiple of what the processor divides at once
_ROUNDS = 13  # 17 ** 13 is 2 ** 53


@numba.njit(cache=True, nogil=True, error_model="numpy")
def second_magnitude(a: Float64[np.ndarray, "n n"]) -> float:
    """The second largest magnitude of the eigenvalues of a symmetric matrix whose largest is at most 1.

    ``a`` is overwritten; two rows at least.
    """
    diagonal, beside = _three_diagonals(a)
    squares = beside * beside
    low, high = 0.0, 1.0 + 1e-9
    places, larger = np.empty(_PLACES), np.empty(_PLACES)
    for _ in range(_ROUNDS):
        step = (high - low) / (_PLACES + 1)
        for k in range(_PLACES):
            places[k] = low + step * (k + 1)
        larger[:] = diagonal.size
        _count_below(diagonal, squares, places, larger, -1.0)
        _count_below(diagonal, squares, -places, larger, 1.0)
        beyond = 0  # places that at least two eigenvalues lie beyond; they come first
        while beyond < _PLACES and larger[beyond] >= 2:
            beyond += 1
        low, high = low + step * beyond, low + step * (beyond + 1)
    return (low + high) / 2


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _count_below(diagonal, squares, places, count, sign):  # type: ignore[no-untyped-def]
    """Add ``sign`` to the count of each place for every eigenvalue below it."""
    q = np.ones(places.size)
    for i in range(diagonal.size):
        own, square = diagonal[i], squares[i - 1] if i else 0.0
        for k in range(places.size):
            x = own - places[k] - square / q[k]
            x = x if abs(x) > 1e-290 else -1e-290
            q[k] = x
            count[k] += sign if x < 0.0 else 0.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _three_diagonals(a):  # type: ignore[no-untyped-def]
    """Diagonal and side diagonal of a matrix with the same eigenvalues."""
    n = a.shape[0]
    diagonal, beside, w = np.empty(n), np.zeros(n), np.empty(n)
    for k in range(n - 1):
        diagonal[k] = a[k, k]
        x = a[k, k + 1 :]
        tail = 0.0
        for i in range(1, x.size):
            tail += x[i] * x[i]
        if tail == 0:
            beside[k] = x[0]
            continue
        beside[k] = -np.copysign(np.sqrt(tail + x[0] * x[0]), x[0])
        x[0] -= beside[k]
        half = (tail + x[0] * x[0]) / 2
        along = 0.0
        for i in range(x.size):
            row, total = a[k + 1 + i, k + 1 :], 0.0
            for j in range(x.size):
                total += row[j] * x[j]
            w[i] = total / half
            along += w[i] * x[i]
        for i in range(x.size):
            w[i] -= along / (2 * half) * x[i]
        for i in range(x.size):
            row = a[k + 1 + i, k + 1 :]
            for j in range(x.size):
                row[j] -= x[i] * w[j] + w[i] * x[j]
    diagonal[n - 1] = a[n - 1, n - 1]
    return diagonal, beside
