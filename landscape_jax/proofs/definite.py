"""Rigorous bounds of the smallest eigenvalue of a symmetric matrix."""

import numpy as np
from flint import arb, arb_mat
from jaxtyping import Float

from landscape_jax.proofs.balls import exact, frobenius, lower, midpoints, upper


def smallest_eigenvalue(matrix: arb_mat) -> float:
    """Return a float below the smallest eigenvalue of every symmetric matrix in the enclosure.

    Take σ a little under a float64 guess of the smallest eigenvalue, the float64 Cholesky factor R
    of the midpoint minus σI, and enclose E = A − σI − RᵀR.  As RᵀR is positive semidefinite,

        λ_min(A) ≥ σ + λ_min(RᵀR) + λ_min(E) ≥ σ − ‖E‖_F,

    whatever the accuracy of σ and R.

    **Arguments:** `matrix`, square, enclosing a symmetric matrix.

    **Returns:** the bound; −∞ if the enclosure is not finite or no factor was found.

    ```python
    >>> bound = smallest_eigenvalue(arb_mat([[2, 1], [1, 2]]))
    >>> 1 - 1e-12 < bound < 1
    True

    ```
    """
    guess = midpoints(matrix)
    size = len(guess)
    if not size or not np.all(np.isfinite(guess)):
        return -np.inf
    # Float Cholesky of a matrix with smallest eigenvalue `gap` succeeds; see Higham, theorem 10.7.
    try:
        spectrum = np.linalg.eigvalsh(guess)
        gap = 64 * size * np.finfo(float).eps * float(np.max(np.abs(spectrum)))
        shift = float(spectrum[0]) - gap
        factor = np.linalg.cholesky(guess - shift * np.eye(size))
    except np.linalg.LinAlgError:
        return -np.inf
    factor = exact(on_grid(factor))
    rest = matrix - factor * factor.transpose()
    for p in range(size):
        rest[p, p] -= shift
    bound = lower(arb(shift) - frobenius(rest))
    return bound if np.isfinite(bound) else -np.inf


def on_grid(matrix: Float[np.ndarray, "size size"]) -> Float[np.ndarray, "size size"]:
    """Round to multiples of 2⁻⁵³ of the largest entry: exact products of those are faster."""
    unit = np.ldexp(1.0, int(np.frexp(np.max(np.abs(matrix)))[1]) - 53)
    return np.round(matrix / unit) * unit


def eigenvalue_upper_bound(matrix: arb_mat) -> float:
    """Return an upper bound of the smallest eigenvalue: the Rayleigh quotient of an eigenvector.

    The eigenvector is one of the midpoint in float64; any vector gives an upper bound.

    ```python
    >>> eigenvalue_upper_bound(arb_mat([[1, 2], [2, 1]])) < -0.999
    True

    ```
    """
    guess = midpoints(matrix)
    if not np.all(np.isfinite(guess)):
        return np.inf
    try:
        vector = exact(np.linalg.eigh(guess)[1][:, :1])
    except np.linalg.LinAlgError:
        return np.inf
    return upper((vector.transpose() * matrix * vector)[0, 0] / frobenius(vector) ** 2)
