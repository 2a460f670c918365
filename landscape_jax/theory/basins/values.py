"""Basin values: the least loss in the closed region combination of a start."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Real

from landscape_jax.precision import floats
from landscape_jax.theory.basins.bounds import Lower, lower_bound, upper_bound
from landscape_jax.theory.basins.heights import Basis, basis, heights
from landscape_jax.theory.basins.primal_dual import Points, points, points_by_kernel, target
from landscape_jax.theory.basins.systems import Problems

Table = Array | np.ndarray
# So many lanes of some kilobytes each stay in the cache.
_LANES = 64


class BasinValues(NamedTuple):
    """The basin values of many region combinations, the leading axis, with a proof of each.

    - `value`: the loss of `W`, rounded up; `gap`: value − gap is a lower bound on the loss of all W
      in the regions that are within `reach`, and of the basin value where reach is ∞.
    - `solved`: whether gap ≤ tolerance · (1/m) Σ y², the value of W = 0, and reach is ∞: the basin
      value is known to that tolerance.
    - `bounded`: whether gap is as small, but reach is finite: no W within reach is better by more,
      and whether larger weights are is not known.
    - `W`: (problems, n, d), in the closed regions exactly.
    - `errors`, (problems, m), and `multipliers`, (problems, m, n): the r and λ of the lower bound.
    - `reach`: (problems, n); the lower bound is for all W in the regions with ‖X wᵢ‖ ≤ reachᵢ,
      which is ∞ but for neurons whose minimisers are unbounded, see `certificate`.
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


def basin_values(
    x: Real[Table, "samples inputs"],
    y: Real[Table, " labels"],
    patterns: Bool[Table, "problems rows neurons"],
    v: Real[Table, "*_ signs"],
    *,
    tolerance: float | None = None,
) -> BasinValues:
    """Find the least loss of thousands of region combinations in one jitted call.

    In the closed region combination of a pattern b the network q(x) = Σᵢ vᵢ [wᵢ·x]₊ is linear in W,
    so that its loss (1/m) Σ_t (q(x_t) − y_t)² is a convex quadratic, of n d unknowns, under the
    n m constraints bᵢₜ wᵢ·x_t ≥ 0.  Its minimum is attained, at most the value (1/m) Σ y² of W = 0,
    and often by many W.  Each problem comes with bounds from both sides of its own, that hold
    with all rounding counted, for whatever the solver did: derived in `certificate`.  A problem
    whose bounds are far apart is neither `solved` nor `bounded`; the other problems do not notice.

    **Arguments:** `x`, (m, d), one sample a row, a bias as a column of ones; `y`, (m,); `patterns`,
    (problems, m, n), from `region_patterns`; `v`, ±1, (n,) or (problems, n); `tolerance`, on the
    relative gap, up to which a problem counts as solved or bounded: 1e-8 where left out, in single
    precision 1e-3, which the bounds of most problems miss there: their roundings are counted.

    **Returns:** a `BasinValues`.

    **Raises:** `ValueError` where shapes do not fit, v is not ±1, x or y is not finite, or
    the tolerance is not positive.

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
        raise ValueError("v has other entries than 1 and -1; put their sizes into W (lemma 2)")
    if not (np.isfinite(np.asarray(x)).all() and np.isfinite(np.asarray(y)).all()):
        raise ValueError("x or y has NaN or infinite entries; give finite numbers")
    data = floats(x)
    if tolerance is None:
        tolerance = 1e-8 if data.dtype == jnp.float64 else 1e-3
    if not tolerance > 0:
        raise ValueError(f"tolerance is {tolerance}; give a positive share of the value at W = 0")
    signs = jnp.broadcast_to(jnp.asarray(v, data.dtype), (count, neurons))
    labels, share = jnp.asarray(y, data.dtype), jnp.asarray(tolerance, data.dtype)
    return _solve(data, labels, jnp.asarray(patterns), signs, share, target(data.dtype))


@eqx.filter_jit
def _solve(
    x: Array, y: Array, patterns: Array, v: Array, tolerance: Array, kernel: str | None
) -> BasinValues:
    """Solve in blocks of lanes, or all by the kernel of the given prefix, and certify."""
    coordinates = basis(x, y)
    size = jnp.sqrt(jnp.sum(y**2))
    unit = y / jnp.where(size > 0, size, 1)
    lengths = coordinates.lengths[:, None]
    # What is active nowhere has no part in the loss, and rests at 0.
    there = (lengths > 0) & jnp.any(patterns, axis=1, keepdims=True)
    a = jnp.where(there & patterns, v[:, None], 0)
    b = jnp.where(there, jnp.where(patterns, 1, -1), 0).astype(v.dtype)
    certify = partial(_certify, coordinates, size, tolerance)

    def in_xla(a: Array, b: Array) -> BasinValues:
        def solve(a: Array, b: Array) -> BasinValues:
            problems = Problems(coordinates.rows, unit, lengths[:, :, None] * a, b)
            return certify(a, b, points(problems))

        return _by_lanes(solve, a, b)

    def in_kernel(prefix: str, a: Array, b: Array) -> BasinValues:
        found = points_by_kernel(prefix, coordinates.rows, unit, lengths * a, b)
        return _by_lanes(certify, a, b, found)

    if kernel is None:
        return in_xla(a, b)
    return jax.lax.platform_dependent(a, b, cpu=partial(in_kernel, kernel), default=in_xla)


def _by_lanes(function: Callable[..., BasinValues], *tables: Any) -> BasinValues:
    """Call a function of problems in the last axis on blocks of the leading one."""
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


def _certify(
    coordinates: Basis, size: Array, tolerance: Array, a: Array, b: Array, points: Points
) -> BasinValues:
    """Give the bounds of one block of lanes."""
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
