"""Primal and dual points of the basins' problems, from which `certificate` makes bounds."""

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
    """What the solver found, with or without the lanes' axis at the end.

    - `z`: about the minimisers; `deep`: the zᵢ that was deepest inside its cone.
    - `errors`, r, and `multipliers`, λ: two dual points each, the first with the multipliers of all
      constraints, the second without those of slack ones, which may have to be exactly 0.
    - `steps`: the number of Newton steps.
    """

    z: Float[Array, "rank neurons *lanes"]
    deep: Float[Array, "rank neurons *lanes"]
    errors: Float[Array, "2 samples *lanes"]
    multipliers: Float[Array, "2 samples neurons *lanes"]
    steps: Int[Array, "*lanes"]


def points(problems: Problems) -> Points:
    """Solve the problems of some lanes."""
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


def target(dtype) -> str | None:
    """Give the prefix of the CPU's kernel, `primal_dual.cc`; `None` to use XLA's code."""
    return loader.load(_SOURCE, ("basin_points",), dtype)


def points_by_kernel(
    prefix: str,
    u: Float[Array, "samples rank"],
    y: Float[Array, " samples"],
    a: Float[Array, "problems samples neurons"],
    b: Float[Array, "problems samples neurons"],
) -> Points:
    """Solve all problems, the leading axis: a problem that stops makes room for the next one."""
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
