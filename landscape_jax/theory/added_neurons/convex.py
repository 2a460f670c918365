"""The least value of a smooth convex function of a few variables, by damped Newton steps."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Below this a convex function is taken to have no lower bound.
_BOTTOM = -1e12


class Least(NamedTuple):
    """Where the minimisation ended: the point, the value there, and the gradient's norm.

    The value is one that the function takes, so the infimum is at most that; by convexity it is at
    least value − slope · r over all points within r.  −∞ where the function falls without bound.
    """

    point: Float[np.ndarray, " variables"]
    value: float
    slope: float


def minimise(
    function: Callable[[Array], Array],
    start: Float[Array, " variables"] | np.ndarray,
    *,
    slope: float = 1e-13,
    max_steps: int = 500,
) -> Least:
    """Minimise a convex function: x ← x − (∇²F + μI)⁻¹ ∇F, with μ → 0 while F falls.

    On a quadratic its second step is the least-squares solution.

    **Arguments:** `function`, of an array, twice differentiable almost everywhere; `start`;
    `slope`, the gradient norm at which it stops, `max_steps` at the latest.

    ```python
    >>> import jax.numpy as jnp
    >>> found = minimise(lambda x: jnp.sum((x - 3.0) ** 2) + 1.0, jnp.zeros(2))
    >>> round(found.value, 6), [round(float(x), 4) for x in found.point]
    (1.0, [3.0, 3.0])

    ```
    """

    @jax.jit
    def look(x: Array) -> tuple[Array, Array, Array]:
        return *jax.value_and_grad(function)(x), jax.hessian(function)(x)

    x, damping = np.asarray(start), 1e-3
    value, gradient, hessian = map(np.asarray, look(jnp.asarray(x)))
    for _ in range(max_steps):
        size = np.linalg.norm(gradient)
        if size <= slope or value < _BOTTOM or not np.isfinite(hessian).all():
            break
        shift = damping * max(np.abs(np.diag(hessian)).max(), size)
        step = np.linalg.lstsq(hessian + shift * np.eye(len(x)), -gradient, rcond=None)[0]
        new = tuple(map(np.asarray, look(jnp.asarray(x + step))))
        better = new[0] < value or (new[0] == value and np.linalg.norm(new[1]) < size)
        if better:
            x, (value, gradient, hessian) = x + step, new
        elif damping > 1e8:
            break
        # The least damping keeps a step finite where the curvature vanishes.
        damping = max(damping / 30, 1e-14) if better else damping * 10
    bounded = value >= _BOTTOM
    return Least(x, float(value) if bounded else -np.inf, float(np.linalg.norm(gradient)))
