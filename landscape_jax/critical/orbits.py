"""Points modulo a symmetry group: bounds of the distances between orbits, and the exact test."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
from jaxtyping import Float, PyTree

from landscape_jax.critical.hidden_layers import match
from landscape_jax.critical.invariants import Invariants, invariants, network_invariants
from landscape_jax.critical.normal_form import NormalForm
from landscape_jax.critical.relabelling import Assignment, Relabelling
from landscape_jax.critical.symmetry import Alignment, Group
from landscape_jax.objectives.base import Symmetry
from landscape_jax.objectives.hidden_neurons import HiddenNeurons


@dataclass(frozen=True, eq=False)
class Orbits:
    """Points with their symmetry group; make it with `orbits`.

    - `vectors`: invariants of each point; their distance is a lower bound of that of the orbits.
    - `lengths`: the points' norms, which relative tolerances are multiplied by.
    - `carry`: the exact test of two points (head, end): the element that carries `end` onto
      `head`, `None` if there is none; without a symmetry, their distance.
    """

    vectors: Invariants
    lengths: Float[np.ndarray, " points"]
    carry: Callable[[int, int], Alignment | Relabelling | float | None]


def orbits(
    symmetry: Symmetry | HiddenNeurons | tuple[HiddenNeurons, ...] | None,
    params: PyTree,
    tolerance: float,
) -> Orbits:
    """Prepare points for comparison modulo a symmetry group.

    **Arguments:** `symmetry`, that of `objective.known(…)`; `params`, NumPy arrays with a leading
    axis, the number of points; `tolerance`, the distance up to which points are the same, relative
    to the larger norm of both.

    **Raises:** `ValueError` if the params do not fit the symmetry.

    ```python
    >>> import numpy as np
    >>> from landscape_jax.objectives.hidden_neurons import HiddenNeurons
    >>> w, v = np.array([[1.0, 2.0], [-2.0, 1.0]]), np.array([[3.0, 4.0], [-4.0, 3.0]])
    >>> found = orbits(HiddenNeurons(axes=0, flips=-1), {"w": w, "v": v}, 1e-6).carry(0, 1)
    >>> found.permutations, found.signs
    ((array([1, 0]),), (array([ 1, -1]),))

    ```
    """
    if symmetry is None:
        # Without a symmetry the points are their own invariants, and their distance is exact.
        rows = np.concatenate(
            [leaf.reshape(len(leaf), -1) for leaf in jax.tree.leaves(params)], axis=1
        ).astype(np.float64)
        lengths = np.linalg.norm(rows, axis=1)
        return Orbits((rows,), lengths, lambda h, e: float(np.linalg.norm(rows[h] - rows[e])))
    if isinstance(symmetry, Symmetry):
        return _of_rows(symmetry, params, tolerance)
    layers = symmetry if isinstance(symmetry, tuple) else (symmetry,)
    form = NormalForm.of(layers, params)
    find = Assignment.of(form).find if len(layers) == 1 else partial(match, form)
    return Orbits(network_invariants(form), form.lengths, lambda h, e: find(h, e, tolerance))


def _of_rows(symmetry: Symmetry, params: PyTree, tolerance: float) -> Orbits:
    """Prepare points on which isometries act."""
    shape = (len(symmetry.labels), len(symmetry.mean))
    points = params if symmetry.rows is None else jax.vmap(symmetry.rows)(params)
    if not isinstance(points, np.ndarray | jax.Array) or points.shape[1:] != shape:
        raise ValueError(
            "runs_or_points does not fit the objective's symmetry; give one array of shape "
            f"(points, {shape[0]}, {shape[1]})."
        )
    W, group = np.asarray(points, np.float64), Group.of(symmetry)
    return Orbits(
        invariants(group, W),
        np.linalg.norm(W, axis=(1, 2)),
        lambda h, e: group.identity() if h == e else group.align(W[h], W[e], tolerance),
    )
