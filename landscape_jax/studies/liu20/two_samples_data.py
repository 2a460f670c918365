"""Figure 2: the landscape of one neuron on two samples, and which cells have minima."""

from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landscape_jax.networks import TwoLayer
from landscape_jax.objectives import EmpiricalRisk

if TYPE_CHECKING:
    import xarray as xr


def figure_2(*, points: int = 201, reach: float = 2.0) -> "xr.Dataset":
    """Give L(w) = ½ Σᵢ ([w·xᵢ]₊ − yᵢ)² over the plane, and where its minima are.

    x₁ = (1, 0), x₂ = (0, 1), y₁ = 1 and y₂ = 1 in (a), −1 in (b); z = 1, no bias.  The paper does
    not say the range of w.

    **Arguments:** `points` of each axis; `reach`, the largest |w₁| and |w₂|.

    **Returns:** `loss` (y_2, w_1, w_2), and `minimum` (y_2, w_1, w_2), whether the gradient there
    is 0 inside a cell, where L is convex: so on a point, a line or a plateau.  To meet the line
    w₁ = 1, take `points` so that 1 is on the axis.

    **Raises:** `ValueError` on fewer than 3 points, or a reach that is not positive.

    Source: LIU, section 4.2, figure 2 and appendix B.

    ```python
    >>> both = figure_2(points=5)
    >>> both.loss.sel(w_1=1, w_2=1).values.tolist()
    [0.0, 2.0]
    >>> both.minimum.sum(("w_1", "w_2")).values.tolist()
    [9, 6]

    ```
    """
    import xarray as xr

    if points < 3 or not 0 < reach < np.inf:
        raise ValueError(
            f"points is {points} and reach is {reach}; give at least 3 and a positive length"
        )
    axis = jnp.linspace(-reach, reach, points)
    w = jnp.stack(jnp.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    inside = np.asarray((w != 0).all(axis=1))
    loss, minimum = [], []
    for second in (1.0, -1.0):
        value, slope = _landscape(w, second)
        loss.append(np.asarray(value).reshape(points, points))
        minimum.append((inside & np.asarray((slope == 0).all(axis=1))).reshape(points, points))
    dims = ("y_2", "w_1", "w_2")
    return xr.Dataset(
        {"loss": (dims, np.stack(loss)), "minimum": (dims, np.stack(minimum))},
        coords={"y_2": [1, -1], "w_1": np.asarray(axis), "w_2": np.asarray(axis)},
    )


@eqx.filter_jit
def _landscape(
    w: Float[Array, "points 2"], second: float
) -> tuple[Float[Array, " points"], Float[Array, "points 2"]]:
    risk = EmpiricalRisk(jnp.eye(2, dtype=w.dtype), jnp.array([[1.0], [second]], w.dtype))

    def loss(w: Array) -> Array:
        return risk(TwoLayer(w[None], jnp.ones((1, 1), w.dtype)))

    return jax.vmap(jax.value_and_grad(loss))(w)
