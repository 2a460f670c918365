"""Descent that begins again elsewhere where a run ends at no minimum."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key, PyTree

from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.search.restarts import restart
from landscape_jax.search.runs import Runs

# Runs that descend at a time anyway.
_BLOCK = 128


class Hybrid(NamedTuple):
    """The runs of a hybrid search, and how often each began again.

    - `runs`: the last run of each restart, in the order of the restarts as given.
    - `begun_again`: how many times the restart left such a run for a new start.
    """

    runs: Runs
    begun_again: Int[np.ndarray, " restarts"]


def hybrid(
    objective: AbstractObjective,
    start: Callable[[Key[Array, ""]], PyTree],
    restarts: int | Array | np.ndarray,
    *,
    key: Key[Array, ""],
    rounds: int = 10,
    **options: Any,
) -> Hybrid:
    """Descend, and begin again from a new start each run that ends where no minimum can be.

    The first round is `restart(objective, start, restarts, key=key)`.  In round r = 1, 2, … the
    restarts whose run is `escaping`, or ended in another way at a point that the objective does not
    admit as a minimum (`is_admissible`), descend from `start(fold_in(fold_in(key, r), i))`; all
    others are kept.  So restart i ends the same whatever the other restarts.  It is over when all
    are kept, or after `rounds` new starts: each run's status says how its last start ended.

    It looks at how runs ended between the rounds, so it is not for use under `jit`.

    **Arguments:** `objective`; `start`, a function from a key to parameters (see
    `starts.augmented`); `restarts`, a count or an array of indices; `key`; `rounds`, the new starts
    of one restart at most; `options` of `restart`.

    **Returns:** a `Hybrid`.

    **Raises:** `ValueError` where `rounds` is negative; what `restart` raises.

    Source: KK20, sections 5 and 8: local search with a monitor of the norm of (a, b, w).

    ```python
    >>> import jax, jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> class Slope(lj.AbstractObjective):  # a valley, and on the left a slope without end
    ...     def __call__(self, x):
    ...         return jnp.where(x < -2, 11 + x, (x - 1) ** 2)[0]
    ...     def escape(self, x):
    ...         return jnp.abs(x[0])
    >>> start = lambda key: 8 * jax.random.normal(key, (1,))
    >>> settings = {"escape_limit": 50.0, "finish": False}
    >>> found = hybrid(Slope(), start, 16, key=jax.random.key(0), **settings)
    >>> found.runs.summary(), bool((found.begun_again > 0).any())
    ({'converged': 16}, True)

    ```
    """
    if rounds < 0:
        raise ValueError(f"rounds is {rounds}; it must be at least 0")
    runs = restart(objective, start, restarts, key=key, **options)
    index, begun_again = np.asarray(runs.restart_index), np.zeros(len(runs), int)
    for r in range(1, rounds + 1):
        places = np.flatnonzero(_is_refuted(objective, runs))
        if not len(places):
            break
        # A block, or as many as a power of two, the last repeated: few shapes, few compilations.
        size = min(max(_BLOCK, 1 << (len(places) - 1).bit_length()), len(runs))
        padded = np.pad(index[places], (0, size - len(places)), mode="edge")
        again = restart(objective, start, padded, key=jax.random.fold_in(key, r), **options)
        runs = _put(runs, places, again)
        begun_again[places] += 1
    return Hybrid(runs, begun_again)


def _is_refuted(objective: AbstractObjective, runs: Runs) -> Bool[np.ndarray, " restarts"]:
    """Check which runs ended where no minimum can be; `converged` ones were checked already."""
    admitted = jax.vmap(lambda params: jnp.asarray(objective.is_admissible(params)))
    kept = runs.is_converged | runs.is_below_value
    return runs.is_escaping | ~(kept | np.asarray(admitted(runs.params)))


def _put(runs: Runs, places: np.ndarray, again: Runs) -> Runs:
    """Write the first of the runs `again` at the places."""

    def put(old: Any, new: Any) -> Any:
        return jnp.asarray(old).at[places].set(jnp.asarray(new)[: len(places)])

    return jax.tree.map(put, runs, again)
