"""The least squares of a cell combination: what its differentiable minima would be."""

from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Array, Bool, Float, Int, Real

from landscape_jax.proofs.rationals import least_squares, squares
from landscape_jax.theory.cells import least_squares as kernel
from landscape_jax.theory.cells.full_rank import solve_full_rank
from landscape_jax.theory.piecewise_linear import exact_inputs, exact_samples
from landscape_jax.theory.precision import floats

Table = Array | np.ndarray
_BATCH = 256
# Fewer patterns are not worth a second program.
_MANY = 500
# So many patterns at a time go through singular values, of those that are left.
_LEFT = 64


class CellSolutions(NamedTuple):
    """The least squares of many activation patterns, the leading axis.

    - `R`: A⁺y + (I − A⁺A)c, (patterns, K, d); row j is z_j w_j.
    - `loss`: (1/N)‖AA⁺y − y‖².
    - `rank`: of A; `unique`: whether it is Kd.
    - `smallest`: the least singular value that counts, relative to the largest one (0 for A = 0);
      near the tolerance of `cell_solutions` it asks for `exact_cell_solution`.  Far above it, for
      many patterns, it is an estimate, mostly within 2, from a few power and inverse iterations.
    """

    R: Float[Array, "patterns neurons inputs"]
    loss: Float[Array, " patterns"]
    rank: Int[Array, " patterns"]
    unique: Bool[Array, " patterns"]
    smallest: Float[Array, " patterns"]


class ExactSolution(NamedTuple):
    """The least squares of one activation pattern, in rational numbers.

    - `R`: A⁺y, (K, d); `loss`: (1/N)‖AA⁺y − y‖²; `rank`: of A; `unique`: whether it is Kd.
    """

    R: fmpq_mat
    loss: fmpq
    rank: int
    unique: bool


def rank_tolerance(samples: int, columns: int, epsilon: float) -> float:
    """Give the share of the largest singular value up to which others count as 0.

    max(N, Kd) ε, as in `numpy.linalg.lstsq`.  The entries of A are data or 0, without rounding, and
    a computed singular value is off by at most about that share of the largest one.  So those
    above are truly not 0, up to the modest constant in that bound, and a full rank that is found
    is one; a singular value below may be 0 or tiny, which floats cannot tell.

    Two ways need no singular values, and say the same.  In the kernel for CPUs, A, or what is left
    of it after pivoting, has a triangular factor T, that of a table off by about (N + Kd) ε‖A‖_F at
    most.  Where 1/‖T⁻¹‖_F ≤ σ_min(T) is at least four times that, all of its singular values are
    above this tolerance; what pivoting left out is below a quarter of it (see `least_squares.cc`).
    In XLA's code, a Cholesky factor of AᵀA − sI shows all of them to be at least √((N + Kd) ε/2) of
    the largest one (see `full_rank.shift`), above this tolerance for all N + Kd < 1/(2ε).  Where
    neither holds, the singular values decide.
    """
    return max(samples, columns) * epsilon


def cell_solutions(
    x: Real[Table, "samples inputs"],
    y: Real[Table, " labels"],
    patterns: Bool[Table, "patterns rows neurons"],
    free: Real[Table, "_ _ _"] | None = None,
) -> CellSolutions:
    """Solve the least squares of thousands of activation patterns in one jitted call.

    R* = A⁺y + (I − A⁺A)c minimises (1/N)‖AR − y‖², where row i of A is (I_{i1}xᵢ, …, I_{iK}xᵢ).

    Singular values up to `rank_tolerance` times the largest count as 0.  That is relative to the
    data: scale inputs of very different sizes first.  Below 500 patterns, all go through singular
    values, and derivatives exist.  From 500 on, only those do whose rank is in doubt.  A CPU with a
    C++ compiler solves the others by Householder's reflections, in a kernel without derivatives
    (see `least_squares.cc`).  Elsewhere, those of full rank are solved by Cholesky and refined with
    the residual of A itself, where that converges (see `full_rank`).

    **Arguments:** `x`, (N, d), one sample a row, a bias as a column of ones; `y`, (N,); `patterns`,
    (patterns, N, K), whether neuron j is active at sample i; `free`, the c of each, 0 where left
    out.

    **Returns:** a `CellSolutions`.

    **Raises:** `ValueError` where shapes do not fit, or there is nothing to solve.

    Source: LIU, eqs. 5–9.

    ```python
    >>> import jax.numpy as jnp
    >>> both = jnp.array([[[True], [True]], [[True], [False]]])
    >>> found = cell_solutions(jnp.eye(2), jnp.array([1.0, 1.0]), both)
    >>> found.R[:, 0].tolist(), found.loss.tolist(), found.unique.tolist()
    ([[1.0, 1.0], [1.0, 0.0]], [0.0, 0.5], [True, False])

    ```
    """
    # Shapes that do not fit have their own names above: the message here says what to give.
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
    data = floats(x)
    labels = jnp.asarray(y, data.dtype)
    start = jnp.zeros(shape, data.dtype) if free is None else jnp.asarray(free, data.dtype)
    return _solve(data, labels, jnp.asarray(patterns), start)


@eqx.filter_jit
def _solve(x: Array, y: Array, patterns: Array, free: Array) -> CellSolutions:
    """Solve many patterns on a CPU by its kernel, others by XLA's code."""
    count, samples, neurons = patterns.shape
    many = count >= _MANY
    name = kernel.target(x.dtype, samples, x.shape[1], neurons) if many else None
    if name is None:
        return _solve_in_xla(x, y, patterns, free)
    return jax.lax.platform_dependent(
        x, y, patterns, free, cpu=partial(_solve_in_kernel, name), default=_solve_in_xla
    )


def _solve_in_kernel(name: str, x: Array, y: Array, patterns: Array, free: Array) -> CellSolutions:
    columns = free[0].size
    tolerance = rank_tolerance(len(x), columns, float(jnp.finfo(x.dtype).eps))
    R, loss, rank, smallest = kernel.solve(name, x, y, patterns.astype(bool), free, tolerance)
    return CellSolutions(R, loss, rank.astype(int), rank == columns, smallest)


def _solve_in_xla(x: Array, y: Array, patterns: Array, free: Array) -> CellSolutions:
    """Solve by Cholesky where that is safe, and the patterns that are left by singular values."""
    count, samples, neurons = patterns.shape
    columns = neurons * x.shape[1]
    if samples < columns or count < _MANY:
        cases = patterns, free
        return jax.lax.map(lambda case: _solve_one(x, y, *case), cases, batch_size=_BATCH)
    fast = solve_full_rank(x, y, patterns)
    found = CellSolutions(
        fast.R, fast.loss, jnp.full(count, columns), jnp.ones(count, bool), fast.smallest
    )
    left = jnp.sum(~fast.safe)
    order = jnp.pad(jnp.argsort(fast.safe), (0, -count % _LEFT), constant_values=count)

    def more(state: tuple[Array, CellSolutions]) -> Array:
        return state[0] < left

    def solve(state: tuple[Array, CellSolutions]) -> tuple[Array, CellSolutions]:
        at, found = state
        # The last of them is beside safe ones, whose results stay.
        index = jax.lax.dynamic_slice_in_dim(order, at, _LEFT)
        index = jnp.where(at + jnp.arange(_LEFT) < left, index, count)
        cases = (a.at[index].get(mode="fill", fill_value=0) for a in (patterns, free))
        new = jax.vmap(lambda *case: _solve_one(x, y, *case))(*cases)
        put = lambda a, b: a.at[index].set(b, mode="drop")
        return at + _LEFT, jax.tree.map(put, found, new)

    return jax.lax.while_loop(more, solve, (jnp.asarray(0), found))[1]


def _solve_one(x: Array, y: Array, pattern: Array, free: Array) -> CellSolutions:
    """Solve one pattern by singular values."""
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


def exact_cell_solution(x: Any, y: Any, pattern: Bool[np.ndarray, "rows neurons"]) -> ExactSolution:
    """Solve the least squares of one activation pattern in rational arithmetic.

    A⁺y = Aᵀu, where u minimises ‖AAᵀu − y‖: it is a least squares solution, since AAᵀ has the
    range of A, and in the range of Aᵀ, hence the shortest one.

    **Arguments:** `x`, (N, d), and `y`, (N,), see `exact_samples`; `pattern`, (N, K).

    **Raises:** `ValueError` where shapes do not fit; else like `exact_samples`.

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


def exact_rows(x: Any, y: Any) -> tuple[list[list[fmpq]], fmpq_mat]:
    """Read samples, homogeneous as they are, and one label for each, (N, 1).

    **Raises:** `ValueError` where y has more than one column; else like `exact_samples`.
    """
    samples = exact_samples(x, y)
    if samples.labels.ncols() != 1:
        raise ValueError(f"y has {samples.labels.ncols()} columns; give one label for each sample")
    return exact_inputs(x), samples.labels


def exact_table(rows: list[list[fmpq]], pattern: Bool[np.ndarray, "samples neurons"]) -> fmpq_mat:
    """Give the matrix A of LIU, eq. 6: row i is (I_{i1}xᵢ, …, I_{iK}xᵢ)."""
    entries = [
        t if active else fmpq(0)
        for flags, row in zip(pattern.tolist(), rows, strict=True)
        for active in flags
        for t in row
    ]
    return fmpq_mat(len(rows), pattern.shape[1] * len(rows[0]), entries)
