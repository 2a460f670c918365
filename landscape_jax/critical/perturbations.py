"""Thousands of perturbations of one point, random and adversarial, in one call."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree, Scalar

from landscape_jax.objectives import AbstractObjective

_BATCH = 500
_GOLDEN = 0.6180339887498949


class Nearby(NamedTuple):
    """The lowest of many points near a given one.

    - `value`: the objective at the given point; `lowest`: at the lowest of the others.
    - `point`: that lowest one, of the structure of the given params.
    - `tried`: how many were tried; `radius`: within this distance.
    """

    value: float
    lowest: float
    point: PyTree
    tried: int
    radius: float


def lowest_nearby(
    objective: AbstractObjective,
    params: PyTree,
    *,
    radius: float | int,
    count: int = 10_000,
    key: Key[Array, ""],
) -> Nearby:
    """Search for points lower than a local minimum within a distance, by perturbations of it.

    Of five perturbations one is random, one is along one of the lowest quarter of the Hessian's
    eigenvectors, one is in their span, and two run half their length at random or in the span, and
    then the other half against the gradient there.  Lengths are from radius/1000 to the radius,
    evenly in their logarithm.

    If none is lower, nothing is proven; one that is lower by more than rounding refutes a minimum.

    **Arguments:** `objective`; `params`, the point; `radius` > 0; `count`, how many, rounded up to
    whole batches of at most 500; `key`.

    **Returns:** a `Nearby`.

    **Raises:** `ValueError` if radius or count is not positive.

    ```python
    >>> import jax, jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> risk = lj.EmpiricalRisk(jnp.array([[1.0], [2.0]]), jnp.array([1.0, 2.0]))
    >>> saddle = lj.DeepLinear([jnp.zeros((1, 1)), jnp.zeros((1, 1))])
    >>> near = lowest_nearby(risk, saddle, radius=0.1, key=jax.random.key(0))
    >>> near.value, f"{near.lowest:.3f}"
    (2.5, '2.475')

    ```
    """
    if not 0 < radius < float("inf"):
        raise ValueError(f"radius is {radius}; it must be a positive number")
    if count < 1:
        raise ValueError(f"count is {count}; it must be at least 1")
    batch = min(count, _BATCH)
    batches = -(-count // batch)
    distance = jnp.asarray(float(radius))
    value, lowest, point = _lowest(objective, params, distance, key, batch, batches)
    return Nearby(float(value), float(lowest), point, batch * batches, float(radius))


@eqx.filter_jit
def _lowest(
    objective: AbstractObjective,
    params: PyTree,
    radius: Array,
    key: Array,
    batch: int,
    batches: int,
) -> tuple[Scalar, Scalar, PyTree]:
    z, unravel = ravel_pytree(params)

    def value(v: Array) -> Array:
        return objective(unravel(v))

    # A lower point is most likely where the Hessian is flattest or negative.
    flat = jnp.linalg.eigh(jax.hessian(value)(z))[1][:, : (len(z) + 3) // 4]

    def step(i: Array, normal: Array) -> Float[Array, " parameters"]:
        # The lengths follow the golden ratio: evenly distributed, without a second random draw.
        size = radius.astype(z.dtype) * 10 ** (-3 * (i * _GOLDEN % 1))
        inside = flat.T @ normal
        along = (i // 5) % len(inside)
        directions = normal, jnp.sign(inside[along]) * flat[:, along], flat @ inside
        kind = i % 5
        # Kinds 3 and 4 begin like kinds 0 and 2, and then turn against the gradient.
        first = size * _unit(jnp.stack(directions)[jnp.where(kind < 3, kind, 2 * (kind - 3))])
        down = -size * _unit(jax.grad(value)(z + first / 2))
        return jnp.where(kind < 3, first, (first + down) / 2)

    def try_batch(best: tuple[Array, Array], i: Array) -> tuple[tuple[Array, Array], None]:
        normal = jax.random.normal(jax.random.fold_in(key, i), (batch, len(z)), z.dtype)
        points = z + jax.vmap(step)(i * batch + jnp.arange(batch), normal)
        values = jax.vmap(value)(points)
        here = jnp.argmin(values)
        lower = values[here] < best[0]
        return (
            jnp.where(lower, values[here], best[0]),
            jnp.where(lower, points[here], best[1]),
        ), None

    start = jnp.full((), jnp.inf, z.dtype), z
    (lowest, point), _ = jax.lax.scan(try_batch, start, jnp.arange(batches))
    return value(z), lowest, unravel(point)


def _unit(v: Array) -> Array:
    norm = jnp.linalg.norm(v)
    return v / jnp.where(norm > 0, norm, 1)
