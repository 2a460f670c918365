"""The least squares of cell combinations, whose solutions are candidates for minima."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Array, Bool, Float, Int, Real

from landscape_jax.arrays import floats
from landscape_jax.exact.ranks import rank_tolerance
from landscape_jax.exact.rationals import least_squares, squares
from landscape_jax.exact.samples import exact_rows
from landscape_jax.mistakes import explained

_Table = Array | np.ndarray
_BATCH = 256


class CellSolutions(NamedTuple):
    """The least squares of many cell combinations, along the leading axis.

    - `R`: A⁺y + (I − A⁺A)c, (patterns, K, d); row j is z_j w_j.
    - `loss`: (1/N)‖AA⁺y − y‖².
    - `rank`: of A; `unique`: whether it is Kd.
    - `smallest`: the least singular value above the tolerance, relative to the largest one (0 for
      A = 0); if it is near the tolerance, use `exact_cell_solution`.
    """

    R: Float[Array, "patterns neurons inputs"]
    loss: Float[Array, " patterns"]
    rank: Int[Array, " patterns"]
    unique: Bool[Array, " patterns"]
    smallest: Float[Array, " patterns"]


class ExactSolution(NamedTuple):
    """The least squares of one cell combination, in rational numbers.

    - `R`: A⁺y, (K, d); `loss`: (1/N)‖AA⁺y − y‖²; `rank`: of A; `unique`: whether it is Kd.
    """

    R: fmpq_mat
    loss: fmpq
    rank: int
    unique: bool


@explained
def cell_solutions(
    x: Real[_Table, "samples inputs"],
    y: Real[_Table, " labels"],
    patterns: Bool[_Table, "patterns rows neurons"],
    free: Real[_Table, "_ _ _"] | None = None,
) -> CellSolutions:
    """Solve the least squares of thousands of cell combinations in one jitted call.

    R* = A⁺y + (I − A⁺A)c minimises (1/N)‖AR − y‖², where row i of A is (I_{i1}xᵢ, …, I_{iK}xᵢ).

    Singular values up to `rank_tolerance` times the largest count as 0.  That is relative to the
    data: scale inputs of very different sizes first.

    **Arguments:** `x`, (N, d), one sample a row, a bias as a column of ones; `y`, (N,); `patterns`,
    (patterns, N, K), for each combination whether neuron j is active at sample i; `free`, the c of
    each, by default 0.

    **Returns:** a `CellSolutions`.

    **Raises:** `ValueError` if shapes do not fit, or there are no samples, inputs or neurons.

    Source: LIU, eqs. 5–9.

    ```python
    >>> import jax.numpy as jnp
    >>> both = jnp.array([[[True], [True]], [[True], [False]]])
    >>> found = cell_solutions(jnp.eye(2), jnp.array([1.0, 1.0]), both)
    >>> found.R[:, 0].tolist(), found.loss.tolist(), found.unique.tolist()
    ([[1.0, 1.0], [1.0, 0.0]], [0.0, 0.5], [True, False])

    ```
    """
    # The axes have different names above so that this message, not jaxtyping's, reports a misfit.
    empty = not x.size or not patterns.shape[2]
    if y.shape != x.shape[:1] or patterns.shape[1] != len(x) or empty:
        raise ValueError(
            f"x, y and patterns have shapes {x.shape}, {y.shape} and {patterns.shape}; give "
            "(samples, inputs), (samples,) and (patterns, samples, neurons), with samples, inputs "
            "and neurons"
        )
    shape = len(patterns), patterns.shape[2], x.shape[1]
    if free is not None and free.shape != shape:
        raise ValueError(f"free has shape {free.shape}; it must be {shape}")
    data = floats("x", x)
    labels = jnp.asarray(y, data.dtype)
    start = jnp.zeros(shape, data.dtype) if free is None else jnp.asarray(free, data.dtype)
    return _solve(data, labels, jnp.asarray(patterns), start)


@eqx.filter_jit
def _solve(x: Array, y: Array, patterns: Array, free: Array) -> CellSolutions:
    cases = patterns, free
    return jax.lax.map(lambda case: _solve_one(x, y, *case), cases, batch_size=_BATCH)


def _solve_one(x: Array, y: Array, pattern: Array, free: Array) -> CellSolutions:
    """Solve one combination by the singular value decomposition."""
    samples, columns = len(x), free.size
    A = (pattern[:, :, None] * x[:, None, :]).reshape(samples, columns)
    U, s, Vt = jnp.linalg.svd(A, full_matrices=False)
    kept = s > rank_tolerance(samples, columns, float(jnp.finfo(x.dtype).eps)) * s[0]
    along = jnp.where(kept, U.T @ y, 0)
    inside = jnp.where(kept, Vt @ free.ravel(), 0)
    R = free.ravel() + Vt.T @ (along / jnp.where(kept, s, 1) - inside)
    rank = jnp.sum(kept)
    smallest = jnp.min(jnp.where(kept, s, s[0])) / jnp.where(s[0] > 0, s[0], 1)
    loss = jnp.mean((U @ along - y) ** 2)
    return CellSolutions(R.reshape(free.shape), loss, rank, rank == columns, smallest)


@explained
def exact_cell_solution(x: Any, y: Any, pattern: Bool[np.ndarray, "rows neurons"]) -> ExactSolution:
    """Solve the least squares of one cell combination in rational arithmetic.

    A⁺y = Aᵀu, where u minimises ‖AAᵀu − y‖: it is a least squares solution, since AAᵀ has the
    range of A, and in the range of Aᵀ, hence the shortest one.

    **Arguments:** `x`, (N, d), and `y`, (N,), see `exact_samples`; `pattern`, (N, K).

    **Raises:** `ValueError` if shapes do not fit; else like `exact_samples`.

    Source: LIU, eqs. 7–9.

    ```python
    >>> exact_cell_solution([[1, 0], [1, 1], [0, 1]], [1, 1, 0], np.ones((3, 1), bool))
    ExactSolution(R=[1, 0], loss=0, rank=2, unique=True)

    ```
    """
    rows, labels = exact_rows(x, y)
    if len(pattern) != len(rows):
        raise ValueError(f"pattern has shape {pattern.shape}; give ({len(rows)}, neurons)")
    A = exact_table(rows, pattern)
    turned = A.transpose()
    R = turned * least_squares(A * turned, labels)
    rank = A.rank()
    return ExactSolution(
        R=fmpq_mat(pattern.shape[1], len(rows[0]), R.entries()),
        loss=squares(A * R - labels) / len(rows),
        rank=rank,
        unique=rank == A.ncols(),
    )


def exact_table(rows: list[list[fmpq]], pattern: Bool[np.ndarray, "samples neurons"]) -> fmpq_mat:
    """Return the matrix A of LIU, eq. 6: row i is (I_{i1}xᵢ, …, I_{iK}xᵢ)."""
    entries = [
        t if active else fmpq(0)
        for flags, row in zip(pattern.tolist(), rows, strict=True)
        for active in flags
        for t in row
    ]
    return fmpq_mat(len(rows), pattern.shape[1] * len(rows[0]), entries)
