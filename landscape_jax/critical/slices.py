"""Values of an objective on a line or a plane in parameter space."""

from typing import TYPE_CHECKING, Any, SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree, Scalar

from landscape_jax.arrays import count, is_traced, real
from landscape_jax.critical.checks import check_arrays, fitting, like_point, one_point, parts
from landscape_jax.mistakes import explained, shown
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.precision import times
from landscape_jax.public_names import defined
from landscape_jax.search.initial_points import on_device

if TYPE_CHECKING:
    import xarray as xr

__dir__ = defined(__name__)

# Entries of the points that are held in memory at a time.
_HELD = 2**22
# The first and the last t.
_Reach = tuple[float | int | Scalar, float | int | Scalar]
# Directions are computed to about eps to this power.
_ORTHONORMAL = 0.5


class Slice(eqx.Module):
    """Values on a grid of the points origin + Σᵢ tᵢ directionᵢ, one or two directions.

    - `coordinates`: for each direction the t along it.
    - `value`: F, one axis a direction, in their order.
    """

    coordinates: tuple[Float[Array, " _"], ...]
    value: Float[Array, "*shape"]

    def to_xarray(self) -> "xr.DataArray":
        """Return the values with their coordinates, t, or s and t."""
        import xarray as xr

        names = ("s", "t")[-len(self.coordinates) :]
        places = dict(zip(names, map(np.asarray, self.coordinates), strict=True))
        return xr.DataArray(np.asarray(self.value), coords=places, dims=names, name="value")


@explained
def line(
    objective: AbstractObjective,
    start: PyTree,
    end: PyTree,
    *,
    points: SupportsIndex = 101,
    reach: _Reach = (0.0, 1.0),
) -> Slice:
    """Compute the values on the line through two points, F(start + t (end − start)).

    **Arguments:** `start` and `end`, params; `points`, how many t; `reach`, the first and last t:
    0 is `start`, 1 is `end`.

    **Returns:** a `Slice` with one axis.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range, as
    when there are fewer than 2 points, or params differ in shape; the message names it.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> swapped = line(lj.PopulationRisk(jnp.eye(2)), jnp.eye(2), jnp.eye(2)[::-1], points=3)
    >>> [f"{v:.4f}" for v in swapped.value.tolist()]
    ['0.0000', '0.0908', '0.0000']

    ```
    """
    objective, start = one_point(objective, start, "start")
    directions = (_difference("end", end, start),)
    return _cut(objective, "start", start, directions, (points,), reach)


@explained
def plane(
    objective: AbstractObjective,
    origin: PyTree,
    first: PyTree,
    second: PyTree,
    *,
    points: SupportsIndex | tuple[SupportsIndex, SupportsIndex] = 51,
    reach: _Reach = (0.0, 1.0),
) -> Slice:
    """Compute the values on the plane through three points.

    F(origin + s (first − origin) + t (second − origin))

    **Arguments:** three params, all of them points: for directions, such as eigenvectors, use
    `along`; `points`, how many s and t, a number or two; `reach`, the first and last of both.

    **Returns:** a `Slice` with two axes, s and t.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range, as
    when there are fewer than 2 points, or params differ in shape; `ValueError` if `first` and
    `second` are orthonormal as directions are, and the origin is not 0.  The message names the
    argument.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> risk, W = lj.PopulationRisk(jnp.eye(2)), jnp.eye(2)
    >>> plane(risk, 0 * W, W, W[::-1], points=(3, 5)).value.shape
    (3, 5)

    ```
    """
    objective, origin = one_point(objective, origin, "origin")
    directions = (_difference("first", first, origin), _difference("second", second, origin))
    _check_points(origin, directions)
    counts = points if isinstance(points, tuple) else (points, points)
    if len(counts) != 2:
        raise ValueError(f"points has {len(counts)} entries; give one number of points, or two")
    return _cut(objective, "origin", origin, directions, counts, reach)


@explained
def along(
    objective: AbstractObjective,
    origin: PyTree,
    *directions: PyTree,
    points: SupportsIndex = 51,
    reach: _Reach = (-1.0, 1.0),
) -> Slice:
    """Compute the values along one direction or two, F(origin + Σᵢ tᵢ directionᵢ).

    **Arguments:** `origin`, params; one or two `directions` like it, e.g. eigenvectors of the
    Hessian (`extreme_eigenvalues(…).vectors`); `points`, how many t along each; `reach`, the first
    and last t.

    **Returns:** a `Slice` with an axis for each direction.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range, as
    when there are fewer than 2 points, or not one or two directions; the message names it.

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
    objective, origin = one_point(objective, origin, "origin")
    along = tuple(like_point("direction", direction, origin) for direction in directions)
    return _cut(objective, "origin", origin, along, (points,) * len(along), reach)


def _difference(name: str, end: PyTree, start: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: a - b, like_point(name, end, start), start)


def _check_points(origin: PyTree, differences: tuple[PyTree, ...]) -> None:
    """Check that the points are not directions: orthonormal, and the origin not 0."""
    if is_traced(origin, differences):
        return
    start = np.asarray(ravel_pytree(origin)[0])
    ends = np.stack([start + np.asarray(ravel_pytree(one)[0]) for one in differences])
    near = float(np.finfo(start.dtype).eps) ** _ORTHONORMAL
    if start.any() and np.abs(ends @ ends.T - np.eye(2)).max() <= near:
        raise ValueError(
            "first and second are orthonormal, as directions are: give these to slices.along.  If "
            "they are points, give their differences from the origin to slices.along"
        )


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
    name: str,
    origin: PyTree,
    directions: tuple[PyTree, ...],
    points: tuple[Any, ...],
    reach: Any,
) -> Slice:
    counts = [count("points", number, 2) for number in points]
    if not isinstance(reach, tuple | list | np.ndarray) or len(reach) != 2:
        raise TypeError(f"reach is {shown(reach)}; give two numbers, the first and the last t")
    dtype = jnp.result_type(*jax.tree.leaves(origin))
    low, high = (on_device(real("reach", end), dtype) for end in reach)
    coordinates = tuple(jnp.linspace(low, high, number, dtype=dtype) for number in counts)
    mesh = jnp.stack(jnp.meshgrid(*coordinates, indexing="ij"), axis=-1)
    with fitting(objective, origin, name):
        values = _values(objective, origin, directions, mesh.reshape(-1, len(directions)))
    return Slice(coordinates, values.reshape(mesh.shape[:-1]))


@explained
def random_directions(
    params: PyTree,
    number: SupportsIndex = 2,
    *,
    key: Key[Array, ""],
    normalised: bool = True,
) -> tuple[PyTree, ...]:
    """Draw random directions for `along`, by default neuron by neuron as long as the params.

    Entries are N(0, 1); then each row of a matrix, the weights that lead into a neuron (a filter of
    a convolution likewise), is scaled to the length of the same row of `params`, and a bias to the
    length of the bias.  So the picture does not depend on the scale of single neurons, to which F
    is blind where the activation is homogeneous.

    **Arguments:** `params`, the point; `number`, how many directions; `key`; `normalised`, `False`
    for directions of length 1 as a whole.

    **Returns:** so many params.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type or range.

    Source: Li, Xu, Taylor, Studer & Goldstein 2018, section 4 (filter normalization).

    ```python
    >>> import jax, jax.numpy as jnp
    >>> W = jnp.array([[3.0, 4.0], [0.0, 1.0]])
    >>> one, other = random_directions(W, key=jax.random.key(0))
    >>> jnp.linalg.norm(one, axis=1).round(4).tolist()
    [5.0, 1.0]

    ```
    """
    arrays = parts("params", params)[0]
    check_arrays("params", arrays)
    flat, unravel = ravel_pytree(arrays)

    def scaled(drawn: Array, leaf: Array) -> Array:
        length, target = (jnp.linalg.norm(x, axis=-1 if x.ndim else None, keepdims=True)
                          for x in (drawn, leaf))  # fmt: skip
        return drawn * target / length

    def one(key: Key[Array, ""]) -> PyTree:
        drawn = jax.random.normal(key, flat.shape, flat.dtype)
        if not normalised:
            return unravel(drawn / jnp.linalg.norm(drawn))
        return jax.tree.map(scaled, unravel(drawn), arrays)

    return tuple(one(each) for each in jax.random.split(key, count("number", number)))
