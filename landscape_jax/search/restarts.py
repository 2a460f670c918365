"""Thousands of descents from random initial points in one jitted call."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, ArrayLike, Int, Key, PyTree, Scalar

from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.search.descent import Descent
from landscape_jax.search.flow import FOLLOWED_AFTER, has_ground
from landscape_jax.search.initial_points import (
    batch_seeds,
    checked_tolerance,
    restart_indices,
    starting_points,
)
from landscape_jax.search.loop import Inspected, Settings, search
from landscape_jax.search.runs import Runs

# The gradient norm, in units, at which Newton's method is first tried; each round at a tenth.
_FIRST_FINISH = 1e-4
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
    stop: Callable[[PyTree, Scalar, Scalar], Array | bool] | None = None,
    norm_limit: float = 1e4,
    escape_limit: float | None = None,
    check_every: int = 32,
    lanes: int | None = None,
    room: int | None = None,
    mesh: Mesh | None = None,
    progress: Progress | None = None,
    callback: Callable[[Inspected], None] | None = None,
) -> Runs:
    """Descend from many initial points at once, and return how each run ended.

    Each run descends: x ← x + optimizer(∇F(x)), x ← x − 0.1 ∇F(x) where no optimizer is given.
    Every `check_every` steps it is inspected, and stops when its gradient norm (the largest over
    neurons) is at most `gradient_tolerance`, or its value is below `below_value`, or `stop` holds,
    or after `max_steps`; where it diverges it begins again with half the step.  Tolerances are
    relative to the objective's `known(…).units`, so nothing changes where F and its parameters are
    scaled.  A run that stops frees its lane for the next.  With `finish`, Newton's method takes
    over the last decades of ‖∇F‖ where descent would reach the same point (see `Polish`); the point
    is then as exact as the precision allows.  Long drifts along a valley, or away from a saddle,
    are cut short by pseudo-transient (implicit Euler) steps, which count in `Runs.descent_steps`,
    not in `Runs.steps`.

    Where the objective has a `ground`, as `NeuronAugmented` has, that is not known to be beyond
    reach, and at most 1000 parameters, a run is inspected after 1000, 2000, 4000, … steps and where
    its gradient vanishes: it is followed along the gradient flow by implicit steps, and from its
    initial point if it diverges at every step size tried (see `search.flow`; each Newton iteration
    counts as P steps, for P parameters).  It is `escaping` where over three decades of time the
    value keeps falling and does not tend to that of a local minimum; `undecided` where its gradient
    vanishes and neither that nor a minimum is confirmed; else it continues where it was.

    Restart i starts from `start(fold_in(key, i))` and ends the same whatever the other restarts,
    the lanes, or the chunks of a `sweep`.  The exception is a run whose plain descent ends at a
    saddle: there rounding decides.  The call is pure, so it can be used under `jit`.  It compiles
    once for each shape and each setting.

    **Arguments:**

    - `objective`: any objective, a function from parameters to a scalar.
    - `start`: a function from a key to parameters (see `starts`), or initial points, a pytree with
      a leading axis (networks of your own, being functions too, count as such without a `key`).
    - `restarts`: how many, or an array of the restarts' indices.
    - `key`: for a `start` that is a function.
    - `optimizer`: any optax transformation; plain descent with steps of 0.1 where left out.
    - `batches`: a function from a key to an objective whose mean over keys is `objective`, e.g.
      `risk.batches(32)`; each step descends along the gradient of one drawn for it.  Runs are
      inspected, and tolerances hold, at `objective` itself; nothing is finished by Newton's method.
    - `gradient_tolerance`: in units of ∇F; 1e-9 in float64 and 1e-5 in float32 where left out.
    - `below_value`: the value of F below which a run stops, a convention that proves nothing about
      the point; the objective's `known` one where left out, `None` for none.
    - `max_steps`: of one run.
    - `stop`: a pure function from params, value and gradient norm of one run to whether it stops
      there, as `stopped`; it is called where runs are inspected.
    - `finish`: whether Newton's method takes the last decades.
    - `norm_limit`: the norm of all parameters above which a run has diverged, in units of that of
      its initial point, or of the unit of length if that is larger.
    - `escape_limit`: the largest value of the objective's `escape`, a convention: a run above it is
      `escaping` without further evidence.  So is one that is not followed, and whose gradient falls
      to the tolerance where the objective excludes a minimum.
    - `check_every`: steps between two inspections.
    - `lanes`: how many runs descend at a time on a device; chosen for it where left out.
    - `room`: compile for so many runs, at least `restarts`: calls of different counts share one
      program.
    - `mesh`: devices that share the restarts, e.g. `jax.make_mesh((8,), ("restarts",))`; each
      works on its own part without waiting for the others.
    - `progress`: called with the number of runs ended since the last call and the number of all; it
      costs nothing when left out.  If the mesh does not divide the restarts, the last one is run,
      and counted, more than once.
    - `callback`: called on the host with the runs inspected, an `Inspected`, after each inspection.

    `jax.vmap` over settings of `optimizer`, such as learning rates, returns the runs of each.

    **Returns:** `Runs`, in the order of their indices as given.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range; the
    message names it.

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
    if room is not None:
        if room < len(given):
            raise ValueError(f"room is {room}; it must be at least the {len(given)} restarts")
        index = jnp.pad(given, (0, room - len(given)), mode="edge")
    if mesh is not None:
        mesh = Mesh(mesh.devices, mesh.axis_names)  # Of axes that are all automatic.
        index = _shared(index, mesh)
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
        stop=stop,
        max_steps=jnp.asarray(max_steps, jnp.int32),
        check_every=check_every,
        first_pause=FOLLOWED_AFTER if has_ground(objective, starts) else None,
    )
    width = _device_lanes() if lanes is None else lanes
    report = None if progress is None else partial(_report, progress, len(given))
    notify = None if callback is None else partial(_notify, callback)
    settings = Settings(width, finish and batches is None, report, notify)
    seeds = None if batches is None else batch_seeds(key, index)
    unit = jnp.asarray(rule.units.gradient)
    goals = (jnp.maximum(relative, _FIRST_FINISH) * unit, relative * unit)
    wanted = None if room is None else jnp.arange(len(index)) < len(given)
    run = search(rule, starts, seeds, wanted, index, goals, settings, mesh)
    if len(index) > len(given):
        run = jax.tree.map(lambda leaf: leaf[: len(given)], run)
    return Runs(
        params=run.params,
        value=run.value,
        gradient_norm=run.gradient_norm,
        steps=run.steps,
        status=run.status,
        restart_index=given,
        descent_steps=run.steps + run.jumped,
        key=key,
        lanes=width,
    )


def _notify(callback: Callable[[Inspected], None], shown: Array, inspected: Inspected) -> None:
    def call(shown: ArrayLike, inspected: Inspected) -> None:
        if np.any(shown):
            callback(jax.tree.map(lambda leaf: np.asarray(leaf)[np.asarray(shown)], inspected))

    jax.debug.callback(call, shown, inspected)


def _report(progress: Progress, total: int, ended: Array) -> None:
    jax.debug.callback(lambda count: progress(int(count), total), ended)


def _shared(index: Int[Array, " restarts"], mesh: Mesh) -> Int[Array, " padded"]:
    """Distribute the indices over the devices, padded by the last one to equal counts."""
    padded = jnp.pad(index, (0, -len(index) % mesh.size), mode="edge")
    return jax.device_put(padded, NamedSharding(mesh, P(mesh.axis_names)))


def _device_lanes() -> int:
    # On a CPU a batch that stays in the cache is faster; an accelerator wants occupancy.
    return 128 if jax.default_backend() == "cpu" else 4096
