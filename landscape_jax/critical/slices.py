"""Values of an objective on a line or a plane in parameter space."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.precision import times
from landscape_jax.public_names import defined

__dir__ = defined(__name__)

# Entries of the points that are held in memory at a time.
_HELD = 2**22


class Slice(eqx.Module):
    """Values on a grid of the points origin + Σᵢ tᵢ directionᵢ, one or two directions.

    - `coordinates`: for each direction the t along it.
    - `value`: F, one axis a direction, in their order.
    """

    coordinates: tuple[Float[Array, " _"], ...]
    value: Float[Array, "*shape"]


def line(
    objective: AbstractObjective,
    start: PyTree,
    end: PyTree,
    *,
    points: int = 101,
    reach: tuple[float, float] = (0.0, 1.0),
) -> Slice:
    """Compute the values on the line through two points, F(start + t (end − start)).

    **Arguments:** `start` and `end`, params; `points`, how many t; `reach`, the first and last t:
    0 is `start`, 1 is `end`.

    **Returns:** a `Slice` with one axis.

    **Raises:** `ValueError` if there are fewer than 2 points, or params differ in shape.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> swapped = line(lj.PopulationRisk(jnp.eye(2)), jnp.eye(2), jnp.eye(2)[::-1], points=3)
    >>> [f"{v:.4f}" for v in swapped.value.tolist()]
    ['0.0000', '0.0908', '0.0000']

    ```
    """
    return _cut(objective, start, (_difference("end", end, start),), (points,), (reach,))


def plane(
    objective: AbstractObjective,
    origin: PyTree,
    first: PyTree,
    second: PyTree,
    *,
    points: int | tuple[int, int] = 51,
    reach: tuple[float, float] = (0.0, 1.0),
) -> Slice:
    """Compute the values on the plane through three points.

    F(origin + s (first − origin) + t (second − origin))

    **Arguments:** three params; `points`, how many s and t; `reach`, the first and last of both.

    **Returns:** a `Slice` with two axes, s and t.

    **Raises:** `ValueError` if there are fewer than 2 points, or params differ in shape.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> risk, W = lj.PopulationRisk(jnp.eye(2)), jnp.eye(2)
    >>> plane(risk, 0 * W, W, W[::-1], points=(3, 5)).value.shape
    (3, 5)

    ```
    """
    directions = (_difference("first", first, origin), _difference("second", second, origin))
    counts = (points, points) if isinstance(points, int) else points
    return _cut(objective, origin, directions, counts, (reach, reach))


def along(
    objective: AbstractObjective,
    origin: PyTree,
    *directions: PyTree,
    points: int = 51,
    reach: tuple[float, float] = (-1.0, 1.0),
) -> Slice:
    """Compute the values along one direction or two, F(origin + Σᵢ tᵢ directionᵢ).

    **Arguments:** `origin`, params; one or two `directions` like it, e.g. eigenvectors of the
    Hessian (`extreme_eigenvalues(…).vectors`); `points`, how many t along each; `reach`, the first
    and last t.

    **Returns:** a `Slice` with an axis for each direction.

    **Raises:** `ValueError` if there are fewer than 2 points, params differ in shape, or there are
    not one or two directions.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> outwards = along(lj.PopulationRisk(jnp.eye(2)), jnp.eye(2), jnp.eye(2), points=3)
    >>> [f"{v:.4f}" for v in outwards.value.tolist()]
    ['0.6592', '0.0000', '0.6592']

    ```
    """
    if len(directions) not in (1, 2):
        raise ValueError(f"directions has {len(directions)} entries; give one or two")
    for direction in directions:
        _same("direction", direction, origin)
    counts, reaches = (points,) * len(directions), (reach,) * len(directions)
    return _cut(objective, origin, directions, counts, reaches)


def _difference(name: str, end: PyTree, start: PyTree) -> PyTree:
    _same(name, end, start)
    return jax.tree.map(lambda a, b: a - b, end, start)


def _same(name: str, one: PyTree, other: PyTree) -> None:
    """Check that params are of the same structure and shapes."""
    shapes = [jax.tree.map(jnp.shape, tree) for tree in (one, other)]
    if jax.tree.structure(one) != jax.tree.structure(other) or shapes[0] != shapes[1]:
        raise ValueError(
            f"{name} must have the structure and shapes of the point it starts from: it has "
            f"{jax.tree.leaves(jax.tree.map(jnp.shape, one), is_leaf=_is_shape)}, the point "
            f"{jax.tree.leaves(jax.tree.map(jnp.shape, other), is_leaf=_is_shape)}"
        )


def _is_shape(node: PyTree) -> bool:
    return isinstance(node, tuple) and all(isinstance(n, int) for n in node)


@eqx.filter_jit
def _values(
    objective: AbstractObjective, origin: PyTree, directions: tuple[PyTree, ...], t: Array
) -> Array:
    flat, unravel = ravel_pytree(origin)
    axes = jnp.stack([ravel_pytree(direction)[0] for direction in directions])

    def value(t: Array) -> Array:
        return objective(unravel(flat + times(t, axes)))

    return jax.lax.map(value, t, batch_size=max(1, min(256, _HELD // flat.size)))


def _cut(
    objective: AbstractObjective,
    origin: PyTree,
    directions: tuple[PyTree, ...],
    points: tuple[int, ...],
    reaches: tuple[tuple[float, float], ...],
) -> Slice:
    if min(points) < 2:
        raise ValueError(f"points is {min(points)}; it must be at least 2")
    dtype = jnp.result_type(*jax.tree.leaves(origin))
    coordinates = tuple(
        jnp.linspace(low, high, count, dtype=dtype)
        for count, (low, high) in zip(points, reaches, strict=True)
    )
    mesh = jnp.stack(jnp.meshgrid(*coordinates, indexing="ij"), axis=-1)
    values = _values(objective, origin, directions, mesh.reshape(-1, len(directions)))
    return Slice(coordinates, values.reshape(mesh.shape[:-1]))
