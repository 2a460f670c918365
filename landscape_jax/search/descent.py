"""One descent: its state, its step, and when it stops."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Int, PyTree, Scalar

from landscape_jax.objectives.base import AbstractObjective, Units, gradient_norm
from landscape_jax.objectives.protocols import descend, escape
from landscape_jax.search.lanes import select
from landscape_jax.search.status import Status

# The step of plain descent: SS18, section 3.
STEP = 0.1


class Run(eqx.Module):
    """The state of one descent; in a batch every leaf has a leading axis of lanes.

    `seed` is the key data of its batches, where it descends by batches.
    `jumped` is the number of plain descent steps that the Newton finish replaced.
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
    pause: Int[Array, ""]
    halvings: Int[Array, ""]
    status: Status
    value: Scalar
    gradient_norm: Scalar

    @property
    def is_running(self) -> Bool[Array, "*lanes"]:
        """Whether the run is still descending."""
        return self.status == Status.running

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
    value is below `below_value`, where `stop` holds, or after `max_steps`.  When the parameters are
    not finite or their norm exceeds `norm_limit` times that of the initial point (or the unit of
    length, if larger), it begins again from there with half the step, ten times at most.  It stops
    for the finish after `first_pause` steps, if that is given.

    Source: SS18, section 3; the halving is their published program's.
    """

    objective: AbstractObjective
    optimizer: optax.GradientTransformation | None = eqx.field(static=True)
    batches: Callable[[Array], AbstractObjective] | None
    below_value: Scalar
    norm_limit: Scalar
    units: Units
    escape_limit: Scalar
    max_steps: Int[Array, ""]
    check_every: int = eqx.field(static=True)
    first_pause: int | None = eqx.field(static=True, default=None)
    max_halvings: int = eqx.field(static=True, default=10)
    stop: Callable[[PyTree, Scalar, Scalar], Any] | None = eqx.field(static=True, default=None)

    def init(self, params: PyTree, seed: Array | None = None) -> Run:
        """Return the state of a run that has not begun."""
        one = jnp.ones((), jnp.result_type(*jax.tree.leaves(params)))
        return Run(
            params=params,
            seed=seed,
            memory=() if self.is_plain else self._steps.init(params),
            scale=one,
            steps=jnp.zeros((), jnp.int32),
            jumped=0 * one,
            pause=jnp.asarray(self.first_pause or jnp.iinfo(jnp.int32).max, jnp.int32),
            halvings=jnp.zeros((), jnp.int32),
            status=Status.running,
            value=one * jnp.inf,
            gradient_norm=one * jnp.inf,
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
        return self._inspect(advanced, value, gradient_norm(gradient), start, tolerance)

    @property
    def is_plain(self) -> bool:
        """Whether it is plain gradient descent."""
        return self.optimizer is None and self.batches is None

    @property
    def _steps(self) -> optax.GradientTransformation:
        return optax.sgd(STEP) if self.optimizer is None else self.optimizer

    def _update(self, run: Run, count: Array) -> tuple[PyTree, optax.OptState]:
        """Advance parameters and optimizer state by `count` steps."""

        def objective(i: Array) -> AbstractObjective:
            if self.batches is None or run.seed is None:
                return self.objective
            return self.batches(jax.random.fold_in(jax.random.wrap_key_data(run.seed), i))

        def step(i: Array, carry: tuple) -> tuple:
            params, memory = carry
            gradient = jax.grad(objective(run.steps + i))(params)
            updates, new_memory = self._steps.update(gradient, memory, params)
            updates = jax.tree.map(lambda u: run.scale * u, updates)
            moved = (optax.apply_updates(params, updates), new_memory)
            return jax.tree.map(lambda new, old: jnp.where(i < count, new, old), moved, carry)

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
        status = Status.where(run.steps >= self.max_steps, Status.max_steps, Status.running)
        escaping = escape(self.objective, run.params) > self.escape_limit
        status = Status.where(escaping, Status.escaping, status)
        stops = (norm <= tolerance) | (run.steps >= run.pause)
        status = Status.where(stops, Status.converged, status)
        status = Status.where(value < self.below_value, Status.below_value, status)
        if self.stop is not None:
            stopped = jnp.asarray(self.stop(run.params, value, norm), bool)
            status = Status.where(stopped, Status.stopped, status)
        spent = run.halvings >= self.max_halvings
        ended = Status.where(finite, Status.diverged, Status.nonfinite)
        status = Status.where(lost, Status.where(spent, ended, Status.running), status)
        inspected = eqx.tree_at(
            lambda r: (r.status, r.value, r.gradient_norm), run, (status, value, norm)
        )
        again = eqx.tree_at(
            lambda r: (r.scale, r.steps, r.halvings),
            self.init(start, run.seed),
            (run.scale / 2, run.steps, run.halvings + 1),
        )
        return select(lost & ~spent & (run.steps < self.max_steps), again, inspected)
