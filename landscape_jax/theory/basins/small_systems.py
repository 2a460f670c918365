"""Batched Cholesky solves of small positive definite systems, with the batch axes (lanes) last."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def factor(H: Float[Array, "size size *lanes"]) -> Float[Array, "size size *lanes"]:
    """Compute lower Cholesky factors; NaN in the lanes, and only those, that are not definite."""
    turned = jnp.moveaxis(H, (0, 1), (-2, -1))
    return jnp.moveaxis(jax.lax.linalg.cholesky(turned, symmetrize_input=False), (-2, -1), (0, 1))


def forward(
    L: Float[Array, "size size *lanes"], right: Float[Array, "size *columns"]
) -> Float[Array, "size *columns"]:
    """Solve L x = b; b may have an axis of columns between its first axis and the lanes.

    Row by row for all lanes at once: library solvers take one lane at a time, which costs ten times
    as much at these sizes.
    """
    L = L.reshape(*L.shape[:2], *(1,) * (right.ndim - L.ndim + 1), *L.shape[2:])
    below = jnp.arange(len(L)).reshape(-1, *(1,) * (right.ndim - 1))

    def step(k: Array, b: Array) -> Array:
        entry = b[k] / L[k, k]
        return jnp.where(below > k, b - L[:, k] * entry, jnp.where(below == k, entry, b))

    return jax.lax.fori_loop(0, len(L), step, right)


def backward(
    L: Float[Array, "size size *lanes"], right: Float[Array, "size *lanes"]
) -> Float[Array, "size *lanes"]:
    """Solve Lᵀ x = b."""
    above = jnp.arange(len(L)).reshape(-1, *(1,) * (right.ndim - 1))

    def step(steps: Array, b: Array) -> Array:
        k = len(L) - 1 - steps
        entry = b[k] / L[k, k]
        return jnp.where(above < k, b - L[k] * entry, jnp.where(above == k, entry, b))

    return jax.lax.fori_loop(0, len(L), step, right)


def solve(
    L: Float[Array, "size size *lanes"], right: Float[Array, "size *lanes"]
) -> Float[Array, "size *lanes"]:
    """Solve L Lᵀ x = b."""
    return backward(L, forward(L, right))
