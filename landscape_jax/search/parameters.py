"""The parameters of a pytree, its floating arrays; whatever else it holds is fixed."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from landscape_jax.mistakes import shown
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.objectives.freeze import Frozen


def split(tree: PyTree) -> tuple[PyTree, PyTree]:
    """Return the arrays of a pytree and the rest of it, `None` if there is none.

    `whole` is its inverse.
    """
    arrays, fixed = eqx.partition(tree, eqx.is_array)
    return arrays, fixed if jax.tree.leaves(fixed) else None


def whole(arrays: PyTree, fixed: PyTree) -> PyTree:
    """Return the pytree of these arrays and of what is fixed."""
    return arrays if fixed is None else eqx.combine(arrays, fixed)


def checked_objective(objective: Any) -> None:
    """Check for an objective.

    **Raises:** `TypeError` if it is something else, such as a plain function.
    """
    if isinstance(objective, type) or not isinstance(objective, AbstractObjective):
        raise TypeError(
            f"objective is {shown(objective)}; give an objective such as PopulationRisk(teacher), "
            "or your own: a subclass of AbstractObjective with the function as its __call__"
        )


def of_arrays(objective: AbstractObjective, arrays: PyTree, fixed: PyTree) -> AbstractObjective:
    """Return an objective of whole pytrees as a function of their arrays."""
    return objective if fixed is None else Frozen(objective, fixed, arrays)


def checked_parameters(name: str, tree: PyTree) -> None:
    """Check that the arrays of a pytree are floating, with an entry in each run.

    **Raises:** `TypeError` if there is none, or one of another dtype; `ValueError` if one is empty.
    """
    leaves = [x for x in jax.tree_util.tree_leaves_with_path(tree) if eqx.is_array(x[1])]
    if not leaves:
        raise TypeError(
            f"{name} has no arrays; give a function from a key to parameters, such as "
            "starts.gaussian((6, 6)), or initial points"
        )
    for path, leaf in leaves:
        place = f"{name}{jax.tree_util.keystr(path)}"
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise TypeError(f"{place} has dtype {leaf.dtype}; give floating arrays, e.g. float64")
        if leaf.dtype.itemsize < 4:
            raise TypeError(
                f"{place} has dtype {leaf.dtype}, too coarse to tell where a descent ends; give "
                "float32 or float64"
            )
        if not leaf.size:
            raise ValueError(
                f"{place} has shape {leaf.shape[1:]} in each run; give at least one entry"
            )


@jax.jit
def first_entry(tree: PyTree) -> PyTree:
    """Return the first entry along the leading axis of each array."""
    return jax.tree.map(lambda leaf: leaf[0], tree)


# Jitted, as what is jitted is traced once.
@eqx.filter_jit
def _value(objective: AbstractObjective, params: PyTree) -> Any:
    return objective(params)


def value_dtype(objective: AbstractObjective, params: PyTree) -> np.dtype:
    """Return the dtype of an objective's value, without computing it.

    **Raises:** `TypeError` if the value is not floating, `ValueError` if it is not a scalar.
    """
    value = eqx.filter_eval_shape(_value, objective, params)
    dtype = getattr(value, "dtype", None)
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating) or dtype.itemsize < 4:
        what = type(value).__name__ if dtype is None else f"dtype {dtype}"
        raise TypeError(f"objective returns {what}; it must return a float32 or float64 scalar")
    if value.shape:
        raise ValueError(f"objective returns shape {value.shape}; it must return a scalar")
    return dtype
