"""Many descents in one loop: a lane that stops writes its run and takes the next one."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree, Scalar

from landscape_jax.search.descent import Descent, Run
from landscape_jax.search.status import Status


class _Lanes(NamedTuple):
    """What the loop carries: all runs, the lanes' places in the queue, and the next place.

    A place past the end of the queue marks an idle lane: nothing of it is written.
    """

    runs: Run
    place: Int[Array, " lanes"]
    waiting: Int[Array, ""]


def running(runs: Run) -> Bool[Array, " restarts"]:
    """Say which runs are still descending."""
    return runs.status == Status.running


def take(tree: PyTree, index: Int[Array, " lanes"]) -> PyTree:
    """Give the entries at `index`; past the end, the last."""
    return jax.tree.map(lambda leaf: jnp.take(leaf, index, axis=0, mode="clip"), tree)


def put(tree: PyTree, index: Int[Array, " lanes"], values: PyTree) -> PyTree:
    """Write `values` at `index`; past the end, nowhere."""
    return jax.tree.map(lambda leaf, new: leaf.at[index].set(new, mode="drop"), tree, values)


def descend(
    rule: Descent,
    runs: Run,
    starts: PyTree,
    tolerance: Scalar,
    *,
    lanes: int,
    leave: int,
    report: Callable[[Array], None] | None = None,
) -> Run:
    """Descend with all running runs until they stop, or until `leave` of them are left.

    A `vmap` of a `while_loop` goes on until its slowest member; here a lane that stops takes the
    next run from the queue.  What is left at the end is for a loop with fewer lanes.

    **Arguments:** `runs` and `starts` with a leading axis; `tolerance`, of the gradient norm;
    `lanes`, how many descend at a time; `report`, called with the number of runs that ended
    for good: one that converged may be sent on by the finish.

    **Returns:** the runs, those left still `running`.
    """
    total = runs.steps.shape[0]
    pending = running(runs)
    # The queue: indices of the pending runs, in order, then `total` (idle) for ever.
    queue = jnp.sort(jnp.where(pending, jnp.arange(total), total))
    queued = pending.sum()

    def unfinished(state: _Lanes) -> Array:
        return (state.waiting < queued) | ((state.place < queued).sum() > leave)

    def advance(state: _Lanes) -> _Lanes:
        index = jnp.take(queue, state.place, mode="fill", fill_value=total)
        active = index < total
        lane, start = take(state.runs, index), take(starts, index)
        lane = jax.vmap(rule.go, (0, 0, 0, None))(lane, start, active, tolerance)
        ended = active & ~running(lane)
        if report is not None:
            report((ended & (lane.status != Status.converged)).sum())
        place = jnp.where(ended, state.waiting + jnp.cumsum(ended) - 1, state.place)
        return _Lanes(put(state.runs, index, lane), place, state.waiting + ended.sum())

    begin = _Lanes(runs, jnp.arange(lanes), jnp.asarray(lanes))
    return jax.lax.while_loop(unfinished, advance, begin).runs
