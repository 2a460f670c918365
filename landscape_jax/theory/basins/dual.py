"""Dual points that are feasible to within rounding."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from landscape_jax.theory.basins.heights import heights, transposed_heights
from landscape_jax.theory.basins.systems import Problems, factorize, solve_factorized

ROUNDS = 3


def feasible_dual(
    problems: Problems,
    gram: Array | None,
    errors: Float[Array, "samples lanes"],
    multipliers: Float[Array, "samples neurons lanes"],
    kept: Bool[Array, "samples neurons lanes"],
) -> tuple[Float[Array, "samples lanes"], Float[Array, "samples neurons lanes"]]:
    """Project (r, λ) onto Aᵀr = Gᵀλ, λ ≥ 0, to within rounding.

    The change is the least in the norm ‖δr‖² + Σ δλ²/λ: δr = A z and δλ = −diag(λ) G z, where
    H z = −(Aᵀr − Gᵀλ), H = AᵀA + Gᵀ diag(λ) G.  Multipliers that are 0 or not `kept` stay 0.  A
    solution exists, since the residual is in the range of H.
    """
    u, _, a, b = problems
    weights = multipliers = jnp.where(kept, multipliers, 0)
    system = factorize(problems, gram, weights)

    def improve(_: Array, point: tuple[Array, Array]) -> tuple[Array, Array]:
        errors, multipliers = point
        z = solve_factorized(system, transposed_heights(u, b * multipliers - a * errors[:, None]))
        h = heights(u, z)
        errors = errors + jnp.sum(a * h, axis=1)
        return errors, jnp.maximum(multipliers - weights * b * h, 0)

    return jax.lax.fori_loop(0, ROUNDS, improve, (errors, multipliers))
