"""Open cones {t: Bt > 0}: a point inside, or a proof that there is none, in rational numbers."""

import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Float
from scipy.optimize import nnls

from landscape_jax.exact.rationals import matrix, null_space

# Binary digits that are kept of a column's largest entry, so that squares are float64.
_BITS = 500


def deepest_direction(
    rows: Float[np.ndarray, "rows entries"],
) -> tuple[Float[np.ndarray, " entries"], Float[np.ndarray, " rows"]]:
    """Find the unit w with the largest minᵢ rᵢ·w over unit rows, and multipliers λ ≥ 0.

    It is along the shortest w with rᵢ·w ≥ 1 for all rows, a least distance problem that
    non-negative least squares solves (Lawson and Hanson 1974, chapter 23).  If there is none,
    w and Σ λᵢrᵢ are 0 to within rounding.

    **Returns:** w of norm 1, to within rounding, or 0; λ with Σ λᵢ = 1 if w is 0.
    """
    table = np.vstack([rows.T, np.ones(len(rows))])
    target = np.append(np.zeros(rows.shape[1]), 1.0)
    try:
        multipliers = nnls(table, target)[0]
    except RuntimeError:  # It ran out of steps: the caller decides exactly.
        return np.zeros(rows.shape[1]), np.zeros(len(rows))
    rest = table @ multipliers - target
    return rest[:-1] / max(np.linalg.norm(rest[:-1]), np.finfo(float).tiny), multipliers


def positive_point(rows: fmpq_mat) -> fmpq_mat | None:
    """Find a t ≠ 0 with Bt > 0 in all entries, or prove that there is none: None.

    Floats, with columns scaled to size 1, find a t far from the boundary, which is checked exactly.
    There is none if and only if some λ ≥ 0, not 0, has Bᵀλ = 0 (Gordan).  Floats find where λ is
    not 0, and it is then solved for exactly; if neither succeeds, the simplex method decides in
    rational numbers.

    **Arguments:** `rows`, B.

    ```python
    >>> positive_point(fmpq_mat([[1, 0], [1, -1]])) is None
    False
    >>> positive_point(fmpq_mat([[1, 0], [-1, 1], [0, -1]])) is None
    True

    ```
    """
    if not rows.nrows():
        return fmpq_mat(rows.ncols(), 1, [int(k == 0) for k in range(rows.ncols())])
    table, powers = _floats(rows)
    w, multipliers = deepest_direction(table / np.linalg.norm(table, axis=1, keepdims=True))
    t = fmpq_mat(
        len(w),
        1,
        [s * fmpq(2) ** -k for s, k in zip(matrix(w[:, None]).entries(), powers, strict=True)],
    )
    if all(s > 0 for s in (rows * t).entries()):
        return t
    if _excluded(rows, np.flatnonzero(multipliers > 0).tolist()):
        return None
    return _simplex(rows)


def _floats(rows: fmpq_mat) -> tuple[Float[np.ndarray, "rows entries"], list[int]]:
    """Round a multiple of the rows, each column divided by a power of two near its largest entry.

    **Returns:** the table, with a 1 in rows of 0, and the exponents of the powers.
    """
    entries = [list(map(int, row)) for row in rows.numer_denom()[0].tolist()]
    powers = [max(t.bit_length() for t in column) for column in zip(*entries, strict=True)]
    shifts = [max(0, power - _BITS) for power in powers]
    table = np.array([[t >> k for t, k in zip(row, shifts, strict=True)] for row in entries], float)
    table = np.ldexp(table, np.subtract(shifts, powers))
    table[~np.any(table, axis=1)] = 1
    return table, powers


def _excluded(rows: fmpq_mat, support: list[int]) -> bool:
    """Check whether some rows have a positive combination that is 0."""
    if not support:
        return False
    table = rows.tolist()
    found = null_space(fmpq_mat([table[i] for i in support]).transpose())
    weights = found.entries()
    return found.ncols() == 1 and (all(t > 0 for t in weights) or all(t < 0 for t in weights))


def _simplex(rows: fmpq_mat) -> fmpq_mat | None:
    """Decide by the first phase of the simplex method for Bᵀλ = 0, Σ λᵢ = 1, λ ≥ 0.

    If no λ is feasible, the prices π of the optimum have Bπ + π₀ ≤ 0 with π₀ > 0: t = −π.
    Bland's rule prevents cycling.
    """
    count, size = rows.nrows(), rows.ncols() + 1
    columns = fmpq_mat([[*row, fmpq(1)] for row in rows.tolist()])
    inverse = fmpq_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])
    # The artificial variables come last.
    basis = list(range(count, count + size))
    while True:
        costs = fmpq_mat(1, size, [int(at >= count) for at in basis])
        prices = costs * inverse
        if prices[0, size - 1] == 0:
            return None
        gains = (columns * prices.transpose()).entries()
        enters = next((j for j, gain in enumerate(gains) if gain > 0), None)
        if enters is None:
            return -fmpq_mat(size - 1, 1, prices.entries()[:-1])
        column = inverse * fmpq_mat(size, 1, [columns[enters, k] for k in range(size)])
        leaves = min(
            (i for i in range(size) if column[i, 0] > 0),
            key=lambda i: (inverse[i, size - 1] / column[i, 0], basis[i]),
        )
        table = inverse.tolist()
        pivot = [t / column[leaves, 0] for t in table[leaves]]
        inverse = fmpq_mat(
            [
                pivot
                if i == leaves
                else [s - column[i, 0] * t for s, t in zip(row, pivot, strict=True)]
                for i, row in enumerate(table)
            ]
        )
        basis[leaves] = enters
