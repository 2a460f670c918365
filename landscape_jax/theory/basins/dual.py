"""Dual points so close to feasible that only rounding is left."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from landscape_jax.theory.basins.heights import heights, pulled
from landscape_jax.theory.basins.systems import Problems, factored, solved

ROUNDS = 3


def feasible_dual(
    problems: Problems,
    gram: Array | None,
    errors: Float[Array, "samples lanes"],
    multipliers: Float[Array, "samples neurons lanes"],
    kept: Bool[Array, "samples neurons lanes"],
) -> tuple[Float[Array, "samples lanes"], Float[Array, "samples neurons lanes"]]:
    """Move (r, λ) to where Aᵀr = Gᵀλ, λ ≥ 0, but for rounding.

    The least change in the norm ‖δr‖² + Σ δλ²/λ: with H = AᵀA + Gᵀ diag(λ) G and H z = −(Aᵀr − Gᵀλ)
    it is δr = A z and δλ = −diag(λ) G z.  So multipliers that are not `kept`, or 0, stay 0.  A
    solution exists, since the residual is in the range of H.
    """
    u, _, a, b = problems
    weights = multipliers = jnp.where(kept, multipliers, 0)
    system = factored(problems, gram, weights)

    def closer(_: Array, point: tuple[Array, Array]) -> tuple[Array, Array]:
        errors, multipliers = point
        z = solved(system, pulled(u, b * multipliers - a * errors[:, None]))
        h = heights(u, z)
        errors = errors + jnp.sum(a * h, axis=1)
        return errors, jnp.maximum(multipliers - weights * b * h, 0)

    return jax.lax.fori_loop(0, ROUNDS, closer, (errors, multipliers))
