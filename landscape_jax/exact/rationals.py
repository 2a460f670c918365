"""Rational arithmetic: floats and decimals are converted exactly, and comparisons are exact.

A rational is an `fmpq` of python-flint, a matrix of them an `fmpq_mat`.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Float

Number = float | int | Fraction | Decimal


def rational(number: Number) -> fmpq:
    """Convert a finite number exactly.

    ```python
    >>> rational(0.5), rational(Decimal("0.1")), rational(0.1) == rational(Decimal("0.1"))
    (1/2, 1/10, False)

    ```
    """
    plain = number.item() if isinstance(number, np.generic) else number
    return fmpq(*plain.as_integer_ratio())


def matrix(rows: Sequence[Sequence[Number]] | Float[np.ndarray, "rows columns"]) -> fmpq_mat:
    """Convert a matrix of finite numbers exactly.

    ```python
    >>> matrix([[0.5, 2]])
    [1/2, 2]

    ```
    """
    table = rows.tolist() if isinstance(rows, np.ndarray) else rows
    return fmpq_mat([[rational(entry) for entry in row] for row in table])


def nearest(x: fmpq) -> float:
    """Return the float64 nearest to a rational.

    **Raises:** `OverflowError` if it is beyond the largest one.
    """
    # Python divides whole numbers with one rounding.
    return int(x.p) / int(x.q)


def nearest_matrix(entries: fmpq_mat) -> Float[np.ndarray, "rows columns"]:
    """Return the float64 nearest to each entry."""
    return np.array([[nearest(x) for x in row] for row in entries.tolist()], np.float64)


def squares(entries: fmpq_mat) -> fmpq:
    """Return the sum of the squares of all entries."""
    return sum((x * x for x in entries.entries()), fmpq(0))


def least_squares(A: fmpq_mat, Y: fmpq_mat) -> fmpq_mat:
    """Solve min ‖AW − Y‖² for a W with at most rank A non-zero rows.

    From the normal equations AᵀAW = AᵀY, which always have a solution, by elimination.

    ```python
    >>> least_squares(matrix([[1, 1], [1, 1], [2, 2]]), matrix([[1], [2], [3]]))
    [3/2]
    [  0]

    ```
    """
    unknowns, columns = A.ncols(), Y.ncols()
    turned = A.transpose()
    left, right = (turned * A).tolist(), (turned * Y).tolist()
    joined = fmpq_mat([[*a, *b] for a, b in zip(left, right, strict=True)])
    echelon, pivots = _eliminated(joined)
    W = fmpq_mat(unknowns, columns)
    for row, pivot in enumerate(pivots):
        for column in range(columns):
            W[pivot, column] = echelon[row, unknowns + column]
    return W


def null_space(A: fmpq_mat) -> fmpq_mat:
    """Compute a basis of {v: Av = 0}, one vector a column.

    ```python
    >>> null_space(fmpq_mat([[1, 2]]))
    [-2]
    [ 1]

    ```
    """
    echelon, pivots = _eliminated(A)
    free = [j for j in range(A.ncols()) if j not in pivots]
    basis = fmpq_mat(A.ncols(), len(free))
    for column, j in enumerate(free):
        basis[j, column] = fmpq(1)
        for row, pivot in enumerate(pivots):
            basis[pivot, column] = -echelon[row, j]
    return basis


def _eliminated(A: fmpq_mat) -> tuple[fmpq_mat, list[int]]:
    """Return the reduced echelon form, and the column of each row's pivot."""
    echelon, rank = A.rref()
    columns = range(A.ncols())
    return echelon, [next(j for j in columns if echelon[row, j] != 0) for row in range(rank)]
