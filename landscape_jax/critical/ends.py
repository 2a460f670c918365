"""The ends of descents: runs of a search or given points, in one form."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, PyTree

from landscape_jax.critical.checks import (
    check_fit,
    entry_shapes,
    many_points,
    parts,
)
from landscape_jax.critical.eigenvector_following import CriticalPoints
from landscape_jax.objectives.base import AbstractObjective, gradient_norm
from landscape_jax.search.parameters import checked_objective, split, whole
from landscape_jax.search.runs import Runs
from landscape_jax.search.status import Status


@dataclass(frozen=True, eq=False)
class RunEnds:
    """The ends that are grouped into families, as NumPy arrays, one entry each.

    `objective`: what they are ends of, as a function of `params`, arrays; `fixed`: what else the
    parameters hold; `position`: an end's place among the given ones; `below`: whether its value is
    below the threshold, so that it may be no critical point; `unconverged`: the runs that are left
    out.
    """

    objective: AbstractObjective
    params: PyTree
    fixed: PyTree
    value: Float[np.ndarray, " ends"]
    gradient_norm: Float[np.ndarray, " ends"]
    restart_index: Int[np.ndarray, " ends"]
    position: Int[np.ndarray, " ends"]
    below: Bool[np.ndarray, " ends"]
    unconverged: Runs

    def __len__(self) -> int:
        return len(self.value)

    def at(self, end: int) -> PyTree:
        """Return the arrays of one end, as JAX's."""
        return jax.tree.map(lambda leaf: jnp.asarray(leaf[end]), self.params)

    def given(self, end: int) -> PyTree:
        """Return the params of one end as they were given, their arrays NumPy's."""
        return whole(jax.tree.map(lambda leaf: leaf[end], self.params), self.fixed)


def read(objective: AbstractObjective, given: Runs | PyTree, below_value: float | None) -> RunEnds:
    """Select the runs that converged or fell below the value; of points, select all.

    **Raises:** `TypeError` or `ValueError` if there is no leading axis, no point, or a point given
    as an array is not finite or not floating, or does not fit the objective.
    """
    if isinstance(given, CriticalPoints):
        given = given.runs
    checked_objective(objective)
    is_runs = isinstance(given, Runs)
    arrays, fixed = parts("runs_or_points", given.params if is_runs else given)
    if {leaf.shape[:1] for leaf in jax.tree.leaves(arrays)} == {(0,)}:
        raise ValueError("runs_or_points holds no point; give at least one.")
    alone, arrays = many_points(objective, whole(arrays, fixed), "runs_or_points")
    check_fit(alone, entry_shapes(arrays), "runs_or_points")
    runs = given if is_runs else _at_points(alone, arrays, fixed)
    runs = runs.map(np.asarray)  # Selections of NumPy's arrays compile nothing.
    below = runs.is_below_value
    if below_value is not None:
        below = below | (np.asarray(runs.value) < below_value)
    kept = runs.is_finite & (runs.is_converged | below)
    chosen = runs[kept]
    return RunEnds(
        objective=alone,
        params=split(chosen.params)[0],
        fixed=fixed,
        value=np.asarray(chosen.value),
        gradient_norm=np.asarray(chosen.gradient_norm),
        restart_index=np.asarray(chosen.restart_index),
        position=np.flatnonzero(kept),
        below=below[kept],
        unconverged=runs[~kept],
    )


def _at_points(objective: AbstractObjective, points: PyTree, fixed: PyTree) -> Runs:
    """Describe given points as runs: all of them count, and a kind is decided on evidence."""
    points = jax.tree.map(np.asarray, points)
    rows = [leaf.reshape(len(leaf), -1) for leaf in jax.tree.leaves(points)]
    finite = np.asarray(np.isfinite(np.concatenate(rows, axis=1)).all(axis=1))
    if not finite.all():
        raise ValueError(
            f"runs_or_points has an entry that is not finite in point {np.argmin(finite)}; leave "
            "such points out, or give the runs, whose status marks them."
        )
    value, norm = _evaluate(objective, points)
    count = jnp.arange(len(finite))
    status = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, count.shape), Status.converged)
    return Runs(whole(points, fixed), value, norm, jnp.zeros_like(count), status, count)


@eqx.filter_jit
def _evaluate(objective: AbstractObjective, points: PyTree) -> tuple[jax.Array, jax.Array]:
    """Compute value and gradient norm at each point."""

    def one(params: PyTree) -> tuple[jax.Array, jax.Array]:
        value, gradient = jax.value_and_grad(lambda p: objective(p))(params)
        return value, gradient_norm(gradient)

    return jax.lax.map(one, points, batch_size=256)
