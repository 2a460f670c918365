"""Many runs in one loop: a lane whose run has ended takes the next one."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Int, PyTree


class _Lanes(NamedTuple):
    """What the loop carries: all runs, and the lanes' places in the queue and what they hold.

    A place past the end of the queue marks an idle lane: nothing of it is written.  `waiting` is
    the next place.
    """

    runs: PyTree
    held: PyTree
    place: Int[Array, " lanes"]
    waiting: Int[Array, ""]


def take(tree: PyTree, index: Int[Array, " lanes"]) -> PyTree:
    """Give the entries at `index`; past the end, the last."""
    return jax.tree.map(lambda leaf: jnp.take(leaf, index, axis=0, mode="clip"), tree)


def put(tree: PyTree, index: Int[Array, " lanes"], values: PyTree) -> PyTree:
    """Write `values` at `index`; past the end, nowhere."""
    return jax.tree.map(lambda leaf, new: leaf.at[index].set(new, mode="drop"), tree, values)


def select(condition: Array, this: PyTree, that: PyTree) -> PyTree:
    """Take `this` where the condition holds, `that` elsewhere, leaf by leaf."""

    def pick(x: ArrayLike, y: ArrayLike) -> Array:
        shape = condition.shape + (1,) * (jnp.ndim(x) - condition.ndim)
        return jnp.where(condition.reshape(shape), x, y)

    return jax.tree.map(pick, this, that)


Go = Callable[[PyTree, PyTree, Int[Array, " lanes"]], tuple[PyTree, PyTree, Bool[Array, " lanes"]]]


def work(
    go: Go,
    runs: PyTree,
    pending: Bool[Array, " restarts"],
    *,
    lanes: int,
    leave: int = 0,
    begin: Callable[[PyTree], PyTree] | None = None,
) -> PyTree:
    """Work at the pending runs in lanes until all of them, or all but `leave`, have ended.

    A `vmap` of a `while_loop` goes on until its slowest member; here a lane whose run has ended
    takes the next one from the queue.

    **Arguments:** `go`, from runs, what their lanes hold, and their indices (past the end for an
    idle lane), to these runs and holdings and which of them have ended; `runs`, a pytree with a
    leading axis; `begin`, from runs to what their lanes hold at first, nothing if left out.

    **Returns:** the runs.
    """
    total = len(pending)
    # The queue: indices of the pending runs, in order, then `total` (idle) for ever.
    queue = jnp.sort(jnp.where(pending, jnp.arange(total), total))
    queued = pending.sum()

    def index_of(place: Array) -> Array:
        return jnp.take(queue, place, mode="fill", fill_value=total)

    def held_at(index: Array) -> PyTree:
        return () if begin is None else begin(take(runs, index))

    def unfinished(state: _Lanes) -> Array:
        return (state.waiting < queued) | ((state.place < queued).sum() > leave)

    def advance(state: _Lanes) -> _Lanes:
        index = index_of(state.place)
        lane, held, ended = go(take(state.runs, index), state.held, index)
        ended &= index < total
        place = jnp.where(ended, state.waiting + jnp.cumsum(ended) - 1, state.place)
        held = select(ended, held_at(index_of(place)), held)
        return _Lanes(put(state.runs, index, lane), held, place, state.waiting + ended.sum())

    first = jnp.arange(lanes)
    start = _Lanes(runs, held_at(index_of(first)), first, jnp.asarray(lanes))
    return jax.lax.while_loop(unfinished, advance, start).runs
