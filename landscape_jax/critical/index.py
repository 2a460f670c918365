"""The index of a critical point: the number of negative eigenvalues of its Hessian."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, PyTree, Scalar

from landscape_jax.critical.checks import (
    entry_shapes,
    fitting,
    magnitude,
    many_points,
    one_point,
)
from landscape_jax.critical.classify import eigenvalue_tolerance
from landscape_jax.critical.spectra import LARGE, is_relu_risk, spectrum
from landscape_jax.mistakes import explained
from landscape_jax.objectives.base import AbstractObjective, gradient_norm, hessian
from landscape_jax.objectives.protocols import smooth_radius

# Entries of the Hessians that are held in memory at a time.
_HELD = 2**22


class Index(NamedTuple):
    """The signs of the eigenvalues of ∇²F, counted; for many points, arrays with an entry each.

    - `negative`, the index; `zero`, the nullity, those within `tolerance`; `positive`.  All are 0
      where F has no Hessian or it is not finite.
    - `tolerance`: the magnitude below which the sign of an eigenvalue is not significant.
    - `eigenvalues`: all of them, in increasing order; NaN where there is no Hessian.
    - `gradient_norm`: the largest of a neuron, as in `Runs`.
    """

    negative: Int[np.ndarray, "*points"]
    zero: Int[np.ndarray, "*points"]
    positive: Int[np.ndarray, "*points"]
    tolerance: Float[np.ndarray, "*points"]
    eigenvalues: Float[np.ndarray, "*points parameters"]
    gradient_norm: Float[np.ndarray, "*points"]

    def __repr__(self) -> str:
        """Return the counts of one point, or how many points there are of each index."""
        if np.ndim(self.negative):
            values, counts = np.unique(self.negative, return_counts=True)
            parts = (f"{c} of index {v}" for v, c in zip(values, counts, strict=True))
            return f"Index({np.size(self.negative)} points: {', '.join(parts)})"
        counts = f"negative={self.negative}, zero={self.zero}, positive={self.positive}"
        return f"Index({counts}, tolerance={float(self.tolerance):.3g})"


@explained
def index(
    objective: AbstractObjective, params: PyTree, *, tolerance: float | int | Scalar | None = None
) -> Index:
    """Count the negative, zero and positive eigenvalues of ∇²F at `params`.

    **Arguments:** `params`, P numbers in any pytree; `tolerance`, the magnitude up to which an
    eigenvalue counts as zero; where left out, `eigenvalue_tolerance`, from its rounding and the
    gradient norm.

    **Returns:** an `Index` of 0-d arrays.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range, as if
    the tolerance is negative; the message names it.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> found = index(lj.PopulationRisk(jnp.eye(2)), jnp.eye(2))
    >>> int(found.negative), int(found.positive)
    (0, 4)

    ```
    """
    objective, arrays = one_point(objective, params)
    with fitting(objective, arrays):
        one = indices(objective, jax.tree.map(lambda x: x[None], arrays), tolerance=tolerance)
    return Index(*(np.asarray(part[0]) for part in one))


@explained
@jax.transfer_guard("allow")  # The signs are counted on the host.
def indices(
    objective: AbstractObjective, points: PyTree, *, tolerance: float | int | Scalar | None = None
) -> Index:
    """Count the negative, zero and positive eigenvalues of ∇²F at many points in one call.

    **Arguments:** `points`, params with a leading axis; `tolerance`, see `index`.

    **Returns:** an `Index` of arrays.

    **Raises:** as `index`.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> points = jnp.array([[[1.0, 0.0], [0.0, 1.0]], [[0.2, 0.2], [0.2, 0.2]]])
    >>> indices(lj.PopulationRisk(jnp.eye(2)), points, tolerance=1e-6).negative
    array([0, 2])

    ```
    """
    tolerance = magnitude("tolerance", tolerance)
    objective, arrays = many_points(objective, points)
    with fitting(objective, entry_shapes(arrays), "points"):
        parameters = sum(leaf[0].size for leaf in jax.tree.leaves(arrays))
        # Large Hessians of this risk may be taken apart by symmetry, which `spectrum` does.
        apart = is_relu_risk(objective) and parameters > LARGE
        eigenvalues, norms, gradients, lengths = map(
            np.asarray, _spectra(objective, arrays, not apart)
        )
        if apart:
            eigenvalues = np.stack([spectrum(objective, point) for point in arrays])
    rows = zip(eigenvalues, gradients.tolist(), lengths.tolist(), strict=True)
    bounds = np.array(
        [eigenvalue_tolerance(*row) if tolerance is None else tolerance for row in rows]
    )
    negative = (eigenvalues < -bounds[:, None]).sum(axis=1)
    positive = (eigenvalues > bounds[:, None]).sum(axis=1)
    zero = (np.abs(eigenvalues) <= bounds[:, None]).sum(axis=1)
    return Index(negative, zero, positive, bounds, eigenvalues, norms)


@eqx.filter_jit
def _spectra(
    objective: AbstractObjective, points: PyTree, whole: bool
) -> tuple[Array, Array, Array, Array]:
    """Compute the eigenvalues of the Hessian at each point, NaN where it has none.

    Not `whole`: the eigenvalues are left out.

    Returned with them: the gradient norm, the gradient's Euclidean norm, and the length on which
    the Hessian may change by its own size.
    """
    dtype = jnp.result_type(*jax.tree.leaves(points))
    known = objective.known(jax.tree.map(lambda leaf: leaf[0], points))
    unit = jnp.asarray(known.units.length, dtype)

    def one(params: PyTree) -> tuple[Array, Array, Array, Array]:
        radius = jnp.asarray(smooth_radius(objective, params), dtype)
        H = hessian(objective, params) if whole else jnp.zeros((1, 1), dtype)
        finite = jnp.isfinite(H).all() & (radius > 0)
        eigenvalues = jnp.linalg.eigvalsh(jnp.where(finite, H, 0))
        gradient = jax.grad(lambda p: objective(p))(params)
        return (
            jnp.where(finite, eigenvalues, jnp.asarray(jnp.nan, dtype)),
            gradient_norm(gradient),
            jnp.linalg.norm(ravel_pytree(gradient)[0]),
            jnp.where(radius > 0, jnp.minimum(radius, unit), unit),
        )

    leaves = jax.tree.leaves(points)
    parameters = sum(leaf[0].size for leaf in leaves)
    return jax.lax.map(one, points, batch_size=max(1, _HELD // parameters**2))
