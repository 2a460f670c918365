"""Basin values: the least loss in the closed region of an activation pattern."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Real

from landscape_jax.arrays import floats
from landscape_jax.mistakes import explained
from landscape_jax.theory.basins.bounds import Lower, lower_bound, upper_bound
from landscape_jax.theory.basins.heights import Basis, basis, heights
from landscape_jax.theory.basins.primal_dual import (
    Points,
    kernel_prefix,
    points_by_kernel,
    points_in_xla,
)
from landscape_jax.theory.basins.systems import Problems

_AnyArray = Array | np.ndarray
# This many lanes of some kilobytes each stay in the cache.
_LANES = 64


class BasinValues(NamedTuple):
    """The basin values of many activation patterns, the leading axis, with bounds for each.

    - `value`: the loss of `W`, rounded up; `gap`: value − gap is a lower bound on the loss of all W
      in the closed region that are within `reach`, and so on the basin value where reach is ∞.
    - `solved`: whether gap ≤ tolerance · (1/m) Σ y², the value of W = 0, and reach is ∞: the basin
      value is known to that tolerance.
    - `bounded`: whether gap is as small but reach is finite: no W within reach is better by more;
      for larger weights nothing is proven.
    - `W`: (problems, n, d), exactly in the closed region.
    - `errors`, (problems, m), and `multipliers`, (problems, m, n): the r and λ of the lower bound.
    - `reach`: (problems, n); the lower bound is for all W in the closed region with
      ‖X wᵢ‖ ≤ reachᵢ, which is ∞ except for neurons whose minimizers are unbounded, see `bounds`.
    - `steps`: Newton steps.
    """

    value: Float[Array, " problems"]
    gap: Float[Array, " problems"]
    solved: Bool[Array, " problems"]
    bounded: Bool[Array, " problems"]
    W: Float[Array, "problems neurons inputs"]
    errors: Float[Array, "problems samples"]
    multipliers: Float[Array, "problems samples neurons"]
    reach: Float[Array, "problems neurons"]
    steps: Int[Array, " problems"]


@explained
def basin_values(
    x: Real[_AnyArray, "samples inputs"],
    y: Real[_AnyArray, " labels"],
    patterns: Bool[_AnyArray, "problems rows neurons"],
    v: Real[_AnyArray, "*_ signs"],
    *,
    tolerance: float | None = None,
) -> BasinValues:
    """Compute the basin values of thousands of activation patterns in one jitted call.

    In the closed region of a pattern b the network q(x) = Σᵢ vᵢ [wᵢ·x]₊ is linear in W, so the loss
    (1/m) Σ_t (q(x_t) − y_t)² is a convex quadratic in n d unknowns under the n m constraints bᵢₜ
    wᵢ·x_t ≥ 0.  Its minimum, the basin value, is attained, often by many W, and is at most (1/m) Σ
    y², the value of W = 0.  Each problem has its own bounds from above and below, which include all
    rounding errors and do not rely on the solver: see `bounds`.  A problem whose bounds are far
    apart is neither `solved` nor `bounded`, and affects no other.

    **Arguments:** `x`, (m, d), one sample a row, a bias as a column of ones; `y`, (m,); `patterns`,
    (problems, m, n), from `region_patterns`; `v`, ±1, (n,) or (problems, n); `tolerance`, on the
    gap relative to (1/m) Σ y², up to which a problem counts as solved or bounded: by default 1e-8,
    in single precision 1e-3, which the rounding errors of most problems exceed there.

    **Returns:** a `BasinValues`.

    **Raises:** `ValueError` if shapes do not match, v is not ±1, x or y is not finite, or the
    tolerance is not positive.

    Source: SS16, sections 2.2, 2.3 and 4.2, eq. 3.

    ```python
    >>> import jax.numpy as jnp
    >>> x, y = jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([1.0, 2.0])
    >>> W = jnp.array([[[1.0, 1.0]], [[1.0, -1.0]], [[-1.0, -1.0]]])
    >>> from landscape_jax.theory.basins import region_patterns
    >>> found = basin_values(x, y, region_patterns(x, W), jnp.ones(1))
    >>> [round(float(value), 6) for value in found.value]
    [0.0, 2.0, 2.5]
    >>> found.solved.tolist(), found.bounded.tolist()
    ([True, False, True], [False, True, False])

    ```
    """
    empty = not x.size or not patterns.shape[2]
    if y.shape != x.shape[:1] or patterns.shape[1] != len(x) or empty:
        raise ValueError(
            f"x, y and patterns have shapes {x.shape}, {y.shape} and {patterns.shape}; give "
            "(samples, inputs), (samples,) and (problems, samples, neurons), with samples, inputs "
            "and neurons"
        )
    count, _, neurons = patterns.shape
    if v.shape not in ((neurons,), (count, neurons)):
        raise ValueError(f"v has shape {v.shape}; give ({neurons},) or ({count}, {neurons})")
    if not np.all(np.abs(np.asarray(v)) == 1):
        raise ValueError(
            "v has entries other than 1 and -1; scale the rows of W by |v| instead (lemma 2)"
        )
    if not (np.isfinite(np.asarray(x)).all() and np.isfinite(np.asarray(y)).all()):
        raise ValueError("x or y has NaN or infinite entries; give finite numbers")
    data = floats("x", x)
    if tolerance is None:
        tolerance = 1e-8 if data.dtype == jnp.float64 else 1e-3
    if not tolerance > 0:
        raise ValueError(
            f"tolerance is {tolerance}; give a positive number, relative to the value at W = 0"
        )
    signs = jnp.broadcast_to(jnp.asarray(v, data.dtype), (count, neurons))
    labels, share = jnp.asarray(y, data.dtype), jnp.asarray(tolerance, data.dtype)
    return _solve(data, labels, jnp.asarray(patterns), signs, share, kernel_prefix(data.dtype))


@eqx.filter_jit
def _solve(
    x: Array, y: Array, patterns: Array, v: Array, tolerance: Array, kernel: str | None
) -> BasinValues:
    """Solve in blocks of lanes, or all by the kernel of the given prefix, and compute bounds."""
    coordinates = basis(x, y)
    size = jnp.sqrt(jnp.sum(y**2))
    unit = y / jnp.where(size > 0, size, 1)
    lengths = coordinates.lengths[:, None]
    # Neither samples that are 0 nor neurons active nowhere enter the loss.
    there = (lengths > 0) & jnp.any(patterns, axis=1, keepdims=True)
    a = jnp.where(there & patterns, v[:, None], 0)
    b = jnp.where(there, jnp.where(patterns, 1, -1), 0).astype(v.dtype)
    with_bounds = partial(_with_bounds, coordinates, size, tolerance)

    def in_xla(a: Array, b: Array) -> BasinValues:
        def solve(a: Array, b: Array) -> BasinValues:
            problems = Problems(coordinates.rows, unit, lengths[:, :, None] * a, b)
            return with_bounds(a, b, points_in_xla(problems))

        return _by_lanes(solve, a, b)

    def in_kernel(prefix: str, a: Array, b: Array) -> BasinValues:
        found = points_by_kernel(prefix, coordinates.rows, unit, lengths * a, b)
        return _by_lanes(with_bounds, a, b, found)

    if kernel is None:
        return in_xla(a, b)
    return jax.lax.platform_dependent(a, b, cpu=partial(in_kernel, kernel), default=in_xla)


def _by_lanes(function: Callable[..., BasinValues], *tables: Any) -> BasinValues:
    """Apply a function that takes problems on the last axis to blocks of the leading axis."""
    count = len(tables[0])
    lanes = max(1, min(count, _LANES))
    blocks = -(-count // lanes)

    def split(table: Array) -> Array:
        padded = jnp.concatenate([table, jnp.repeat(table[-1:], blocks * lanes - count, axis=0)])
        return jnp.moveaxis(padded.reshape(blocks, lanes, *table.shape[1:]), 1, -1)

    def join(table: Array) -> Array:
        return jnp.moveaxis(table, -1, 1).reshape(blocks * lanes, *table.shape[1:-1])[:count]

    found = jax.lax.map(lambda block: function(*block), jax.tree.map(split, tables))
    return jax.tree.map(join, found)


def _with_bounds(
    coordinates: Basis, size: Array, tolerance: Array, a: Array, b: Array, points: Points
) -> BasinValues:
    """Compute the bounds of one block of lanes."""
    w, deep = (heights(coordinates.right, size * z) for z in (points.z, points.deep))
    above = upper_bound(coordinates, a, b, w, deep)
    lengths = coordinates.lengths[:, None, None]

    def below_with(dual: tuple[Array, Array]) -> Lower:
        r, multipliers = dual
        multipliers = size * multipliers / jnp.where(lengths > 0, lengths, 1)
        return lower_bound(coordinates, a, b, above.sizes, size * r, multipliers)

    both = jax.lax.map(below_with, (points.errors, points.multipliers))
    everywhere = jnp.all(both.reach[0] == jnp.inf, axis=0)
    use = everywhere | (both.value[0] >= both.value[1])
    below = Lower(*(jnp.where(use, *pair) for pair in both))
    # Rounded up; exact where the lower bound is 0.
    up = 1 + 2 * float(jnp.finfo(a.dtype).eps)
    gap = jnp.where(below.value > 0, up * (above.value - below.value), above.value)
    close = gap <= tolerance * jnp.mean(coordinates.y**2)
    for_all = jnp.all(below.reach == jnp.inf, axis=0)
    return BasinValues(
        value=above.value,
        gap=gap,
        solved=close & for_all,
        bounded=close & ~for_all,
        W=jnp.moveaxis(above.W, 0, 1),
        errors=below.errors,
        multipliers=below.multipliers,
        reach=below.reach,
        steps=points.steps,
    )
