"""Thousands of descents from random starts in one jitted call."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Int, Key, PyTree, Scalar

from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.search.descent import Descent, Run
from landscape_jax.search.flow import FOLLOWED_AFTER, follow, has_ground, is_lost
from landscape_jax.search.initial_points import (
    batch_seeds,
    checked_tolerance,
    restart_indices,
    starting_points,
)
from landscape_jax.search.lanes import select, take, work
from landscape_jax.search.polish import Leaps, Polish
from landscape_jax.search.runs import Runs
from landscape_jax.search.status import Status

# The gradient norm, in units, at which Newton's method is first tried; each round at a tenth.
_FIRST_FINISH = 1e-4
# The last runs of a search descend in an eighth of the lanes, so that few are idle.  Runs are
# finished in as many: 16 on a CPU were faster than 32 or 64 there.
_NARROWER = 8
# A run whose finish was refused is tried again after half as many steps as it has taken.
_PAUSE = 2
Progress = Callable[[int, int], None]


def restart(
    objective: AbstractObjective,
    start: Callable[[Key[Array, ""]], PyTree] | PyTree,
    restarts: int | Array | np.ndarray,
    *,
    key: Key[Array, ""] | None = None,
    optimizer: optax.GradientTransformation | None = None,
    batches: Callable[[Key[Array, ""]], AbstractObjective] | None = None,
    gradient_tolerance: float | None = None,
    below_value: float | Array | str | None = "known",
    max_steps: int = 10_000_000,
    finish: bool = True,
    norm_limit: float = 1e4,
    escape_limit: float | None = None,
    check_every: int = 32,
    lanes: int | None = None,
    mesh: Mesh | None = None,
    progress: Progress | None = None,
) -> Runs:
    """Descend from many starts at once, each until it converges, and say how each one ended.

    Each run is plain descent: x ← x + optimizer(∇F(x)), x ← x − 0.1 ∇F(x) where no optimizer is
    given.  Every `check_every` steps it is looked at, and stops when its gradient norm (the largest
    over neurons) is at most `gradient_tolerance`, or its value is below `below_value`, or after
    `max_steps`; where it diverges it begins again with half the step.  Tolerances are relative to
    the objective's `known(…).units`, so nothing changes where F and its parameters are scaled.  A
    run that stops makes room for the next.  With `finish`, Newton's method takes over for the last
    decades where its answer is the one that descent would have reached (see `Polish`); the point is
    then as exact as the precision allows.  Long walks of plain descent along a valley, or away from
    a saddle, are taken in leaps along the gradient flow, which `steps` does not count.

    Where the objective has a `ground`, as `NeuronAugmented` has, that is not known to be beyond
    reach, and at most 1000 parameters, a run is looked at after 1000, 2000, 4000, … steps and where
    its gradient vanishes: it is followed along the gradient flow by implicit steps, and from its
    start where descent loses it at every step size tried (see `search.flow`; each of Newton's
    iterations counts as one step a parameter).  It is `escaping` where over three decades of time
    the value keeps falling and does not tend to what a local minimum has; `undecided` where its
    gradient vanishes and neither that nor a minimum is confirmed; else it goes on where it was.

    Restart i starts from `start(fold_in(key, i))` and ends the same whatever the other restarts,
    the lanes or the chunks.  A run whose plain end is a saddle is the exception: there rounding
    decides.  The call is pure: use it under `jit`.  It compiles once for each shape and
    each setting.

    **Arguments:**

    - `objective`: any objective, a function from parameters to a scalar.
    - `start`: a function from a key to parameters (see `starts`), or given starts, a pytree with a
      leading axis (networks of your own, being functions too, count as starts without a `key`).
    - `restarts`: how many, or an array of the restarts' indices.
    - `key`: for a `start` that is a function.
    - `optimizer`: any optax transformation; plain descent with steps of 0.1 where left out.
    - `batches`: a function from a key to an objective whose mean over keys is `objective`, e.g.
      `risk.batches(32)`; each step descends along the gradient of one drawn for it.  Looks, and
      the tolerance, are at `objective` itself; nothing is finished by Newton's method.
    - `gradient_tolerance`: in units of ∇F; 1e-9 in float64 and 1e-5 in float32 where left out.
    - `below_value`: the value of F below which a run stops, a convention that says nothing of what
      is there; what the objective knows where left out, `None` for none.
    - `max_steps`: of one run.
    - `finish`: whether Newton's method and leaps take the last decades.
    - `norm_limit`: the norm of all parameters above which a run has diverged, in units of that of
      its start (of the unit of length, where that is larger).
    - `escape_limit`: what the objective's `escape` may grow to, a convention of yours: a run above
      it is `escaping` without further evidence.  So is one that is not followed, and whose gradient
      falls to the tolerance where the objective says that no minimum is.
    - `check_every`: steps between two looks.
    - `lanes`: how many runs descend at a time on a device; chosen for it where left out.
    - `mesh`: devices that share the restarts, e.g. `jax.make_mesh((8,), ("restarts",))`; each
      works on its own part without waiting for the others.
    - `progress`: called with the number of runs ended since the last call and the number of all;
      it costs nothing when left out.  On a mesh that the restarts do not divide, the last one is
      run, and counted, more than once.

    **Returns:** `Runs`, in the order of their indices as given.

    **Raises:** `TypeError` and `ValueError` on arguments that are not so.

    Source: SS18, section 3.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> risk = lj.PopulationRisk(jnp.eye(3))
    >>> runs = lj.restart(risk, lj.starts.gaussian((3, 3)), 16, key=jax.random.key(1))
    >>> bool((runs.value < 1e-3).all())
    True

    ```
    """
    given = index = restart_indices(restarts)
    if mesh is not None:
        mesh = Mesh(mesh.devices, mesh.axis_names)  # Of axes that are all automatic.
        index = _shared(given, mesh)
    starts = starting_points(start, index, key)
    dtype = jnp.result_type(*jax.tree.leaves(starts))
    relative = checked_tolerance("gradient_tolerance", gradient_tolerance, dtype, 1e-9)
    for name, value in {"max_steps": max_steps, "check_every": check_every}.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")
    if lanes is not None and lanes < 1:
        raise ValueError(f"lanes is {lanes}; it must be at least 1")
    known = objective.known(jax.tree.map(lambda leaf: leaf[0], starts))
    if isinstance(below_value, str):
        if below_value != "known":
            raise ValueError(f'below_value is {below_value!r}; give a number, None or "known"')
        below_value = known.below_value
    rule = Descent(
        objective=objective,
        optimizer=optimizer,
        batches=batches,
        below_value=jnp.asarray(-jnp.inf if below_value is None else below_value, dtype),
        norm_limit=jnp.asarray(norm_limit, dtype),
        units=jax.tree.map(lambda unit: jnp.asarray(unit, dtype), known.units),
        escape_limit=jnp.asarray(jnp.inf if escape_limit is None else escape_limit, dtype),
        max_steps=jnp.asarray(max_steps, jnp.int32),
        check_every=check_every,
        first_pause=FOLLOWED_AFTER if has_ground(objective, starts) else None,
    )
    width = _device_lanes() if lanes is None else lanes
    report = None if progress is None else partial(_report, progress, len(given))
    settings = _Settings(width, finish and batches is None, report)
    seeds = None if batches is None else batch_seeds(key, index)
    unit = jnp.asarray(rule.units.gradient)
    goals = (jnp.maximum(relative, _FIRST_FINISH) * unit, relative * unit)
    run = _search(rule, starts, seeds, goals, settings, mesh)
    if len(index) > len(given):
        run = jax.tree.map(lambda leaf: leaf[: len(given)], run)
    return Runs(run.params, run.value, run.gradient_norm, run.steps, run.status, given)


class _Settings(NamedTuple):
    lanes: int
    finish: bool
    report: Callable[[Array], None] | None


@eqx.filter_jit
def _search(
    rule: Descent,
    starts: PyTree,
    seeds: Array | None,
    goals: tuple[Scalar, Scalar],
    settings: _Settings,
    mesh: Mesh | None,
) -> Run:
    if mesh is None:
        return _search_all(rule, starts, seeds, goals, settings)
    arrays, static = eqx.partition(rule, eqx.is_array)

    def part(
        arrays: PyTree, starts: PyTree, seeds: Array | None, goals: tuple[Scalar, Scalar]
    ) -> Run:
        return _search_all(eqx.combine(arrays, static), starts, seeds, goals, settings)

    everywhere, parts = P(), P(mesh.axis_names)
    # Nothing is exchanged between devices, so there is no replication for JAX to check.
    return jax.shard_map(
        part,
        mesh=mesh,
        in_specs=(everywhere, parts, parts, everywhere),
        out_specs=parts,
        check_vma=False,
    )(arrays, starts, seeds, goals)


def _search_all(
    rule: Descent,
    starts: PyTree,
    seeds: Array | None,
    goals: tuple[Scalar, Scalar],
    settings: _Settings,
) -> Run:
    """Descend to gradient norms from the first of the goals to the last, the tolerance."""
    lanes, finish, report = settings
    coarse, tolerance = goals
    narrow = -(-lanes // _NARROWER)
    runs = jax.vmap(rule.init)(starts, seeds)
    # Where there are only few runs from the start, the wide lanes have nothing to do.
    stages = [(narrow, 0)] if len(runs.steps) <= narrow else [(lanes, narrow), (narrow, 0)]

    def level(carry: tuple[Run, Scalar]) -> tuple[Run, Scalar]:
        runs, goal = carry
        before = runs.is_running
        for width, leave in stages:
            runs = _descend(rule, runs, starts, goal, lanes=width, leave=leave, report=report)
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
            # Where descent fails at every step size tried, the flow from the start still tells.
            placed = eqx.tree_at(lambda r: r.params, runs, select(lost, starts, runs.params))
            pending = left | lost
            followed = follow(rule, placed, pending, tolerance, lanes=narrow, taken=finish)
            runs = select(lost & is_lost(followed), runs, followed)
        if report is not None:
            report((stopped & ~runs.is_running).sum())
        return runs, jnp.maximum(goal / 10, tolerance)

    first = coarse if finish else tolerance
    return jax.lax.while_loop(lambda c: c[0].is_running.any(), level, (runs, first))[0]


def _descend(
    rule: Descent,
    runs: Run,
    starts: PyTree,
    tolerance: Scalar,
    *,
    lanes: int,
    leave: int,
    report: Callable[[Array], None] | None,
) -> Run:
    """Descend with all running runs until they stop, or until `leave` of them are left."""

    def go(lane: Run, _: PyTree, index: Array) -> tuple[Run, PyTree, Array]:
        active = index < len(runs.steps)
        lane = jax.vmap(rule.go, (0, 0, 0, None))(lane, take(starts, index), active, tolerance)
        if report is not None:
            # One that converged may be sent on by the finish.
            ended = active & ~lane.is_running & (lane.status != Status.converged)
            report(ended.sum())
        return lane, (), ~lane.is_running

    return work(go, runs, runs.is_running, lanes=lanes, leave=leave)


def _finish(
    rule: Descent,
    runs: Run,
    stopped: Array,
    tolerance: Scalar,
    *,
    lanes: int,
    polished: bool,
) -> Run:
    """Look again at the runs that `stopped` as converged, `polished` or as they are.

    Those whose gradient is still above the final tolerance go on descending; one whose gradient
    vanishes where no minimum can be is escaping.  What is to be followed is not judged here.
    """
    follows = rule.first_pause is not None

    def is_admissible(params: PyTree) -> Array | bool:
        return follows or rule.objective.is_admissible(params)

    def end(run: Run, admissible: Array | bool) -> Run:
        if follows:
            flat = Status.running
        else:
            confirmed = jnp.asarray(rule.objective.is_confirmed(run.params))
            flat = Status.where(confirmed, Status.converged, Status.undecided)
            flat = Status.where(jnp.asarray(admissible), flat, Status.escaping)
        status = Status.where(run.gradient_norm <= tolerance, flat, Status.running)
        status = Status.where(run.value < rule.below_value, Status.below_value, status)
        return eqx.tree_at(lambda r: r.status, run, status)

    if not polished:

        def look(lane: Run, _: PyTree, index: Array) -> tuple[Run, PyTree, Array]:
            lane = jax.vmap(lambda run: end(run, is_admissible(run.params)))(lane)
            return lane, (), jnp.full(len(index), True)

        return work(look, runs, stopped, lanes=lanes)

    polish = Polish(
        rule.objective, tolerance, rule.below_value, _probe(runs.params), follows=rule.is_plain
    )

    def leap(run: Run, leaps: Leaps) -> tuple[Run, Leaps]:
        leaps = polish.go(leaps, run.params)
        unravel = ravel_pytree(run.params)[1]
        found = run.at(unravel(leaps.point), leaps.value, leaps.norm)
        minimum = leaps.accepted & is_admissible(found.params)
        further = run.at(unravel(leaps.base), run.value, leaps.norm + jnp.inf)
        further = eqx.tree_at(lambda r: r.pause, further, run.steps + run.steps // _PAUSE)
        further = select(run.gradient_norm <= tolerance, run, further)
        ended = end(select(minimum, found, further), minimum | is_admissible(run.params))
        return select(leaps.ended, ended, run), leaps

    def go(lane: Run, leaps: Leaps, _: Array) -> tuple[Run, Leaps, Array]:
        lane, leaps = jax.vmap(leap)(lane, leaps)
        return lane, leaps, leaps.ended

    return work(
        go, runs, stopped, lanes=lanes, begin=lambda lane: jax.vmap(polish.init)(lane.params)
    )


def _running(run: Run) -> Run:
    return eqx.tree_at(lambda r: r.status, run, Status.running)


def _probe(params: PyTree) -> Array:
    """A random vector, one entry a parameter of one run: generic for every Hessian that is met."""
    leaves = jax.tree.leaves(params)
    size = sum(leaf[0].size for leaf in leaves)
    return jnp.asarray(np.random.default_rng(0).normal(size=size), leaves[0].dtype)


def _report(progress: Progress, total: int, ended: Array) -> None:
    jax.debug.callback(lambda count: progress(int(count), total), ended)


def _shared(index: Int[Array, " restarts"], mesh: Mesh) -> Int[Array, " padded"]:
    """Spread the indices over the devices, the last repeated so that all have as many."""
    padded = jnp.pad(index, (0, -len(index) % mesh.size), mode="edge")
    return jax.device_put(padded, NamedSharding(mesh, P(mesh.axis_names)))


def _device_lanes() -> int:
    # On a CPU a batch that stays in the cache is faster; an accelerator wants occupancy.
    return 128 if jax.default_backend() == "cpu" else 4096
