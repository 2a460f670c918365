"""The way of chosen restarts: where a descent was, every so many steps."""

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
    """Descents as they went, one a leading entry, then one entry a record.

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
    """Follow chosen restarts and record where they are at every `stride`-th step.

    The starts and the steps are those of `restart` with the same arguments, so a run found there
    can be followed here; but nothing stops a run, and nothing is finished by Newton's method.  The
    records are at 0, stride, 2 stride, …, and at `steps`.  As there, a run that diverges begins
    again from its start with half the step: the record that saw it has an infinite value.

    **Arguments:**

    - `objective`, `start`, `key`, `optimizer`, `batches`, `norm_limit`: as of `restart`.
    - `restarts`: an array of the restarts' indices, or how many.
    - `steps`: how many to go.
    - `stride`: how many between two records.

    **Returns:** `Trajectories`, in the order of the indices; it holds ⌈steps/stride⌉ + 1 points for
    each restart.

    **Raises:** `TypeError` and `ValueError` on arguments that are not so.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> risk, start = lj.PopulationRisk(jnp.eye(3)), lj.starts.gaussian((3, 3))
    >>> chosen = jnp.array([7, 2])
    >>> ways = trajectories(risk, start, chosen, key=jax.random.key(0), steps=100, stride=50)
    >>> ways.params.shape, ways.step[0].tolist()
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
    """Look so many times: the first look is at the start, the others after `check_every` steps."""

    def one(start: PyTree, seed: Array | None) -> tuple:
        def look(run: Run, _: None) -> tuple[Run, tuple]:
            run = rule.go(run, start, jnp.array(True), -rule.norm_limit)
            return run, (run.params, run.value, run.gradient_norm, run.steps)

        return jax.lax.scan(look, rule.init(start, seed), length=records)[1]

    return jax.vmap(one)(starts, seeds)
