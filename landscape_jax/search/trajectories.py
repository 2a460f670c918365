"""Trajectories of selected restarts, recorded every so many steps."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PyTree

from landscape_jax.arrays import Count, Number, is_traced
from landscape_jax.machine import require_memory
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.objectives.protocols import DescendsFast
from landscape_jax.search.descent import Descent, Run, checked_descent
from landscape_jax.search.initial_points import batch_seeds, initial_points, restart_indices
from landscape_jax.search.no_derivative import without_derivative
from landscape_jax.search.optimizers import Optimizer
from landscape_jax.search.parameters import split, whole
from landscape_jax.summary import Summarised, Summary

if TYPE_CHECKING:
    import xarray as xr

_NO_DERIVATIVE = (
    "trajectories of this objective are computed by a kernel that has no derivative; give "
    "optimizer=optax.sgd(0.1), which takes the same steps"
)


class Trajectories(Summarised, eqx.Module):
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

    def summarise(self) -> Summary:
        """Return a row for each restart: its values at the beginning and at the end."""
        if is_traced(self) or self.value.ndim != 2:
            return Summary("Trajectories(traced)")
        count, records = self.value.shape
        steps = int(self.step[0, -1]) if count else 0
        rows = [
            (str(i), f"{values[0]:.6g}", f"{values[-1]:.6g}", f"{norms[-1]:.3g}")
            for i, values, norms in zip(
                np.asarray(self.restart_index), np.asarray(self.value),
                np.asarray(self.gradient_norm), strict=True,
            )
        ]  # fmt: skip
        title = f"Trajectories({count} restarts, {records} records of {steps} steps)"
        return Summary(title, ("restart", "first value", "last value", "gradient norm"), rows)

    def to_xarray(self) -> "xr.Dataset":
        """Return value, gradient norm and params as labelled arrays over restart and step.

        `params` is one variable where it is a bare array; else each leaf is one, `params.` and its
        path.

        ```python
        >>> import jax, jax.numpy as jnp, landscape_jax as lj
        >>> risk, start = lj.PopulationRisk(jnp.eye(2)), lj.starts.gaussian((2, 2))
        >>> found = lj.trajectories(risk, start, 3, key=jax.random.key(0), steps=4)
        >>> found.to_xarray().value.dims
        ('restart', 'step')

        ```
        """
        import xarray as xr

        labelled: dict[str, Any] = {
            name: (("restart", "step"), np.asarray(getattr(self, name)))
            for name in ("value", "gradient_norm")
        }
        arrays = eqx.filter(self.params, eqx.is_array)
        for path, leaf in jax.tree_util.tree_leaves_with_path(arrays):
            name = ".".join(["params", *filter(None, [jax.tree_util.keystr(path, simple=True)])])
            axes = (f"{name}_{axis}" for axis in range(leaf.ndim - 2))
            labelled[name] = (("restart", "step", *axes), np.asarray(leaf))
        places = {"restart": np.asarray(self.restart_index), "step": np.asarray(self.step[0])}
        return xr.Dataset(labelled, coords=places)


def trajectories(
    objective: AbstractObjective,
    start: Callable[[Key[Array, ""]], PyTree] | PyTree,
    restarts: Count | Sequence[int],
    *,
    key: Key[Array, ""] | None = None,
    steps: Count,
    stride: Count = 1,
    optimizer: Optimizer | None = None,
    batches: Callable[[Key[Array, ""]], AbstractObjective] | None = None,
    norm_limit: Number = 1e4,
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

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range, or
    the records do not fit the machine's memory; the message names it.  `TypeError` if plain descent
    by a kernel is differentiated; that by an optimizer has a derivative.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> risk, start = lj.PopulationRisk(jnp.eye(3)), lj.starts.gaussian((3, 3))
    >>> chosen = jnp.array([7, 2])
    >>> found = trajectories(risk, start, chosen, key=jax.random.key(0), steps=100, stride=50)
    >>> found.params.shape, found.step[0].tolist()
    ((2, 3, 3, 3), [0, 50, 100])

    ```
    """
    points = initial_points(start, key)
    index = restart_indices(restarts, points.length)
    starts, fixed = split(points.at(index))
    rule = checked_descent(
        objective, starts, fixed, optimizer=optimizer, batches=batches, max_steps=steps,
        check_every=stride, norm_limit=norm_limit, names=("steps", "stride"),
    )  # fmt: skip
    seeds = batch_seeds(batches, key, index)
    records = -(-int(steps) // rule.check_every) + 1
    if rule.is_plain and isinstance(rule.objective, DescendsFast):
        rule, starts = without_derivative((rule, starts), _NO_DERIVATIVE)
    needed = records * sum(leaf.nbytes for leaf in jax.tree.leaves(starts))
    require_memory(needed, f"steps is {steps}: its records", "give fewer, or raise stride")
    params, value, norm, step = _follow(rule, starts, seeds, records)
    return Trajectories(whole(params, fixed), value, norm, step, index)


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
