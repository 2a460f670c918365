"""Thousands of descents from random initial points in one jitted call."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Int, Key, PyTree, Scalar

from landscape_jax.arrays import Count, Number, count, is_traced
from landscape_jax.mistakes import shown
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.progress import ENDED_RUNS, checked_progress
from landscape_jax.search.default_lanes import default_lanes
from landscape_jax.search.descent import checked_descent
from landscape_jax.search.flow import FOLLOWED_AFTER, has_ground
from landscape_jax.search.initial_points import (
    batch_seeds,
    checked_tolerance,
    initial_points,
    on_device,
    restart_indices,
)
from landscape_jax.search.loop import Inspected, Settings, search
from landscape_jax.search.optimizers import Optimizer
from landscape_jax.search.parameters import split, whole
from landscape_jax.search.runs import Runs
from landscape_jax.search.user_functions import guarded, surfacing

# More lanes than any device fills.
_MOST_LANES = 2**20


def restart(
    objective: AbstractObjective,
    start: Callable[[Key[Array, ""]], PyTree] | PyTree,
    restarts: Count | Sequence[int],
    *,
    key: Key[Array, ""] | None = None,
    optimizer: Optimizer | None = None,
    batches: Callable[[Key[Array, ""]], AbstractObjective] | None = None,
    gradient_tolerance: Number | None = None,
    below_value: Number | str | None = "known",
    levels: Sequence | np.ndarray | Array | None = None,
    max_steps: Count = 10_000_000,
    finish: bool = True,
    stop: Callable[[PyTree, Scalar, Scalar], Array | bool] | None = None,
    norm_limit: Number = 1e4,
    escape_limit: Number | None = None,
    check_every: Count = 32,
    lanes: Count | None = None,
    room: Count | None = None,
    mesh: Mesh | None = None,
    progress: Callable[[int, int], None] | bool | None = None,
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
    saddle: there rounding decides.  The call is pure, so it can be used under `jit`.  It has no
    derivative; a critical point that it found has, see `sensitivity`.

    It compiles once for each shape, objective class, start, optimizer and other setting that is no
    number.  Two optimizers made alike are two, so make one once and use it again.  Make a rate that
    varies between calls a traced argument: `jax.vmap(lambda rate: restart(…,
    optimizer=optax.sgd(rate)))(rates)` returns the runs of each rate, `jax.jit` compiles once for
    all.  A rate that varies with the steps is a schedule, also by `optax.inject_hyperparams`.

    Parameters are the floating arrays of a pytree; whatever else it holds, such as the activation
    of an `eqx.nn.MLP`, stays as it is.  Each array keeps its dtype, float32 or float64; the value
    and the gradient norm have the dtype of F's value.

    **Arguments:**

    - `objective`: any objective, an `AbstractObjective` from parameters to a scalar.
    - `start`: a function from a key to parameters (see `starts`), or initial points, a pytree with
      a leading axis (networks of your own, being functions too, count as such without a `key`).
    - `restarts`: how many, or an array of the restarts' indices, each from 0 to 2³¹ − 1; the run of
      an index that is repeated is returned as often.
    - `key`: for a `start` that is a function, and for batches; a typed key of any implementation.
      Batches are drawn from threefry keys, as other generators draw the numbers of all lanes at
      once.
    - `optimizer`: any optax transformation of the parameters; plain descent with steps of 0.1 where
      left out.  It is given `value`, `grad` and `value_fn`, of the batch where there are batches,
      so line searches and adaptive rates work, such as `optax.lbfgs()` and `optax.polyak_sgd()`.
    - `batches`: a function from a key to an objective whose mean over keys is `objective`, e.g.
      `risk.batches(32)`; each step descends along the gradient of one drawn for it.  Runs are
      inspected, and tolerances hold, at `objective` itself; nothing is finished by Newton's method.
    - `gradient_tolerance`: in units of ∇F; 1e-9 where left out, 1e-5 if a parameter or the value is
      float32.
    - `below_value`: the value of F below which a run stops, a convention that proves nothing about
      the point; the objective's `known` one where left out, `None` for none.
    - `levels`: values of F; `Runs.steps_to` tells after how many steps each was first passed.
    - `max_steps`: of one run, at most 10⁹.
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
    - `progress`: `True` for a bar with the time left, in terminals and notebooks; or a function,
      called with the number of runs ended since the last call and the number of all.  It
      costs nothing when left out.  If the mesh does not divide the restarts, the last one is run,
      and counted, more than once.
    - `callback`: called on the host with the runs inspected, an `Inspected`, after each inspection.

    **Returns:** `Runs`, in the order of their indices as given.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range; the
    message names it.  `TypeError` if it is differentiated.  What `progress` or `callback` raises,
    which ends the search.

    Source: SS18, section 3.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> risk = lj.PopulationRisk(jnp.eye(3))
    >>> runs = lj.restart(risk, lj.starts.gaussian((3, 3)), 16, key=jax.random.key(1))
    >>> bool((runs.value < 1e-3).all())
    True

    ```
    """
    points = initial_points(start, key)
    given = index = restart_indices(restarts, points.length)
    if not isinstance(finish, bool | np.bool_):
        raise TypeError(f"finish is {shown(finish)}; it must be True or False")
    if mesh is not None and not isinstance(mesh, Mesh):
        raise TypeError(f"mesh is {shown(mesh)}; give a jax.sharding.Mesh, as jax.make_mesh does")
    width = None if lanes is None else count("lanes", lanes, most=_MOST_LANES)
    if room is not None:
        length = count("room", room)
        if length < len(given):
            raise ValueError(f"room is {length}; it must be at least the {len(given)} restarts")
        index = jnp.pad(given, (0, length - len(given)), mode="edge")
    if mesh is not None:
        mesh = Mesh(mesh.devices, mesh.axis_names)  # Of axes that are all automatic.
        index = _shared(index, mesh)
    starts, fixed = split(points.at(index))
    size = sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(starts))
    barred = progress is True
    report = ENDED_RUNS.add if barred else checked_progress(progress)
    settings = Settings(
        lanes=default_lanes(size) if width is None else width,
        finish=bool(finish) and batches is None,
        total=len(given),
        progress=guarded("progress", report),
        callback=guarded("callback", callback),
    )
    rule = checked_descent(
        objective, starts, fixed, optimizer=optimizer, batches=batches, max_steps=max_steps,
        check_every=check_every, norm_limit=norm_limit, below_value=below_value,
        levels=levels, escape_limit=escape_limit, stop=stop,
    )  # fmt: skip
    if has_ground(rule.objective, starts):
        rule = replace(rule, first_pause=FOLLOWED_AFTER)
    least = min([rule.below_value, *jax.tree.leaves(starts)], key=lambda x: x.dtype.itemsize)
    relative = checked_tolerance("gradient_tolerance", gradient_tolerance, least.dtype, 1e-9)
    seeds = batch_seeds(batches, key, index)
    wanted = None if room is None else on_device(np.arange(len(index)) < len(given), bool)
    if barred and is_traced(rule, starts, index):
        raise ValueError("progress=True shows no bar inside a traced function; give a function")
    with (
        ENDED_RUNS.shown() if barred else nullcontext(),
        surfacing(settings.progress, settings.callback),
    ):
        run = search(
            rule, starts, seeds, wanted, index,
            on_device(relative, rule.below_value.dtype), settings, mesh,
        )  # fmt: skip
        if report is not None or callback is not None:
            run = jax.block_until_ready(run)
    if len(index) > len(given):
        run = jax.tree.map(lambda leaf: jax.lax.slice_in_dim(leaf, 0, len(given)), run)
    return Runs(
        params=whole(run.params, fixed),
        value=run.value,
        gradient_norm=run.gradient_norm,
        steps=run.steps,
        status=run.status,
        restart_index=given,
        descent_steps=run.descent_steps,
        steps_to=None if levels is None else run.passed,
        key=points.key,
        lanes=settings.lanes,
    )


def _shared(index: Int[Array, " restarts"], mesh: Mesh) -> Int[Array, " padded"]:
    """Distribute the indices over the devices, padded by the last one to equal counts."""
    padded = jnp.pad(index, (0, -len(index) % mesh.size), mode="edge")
    return jax.device_put(padded, NamedSharding(mesh, P(mesh.axis_names)))
