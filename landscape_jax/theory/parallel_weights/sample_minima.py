"""The positions of parallel weights that are optimal on samples."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from landscape_jax.mistakes import explained
from landscape_jax.theory.parallel_weights.line import Normals, read_normals


class SampleMinimum(NamedTuple):
    """A solution of F h = f.

    - `positions`: h*, the solution nearest to the given positions.
    - `rank`: of F; `unique`: whether it is K, so that h* is the only one.
    - `genuine`: whether a solution is a differentiable local minimum inside the cells of the given
      positions: with the same activation patterns on the samples.
    """

    positions: Float[Array, " weights"]
    rank: Int[Array, ""]
    unique: Bool[Array, ""]
    genuine: Bool[Array, ""]


@explained
def sample_system(
    x: Float[Array, " samples"],
    y: Float[Array, " labels"],
    positions: Float[Array, " weights"],
    normals: Normals,
) -> tuple[Float[Array, "weights weights"], Float[Array, " weights"]]:
    """Compute F and f of F h = f: ∂L/∂h = 0 as long as no sample changes its region.

    L = Σᵢ (Σ_k I_ik (xᵢ − h_k) − yᵢ)², with I_ik = 1 where n_k xᵢ > n_k h_k at the given positions:

    F_lk = Σᵢ I_il I_ik,    f_l = Σᵢ I_il (Σ_k I_ik xᵢ − yᵢ).

    So (22) holds as printed, for either normal, since z_k w_k·x = x − h_k.

    **Arguments:** `x`, (N,), the samples' coordinates along the normal; `y`, (N,); `positions`,
    (K,); `normals`, (K,), each 1 or −1.

    **Raises:** `ValueError` if shapes do not fit or `normals` is not K signs.

    Source: LIU, eqs. 20–22, E.2, E.3.

    ```python
    >>> import jax.numpy as jnp
    >>> x, y = jnp.array([-2.0, 0.0, 1.0, 3.0]), jnp.array([-1.0, -1.0, 1.0, 1.0])
    >>> F, f = sample_system(x, y, jnp.array([0.5, -1.0]), (1, -1))
    >>> F.tolist(), f.tolist()
    ([[2.0, 0.0], [0.0, 1.0]], [2.0, -1.0])

    ```
    """
    _check(x, y)
    return _system(x, y, _active(x, positions, read_normals(positions, normals)))


@explained
def sample_minimum(
    x: Float[Array, " samples"],
    y: Float[Array, " labels"],
    positions: Float[Array, " weights"],
    normals: Normals,
) -> SampleMinimum:
    """Solve F h = f for the regions of the given positions.

    F = IᵀI and f is in the range of Iᵀ, so there is always a solution.  Of several the nearest is
    returned, h* = h + F⁺(f − Fh), with the least norm of h* − h: so a weight that no sample
    activates stays where it is, and weights with equal normals and no sample between them (the two
    scenarios of E.1) move by the same length.

    A third scenario is missing in the paper: a pair of opposite normals with no sample between them
    is active at every sample once, and so is a weight with all samples on its positive side.  With
    two of these F is singular: four weights in two pairs have rank 3 at most.

    Weights of one normal that are active at the same samples enter by their sum only, and some
    solution leaves all of them in their cell if and only if their mean is in it.  That decides
    `genuine`; in the third scenario it is only sufficient.  A sample at h* counts as inactive, as
    in (10).

    **Arguments:** as for `sample_system`.

    **Returns:** a `SampleMinimum`; NaN where a position is.

    **Raises:** `ValueError` if shapes do not fit or `normals` is not K signs.

    Source: LIU, eqs. 21, 23, 10 and appendix E.1.

    ```python
    >>> import jax.numpy as jnp
    >>> x, y = jnp.array([-2.0, 0.0, 1.0, 3.0]), jnp.array([-1.0, -1.0, 1.0, 1.0])
    >>> found = sample_minimum(x, y, jnp.array([0.5, -3.0]), (1, -1))
    >>> found.positions.tolist(), int(found.rank), bool(found.genuine)
    ([1.0, -3.0], 1, False)

    ```
    """
    _check(x, y)
    return _solve(x, y, positions, read_normals(positions, normals))


@eqx.filter_jit
def _solve(x: Array, y: Array, positions: Array, n: Array) -> SampleMinimum:
    on = _active(x, positions, n)
    F, f = _system(x, y, on)
    sizes, vectors = jnp.linalg.eigh(F)
    # Entries are counts: non-zero eigenvalues are of order 1 at least.
    kept = sizes > len(n) * jnp.finfo(F.dtype).eps * jnp.maximum(sizes[-1], 1)
    residual = f - jnp.einsum("lk,k->l", F, positions)
    along = jnp.einsum("lr,l->r", vectors, residual)
    move = jnp.where(kept, along / jnp.where(kept, sizes, 1), 0)
    best = positions + jnp.einsum("lr,r->l", vectors, move)
    alike = (on[:, :, None] == on[:, None, :]).all(axis=0) & (n[:, None] == n)
    means = jnp.einsum("lk,k->l", alike.astype(best.dtype), best) / alike.sum(axis=1)
    genuine = (_active(x, means, n) == on).all()
    rank = kept.sum()
    return SampleMinimum(best, rank, rank == len(n), genuine)


def _active(x: Array, positions: Array, n: Array) -> Bool[Array, "samples weights"]:
    return n * (x[:, None] - positions) > 0


def _system(x: Array, y: Array, active: Array) -> tuple[Array, Array]:
    on = active.astype(x.dtype)
    target = on.sum(axis=1) * x - y
    return jnp.einsum("il,ik->lk", on, on), jnp.einsum("il,i->l", on, target)


def _check(x: Float[Array, " samples"], y: Float[Array, " labels"]) -> None:
    if x.shape != y.shape or not len(x):
        raise ValueError(
            f"x and y have shapes {x.shape} and {y.shape}; give one label for each sample"
        )
