"""Coordinates of the weights in which samples are well conditioned, by an exact rational map."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat
from jaxtyping import Float

from landscape_jax.exact.rationals import nearest

# A column is off its orthogonal part by about 2^-5 of that part's length for each other column.
_NEAR = 5


class Coordinates(NamedTuple):
    """Samples xᵢ M with a map M of full column rank, of the rank of the samples.

    A weight w′ has the outputs of w = Mw′: the landscape is the same.

    - `map`: M, (d, r), in rational numbers.
    - `whole`: the rows of xM times `denominator`, whole numbers.
    """

    map: fmpq_mat
    whole: fmpz_mat
    denominator: int

    @property
    def rows(self) -> list[tuple[int, ...]]:
        """Return `whole` as rows of Python integers."""
        return [tuple(map(int, row)) for row in self.whole.tolist()]


def well_conditioned(x: fmpq_mat) -> Coordinates:
    """Compute coordinates in which the columns of the samples are nearly orthonormal.

    By Gram–Schmidt in rational numbers, starting at the last input, the bias: a column of M is
    e_k − Σ_{j>k} c_j m_j with the c_j of the orthogonal projection, but rounded to as few bits as
    leave xm_k within 2^-5 of its orthogonal part for each j, and then divided by a power of two
    near its length.  So numerators and denominators stay short: of x = (t, 1) with t from 2015 to
    2024, M subtracts a multiple of the ones.  Columns that depend on later ones are left out.

    **Arguments:** `x`, (N, d).

    ```python
    >>> found = well_conditioned(fmpq_mat([[10**9 + t, 1] for t in range(3)]))
    >>> found.map, found.whole, found.denominator
    ([0,           1]
    [1, -1000000001], [1, -1]
    [1,  0]
    [1,  1], 1)

    ```
    """
    inputs = x.ncols()
    gram = x.transpose() * x
    columns: list[fmpq_mat] = []
    for k in reversed(range(inputs)):
        column = _unit(inputs, k)
        if columns:
            found = _joined(columns)
            products = found.transpose() * gram
            squares, along = products * found, products * column
            shares = squares.solve(along)
            left = gram[k, k] - (along.transpose() * shares)[0, 0]
            if left == 0:
                continue
            for j, before in enumerate(columns):
                step = fmpq(2) ** (_exponent(left / squares[j, j]) // 2 - _NEAR)
                column -= before * (_rounded(shares[j, 0] / step) * step)
        size = (column.transpose() * gram * column)[0, 0]
        if size != 0:
            columns.append(column * fmpq(2) ** -(_exponent(size) // 2))
    # If all samples are 0, one coordinate remains.
    M = _joined(columns or [_unit(inputs, 0)])
    whole, denominator = (x * M).numer_denom()
    return Coordinates(M, whole, int(denominator))


def _unit(inputs: int, k: int) -> fmpq_mat:
    return fmpq_mat(inputs, 1, [int(i == k) for i in range(inputs)])


def _joined(columns: Sequence[fmpq_mat]) -> fmpq_mat:
    return fmpq_mat([column.entries() for column in columns]).transpose()


def _rounded(t: fmpq) -> int:
    return (2 * int(t.p) + int(t.q)) // (2 * int(t.q))


def _exponent(t: fmpq) -> int:
    """Return a whole number within 1 of log₂ t, t > 0."""
    return int(t.p).bit_length() - int(t.q).bit_length()


def root(t: fmpq) -> float:
    """Compute √t to within rounding, also if t is beyond float64.

    **Raises:** `ValueError` if √t is beyond float64.

    ```python
    >>> root(fmpq(10) ** -400), root(fmpq(9, 4))
    (1e-200, 1.5)

    ```
    """
    if t == 0:
        return 0.0
    half = _exponent(t) // 2
    if half > 1022:
        raise ValueError("the square root of a number is beyond float64; scale x or y")
    return math.ldexp(math.sqrt(nearest(t / fmpq(4) ** half)), half)


def scaled(entries: Sequence[fmpq]) -> tuple[Float[np.ndarray, " entries"], int]:
    """Return floats v and an exponent e with the entries v·2^e, v rounded once, |v| at most 2.

    ```python
    >>> scaled([fmpq(3), fmpq(-1, 2)])
    (array([ 1.5 , -0.25]), 1)

    ```
    """
    largest = max((abs(t) for t in entries), default=fmpq(0))
    if largest == 0:
        return np.zeros(len(entries)), 0
    power = _exponent(largest)
    factor = fmpq(2) ** -power
    return np.array([nearest(t * factor) for t in entries]), power
