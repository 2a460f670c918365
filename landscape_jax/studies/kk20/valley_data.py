"""Figure 1: an objective with a bad local minimum, and what an added neuron makes of it."""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from landscape_jax.theory.added_neurons.examples import Bumps, best_in_example_1, example_1

if TYPE_CHECKING:
    import xarray as xr


def figure_1(
    *,
    penalty: float | int = 1,
    points: int = 241,
    arrows: int = 19,
    b: tuple[float, float] = (-3.0, 4.0),
) -> "xr.Dataset":
    """Give L(θ), M(θ, b) = min over (a, W) of L̃, and where descent on M goes, of example 1.

    The paper says neither λ nor the range of b; λ = 1 here, and b from e⁻³, a neuron that hardly
    counts, to where the valley at θ = 0.2 has fallen below 0.03.

    **Arguments:** `penalty`, λ; `points` of θ ∈ [0, 1] and of b; `arrows`, of each axis; `b`, its
    range.

    **Returns:** `risk` (theta), L; `least` (theta, b), M; `theta_step` and `b_step` (arrow_theta,
    arrow_b), −∇M/‖∇M‖, 0 where ∇M is 0.

    **Raises:** `ValueError` on a penalty that is not positive (of `NeuronAugmented`).

    Source: KK20, figure 1 and example 1.

    ```python
    >>> float(figure_1(points=11, arrows=3).risk[8])
    0.0

    ```
    """
    import xarray as xr

    objective = example_1(penalty)
    theta, heights = jnp.linspace(0.0, 1.0, points), jnp.linspace(float(b[0]), float(b[1]), points)
    coarse = [_inside(axis, arrows) for axis in (theta, heights)]

    def least(theta: jax.Array, b: jax.Array) -> jax.Array:
        return best_in_example_1(theta, b, objective.penalty)

    def over(function, theta: jax.Array, b: jax.Array):
        return jax.vmap(jax.vmap(function, (None, 0)), (0, None))(theta, b)

    slope = np.stack(over(jax.grad(least, (0, 1)), *coarse))
    length = np.linalg.norm(slope, axis=0)
    step = -slope / np.where(length > 0, length, 1)
    return xr.Dataset(
        {
            "risk": ("theta", np.asarray(jax.vmap(lambda t: objective.risk(Bumps(t)))(theta))),
            "least": (("theta", "b"), np.asarray(over(least, theta, heights))),
            "theta_step": (("arrow_theta", "arrow_b"), step[0]),
            "b_step": (("arrow_theta", "arrow_b"), step[1]),
        },
        coords={
            "theta": np.asarray(theta),
            "b": np.asarray(heights),
            "arrow_theta": np.asarray(coarse[0]),
            "arrow_b": np.asarray(coarse[1]),
        },
    )


def _inside(axis: jax.Array, count: int) -> jax.Array:
    """Give equally spaced points inside a range."""
    margin = (axis[-1] - axis[0]) / (2 * count)
    return jnp.linspace(axis[0] + margin, axis[-1] - margin, count)
