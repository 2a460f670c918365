"""Many runs in one loop: a lane whose run has ended is refilled with the next one."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Int, PyTree


class _Lanes(NamedTuple):
    """The loop's state: all runs, each lane's place in the queue, and the state it has `held`.

    A place past the end of the queue marks an idle lane: nothing of it is written.  `waiting` is
    the next place to be taken.
    """

    runs: PyTree
    held: PyTree
    place: Int[Array, " lanes"]
    waiting: Int[Array, ""]


def entries(tree: PyTree, index: Int[Array, " lanes"]) -> PyTree:
    """Return the entries at `index`; past the end, the last."""
    return jax.tree.map(lambda leaf: jnp.take(leaf, index, axis=0, mode="clip"), tree)


def write(tree: PyTree, index: Int[Array, " lanes"], values: PyTree) -> PyTree:
    """Write `values` at `index`; past the end, nowhere."""
    return jax.tree.map(lambda leaf, new: leaf.at[index].set(new, mode="drop"), tree, values)


def select(condition: Array, this: PyTree, that: PyTree) -> PyTree:
    """Return `this` where the condition holds, `that` elsewhere, leaf by leaf."""

    def pick(x: ArrayLike, y: ArrayLike) -> Array:
        shape = condition.shape + (1,) * (jnp.ndim(x) - condition.ndim)
        return jnp.where(condition.reshape(shape), x, y)

    return jax.tree.map(pick, this, that)


Advance = Callable[
    [PyTree, PyTree, Int[Array, " lanes"]], tuple[PyTree, PyTree, Bool[Array, " lanes"]]
]


def advance_all(
    advance: Advance,
    runs: PyTree,
    pending: Bool[Array, " restarts"],
    *,
    lanes: int,
    leave: int = 0,
    begin: Callable[[PyTree], PyTree] | None = None,
) -> PyTree:
    """Advance the pending runs on a fixed number of lanes, until at most `leave` of them remain.

    A `vmap` of a `while_loop` runs until its slowest member ends; here a lane is refilled from the
    queue as soon as its run ends.

    **Arguments:** `advance`, from runs, what their lanes hold, and their indices (past the end for
    an idle lane), to these runs and holdings and which of them have ended; `runs`, a pytree with a
    leading axis; `begin`, from runs to what their lanes hold at first, nothing if left out.

    **Returns:** the runs.
    """
    total = len(pending)
    # The queue: indices of the pending runs, in order, then `total`, which marks idle lanes.
    queue = jnp.sort(jnp.where(pending, jnp.arange(total), total))
    queued = pending.sum()

    def index_of(place: Array) -> Array:
        return jnp.take(queue, place, mode="fill", fill_value=total)

    def held_at(index: Array) -> PyTree:
        return () if begin is None else begin(entries(runs, index))

    def unfinished(state: _Lanes) -> Array:
        return (state.waiting < queued) | ((state.place < queued).sum() > leave)

    def step(state: _Lanes) -> _Lanes:
        index = index_of(state.place)
        lane, held, ended = advance(entries(state.runs, index), state.held, index)
        ended &= index < total
        # Lanes that ended in the same iteration take consecutive places.
        place = jnp.where(ended, state.waiting + jnp.cumsum(ended) - 1, state.place)
        held = select(ended, held_at(index_of(place)), held)
        return _Lanes(write(state.runs, index, lane), held, place, state.waiting + ended.sum())

    first = jnp.arange(lanes)
    start = _Lanes(runs, held_at(index_of(first)), first, jnp.asarray(lanes))
    return jax.lax.while_loop(unfinished, step, start).runs
