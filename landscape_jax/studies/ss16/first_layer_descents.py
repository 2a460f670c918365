"""Gradient descent of the first layer, beside the basin values of its initial points."""

from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, Scalar

from landscape_jax.mistakes import explained
from landscape_jax.networks import TwoLayer
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.precision import times
from landscape_jax.search import restart
from landscape_jax.studies.ss16.start_basins import AnyArray, basins_of_starts
from landscape_jax.theory.basins import region_patterns

if TYPE_CHECKING:
    import xarray as xr


class Walk(NamedTuple):
    """When gradient descents leave their basins, one run a leading entry.

    - `left_at`: the first step after which a run is outside the closed region of its initial point,
      −1 if there is none.
    - `lowest`: the least value before that.
    """

    left_at: Int[Array, " starts"]
    lowest: Float[Array, " starts"]


class FirstLayer(AbstractObjective):
    """A risk as a function of the first layer; unlike with `freeze`, each run has its own W2."""

    risk: EmpiricalRisk

    def __call__(self, params: TwoLayer) -> Scalar:
        """Return the risk, with gradient 0 in the output layer."""
        return self.risk(eqx.tree_at(lambda net: net.W2, params, jax.lax.stop_gradient(params.W2)))


@explained
def descended(
    x: Float[AnyArray, "samples inputs"],
    y: Float[AnyArray, " labels"],
    width: int,
    starts: int = 1000,
    *,
    seed: int = 0,
    steps: int = 5000,
    gradient_tolerance: float = 1e-6,
) -> "xr.Dataset":
    """Run gradient descent of the first layer from random points, beside their basin values.

    The step size is 1/L with L = 2 n σ²/m, σ the largest singular value of x: at most the inverse
    of the largest Hessian eigenvalue in any region, so that within one the value never increases.
    While a run is in the closed region of its initial point its value is at least the basin value;
    a run that leaves may end lower, or higher, as it can converge to a kink.

    **Arguments:** `x`, `y`, `width`, `starts`, `seed`: as of `basins_of_starts`; `steps`, the
    largest number of steps; `gradient_tolerance`, the gradient norm at which a run stops.

    **Returns:** a dataset over `start`: `value` and `gap`, of the basin; `end`, the final value of
    descent; `status`, its status; `left_at` and `lowest`, see `Walk`.

    **Raises:** `ValueError` as `basins_of_starts`, and if there are no steps.

    Source: SS16, sections 1 and 4.2.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; it must be at least 1")
    import xarray as xr

    basins = basins_of_starts(x, y, width, starts, seed=seed)
    data, labels = jnp.asarray(x), jnp.asarray(y)
    largest = 2 * width * float(np.linalg.norm(np.asarray(x), 2)) ** 2 / len(y)
    step = 1 / largest if largest > 0 else 1.0
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


@explained
@eqx.filter_jit
def walked(
    risk: FirstLayer,
    networks: TwoLayer,
    patterns: Bool[Array, "starts samples neurons"],
    step: Float[Array, ""],
    steps: int,
) -> Walk:
    """Run gradient descents, and record when each leaves the closed region of its initial point.

    **Arguments:** `risk`; `networks`, the initial points, with a leading axis; `patterns`, from
    `region_patterns`; `step`, the step size; `steps`, the number of steps.
    """
    x = risk.risk.x

    def one(network: TwoLayer, pattern: Array) -> Walk:
        def advance(i: Array, carry: tuple) -> tuple:
            net, left_at, lowest = carry
            heights = times(x, net.W1.T)
            inside = jnp.all(jnp.where(pattern, heights >= 0, heights <= 0))
            left_at = jnp.where((left_at < 0) & ~inside, i, left_at)
            value, gradient = jax.value_and_grad(risk)(net)
            lowest = jnp.where(left_at < 0, jnp.minimum(lowest, value), lowest)
            net = jax.tree.map(lambda leaf, slope: leaf - step * slope, net, gradient)
            return net, left_at, lowest

        initial = (network, jnp.asarray(-1), jnp.asarray(jnp.inf, x.dtype))
        return Walk(*jax.lax.fori_loop(0, steps + 1, advance, initial)[1:])

    return jax.vmap(one)(networks, patterns)
