"""Arguments of every search: restart indices, initial points, keys, tolerances."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree

from landscape_jax.arrays import count, is_traced, real
from landscape_jax.machine import require_memory
from landscape_jax.mistakes import shown
from landscape_jax.networks import DeepLinear, Mlp, TwoLayer
from landscape_jax.objectives.augmented import Augmented
from landscape_jax.objectives.base import AbstractObjective, as_parameters
from landscape_jax.search.lanes import entries
from landscape_jax.search.parameters import checked_parameters, split, whole

# The largest index: a restart's is an int32.
_LAST = 2**31 - 1
# The bytes of the state of a run with one parameter, at least.
_LEAST = 40


class InitialPoints(NamedTuple):
    """Initial points: those `given`, with a leading axis, or else drawn by `start` from a `key`."""

    start: Callable[[Array], PyTree] | None
    key: Array | None
    given: PyTree

    @property
    def length(self) -> int | None:
        """How many are given; `None` if they are drawn."""
        arrays = split(self.given)[0]
        return None if self.start is not None else len(jax.tree.leaves(arrays)[0])

    def at(self, index: Int[Array, " restarts"]) -> PyTree:
        """Return the initial points of these indices.

        **Raises:** `TypeError` if `start` draws no arrays, or others than floating ones.
        """
        if self.start is None:
            arrays, fixed = split(self.given)
            return whole(entries(arrays, index), fixed)
        assert self.key is not None
        drawn = _draw(self.start, self.key, index)
        checked_parameters("start", drawn)
        return drawn


def initial_points(start: Any, key: Any) -> InitialPoints:
    """Return the initial points that arguments of `restart` stand for.

    Networks, which are functions too, are points: those of one's own where there is no key.

    **Raises:** `TypeError` if `start` is an objective, or points have no arrays or others than
    floating ones, or `key` is no typed key; `ValueError` if their arrays have no common leading
    axis, or the key is missing.
    """
    if isinstance(start, AbstractObjective):
        raise TypeError(f"start is {shown(start)}; give initial points, or a function of a key")
    own = isinstance(start, TwoLayer | DeepLinear | Mlp | Augmented)
    has_arrays = any(map(eqx.is_array, jax.tree.leaves(start)))
    if callable(start) and not own and (key is not None or not has_arrays):
        if key is None:
            raise ValueError("key is missing; random starts need one, e.g. jax.random.key(0)")
        return InitialPoints(start, checked_key(key), None)
    given = as_parameters(start, "start")
    lengths = {x.shape[0] if x.ndim else 0 for x in jax.tree.leaves(given) if eqx.is_array(x)}
    if len(lengths) > 1 or 0 in lengths:
        raise ValueError(
            f"start has leaves of leading lengths {sorted(lengths)}; "
            "give starts with one leading axis, one entry a restart, or a function of a key, such "
            "as starts.gaussian((6, 6))"
        )
    checked_parameters("start", given)
    return InitialPoints(None, None if key is None else checked_key(key), given)


def restart_indices(restarts: Any, length: int | None = None) -> Int[Array, " restarts"]:
    """Return the indices of the restarts, given as a count or as an array.

    **Arguments:** `restarts`; `length`, the number of initial points where these are given.

    **Raises:** `TypeError` if it is neither, or a traced count; `ValueError` if an array has
    another shape or dtype, or an index is negative, or not below 2³¹ and `length`.
    """
    plain = jnp.asarray if is_traced(restarts) else np.asarray
    try:
        given = restarts if isinstance(restarts, jax.Array) else plain(restarts)
    except ValueError:  # Rows of different lengths.
        given = np.empty((0, 0), object)
    # NumPy has no integers beyond 64 bits, and takes them for objects.
    integer = jnp.issubdtype(given.dtype, jnp.integer) or type(restarts) is int
    if integer and given.ndim == 0:
        number = count("restarts", restarts, least=-_LAST)
        if number < 1:
            raise ValueError(f"restarts is {number}; give at least 1")
        _check_index(number - 1, length)
        require_memory(_LEAST * number, f"restarts is {number}: they", "give fewer")
        return jnp.arange(number, dtype=jnp.int32)
    if not given.shape:
        raise TypeError(
            f"restarts is {shown(restarts)}; give a count or a one-dimensional array of integer "
            "indices"
        )
    if not integer or given.ndim != 1 or given.size == 0:
        raise ValueError(
            f"restarts has shape {given.shape} and dtype {given.dtype}; "
            "give a count or a one-dimensional array of integer indices"
        )
    if not is_traced(given):
        known = np.asarray(jax.device_get(given))
        for index in (int(known.min()), int(known.max())):
            _check_index(index, length)
    return on_device(given, jnp.int32)


def _check_index(index: int, length: int | None) -> None:
    if index < 0 or index > _LAST:
        raise ValueError(f"restarts has the index {index}; give indices from 0 to {_LAST}")
    if length is not None and index >= length:
        raise ValueError(
            f"restarts has the index {index}; start has {length} entries, so give "
            f"indices from 0 to {length - 1}"
        )


def checked_key(key: Any) -> Array:
    """Return one typed key.

    **Raises:** `TypeError` if it is something else, `ValueError` if there are several.
    """
    dtype = getattr(key, "dtype", None)
    if dtype is None or not jnp.issubdtype(dtype, jax.dtypes.prng_key):
        raise TypeError(f"key is {shown(key)}; give a typed key, e.g. jax.random.key(0)")
    if key.shape:
        raise ValueError(
            f"key has shape {key.shape}; give one key, or map over several by jax.vmap"
        )
    return key


# The one generator whose numbers under `vmap` are those that each key draws alone.
_THREEFRY = "threefry2x32"


def batch_seeds(batches: Any, key: Any, index: Int[Array, " restarts"]) -> Array | None:
    """Return the data of a threefry key for the batches of each restart, `None` without batches.

    Other generators draw numbers for all lanes at once from the first lane's key: what a run draws
    would depend on its lane.

    **Raises:** `ValueError` if the key is missing.
    """
    if batches is None:
        return None
    if key is None:
        raise ValueError("key is missing; batches need one, e.g. jax.random.key(0)")
    return _seeds(checked_key(key), index)


@eqx.filter_jit
def _seeds(key: Array, index: Int[Array, " restarts"]) -> Array:
    def each(i: Array) -> Array:
        return jax.random.fold_in(jax.random.fold_in(key, i), 1)

    if jax.random.key_impl(key) == _THREEFRY:
        return jax.random.key_data(jax.vmap(each)(index))
    return jax.lax.map(lambda i: jax.random.bits(each(i), (2,), jnp.uint32), index)


def batch_key(seed: Array, step: Int[Array, ""] | int) -> Array:
    """Return the key of a batch, from the seed of a run."""
    return jax.random.fold_in(jax.random.wrap_key_data(seed, impl=_THREEFRY), step)


@eqx.filter_jit
def _draw(start: Callable[[Array], PyTree], key: Array, index: Int[Array, " restarts"]) -> PyTree:
    fixed = []

    def one(i: Array) -> PyTree:
        arrays, rest = split(as_parameters(start(jax.random.fold_in(key, i))))
        fixed.append(rest)
        return arrays

    alone = jax.random.key_impl(key) != _THREEFRY
    drawn = jax.lax.map(one, index) if alone else jax.vmap(one)(index)
    # The initial points, the runs, and what is computed of them.
    needed = 3 * sum(leaf.nbytes for leaf in jax.tree.leaves(drawn))
    require_memory(needed, f"restarts is {len(index)}: they", "give fewer, or use `sweep`")
    return whole(drawn, fixed[0])


def checked_tolerance(name: str, tolerance: Any, dtype, usual: float) -> Any:
    """Return a valid gradient tolerance; the default is `usual` in float64, 1e-5 in float32."""
    double = dtype.itemsize >= 8
    if tolerance is None:
        return usual if double else 1e-5
    if is_traced(real(name, tolerance)):
        return tolerance
    if not tolerance > 0:
        raise ValueError(f"{name} is {tolerance}; it must be positive")
    if not double and tolerance < 1e-6:
        raise ValueError(
            f"{name} is {tolerance}, which {dtype} cannot resolve; put "
            'jax.config.update("jax_enable_x64", True) first, or ask for 1e-5'
        )
    return tolerance


def on_device(value: Any, dtype: Any) -> Array:
    """Return a setting as an array; that it goes to the device is meant (`jax.transfer_guard`)."""
    if isinstance(value, jax.Array):
        return value.astype(dtype)
    with np.errstate(over="ignore"):
        return jax.device_put(np.asarray(value, dtype))
