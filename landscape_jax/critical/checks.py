"""What the functions of this room are given: an objective, and the parameters of points."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from landscape_jax.arrays import is_traced, real
from landscape_jax.mistakes import shown
from landscape_jax.objectives.base import AbstractObjective, as_parameters
from landscape_jax.search.parameters import (
    checked_objective,
    first_entry,
    of_arrays,
    split,
    value_dtype,
)


def one_point(
    objective: Any, params: PyTree, name: str = "params"
) -> tuple[AbstractObjective, PyTree]:
    """Return the objective as a function of the arrays of a point, and these.

    What is no array, such as the activation of an `eqx.nn.MLP`, is fixed.

    **Raises:** `TypeError` if the objective is none, or the point has no arrays or others than
    floating ones; `ValueError` if one has no entries.
    """
    checked_objective(objective)
    arrays, fixed = parts(name, params)
    check_arrays(name, arrays)
    return of_arrays(objective, arrays, fixed), arrays


def many_points(
    objective: Any, points: PyTree, name: str = "points"
) -> tuple[AbstractObjective, PyTree]:
    """Return the objective as a function of the arrays of one of many points, and those of all.

    **Raises:** as `one_point`, and `ValueError` if the arrays have no common leading axis.
    """
    checked_objective(objective)
    arrays, fixed = parts(name, points)
    check_arrays(name, arrays)
    leaves = jax.tree.leaves(arrays)
    if len({leaf.shape[:1] for leaf in leaves}) > 1 or not leaves[0].ndim:
        raise ValueError(
            f"{name} has leaves of shapes {[leaf.shape for leaf in leaves]}; give params with one "
            "common leading axis, the number of points"
        )
    first = None if fixed is None else first_entry(arrays)
    return of_arrays(objective, first, fixed), arrays


def parts(name: str, tree: PyTree) -> tuple[PyTree, PyTree]:
    """Return the arrays of params, its numbers among them, and the rest, `None` if there is none.

    **Raises:** `TypeError` if an array is none that JAX knows.
    """
    try:
        return split(as_parameters(tree))
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} is {shown(tree)}; give a pytree of floating arrays") from error


def like_point(name: str, given: PyTree, point: PyTree) -> PyTree:
    """Return the arrays of params, checked to have the structure and shapes of a point's."""
    arrays = parts(name, given)[0]
    shapes = [list(map(jnp.shape, jax.tree.leaves(tree))) for tree in (arrays, point)]
    if jax.tree.structure(arrays) != jax.tree.structure(point) or shapes[0] != shapes[1]:
        raise ValueError(
            f"{name} must have the structure and shapes of the point it starts from: it has "
            f"{shapes[0]}, the point {shapes[1]}"
        )
    for leaf in jax.tree.leaves(arrays):
        if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
            raise TypeError(f"{name} has dtype {leaf.dtype}; give a floating array, e.g. float64")
    return arrays


def entry_shapes(points: PyTree) -> PyTree:
    """Return the shapes and dtypes of one of many points."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), points)


def check_arrays(name: str, arrays: PyTree) -> None:
    """Check that the arrays of params are floating ones, with entries.

    **Raises:** `TypeError` or `ValueError` if there is none, or one is not.
    """
    leaves = jax.tree_util.tree_leaves_with_path(arrays)
    if not leaves:
        raise TypeError(f"{name} has no arrays; give a pytree of floating arrays, the parameters")
    for path, leaf in leaves:
        place = f"{name}{jax.tree_util.keystr(path)}"
        if not jnp.issubdtype(leaf.dtype, jnp.floating) or leaf.dtype.itemsize < 4:
            raise TypeError(f"{place} has dtype {leaf.dtype}; give float32 or float64")
        if not leaf.size:
            raise ValueError(f"{place} has shape {leaf.shape}, without entries; give at least one")


def check_fit(objective: AbstractObjective, point: PyTree, name: str) -> None:
    """Check that the objective has a value at a point, by tracing it.

    **Arguments:** `point`, arrays or their shapes and dtypes; `name`, of the argument.

    **Raises:** `TypeError` or `ValueError` if it has none.
    """
    try:
        value_dtype(objective, point)
    except (TypeError, ValueError) as misfit:
        reason = str(misfit).splitlines()[0][:200]
        what = f"no point at which the objective, a {type(objective).__name__}, has a value"
        raise type(misfit)(f"{name} is {what}: {reason}") from misfit


@contextmanager
def fitting(objective: AbstractObjective, point: PyTree, name: str = "params") -> Iterator[None]:
    """Name the argument in errors that come of a point at which the objective has no value.

    The value is traced where the body fails, so a body that does not fail costs nothing.
    """
    try:
        yield
    except Exception:
        check_fit(objective, point, name)
        raise


def magnitude(name: str, value: Any) -> Any:
    """Return a magnitude that may be left out, as a `float` where it is known.

    **Raises:** `TypeError` if it is not a real number, `ValueError` if it is negative.
    """
    if value is None or is_traced(real(name, value)):
        return value
    if not value >= 0:
        raise ValueError(f"{name} is {value}; it must be at least 0")
    return float(value)
