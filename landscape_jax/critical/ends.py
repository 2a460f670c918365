"""The ends of descents: runs of a search or given points, in one form."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, PyTree

from landscape_jax.critical.eigenvector_following import CriticalPoints
from landscape_jax.objectives.base import AbstractObjective, gradient_norm
from landscape_jax.search.runs import Runs
from landscape_jax.search.status import Status


@dataclass(frozen=True, eq=False)
class RunEnds:
    """The ends that are grouped into families, as NumPy arrays, one entry each.

    `position`: an end's place among the given ones; `below`: whether its value is below the
    threshold, so that it may be no critical point; `unconverged`: the runs that are left out.
    """

    params: PyTree
    value: Float[np.ndarray, " ends"]
    gradient_norm: Float[np.ndarray, " ends"]
    restart_index: Int[np.ndarray, " ends"]
    position: Int[np.ndarray, " ends"]
    below: Bool[np.ndarray, " ends"]
    unconverged: Runs

    def __len__(self) -> int:
        return len(self.value)

    def at(self, end: int) -> PyTree:
        """Return the params of one end, as JAX's arrays."""
        return jax.tree.map(lambda leaf: jnp.asarray(leaf[end]), self.params)


def read(objective: AbstractObjective, given: Runs | PyTree, below_value: float | None) -> RunEnds:
    """Select the runs that converged or fell below the value; of points, select all.

    **Raises:** `ValueError` if there is no leading axis, no point, or a point given as an array is
    not finite.
    """
    if isinstance(given, CriticalPoints):
        given = given.runs
    runs = given if isinstance(given, Runs) else _at_points(objective, given)
    _check_axis(runs.params)
    runs = runs.map(np.asarray)  # Selections of NumPy's arrays compile nothing.
    below = runs.is_below_value
    if below_value is not None:
        below = below | (np.asarray(runs.value) < below_value)
    kept = runs.is_finite & (runs.is_converged | below)
    chosen = runs[kept]
    return RunEnds(
        params=chosen.params,
        value=np.asarray(chosen.value),
        gradient_norm=np.asarray(chosen.gradient_norm),
        restart_index=np.asarray(chosen.restart_index),
        position=np.flatnonzero(kept),
        below=below[kept],
        unconverged=runs[~kept],
    )


def _at_points(objective: AbstractObjective, points: PyTree) -> Runs:
    """Describe given points as runs: all of them count, and a kind is decided on evidence."""
    points = jax.tree.map(np.asarray, points)
    _check_axis(points)
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
    return Runs(points, value, norm, jnp.zeros_like(count), status, count)


def _check_axis(params: PyTree) -> None:
    leaves = jax.tree.leaves(params)
    lengths = {leaf.shape[0] if leaf.ndim else None for leaf in leaves}
    if len(lengths) != 1 or None in lengths:
        raise ValueError(
            f"runs_or_points has leaves of shapes {[leaf.shape for leaf in leaves]}; give params "
            "with one common leading axis, the number of points."
        )
    if lengths == {0}:
        raise ValueError("runs_or_points holds no point; give at least one.")


@eqx.filter_jit
def _evaluate(objective: AbstractObjective, points: PyTree) -> tuple[jax.Array, jax.Array]:
    """Compute value and gradient norm at each point."""

    def one(params: PyTree) -> tuple[jax.Array, jax.Array]:
        value, gradient = jax.value_and_grad(lambda p: objective(p))(params)
        return value, gradient_norm(gradient)

    return jax.lax.map(one, points, batch_size=256)
