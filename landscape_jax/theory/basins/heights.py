"""Heights X wᵢ of neurons over the data, on which a basin's loss and constraints depend."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from landscape_jax.exact.ranks import rank_tolerance
from landscape_jax.precision import times


class Basis(NamedTuple):
    """The data, with coordinates in which heights are well scaled: X = U Σ Vᵀ.

    - `x`: (m, d); `y`: (m,).
    - `left`: U, (m, p), with 0 columns beyond the rank; `right`: V Σ⁻¹, (d, p), likewise.
    - `rows`: (m, p), the rows of U divided by their norms; `lengths`: (m,), these norms, 0 for
      x_t = 0.
    - `condition`: the ratio of the largest to the smallest singular value not counted as 0.
    """

    x: Float[Array, "samples inputs"]
    y: Float[Array, " samples"]
    left: Float[Array, "samples rank"]
    right: Float[Array, "inputs rank"]
    rows: Float[Array, "samples rank"]
    lengths: Float[Array, " samples"]
    condition: Float[Array, ""]


def basis(x: Float[Array, "samples inputs"], y: Float[Array, " samples"]) -> Basis:
    """Compute the singular value decomposition of the data, cut off at its rank."""
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
    """Return u_t·zᵢ, (samples, neurons, lanes)."""
    return times(u, z.reshape(len(z), -1)).reshape(-1, *z.shape[1:])


def transposed_heights(
    u: Float[Array, "samples rank"], c: Float[Array, "samples neurons lanes"]
) -> Array:
    """Return Σ_t c_ti u_t, (rank, neurons, lanes): the transpose of `heights`."""
    return heights(u.T, c)


def weighted_gram(u: Float[Array, "samples rank"], w: Float[Array, "samples *lanes"]) -> Array:
    """Return Σ_t w_t u_t u_tᵀ, (rank, rank, *lanes)."""
    m, p = u.shape
    outer = (u[:, :, None] * u[:, None]).reshape(m, p * p)
    return times(outer.T, w.reshape(m, -1)).reshape(p, p, *w.shape[1:])
