"""The protocol of SS18, section 3: the runs of one (k, n), and the store of a study."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from os import PathLike
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key

from landscape_jax.arrays import count
from landscape_jax.machine import require_memory
from landscape_jax.objectives.population import PopulationRisk
from landscape_jax.precision import require_float64
from landscape_jax.search import starts
from landscape_jax.search.runs import Runs
from landscape_jax.sweeps.chunks import CHUNK, Search
from landscape_jax.sweeps.store import Store, open_store

Size = tuple[int, int]

STEP = 0.1
GRADIENT_TOLERANCE = 1e-9
BELOW_VALUE = 1e-3


def tag(size: Size) -> str:
    """Return the name of a size in the directory of a study."""
    return f"k{size[0]:02d}-n{size[1]:02d}"


def key(size: Size, seed: int) -> Key[Array, ""]:
    """Return the key of a size: the seed's, folded with k and with n."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), size[0]), size[1])


def risk(size: Size) -> PopulationRisk:
    """Return the risk of k orthonormal teachers."""
    return PopulationRisk(jnp.eye(size[0]))


def search(size: Size, seed: int) -> Search:
    """Return the search of one size: n students learn k orthonormal teachers from w ~ N(0, I/k)."""
    k, n = size
    settings = {"gradient_tolerance": GRADIENT_TOLERANCE, "below_value": BELOW_VALUE}
    start, folder = starts.gaussian((n, k)), f"runs/{tag(size)}"
    return Search(risk(size), start, key(size, seed), settings, folder)


def above(runs: Runs) -> Bool[np.ndarray, " runs"]:
    """Select the runs that did not end below the value threshold."""
    return ~runs.is_below_value


def checked(sizes: Iterable[Size], restarts: int, seed: int) -> list[Size]:
    """Check the arguments of a study, and return the distinct sizes.

    **Raises:** `ValueError` if there is nothing to run, or more than the machine has memory for, or
    float64 is off: the protocol's 1e-9 is below the precision of float32.
    """
    count("restarts", restarts)
    try:
        pairs = list(dict.fromkeys(tuple(int(part) for part in size) for size in sizes))
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError("sizes has entries that are no integers; give pairs (k, n)") from error
    if not pairs:
        raise ValueError("sizes is empty; give at least one (k, n)")
    for size in pairs:
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f"sizes has {size}, which is not a (k, n) with k >= 1 and n >= 1")
        k, n = size
        points = k * k + n * k * min(restarts, CHUNK)
        require_memory(8.0 * points, f"the points of {k}:{n}", "give a smaller size")
    require_memory(16.0 * restarts, f"the indices of {restarts} restarts", "give fewer")
    count("seed", seed, 0, 2**63 - 1)
    require_float64("the study")
    return [(k, n) for k, n in pairs]


def store(
    out: str | PathLike[str] | None, size: Size, seed: int, *, mixed: bool = False
) -> AbstractContextManager[Store] | nullcontext[None]:
    """Open the directory of the study's runs, of this size and others; without `out`, return none.

    The sizes and the number of restarts are no part of its settings: restart i of a size is the
    same whatever the other sizes and restarts, so both may be extended.
    """
    if out is None:
        return nullcontext()
    settings = {
        "seed": seed,
        "step": STEP,
        "gradient_tolerance": GRADIENT_TOLERANCE,
        "below_value": BELOW_VALUE,
    }
    what, made_by = "SS18, tables 1 and 2", without_lanes(search(size, seed))
    return open_store(out, what=what, settings=settings, made_by=made_by, mixed=mixed)


def without_lanes(search: Search) -> dict[str, Any]:
    """Return what a search and those of other sizes are made by: lanes depend on the size."""
    return {name: value for name, value in search.made_by().items() if name != "lanes"}
