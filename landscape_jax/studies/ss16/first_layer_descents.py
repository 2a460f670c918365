"""Where descent of the first layer ends, beside the basin values of its starts."""

from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, Scalar

from landscape_jax.networks import TwoLayer
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.search import restart
from landscape_jax.studies.ss16.start_basins import Table, basins_of_starts
from landscape_jax.theory.basins import region_patterns

if TYPE_CHECKING:
    import xarray as xr


class Walk(NamedTuple):
    """What is seen at every step of plain descents, one a leading entry.

    - `left_at`: the first step after which a run is outside the closed region combination of its
      start, −1 where it never is.
    - `lowest`: the least value before that.
    """

    left_at: Int[Array, " starts"]
    lowest: Float[Array, " starts"]


class FirstLayer(AbstractObjective):
    """A risk whose output layer is held as it is: like `freeze`, but each run has its own."""

    risk: EmpiricalRisk

    def __call__(self, params: TwoLayer) -> Scalar:
        """Give the risk; its gradient with regard to the output layer is 0."""
        return self.risk(eqx.tree_at(lambda net: net.W2, params, jax.lax.stop_gradient(params.W2)))


def descended(
    x: Float[Table, "samples inputs"],
    y: Float[Table, " labels"],
    width: int,
    starts: int = 1000,
    *,
    seed: int = 0,
    steps: int = 5000,
    gradient_tolerance: float = 1e-6,
) -> "xr.Dataset":
    """Descend from random starts on the first layer, and say how it compares with their basins.

    The steps are 1/L with L = 2 n σ²/m, σ the largest singular value of x: no more than the inverse
    of the curvature in any region, so that within one the value never rises.  While a run is in the
    closed region combination of its start its value is at least the basin value; a run that leaves
    may end lower, or higher, as kinks can hold it.

    **Arguments:** `x`, `y`, `width`, `starts`, `seed`: the starts of `basins_of_starts`; `steps`,
    at most, of each run; `gradient_tolerance`, at which it stops.

    **Returns:** a dataset over `start`: `value` and `gap`, of the basin; `end`, the value where the
    descent ends; `status`, how; `left_at` and `lowest`, see `Walk`.

    **Raises:** `ValueError` on sizes and data that are not so, and no steps.

    Source: SS16, sections 1 and 4.2.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; it must be at least 1")
    import xarray as xr

    basins = basins_of_starts(x, y, width, starts, seed=seed)
    data, labels = jnp.asarray(x), jnp.asarray(y)
    curvature = 2 * width * float(np.linalg.norm(np.asarray(x), 2)) ** 2 / len(y)
    step = 1 / curvature if curvature > 0 else 1.0
    risk = FirstLayer(EmpiricalRisk(data, labels))
    nets = jax.vmap(TwoLayer)(basins.W, basins.v[:, None, :])
    walk = walked(risk, nets, region_patterns(data, basins.W), jnp.asarray(step), steps)
    runs = restart(
        risk, nets, starts, optimizer=optax.sgd(step), gradient_tolerance=gradient_tolerance,
        below_value=None, max_steps=steps, finish=False,
    )  # fmt: skip
    columns = {
        "value": basins.value,
        "gap": basins.gap,
        "end": np.asarray(runs.value),
        "status": runs.status_names,
        "left_at": np.asarray(walk.left_at),
        "lowest": np.asarray(walk.lowest),
    }
    return xr.Dataset(
        {name: ("start", column) for name, column in columns.items()},
        attrs={"width": width, "seed": seed, "steps": steps, "step": step},
    )


@eqx.filter_jit
def walked(
    risk: FirstLayer,
    networks: TwoLayer,
    patterns: Bool[Array, "starts samples neurons"],
    step: Float[Array, ""],
    steps: int,
) -> Walk:
    """Go plain descents step by step, and see when each leaves the closed regions of its start.

    **Arguments:** `risk`; `networks`, the
    starts, with a leading axis; `patterns`, of `region_patterns`; `step`, times the gradient;
    `steps`, how many.
    """
    x = risk.risk.x

    def one(network: TwoLayer, pattern: Array) -> Walk:
        def look(i: Array, carry: tuple) -> tuple:
            net, left_at, lowest = carry
            product = jnp.matmul(x, net.W1.T, precision=jax.lax.Precision.HIGHEST)
            inside = jnp.all(jnp.where(pattern, product >= 0, product <= 0))
            left_at = jnp.where((left_at < 0) & ~inside, i, left_at)
            value, slope = jax.value_and_grad(risk)(net)
            lowest = jnp.where(left_at < 0, jnp.minimum(lowest, value), lowest)
            net = jax.tree.map(lambda leaf, rise: leaf - step * rise, net, slope)
            return net, left_at, lowest

        begin = (network, jnp.asarray(-1), jnp.asarray(jnp.inf, x.dtype))
        return Walk(*jax.lax.fori_loop(0, steps + 1, look, begin)[1:])

    return jax.vmap(one)(networks, patterns)
