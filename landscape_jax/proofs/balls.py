"""Ball arithmetic: exact numbers in, rounded bounds out.

A ball is an `arb` of python-flint: a midpoint and a radius, and every operation encloses the true
result.  Floats enter exactly; what leaves as a float is rounded outward.  A comparison of balls is
true only if it holds for all their points, so a condition is always written as what must hold:
`if not x > y: refuse`.  The working precision is flint's, `flint.ctx.workprec(bits)`.
"""

import math
from collections.abc import Iterable, Sequence
from operator import mul

import numpy as np
from flint import arb, arb_mat
from jaxtyping import Float

Vector = list[arb]


def exact(matrix: Float[np.ndarray, "rows columns"]) -> arb_mat:
    """Return a matrix of floats as balls of radius 0.

    ```python
    >>> exact(np.array([[0.5, 2.0]]))
    [0.500000000000000, 2.00000000000000]

    ```
    """
    rows, columns = matrix.shape
    return arb_mat(rows, columns, matrix.ravel().tolist())


def midpoints(matrix: arb_mat) -> Float[np.ndarray, "rows columns"]:
    """Return floats near the midpoints of a matrix of balls: a guess, never a bound."""
    flat = [float(x) for x in matrix.entries()]
    return np.array(flat, np.float64).reshape(matrix.nrows(), matrix.ncols())


def upper(x: arb) -> float:
    """Return a float that no point of the ball exceeds (NaN if the ball is not finite).

    ```python
    >>> upper(arb(1) / 3) > 1 / 3
    True

    ```
    """
    return 0.0 if x.is_zero() else math.nextafter(float(x.upper()), math.inf)


def lower(x: arb) -> float:
    """Return a float that exceeds no point of the ball (NaN if the ball is not finite)."""
    return math.nextafter(float(x.lower()), -math.inf)


def symmetric(bound: arb) -> arb:
    """Return a ball that contains every number of absolute value at most `bound`."""
    reach = bound.abs_upper()
    return (-reach).union(reach)


def total(terms: Iterable[arb]) -> arb:
    """Return the sum of balls."""
    return sum(terms, arb(0))


def frobenius(matrix: arb_mat) -> arb:
    """Enclose the Frobenius norm √Σ mᵢⱼ², which bounds the spectral norm.

    ```python
    >>> frobenius(arb_mat([[3, 4]])) == 5
    True

    ```
    """
    entries = matrix.entries()
    return total(map(mul, entries, entries)).nonnegative_part().sqrt()


def largest(values: Sequence[arb]) -> arb:
    """Return an exact ball above every point of the balls; 0 for none, NaN if one is not finite."""
    if not all(x.is_finite() for x in values):
        return arb.nan()
    return max((x.upper() for x in values), default=arb(0))


def smallest(values: Sequence[arb]) -> arb:
    """Return an exact ball below every point of the balls; ∞ for none, NaN if one is not finite."""
    if not all(x.is_finite() for x in values):
        return arb.nan()
    return min((x.lower() for x in values), default=arb.pos_inf())
