"""Heights of weights over data: all that a basin's loss and constraints depend on."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from landscape_jax.exact.ranks import rank_tolerance

# Some devices round the factors of a product to fewer digits unless told not to.
_HIGHEST = jax.lax.Precision.HIGHEST


class Basis(NamedTuple):
    """The data, with coordinates in which heights are well scaled: X = U Σ Vᵀ.

    - `x`: (m, d); `y`: (m,).
    - `left`: U, (m, p), columns beyond the rank 0; `right`: V Σ⁻¹, (d, p), the same.
    - `rows`: (m, p), the rows of U over their lengths; `lengths`: (m,), 0 for x_t = 0.
    - `condition`: largest over smallest singular value that counts.
    """

    x: Float[Array, "samples inputs"]
    y: Float[Array, " samples"]
    left: Float[Array, "samples rank"]
    right: Float[Array, "inputs rank"]
    rows: Float[Array, "samples rank"]
    lengths: Float[Array, " samples"]
    condition: Float[Array, ""]


def basis(x: Float[Array, "samples inputs"], y: Float[Array, " samples"]) -> Basis:
    """Reduce data to its row space, with left singular vectors as coordinates."""
    U, s, Vt = jnp.linalg.svd(x, full_matrices=False)
    samples, inputs = x.shape
    kept = s > rank_tolerance(samples, inputs, float(jnp.finfo(x.dtype).eps)) * s[0]
    there = jnp.any(x != 0, axis=1)
    left = jnp.where(kept & there[:, None], U, 0)
    lengths = jnp.sqrt(jnp.sum(left**2, axis=1))
    return Basis(
        x=x,
        y=y,
        left=left,
        right=jnp.where(kept, Vt.T / jnp.where(kept, s, 1), 0),
        rows=left / jnp.where(lengths > 0, lengths, 1)[:, None],
        lengths=lengths,
        condition=jnp.where(s[0] > 0, s[0] / jnp.min(jnp.where(kept, s, s[0])), 1),
    )


def heights(u: Float[Array, "samples rank"], z: Float[Array, "rank neurons lanes"]) -> Array:
    """Give u_t·zᵢ, (samples, neurons, lanes)."""
    return jnp.tensordot(u, z, 1, precision=_HIGHEST)


def pulled(u: Float[Array, "samples rank"], c: Float[Array, "samples neurons lanes"]) -> Array:
    """Give Σ_t c_ti u_t, (rank, neurons, lanes)."""
    return jnp.tensordot(u.T, c, 1, precision=_HIGHEST)


def weighted_gram(u: Float[Array, "samples rank"], w: Float[Array, "samples *lanes"]) -> Array:
    """Give Σ_t w_t u_t u_tᵀ, (rank, rank, *lanes)."""
    m, p = u.shape
    outer = (u[:, :, None] * u[:, None]).reshape(m, p * p)
    table = jnp.dot(outer.T, w.reshape(m, -1), precision=_HIGHEST)
    return table.reshape(p, p, *w.shape[1:])
