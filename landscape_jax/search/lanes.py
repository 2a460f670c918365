"""Many descents in one loop: a lane that stops writes its run and takes the next one."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree, Scalar

from landscape_jax.search.descent import Descent, Run, select
from landscape_jax.search.status import Status


class _Lanes(eqx.Module):
    """What the loop carries: all runs, those in the lanes, their places, and the next in the queue.

    A place past the end of the queue marks an idle lane; it computes, and nothing is written.
    """

    runs: Run
    lane: Run
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

    def at(place: Array) -> Array:
        return jnp.take(queue, place, mode="fill", fill_value=total)

    def active(state: _Lanes) -> Array:
        return state.place < queued

    def unfinished(state: _Lanes) -> Array:
        return (state.waiting < queued) | (active(state).sum() > leave)

    def advance(state: _Lanes) -> _Lanes:
        index = at(state.place)
        lane = jax.vmap(rule.step)(state.lane)
        lane = jax.vmap(rule.stop, (0, 0, None))(lane, take(starts, index), tolerance)
        ended = active(state) & ~running(lane)
        runs = put(state.runs, jnp.where(ended, index, total), lane)
        place = jnp.where(ended, state.waiting + jnp.cumsum(ended) - 1, state.place)
        refilled = select(ended, take(runs, at(place)), lane)
        if report is not None:
            report((ended & (lane.status != Status.converged)).sum())
        return _Lanes(runs, refilled, place, state.waiting + ended.sum())

    place = jnp.arange(lanes)
    begin = _Lanes(runs, take(runs, at(place)), place, jnp.asarray(lanes))
    end = jax.lax.while_loop(unfinished, advance, begin)
    return put(end.runs, jnp.where(active(end), at(end.place), total), end.lane)
