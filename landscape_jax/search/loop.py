"""The loop of thousands of descents: wide lanes, then narrow ones, and the Newton finish."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, ArrayLike, Bool, Int, PyTree, Scalar

from landscape_jax.objectives.protocols import is_admissible, is_confirmed
from landscape_jax.precision import precision
from landscape_jax.search.descent import STEP, Descent, Run
from landscape_jax.search.flow import follow, is_lost
from landscape_jax.search.lanes import advance_all, entries, select
from landscape_jax.search.no_derivative import without_derivative
from landscape_jax.search.parameters import whole
from landscape_jax.search.polish import Polish, PolishState
from landscape_jax.search.status import Status
from landscape_jax.search.user_functions import Guarded

# The last runs of a search descend in an eighth of the lanes, so that few are idle.  The Newton
# finish uses as many: 16 on a CPU were faster than 32 or 64 there.
_NARROWER = 8
# The gradient norm, in units, at which Newton's method is first tried; each round at a tenth.
_FIRST_FINISH = 1e-4
# A run whose finish was refused is tried again after half as many steps as it has taken.
_PAUSE = 2


class Inspected(NamedTuple):
    """The runs inspected at one time, as a callback receives them, in NumPy arrays.

    `restart_index`, `params`, `value`, `gradient_norm` and `steps` are those of `Runs`; the runs
    are in no order, and their number is at most that of the lanes.
    """

    restart_index: ArrayLike
    params: PyTree
    value: ArrayLike
    gradient_norm: ArrayLike
    steps: ArrayLike


class _Stage(NamedTuple):
    """How many runs descend at a time, until at most `leave` of all remain."""

    width: int
    leave: int


class Settings(NamedTuple):
    """How a search is carried out.

    - `lanes`: how many runs descend at a time on a device; `finish`: whether Newton's method takes
      the last decades.
    - `progress`: called with the number of runs that ended, and `total`.
    - `callback`: called with the runs that were inspected.
    """

    lanes: int
    finish: bool
    total: int
    progress: Guarded | None
    callback: Guarded | None

    def report(self, ended: Int[Array, ""]) -> None:
        """Call `progress` on the host, if it is given."""
        if self.progress is not None:
            progress, total = self.progress, self.total
            jax.debug.callback(lambda ended: progress(int(ended), total), ended)

    def notify(self, shown: Bool[Array, " lanes"], inspected: Inspected, fixed: PyTree) -> None:
        """Call `callback` on the host with the lanes `shown`, if it is given."""
        if self.callback is None:
            return
        callback = self.callback

        def call(shown: ArrayLike, inspected: Inspected) -> None:
            if np.any(shown):
                chosen = jax.tree.map(lambda x: np.asarray(x)[np.asarray(shown)], inspected)
                callback(chosen._replace(params=whole(chosen.params, fixed)))

        jax.debug.callback(call, shown, inspected)


_NO_DERIVATIVE = (
    "restart has no derivative; that of a critical point by its objective's arrays is "
    "sensitivity(objective, point, tangent); where none is meant, give restart its arguments "
    "through jax.lax.stop_gradient"
)


@eqx.filter_jit
def search(
    rule: Descent,
    starts: PyTree,
    seeds: Array | None,
    wanted: Bool[Array, " restarts"] | None,
    index: Int[Array, " restarts"],
    relative: Scalar,
    settings: Settings,
    mesh: Mesh | None,
) -> Run:
    """Descend from all starts, on one device or on those of a mesh.

    **Arguments:** `starts`, the arrays of the initial points; `seeds`, the data of the keys of
    batches; `wanted`, which of the runs are to descend, all if left out; `index`, the restarts'
    indices; `relative`, the gradient norm at which a run ends, in units.
    """
    # Of what goes in, as the kernels have no derivative, and of what comes out, as functions may
    # enclose anything.
    rule, starts, relative = without_derivative((rule, starts, relative), _NO_DERIVATIVE)
    unit = rule.units.gradient
    goals = (jnp.maximum(relative, _FIRST_FINISH) * unit, relative * unit)
    goals = jax.tree.map(lambda goal: goal.astype(rule.below_value.dtype), goals)
    if mesh is None:
        ended = _search_all(rule, starts, seeds, wanted, index, goals, settings)
    else:
        ended = _search_parts(rule, starts, seeds, wanted, index, goals, settings, mesh)
    return without_derivative(ended, _NO_DERIVATIVE)


def _search_parts(
    rule: Descent,
    starts: PyTree,
    seeds: Array | None,
    wanted: Bool[Array, " restarts"] | None,
    index: Int[Array, " restarts"],
    goals: tuple[Scalar, Scalar],
    settings: Settings,
    mesh: Mesh,
) -> Run:
    """Descend from all starts, each device of a mesh from a part of them."""
    arrays, static = eqx.partition(rule, eqx.is_array)

    def part(arrays: PyTree, starts: PyTree, seeds, wanted, index, goals) -> Run:
        rule = eqx.combine(arrays, static)
        return _search_all(rule, starts, seeds, wanted, index, goals, settings)

    everywhere, parts = P(), P(mesh.axis_names)
    # Nothing is exchanged between devices, so there is no replication for JAX to check.
    return jax.shard_map(
        part,
        mesh=mesh,
        in_specs=(everywhere, parts, parts, parts, parts, everywhere),
        out_specs=parts,
        check_vma=False,
    )(arrays, starts, seeds, wanted, index, goals)


def _search_all(
    rule: Descent,
    starts: PyTree,
    seeds: Array | None,
    wanted: Bool[Array, " restarts"] | None,
    index: Int[Array, " restarts"],
    goals: tuple[Scalar, Scalar],
    settings: Settings,
) -> Run:
    """Descend from all starts on one device.

    **Arguments:** `goals`, the gradient norms at which Newton's method is first tried, and at which
    a run ends.
    """
    lanes, finish = settings.lanes, settings.finish
    coarse, tolerance = goals
    narrow = -(-lanes // _NARROWER)
    runs = jax.vmap(rule.init)(starts, seeds)
    if wanted is not None:
        # The others only pad the batch: they count as ended.
        ended = jax.tree.map(lambda code: jnp.full(wanted.shape, code), Status.max_steps)
        status = select(wanted, runs.status, ended)
        runs = eqx.tree_at(lambda r: r.status, runs, status)
    # Few runs need no wide lanes.
    stages = [(narrow, 0)] if len(runs.steps) <= narrow else [(lanes, narrow), (narrow, 0)]

    # Each level lowers the gradient norm at which the finish is tried tenfold: where it is accepted
    # early it saves most, and where it is refused it is not tried again at once.
    def level(carry: tuple[Run, Scalar]) -> tuple[Run, Scalar]:
        runs, goal = carry
        before = runs.is_running
        for width, leave in stages:
            lanes = _Stage(width, leave)
            runs = _descend(rule, runs, starts, index, goal, lanes, settings)
        stopped = before & (runs.status == Status.converged)
        paused, small = runs.steps >= runs.pause, runs.gradient_norm <= goal
        follows = rule.first_pause is not None
        ready = stopped & small if follows else stopped
        runs = _finish(rule, runs, ready, tolerance, lanes=narrow, polished=finish)
        if follows:
            left = stopped & (~ready | runs.is_running)
            left &= paused | (runs.gradient_norm <= tolerance)
            lost = before & is_lost(runs)
            runs = select(stopped & ~ready, jax.vmap(_running)(runs), runs)
            # Where descent fails at every step size tried, the flow from the initial point decides.
            placed = eqx.tree_at(lambda r: r.params, runs, select(lost, starts, runs.params))
            pending = left | lost
            followed = follow(rule, placed, pending, tolerance, lanes=narrow, taken=finish)
            runs = select(lost & is_lost(followed), runs, followed)
        settings.report((stopped & ~runs.is_running).sum())
        return runs, jnp.maximum(goal / 10, tolerance)

    first = coarse if finish else tolerance
    runs = jax.lax.while_loop(lambda c: c[0].is_running.any(), level, (runs, first))[0]
    # The finish lowers values too.
    return jax.vmap(lambda run: run.mark(rule.levels))(runs)


def _descend(
    rule: Descent,
    runs: Run,
    starts: PyTree,
    restart_index: Int[Array, " restarts"],
    tolerance: Scalar,
    lanes: _Stage,
    settings: Settings,
) -> Run:
    """Advance all running runs until they stop, or until at most `lanes.leave` remain."""

    def advance(lane: Run, _: PyTree, index: Array) -> tuple[Run, PyTree, Array]:
        active = index < len(runs.steps)
        lane = jax.vmap(rule.advance, (0, 0, 0, None))(
            lane, entries(starts, index), active, tolerance
        )
        # A converged run is not counted yet: the finish may send it back to descent.
        ended = active & ~lane.is_running & (lane.status != Status.converged)
        settings.report(ended.sum())
        inspected = Inspected(
            entries(restart_index, index),
            lane.params,
            lane.value,
            lane.gradient_norm,
            lane.steps,
        )
        settings.notify(active & ~jnp.isinf(lane.value), inspected, rule.fixed)
        return lane, (), ~lane.is_running

    return advance_all(advance, runs, runs.is_running, lanes=lanes.width, leave=lanes.leave)


def _finish(
    rule: Descent,
    runs: Run,
    stopped: Array,
    tolerance: Scalar,
    *,
    lanes: int,
    polished: bool,
) -> Run:
    """Set the statuses of the runs that `stopped` as converged, after the finish if `polished`.

    A run whose gradient is above the final tolerance continues to descend; one whose gradient
    vanishes where no minimum can be is escaping.  Runs to be followed along the flow stay running.
    """
    follows = rule.first_pause is not None

    def admits(params: PyTree) -> Array | bool:
        return follows or is_admissible(rule.objective, params)

    def end(run: Run, admissible: Array | bool) -> Run:
        if follows:
            vanished = Status.running
        else:
            confirmed = jnp.asarray(is_confirmed(rule.objective, run.params))
            vanished = Status.where(confirmed, Status.converged, Status.undecided)
            vanished = Status.where(jnp.asarray(admissible), vanished, Status.escaping)
        status = Status.where(run.gradient_norm <= tolerance, vanished, Status.running)
        status = Status.where(run.value < rule.below_value, Status.below_value, status)
        return eqx.tree_at(lambda r: r.status, run, status)

    if not polished:

        def judge(lane: Run, _: PyTree, index: Array) -> tuple[Run, PyTree, Array]:
            lane = jax.vmap(lambda run: end(run, admits(run.params)))(lane)
            return lane, (), jnp.full(len(index), True)

        return advance_all(judge, runs, stopped, lanes=lanes)

    polish = Polish(
        rule.objective, tolerance, rule.below_value, _probe(runs.params), follows=rule.is_plain
    )

    def advance_one(run: Run, state: PolishState) -> tuple[Run, PolishState]:
        state = polish.advance(state, run.params)
        unravel = ravel_pytree(run.params)[1]
        step = STEP * run.scale
        # Times along the flow count as steps of plain descent; other optimizers have no such rate.
        passed = state.passed / step if rule.is_plain else jnp.zeros_like(state.passed)
        run = eqx.tree_at(lambda r: r.jumped, run, run.jumped + jnp.where(state.ended, passed, 0))
        found = run.at(unravel(state.point), state.value, state.norm)
        if rule.is_plain:
            left = jnp.nan_to_num(state.left) / step
            found = eqx.tree_at(lambda r: r.jumped, found, run.jumped + left)
        minimum = state.accepted & admits(found.params)
        # A refused run descends from where its last accepted step led; its gradient there is not
        # known, so an infinite norm keeps it from counting as converged.
        further = run.at(unravel(state.base), run.value, state.norm + jnp.inf)
        further = eqx.tree_at(lambda r: r.pause, further, run.steps + run.steps // _PAUSE)
        further = select(run.gradient_norm <= tolerance, run, further)
        ended = end(select(minimum, found, further), minimum | admits(run.params))
        return select(state.ended, ended, run), state

    def advance(lane: Run, states: PolishState, _: Array) -> tuple[Run, PolishState, Array]:
        lane, states = jax.vmap(advance_one)(lane, states)
        return lane, states, states.ended

    return advance_all(
        advance, runs, stopped, lanes=lanes, begin=lambda lane: jax.vmap(polish.init)(lane.params)
    )


def _running(run: Run) -> Run:
    return eqx.tree_at(lambda r: r.status, run, Status.running)


def _probe(params: PyTree) -> Array:
    """Draw a fixed random vector over the parameters of one run, generic for every Hessian met."""
    size = sum(leaf[0].size for leaf in jax.tree.leaves(params))
    return jnp.asarray(np.random.default_rng(0).normal(size=size), precision(params, float))
