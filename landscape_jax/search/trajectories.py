"""Trajectories of selected restarts, recorded every so many steps."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.search.descent import Descent, Run
from landscape_jax.search.initial_points import batch_seeds, restart_indices, starting_points


class Trajectories(eqx.Module):
    """Recorded descents; the first axis counts restarts, the second one records.

    - `params`: a pytree with two leading axes.
    - `value`: F there.
    - `gradient_norm`: the largest norm of a neuron's gradient there.
    - `step`: how many steps were taken.
    - `restart_index`: which restart each is.
    """

    params: PyTree
    value: Float[Array, "restarts records"]
    gradient_norm: Float[Array, "restarts records"]
    step: Int[Array, "restarts records"]
    restart_index: Int[Array, " restarts"]


def trajectories(
    objective: AbstractObjective,
    start: Callable[[Key[Array, ""]], PyTree] | PyTree,
    restarts: int | Array | np.ndarray,
    *,
    key: Key[Array, ""] | None = None,
    steps: int,
    stride: int = 1,
    optimizer: optax.GradientTransformation | None = None,
    batches: Callable[[Key[Array, ""]], AbstractObjective] | None = None,
    norm_limit: float = 1e4,
) -> Trajectories:
    """Record selected descents every `stride` steps.

    Initial points and steps are those of `restart` with the same arguments, so a run found there
    can be followed here; but nothing stops a run, and nothing is finished by Newton's method.  The
    records are at 0, stride, 2 stride, …, and at `steps`.  As there, a run that diverges begins
    again from its initial point with half the step; its value in that record is infinite.

    **Arguments:**

    - `objective`, `start`, `key`, `optimizer`, `batches`, `norm_limit`: as of `restart`.
    - `restarts`: an array of the restarts' indices, or how many.
    - `steps`: how many in all.
    - `stride`: how many between two records.

    **Returns:** `Trajectories`, in the order of the indices; it holds ⌈steps/stride⌉ + 1 points for
    each restart.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range; the
    message names it.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> risk, start = lj.PopulationRisk(jnp.eye(3)), lj.starts.gaussian((3, 3))
    >>> chosen = jnp.array([7, 2])
    >>> found = trajectories(risk, start, chosen, key=jax.random.key(0), steps=100, stride=50)
    >>> found.params.shape, found.step[0].tolist()
    ((2, 3, 3, 3), [0, 50, 100])

    ```
    """
    for name, number in {"steps": steps, "stride": stride}.items():
        if number < 1:
            raise ValueError(f"{name} is {number}; it must be at least 1")
    index = restart_indices(restarts)
    starts = starting_points(start, index, key)
    seeds = None if batches is None else batch_seeds(key, index)
    infinite = jnp.asarray(jnp.inf, jnp.result_type(*jax.tree.leaves(starts)))
    units = objective.known(jax.tree.map(lambda leaf: leaf[0], starts)).units
    rule = Descent(
        objective=objective,
        optimizer=optimizer,
        batches=batches,
        below_value=-infinite,
        norm_limit=jnp.asarray(norm_limit, infinite.dtype),
        units=jax.tree.map(lambda unit: jnp.asarray(unit, infinite.dtype), units),
        escape_limit=infinite,
        max_steps=jnp.asarray(steps, jnp.int32),
        check_every=stride,
    )
    return Trajectories(*_follow(rule, starts, seeds, -(-steps // stride) + 1), index)


@eqx.filter_jit
def _follow(
    rule: Descent, starts: PyTree, seeds: Array | None, records: int
) -> tuple[PyTree, Array, Array, Array]:
    """Record each descent at its initial point, and after every `check_every` steps."""

    def one(start: PyTree, seed: Array | None) -> tuple:
        def record(run: Run, _: None) -> tuple[Run, tuple]:
            run = rule.advance(run, start, jnp.array(True), -rule.norm_limit)
            return run, (run.params, run.value, run.gradient_norm, run.steps)

        return jax.lax.scan(record, rule.init(start, seed), length=records)[1]

    return jax.vmap(one)(starts, seeds)
