"""Where descents ended: runs of a search or given points, in one form."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Bool, Float, Int, PyTree

from landscape_jax.objectives.base import AbstractObjective


@runtime_checkable
class Runs(Protocol):
    """What is read of the runs of a search: params and arrays with one entry a run."""

    params: PyTree
    value: Any
    gradient_norm: Any
    restart_index: Any
    is_finite: Any
    is_converged: Any
    is_below_value: Any


@dataclass(frozen=True, eq=False)
class Ends:
    """Finite end points as numpy arrays, one entry each.

    `rows`: the params raveled; `position`: an end's place among the given ones.
    """

    params: PyTree
    rows: Float[np.ndarray, "ends parameters"]
    value: Float[np.ndarray, " ends"]
    gradient_norm: Float[np.ndarray, " ends"]
    restart_index: Int[np.ndarray, " ends"]
    position: Int[np.ndarray, " ends"]
    converged: Bool[np.ndarray, " ends"]
    below_value: Bool[np.ndarray, " ends"]

    def at(self, end: int) -> PyTree:
        """Give the params of one end."""
        return jax.tree.map(lambda leaf: leaf[end], self.params)


def read(objective: AbstractObjective, runs_or_points: PyTree) -> Ends:
    """Read the finite ends of runs, or points, whose value and gradient norm are computed.

    **Raises:** `ValueError` where there is no leading axis, no point, or (among points) one that
    is not finite.
    """
    if isinstance(runs_or_points, Runs):
        return _read_runs(runs_or_points)
    points, rows = _rows(runs_or_points)
    finite = np.asarray(np.isfinite(rows).all(axis=1))
    if not finite.all():
        raise ValueError(
            f"runs_or_points has an entry that is not finite in point {np.argmin(finite)}; leave "
            "such points out, or give the runs, whose status tells them."
        )
    value, gradient_norm = map(np.asarray, _evaluate(objective, points))
    position = np.arange(len(rows))
    return Ends(points, rows, value, gradient_norm, position, position, finite, ~finite)


def _read_runs(runs: Runs) -> Ends:
    params, rows = _rows(runs.params)
    keep = np.flatnonzero(np.isfinite(rows).all(axis=1) & np.asarray(runs.is_finite))
    return Ends(
        params=jax.tree.map(lambda leaf: leaf[keep], params),
        rows=rows[keep],
        value=np.asarray(runs.value)[keep],
        gradient_norm=np.asarray(runs.gradient_norm)[keep],
        restart_index=np.asarray(runs.restart_index)[keep],
        position=keep,
        converged=np.asarray(runs.is_converged)[keep],
        below_value=np.asarray(runs.is_below_value)[keep],
    )


def _rows(params: PyTree) -> tuple[PyTree, np.ndarray]:
    """Give the params as numpy arrays, and raveled to one row a point."""
    params = jax.tree.map(np.asarray, params)
    leaves = jax.tree.leaves(params)
    lengths = {leaf.shape[0] if leaf.ndim else None for leaf in leaves}
    if len(lengths) != 1 or None in lengths:
        raise ValueError(
            f"runs_or_points has leaves of shapes {[leaf.shape for leaf in leaves]}; give params "
            "with one common leading axis, the number of points."
        )
    if lengths == {0}:
        raise ValueError("runs_or_points holds no point; give at least one.")
    return params, np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)


@eqx.filter_jit
def _evaluate(objective: AbstractObjective, points: PyTree) -> tuple[jax.Array, jax.Array]:
    """Give value and gradient norm at each point."""

    def one(params: PyTree) -> tuple[jax.Array, jax.Array]:
        value, slope = jax.value_and_grad(lambda p: objective(p))(params)
        return value, jnp.linalg.norm(ravel_pytree(slope)[0])

    return jax.lax.map(one, points, batch_size=256)
