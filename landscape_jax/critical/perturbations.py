"""Thousands of perturbations of one point, random and adversarial, in one call."""

from typing import NamedTuple, SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree, Scalar

from landscape_jax.arrays import count as counted
from landscape_jax.arrays import positive
from landscape_jax.critical.checks import fitting, one_point
from landscape_jax.mistakes import explained
from landscape_jax.objectives import AbstractObjective
from landscape_jax.search.initial_points import checked_key, on_device
from landscape_jax.search.parameters import split, whole

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


@explained
def lowest_nearby(
    objective: AbstractObjective,
    params: PyTree,
    *,
    radius: float | int | Scalar,
    count: SupportsIndex = 10_000,
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

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range, as if
    the radius or the count is not positive; the message names it.

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
    objective, arrays = one_point(objective, params)
    distance, number = positive("radius", radius), counted("count", count)
    batch = min(number, _BATCH)
    batches = -(-number // batch)
    near = on_device(distance, jnp.result_type(*jax.tree.leaves(arrays)))
    with fitting(objective, arrays):
        value, lowest, point = _lowest(objective, arrays, near, checked_key(key), batch, batches)
    at = whole(point, split(params)[1])
    return Nearby(float(value), float(lowest), at, batch * batches, float(distance))


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
        size = radius * 10 ** (-3 * (i.astype(z.dtype) * _GOLDEN % 1))
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
        points = z[None] + jax.vmap(step)(i * batch + jnp.arange(batch), normal)
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
