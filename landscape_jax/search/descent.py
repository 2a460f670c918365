"""One descent: its state, its step, and when it stops."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar

from landscape_jax.arrays import count, is_traced, real
from landscape_jax.mistakes import shown
from landscape_jax.objectives.base import AbstractObjective, Units, gradient_norm
from landscape_jax.objectives.protocols import descend, escape
from landscape_jax.precision import precision
from landscape_jax.search.initial_points import batch_key, on_device
from landscape_jax.search.lanes import select
from landscape_jax.search.optimizers import (
    Optimizer,
    checked_optimizer,
    first_memory,
    take_step,
)
from landscape_jax.search.parameters import (
    checked_objective,
    first_entry,
    of_arrays,
    value_dtype,
    whole,
)
from landscape_jax.search.status import Status
from landscape_jax.search.user_functions import checked_function

# The step of plain descent: SS18, section 3.
STEP = 0.1
# Steps are counted in int32, and pauses at up to twice as many.
_MOST_STEPS = 10**9
# Lanes iterate `check_every` times whatever is left of their steps, in vain at most so often.
_LONGEST = 1024


class Run(eqx.Module):
    """The state of one descent; in a batch every leaf has a leading axis of lanes.

    `seed` is the data of a key for its batches, where it descends by batches (see `batch_seeds`).
    `jumped` is the number of plain descent steps that the Newton finish replaced; `passed`, the
    number of all steps at which the value was first found below each level, NaN where it was not.
    After at most `pause` steps the run stops for the finish.
    `scale` multiplies the optimizer's updates; it is halved each time the run diverges and begins
    again from its initial point.
    """

    params: PyTree
    seed: Array | None
    memory: optax.OptState
    scale: Scalar
    steps: Int[Array, ""]
    jumped: Scalar
    passed: Float[Array, " levels"]
    pause: Int[Array, ""]
    halvings: Int[Array, ""]
    status: Status
    value: Scalar
    gradient_norm: Scalar

    @property
    def is_running(self) -> Bool[Array, "*lanes"]:
        """Whether the run is still descending."""
        return self.status == Status.running

    @property
    def descent_steps(self) -> Float[Array, "*lanes"]:
        """The steps that plain descent takes to here, those replaced included."""
        return self.steps.astype(self.jumped.dtype) + self.jumped

    def mark(self, levels: Float[Array, " levels"]) -> "Run":
        """Return the run with the levels marked that its value is below for the first time."""
        first = jnp.isnan(self.passed) & (self.value < levels)
        return eqx.tree_at(
            lambda r: r.passed, self, jnp.where(first, self.descent_steps, self.passed)
        )

    def at(self, params: PyTree, value: Scalar, norm: Scalar) -> "Run":
        """Return the run at other parameters, with the value and gradient norm there."""
        return eqx.tree_at(
            lambda r: (r.params, r.value, r.gradient_norm), self, (params, value, norm)
        )


class Descent(eqx.Module):
    """The rule of one descent: x ← x + scale · optimizer(∇F(x)), inspected every few steps.

    Without an optimizer it is plain gradient descent, x ← x − 0.1 scale ∇F(x).  With `batches`, a
    function from a key to an objective, each step takes the gradient of one drawn for it, while
    inspections evaluate F itself.

    It stops when the gradient norm (the largest over neurons) is at most `tolerance`, when the
    value is below `below_value`, where `stop` holds, or after `max_steps`.  It notes when the value
    falls below each of the `levels`.  When the parameters are
    not finite or their norm exceeds `norm_limit` times that of the initial point (or the unit of
    length, if larger), it begins again from there with half the step, ten times at most.  It stops
    for the finish after `first_pause` steps, if that is given.

    `objective` is a function of the arrays among the parameters; batches and `stop` are given whole
    parameters, together with what is `fixed`.  `units`, `norm_limit` and what is computed with
    parameters have the parameters' dtype, of several the widest; `below_value`, values and gradient
    norms have that of F's value.

    Source: SS18, section 3; the halving is their published program's.
    """

    objective: AbstractObjective
    optimizer: Optimizer | None
    batches: Callable[[Array], AbstractObjective] | None
    below_value: Scalar
    levels: Float[Array, " levels"]
    norm_limit: Scalar
    units: Units
    escape_limit: Scalar
    max_steps: Int[Array, ""]
    check_every: int = eqx.field(static=True)
    first_pause: int | None = eqx.field(static=True, default=None)
    max_halvings: int = eqx.field(static=True, default=10)
    stop: Callable[[PyTree, Scalar, Scalar], Any] | None = None
    fixed: PyTree = None

    def init(self, params: PyTree, seed: Array | None = None) -> Run:
        """Return the state of a run that has not begun."""
        one = jnp.ones((), precision(params, float))
        infinite = jnp.full((), jnp.inf, self.below_value.dtype)
        return Run(
            params=params,
            seed=seed,
            memory=() if self.is_plain else first_memory(self._steps, params),
            scale=one,
            steps=jnp.zeros((), jnp.int32),
            jumped=0 * one,
            passed=jnp.full(self.levels.shape, jnp.nan, one.dtype),
            pause=jnp.asarray(self.first_pause or jnp.iinfo(jnp.int32).max, jnp.int32),
            halvings=jnp.zeros((), jnp.int32),
            status=Status.running,
            value=infinite,
            gradient_norm=infinite,
        )

    def advance(self, run: Run, start: PyTree, active: Bool[Array, ""], tolerance: Scalar) -> Run:
        """Advance by `check_every` steps, at most to `max_steps`, and inspect the run.

        A run without a value yet is inspected at its initial point; a lane that is not `active`
        does not move.
        """
        count = jnp.minimum(self.check_every, self.max_steps - run.steps)
        count = jnp.where(active & ~jnp.isinf(run.value), count, 0)
        if self.is_plain:
            params, value, gradient = descend(
                self.objective, run.params, STEP * run.scale, count, most=self.check_every
            )
            memory = run.memory
        else:
            params, memory = self._update(run, count)
            value, gradient = jax.value_and_grad(self.objective)(params)
        advanced = eqx.tree_at(
            lambda r: (r.params, r.memory, r.steps), run, (params, memory, run.steps + count)
        )
        norm = gradient_norm(gradient).astype(value.dtype)
        return self._inspect(advanced, value, norm, start, tolerance)

    @property
    def is_plain(self) -> bool:
        """Whether it is plain gradient descent."""
        return self.optimizer is None and self.batches is None

    @property
    def _steps(self) -> Optimizer:
        return optax.sgd(STEP) if self.optimizer is None else self.optimizer

    def _update(self, run: Run, count: Array) -> tuple[PyTree, optax.OptState]:
        """Advance parameters and optimizer state by `count` steps."""

        def objective(i: Array | int) -> AbstractObjective:
            if self.batches is None or run.seed is None:
                return self.objective
            drawn = self.batches(batch_key(run.seed, i))
            if not callable(drawn):
                raise TypeError(
                    f"batches returns {shown(drawn)}; it must return an objective for a key"
                )
            return of_arrays(drawn, run.params, self.fixed)

        def step(i: Array | int, carry: tuple) -> tuple:
            params, memory = carry
            moved = take_step(self._steps, objective(run.steps + i), params, memory, run.scale)

            def keep(new: Array, old: Array) -> Array:
                with jax.numpy_dtype_promotion("standard"):
                    kept = jnp.where(i < count, new, old)
                # Optimizers may compute in another precision than that of their first state.
                return kept if kept.dtype == old.dtype else kept.astype(old.dtype)

            return jax.tree.map(keep, moved, carry)

        # Lanes differ in `count`, so all of them iterate `check_every` times and discard the rest.
        return jax.lax.fori_loop(0, self.check_every, step, (run.params, run.memory))

    def _inspect(
        self, run: Run, value: Scalar, norm: Scalar, start: PyTree, tolerance: Scalar
    ) -> Run:
        """Set the status from value and gradient norm, or begin again with half the step."""
        # Each later status overrides the earlier ones; divergence overrides them all.
        finite = jnp.isfinite(value) & jnp.isfinite(norm)
        size = jnp.maximum(optax.tree.norm(start), self.units.length)
        lost = ~finite | (optax.tree.norm(run.params) > self.norm_limit * size)
        out = run.steps >= self.max_steps
        status = Status.where(out, Status.max_steps, Status.running)
        escaping = escape(self.objective, run.params) > self.escape_limit
        status = Status.where(escaping, Status.escaping, status)
        stops = (norm <= tolerance) | (run.steps >= run.pause)
        status = Status.where(stops, Status.converged, status)
        status = Status.where(value < self.below_value, Status.below_value, status)
        if self.stop is not None:
            stopped = self.stop(whole(run.params, self.fixed), value, norm)
            if stopped is None or jnp.shape(stopped) != ():
                raise TypeError(f"stop returns {shown(stopped)}; it must return one truth value")
            status = Status.where(jnp.asarray(stopped, bool), Status.stopped, status)
        spent = out | (run.halvings >= self.max_halvings)
        ended = Status.where(finite, Status.diverged, Status.nonfinite)
        status = Status.where(lost, Status.where(spent, ended, Status.running), status)
        inspected = eqx.tree_at(
            lambda r: (r.status, r.value, r.gradient_norm), run, (status, value, norm)
        ).mark(self.levels)
        again = eqx.tree_at(
            lambda r: (r.scale, r.steps, r.halvings),
            self.init(start, run.seed),
            (run.scale / 2, run.steps, run.halvings + 1),
        )
        return select(lost & ~spent, again, inspected)


def checked_descent(
    objective: AbstractObjective,
    starts: PyTree,
    fixed: PyTree,
    *,
    optimizer: Optimizer | None,
    batches: Callable[[Array], AbstractObjective] | None,
    max_steps: Any,
    check_every: Any,
    norm_limit: Any,
    below_value: Any = None,
    levels: Any = None,
    escape_limit: Any = None,
    stop: Callable[[PyTree, Scalar, Scalar], Any] | None = None,
    names: tuple[str, str] = ("max_steps", "check_every"),
) -> Descent:
    """Return the rule of descent from these points with checked settings.

    **Arguments:** `starts`, the arrays of the initial points; `fixed`, the rest of them; others as
    of `restart`; `names`, those of `max_steps` and `check_every` in errors.

    **Raises:** `TypeError` or `ValueError` if a setting is of a wrong type or out of range.
    """
    checked_objective(objective)
    checked_optimizer(optimizer)
    for name, function in {"batches": batches, "stop": stop}.items():
        if function is not None:
            checked_function(name, function)
    first = first_entry(starts)
    alone = of_arrays(objective, first, fixed)
    # On the host, so what the user excludes inside of the search is allowed here.
    with jax.transfer_guard("allow"):
        known = alone.known(first)
    if isinstance(below_value, str):
        if below_value != "known":
            raise ValueError(f'below_value is {below_value!r}; give a number, None or "known"')
        below_value = known.below_value
    if not is_traced(real("norm_limit", norm_limit)) and not norm_limit > 0:
        raise ValueError(f"norm_limit is {norm_limit}; it must be positive")
    dtype, of_value = precision(starts, float), value_dtype(alone, first)
    least = -jnp.inf if below_value is None else real("below_value", below_value)
    most = jnp.inf if escape_limit is None else real("escape_limit", escape_limit)
    heights = np.empty(0) if levels is None else _heights(levels)
    steps, between = count(names[0], max_steps, most=_MOST_STEPS), count(names[1], check_every)
    return Descent(
        objective=alone,
        optimizer=optimizer,
        batches=batches,
        below_value=on_device(least, of_value),
        levels=on_device(heights, of_value),
        norm_limit=on_device(norm_limit, dtype),
        units=jax.tree.map(lambda unit: on_device(unit, dtype), known.units),
        escape_limit=on_device(most, dtype),
        max_steps=on_device(steps, jnp.int32),
        check_every=min(between, max(steps, _LONGEST)),
        stop=stop,
        fixed=fixed,
    )


def _heights(levels: Any) -> Array | np.ndarray:
    """Check the levels at which steps are counted."""
    heights = levels if is_traced(levels) else np.asarray(levels)
    if heights.ndim != 1 or heights.dtype.kind not in "fiu":
        raise TypeError(f"levels is {shown(levels)}; give a list of values, such as [0.1, 0.01]")
    if not is_traced(levels) and not np.isfinite(heights).all():
        raise ValueError(f"levels is {shown(levels)}; give finite values")
    return heights
