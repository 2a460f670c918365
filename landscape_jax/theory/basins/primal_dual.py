"""Approximate primal and dual points of the basin problems, from which `bounds` are derived."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from landscape_jax.native import loader
from landscape_jax.theory.basins.dual import ROUNDS, feasible_dual
from landscape_jax.theory.basins.heights import heights
from landscape_jax.theory.basins.interior import MOST_STEPS, PATIENCE, closeness, interior_point
from landscape_jax.theory.basins.systems import DIRECT, Problems, gram, least_shift

_SOURCE = loader.SOURCES / "primal_dual.cc"


class Points(NamedTuple):
    """Primal and dual points, with or without a last axis of lanes.

    - `z`: approximate minimizers; `deep`: the zᵢ that was deepest inside its cone.
    - `errors`, r, and `multipliers`, λ: two dual points each, the first with the multipliers of all
      constraints, the second with 0 for slack constraints.
    - `steps`: the number of Newton steps.
    """

    z: Float[Array, "rank neurons *lanes"]
    deep: Float[Array, "rank neurons *lanes"]
    errors: Float[Array, "2 samples *lanes"]
    multipliers: Float[Array, "2 samples neurons *lanes"]
    steps: Int[Array, "*lanes"]


def points_in_xla(problems: Problems) -> Points:
    """Solve the problems of all lanes in XLA."""
    _, y, a, b = problems
    table = gram(problems)
    ends = interior_point(problems, table)
    h = heights(problems.u, ends.z)
    errors = jnp.sum(a * h, axis=1) - y[:, None]
    kept = jnp.stack([b != 0, ends.multipliers > b * h])
    r, multipliers = jax.lax.map(
        lambda kept: feasible_dual(problems, table, errors, ends.multipliers, kept), kept
    )
    return Points(ends.z, ends.deep, r, multipliers, ends.steps)


def kernel_prefix(dtype) -> str | None:
    """Return the prefix of the CPU kernel `primal_dual.cc`; `None` if there is none."""
    return loader.load(_SOURCE, ("basin_points",), dtype)


def points_by_kernel(
    prefix: str,
    u: Float[Array, "samples rank"],
    y: Float[Array, " samples"],
    a: Float[Array, "problems samples neurons"],
    b: Float[Array, "problems samples neurons"],
) -> Points:
    """Solve all problems, on the leading axis, by the CPU kernel, which refills lanes that stop."""
    operands = u, y, a, b
    (count, m, n), p = a.shape, u.shape[1]

    def result(*shape: int, dtype=u.dtype) -> jax.ShapeDtypeStruct:
        return loader.result((count, *shape), dtype, *operands)

    types = result(p, n), result(p, n), result(2, m), result(2, m, n), result(dtype=jnp.int32)
    z, deep, errors, multipliers, steps = loader.call(
        prefix,
        "basin_points",
        types,
        *operands,
        vmap_method="sequential",
        tolerance=np.float64(closeness(u.dtype)),
        patience=np.int64(PATIENCE),
        most_steps=np.int64(MOST_STEPS),
        direct=np.int64(DIRECT),
        least=np.float64(least_shift(u.dtype)),
        rounds=np.int64(ROUNDS),
    )
    return Points(z, deep, errors, multipliers, steps)
