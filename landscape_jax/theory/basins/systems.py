"""The least-squares problems of many basins, and the linear systems of the Newton steps."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from landscape_jax.theory.basins.heights import weighted_gram
from landscape_jax.theory.basins.small_systems import backward, factor, forward, solve

# Up to this many unknowns one system is faster than those of Woodbury's formula.
DIRECT = 40


class Problems(NamedTuple):
    """In each lane: minimize ½‖Az − y‖² over Gz ≥ 0.

    (Az)_t = Σᵢ a_ti u_t·zᵢ and (Gz)_ti = b_ti u_t·zᵢ, with

    - `u`: (m, p), rows of length 1 or 0; `y`: (m,), of length 1 or 0.
    - `a`: (m, n, lanes); `b`: ±1, or 0 where there is no constraint.
    """

    u: Float[Array, "samples rank"]
    y: Float[Array, " samples"]
    a: Float[Array, "samples neurons lanes"]
    b: Float[Array, "samples neurons lanes"]


class FactorizedSystem(NamedTuple):
    """Cholesky factors: of H itself, or of each neuron's block and of Woodbury's system."""

    whole: Float[Array, "size size lanes"]
    blocks: Float[Array, "rank rank neurons lanes"] | None = None
    scaled: Float[Array, "rank samples neurons lanes"] | None = None


def least_shift(dtype) -> float:
    """Return the multiple of the identity that is added to every block."""
    return float(jnp.finfo(dtype).eps) ** 0.7


def gram(problems: Problems) -> Float[Array, "rank neurons rank neurons lanes"] | None:
    """Return AᵀA, or `None` where Woodbury's formula is faster."""
    a = problems.a
    if a.shape[1] * problems.u.shape[1] > max(len(a), DIRECT):
        return None
    return jnp.transpose(weighted_gram(problems.u, a[:, :, None] * a[:, None]), (0, 2, 1, 3, 4))


def factorize(
    problems: Problems, gram: Array | None, weights: Float[Array, "samples neurons lanes"]
) -> FactorizedSystem:
    """Factorize H = AᵀA + Gᵀ diag(weights) G + a small multiple of the identity."""
    u, _, a, _ = problems
    m, p = u.shape
    n, lanes = a.shape[1:]
    eps = float(jnp.finfo(u.dtype).eps)
    blocks = weighted_gram(u, weights)
    shift = least_shift(u.dtype) + 8 * eps * jnp.trace(blocks)
    blocks = blocks + shift * jnp.eye(p, dtype=u.dtype)[:, :, None, None]
    if gram is not None:
        same = jnp.eye(n, dtype=u.dtype)[:, None, :, None]
        H = gram + same * jnp.moveaxis(blocks, 2, 1)[:, :, :, None]
        return FactorizedSystem(factor(H.reshape(n * p, n * p, lanes)))
    L = factor(blocks)
    scaled = forward(L, jnp.broadcast_to(u.T[:, :, None, None], (p, m, n, lanes))) * a
    inner = jnp.einsum("ptnl,psnl->tsl", scaled, scaled, precision=jax.lax.Precision.HIGHEST)
    return FactorizedSystem(factor(inner + jnp.eye(m, dtype=u.dtype)[:, :, None]), L, scaled)


def solve_factorized(system: FactorizedSystem, right: Array) -> Float[Array, "rank neurons lanes"]:
    """Solve H z = `right`."""
    if system.blocks is None or system.scaled is None:
        return solve(system.whole, right.reshape(-1, right.shape[-1])).reshape(right.shape)
    half = forward(system.blocks, right)
    back = solve(system.whole, jnp.sum(system.scaled * half[:, None], axis=(0, 2)))
    return backward(system.blocks, half - jnp.sum(system.scaled * back[:, None], axis=1))
