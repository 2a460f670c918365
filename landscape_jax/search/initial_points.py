"""Arguments of every search: restart indices, initial points, keys of batches, tolerances."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Int, PyTree

from landscape_jax.networks import DeepLinear, Mlp, TwoLayer
from landscape_jax.objectives.augmented import Augmented
from landscape_jax.search.lanes import entries


def restart_indices(restarts) -> Int[Array, " restarts"]:
    """Return the indices of the restarts, given as a count or as an array."""
    if isinstance(restarts, int):
        if restarts < 1:
            raise ValueError(f"restarts is {restarts}; give at least 1")
        return jnp.arange(restarts, dtype=jnp.int32)
    index = jnp.asarray(restarts)
    if not jnp.issubdtype(index.dtype, jnp.integer) or index.ndim != 1 or index.size == 0:
        raise ValueError(
            f"restarts has shape {index.shape} and dtype {index.dtype}; "
            "give a count or a one-dimensional array of integer indices"
        )
    return index.astype(jnp.int32)


def starting_points(start, index: Array, key: Array | None) -> PyTree:
    """Return the initial points of these indices, drawn from the key or selected from `start`."""
    if not _is_given(start, key):
        if key is None:
            raise ValueError("key is missing; random starts need one, e.g. jax.random.key(0)")
        starts = _draw(start, key, index)
    else:
        given = jax.tree.map(jnp.asarray, start)
        lengths = {leaf.shape[0] if leaf.ndim else 0 for leaf in jax.tree.leaves(given)}
        if len(lengths) != 1:
            raise ValueError(
                f"start has leaves of leading lengths {sorted(lengths)}; "
                "give starts with one leading axis, one entry a restart"
            )
        length = lengths.pop()
        if not isinstance(index, Tracer) and int(index.max()) >= length:
            raise ValueError(
                f"restarts has the index {int(index.max())}; start has {length} entries, so give "
                f"indices from 0 to {length - 1}"
            )
        starts = entries(given, index)
    leaves = jax.tree.leaves(starts)
    if not leaves or not all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves):
        raise TypeError(
            f"start has dtypes {[str(leaf.dtype) for leaf in leaves]}; give floating arrays"
        )
    return starts


def _is_given(start, key: Array | None) -> bool:
    """Check whether `start` holds initial points, not a function of a key; networks are both."""
    if not callable(start) or isinstance(start, TwoLayer | DeepLinear | Mlp | Augmented):
        return True
    return key is None and any(map(eqx.is_array, jax.tree.leaves(start)))


@eqx.filter_jit
def batch_seeds(key: Array | None, index: Array) -> Array:
    """Return the key data of each restart's batches."""
    if key is None:
        raise ValueError("key is missing; batches need one, e.g. jax.random.key(0)")
    each = jax.vmap(lambda i: jax.random.fold_in(jax.random.fold_in(key, i), 1))(index)
    return jax.random.key_data(each)


@eqx.filter_jit
def _draw(start: Callable[[Array], PyTree], key: Array, index: Array) -> PyTree:
    return jax.vmap(lambda i: start(jax.random.fold_in(key, i)))(index)


def checked_tolerance(name: str, tolerance: float | None, dtype, usual: float) -> float:
    """Return a valid gradient tolerance; the default is `usual` in float64, 1e-5 in float32."""
    double = dtype.itemsize >= 8
    if tolerance is None:
        return usual if double else 1e-5
    if not tolerance > 0:
        raise ValueError(f"{name} is {tolerance}; it must be positive")
    if not double and tolerance < 1e-6:
        raise ValueError(
            f"{name} is {tolerance}, which {dtype} cannot resolve; put "
            'jax.config.update("jax_enable_x64", True) first, or ask for 1e-5'
        )
    return tolerance
