"""Hybrid search: runs that end where no minimum can be are restarted from new initial points."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key, PyTree

from landscape_jax.arrays import Count, count, is_traced
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.objectives.protocols import is_admissible
from landscape_jax.search.parameters import split, whole
from landscape_jax.search.restarts import restart
from landscape_jax.search.runs import Runs
from landscape_jax.search.user_functions import checked_function

# Runs that descend at a time in any case, so that a smaller batch would save nothing.
_BLOCK = 128


class Hybrid(NamedTuple):
    """The runs of a hybrid search, and how often each began again.

    - `runs`: the last run of each restart, in the order of the restarts as given.
    - `begun_again`: how many new initial points the restart was given.
    """

    runs: Runs
    begun_again: Int[np.ndarray, " restarts"]


def hybrid(
    objective: AbstractObjective,
    start: Callable[[Key[Array, ""]], PyTree],
    restarts: Count | Sequence[int],
    *,
    key: Key[Array, ""],
    rounds: Count = 10,
    **options: Any,
) -> Hybrid:
    """Descend from many initial points, and restart runs that end where no minimum can be.

    The first round is `restart(objective, start, restarts, key=key)`.  In round r = 1, 2, … the
    restarts whose run is `escaping`, or ended otherwise at a point that the objective does not
    admit as a minimum (`is_admissible`), descend from `start(fold_in(fold_in(key, r), i))`; all
    others are kept.  So restart i ends the same whatever the other restarts.  The search ends when
    all are kept, or after `rounds` rounds: each status is that of the restart's last run.

    Statuses are inspected between the rounds, so it does not work under `jit`.

    **Arguments:** `objective`; `start`, a function from a key to parameters (see
    `starts.augmented`); `restarts`, a count or an array of indices; `key`; `rounds`, the new
    initial points of one restart at most; `options` of `restart`.

    **Returns:** a `Hybrid`.

    **Raises:** `ValueError` if `rounds` is negative; `TypeError` if `start` is not a function, or
    an argument is traced; what `restart` raises.

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
    rounds = count("rounds", rounds, least=0)
    checked_function("start", start)
    if is_traced(objective, start, key):
        raise TypeError(
            "hybrid decides between its rounds, so none of its arguments can be traced; call it "
            "outside of jit, vmap and grad"
        )
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
        runs = _replaced(runs, places, again)
        begun_again[places] += 1
    return Hybrid(runs, begun_again)


def _is_refuted(objective: AbstractObjective, runs: Runs) -> Bool[np.ndarray, " restarts"]:
    """Check which runs ended where no minimum can be; `converged` ones were checked already."""
    arrays, fixed = split(runs.params)
    admitted = jax.vmap(lambda at: jnp.asarray(is_admissible(objective, whole(at, fixed))))
    kept = runs.is_converged | runs.is_below_value
    return runs.is_escaping | ~(kept | np.asarray(admitted(arrays)))


def _replaced(runs: Runs, places: np.ndarray, again: Runs) -> Runs:
    """Return the runs with those at `places` replaced by the first of `again`."""

    def write(old: Any, new: Any) -> Any:
        return jnp.asarray(old).at[places].set(jnp.asarray(new)[: len(places)])

    return runs.map(write, again)
