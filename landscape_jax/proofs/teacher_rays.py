"""The teacher of a certificate: its digest, its Gram matrix, and its rays, in exact arithmetic."""

import hashlib

import numpy as np
from flint import fmpq
from jaxtyping import Float

from landscape_jax.exact.rationals import matrix, rational
from landscape_jax.proofs.balls import exact
from landscape_jax.proofs.definite import smallest_eigenvalue

# Float64 inner products of unit vectors are off by less, in any dimension.
NEAR = 1e-6


def digest(
    teacher: Float[np.ndarray, "k d"],
    teacher_weights: Float[np.ndarray, " k"],
    student_weights: Float[np.ndarray, " n"],
) -> str:
    """Return the SHA-256 digest of the teacher and both second layers, 64 hexadecimal digits.

    The bytes, of the three arrays in this order: the sizes of the axes as little-endian int64, then
    the entries as little-endian float64, row by row, with −0 written as 0.  So digests are equal
    where the arrays are.

    ```python
    >>> digest(np.eye(2), np.ones(2), np.ones(2))[:16]
    '76179f6b3361b696'

    ```
    """
    found = hashlib.sha256()
    for array in (teacher, teacher_weights, student_weights):
        found.update(np.array(array.shape, "<i8").tobytes())
        found.update((array + 0.0).astype("<f8").tobytes())
    return found.hexdigest()


def orthonormal_rows(teacher: Float[np.ndarray, "k d"]) -> bool:
    """Check whether V Vᵀ = I exactly, in rational arithmetic.

    ```python
    >>> orthonormal_rows(np.eye(3)[:2]), orthonormal_rows(np.array([[0.6, 0.8]]))
    (True, False)

    ```
    """
    count, dim = teacher.shape
    if count > dim or np.max(np.abs(teacher)) > 1:
        return False
    if not np.allclose(teacher @ teacher.T, np.eye(count), rtol=0, atol=NEAR):
        return False
    rows = matrix(teacher)
    return rows * rows.transpose() == matrix(np.eye(count))


def gram_bounds(teacher: Float[np.ndarray, "k d"]) -> tuple[float, float]:
    """Enclose all eigenvalues of V Vᵀ, which are not negative.

    **Returns:** a lower and an upper bound, not finite if V Vᵀ is beyond the range of float64.

    ```python
    >>> low, high = gram_bounds(2 * np.eye(2))
    >>> 3.999 < low < 4 < high < 4.001
    True

    ```
    """
    if not teacher.any():
        return 0.0, 0.0
    rows = exact(teacher)
    gram = rows * rows.transpose()
    least, most = smallest_eigenvalue(gram), -smallest_eigenvalue(-gram)
    return max(0.0, least) if np.isfinite(least) else least, most


def rays(
    teacher: Float[np.ndarray, "k d"], weights: Float[np.ndarray, " k"]
) -> list[tuple[int, list[fmpq]]]:
    """Write Σ bⱼ relu(vⱼ·x) with one neuron a ray, exactly.

    Where vₗ = t vⱼ with t > 0, bₗ relu(vₗ·x) + bⱼ relu(vⱼ·x) = σ relu(σu·x) with u = bₗvₗ + bⱼvⱼ
    and σ = ±1 the sign of u along the ray.  Neurons of norm or weight 0 and rays that cancel are
    left out.  Opposite rays are not combined: relu(t) − relu(−t) = t is not used.

    **Returns:** (σ, u) for each ray.

    ```python
    >>> rays(np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 0.0]]), np.array([1.0, 1.0, -1.0]))
    [(-1, [-2, 0]), (1, [0, 1])]

    ```
    """
    alive = (weights != 0) & teacher.any(axis=1)
    units = teacher / np.where(alive, np.linalg.norm(teacher, axis=1), 1)[:, None]
    near = units @ units.T > 1 - NEAR
    rows = matrix(teacher).tolist()
    masses: dict[int, fmpq] = {}
    for j in np.flatnonzero(alive).tolist():
        scales = ((i, _ratio(rows[i], rows[j])) for i in masses if near[i, j])
        first, scale = next(((i, t) for i, t in scales if t > 0), (j, fmpq(1)))
        masses[first] = masses.get(first, fmpq(0)) + rational(float(weights[j])) * scale
    return [(1 if m > 0 else -1, [m * x for x in rows[i]]) for i, m in masses.items() if m != 0]


def _ratio(x: list[fmpq], y: list[fmpq]) -> fmpq:
    """Return the t with y = t x for x ≠ 0, or 0 if there is none."""
    pivot = next(p for p, entry in enumerate(x) if entry != 0)
    t = y[pivot] / x[pivot]
    return t if all(t * p == q for p, q in zip(x, y, strict=True)) else fmpq(0)
