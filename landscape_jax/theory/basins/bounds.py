"""Bounds on basin values from above and below, from any approximate primal-dual point.

The problem is: minimize ‖q − y‖², q_t = Σᵢ a_ti hᵢt, over heights hᵢ = X wᵢ with b_ti hᵢt ≥ 0.

*From above.*  The loss of a feasible W.  Its heights are computed with an error of at most
γ Σ_k |x_tk w_ik|, γ = 2(d + 2)ε.  Where a height does not exceed that, the weight is moved towards
one deep inside the region; a neuron for which this fails is set to 0.  So the returned floats lie
in the closed cones exactly, where q is the network's output; the loss is rounded up.

*From below.*  For any r and λ ≥ 0 let cᵢt = a_ti r_t − b_ti λ_ti.  For every W in the cones

    ‖q − y‖² ≥ 2 r·(q − y) − ‖r‖² = −2 r·y − ‖r‖² + 2 Σᵢ cᵢ·hᵢ + 2 Σ λ_ti b_ti hᵢt,

and the last sum is not negative.  Since hᵢ is in the range of X, cᵢ·hᵢ = ζᵢ·hᵢ, with ζᵢ = Π cᵢ the
projection on that range.  (r, λ) is feasible for the dual if all ζᵢ are 0, which floats never
reach.  Two cases, neuron by neuron, with ρ a bound on the error of the computed ζᵢ:

1. λ_ti ≥ |ζᵢt| + ρ for all t.  Then λ′_ti = λ_ti + b_ti ζᵢt ≥ 0, and with λ′ the projection is
   Π(cᵢ − ζᵢ) = 0 exactly.  The bound is the same, since λ does not occur in it.
2. Otherwise cᵢ·hᵢ ≥ −(‖ζᵢ‖ + ρ) R for all wᵢ with ‖X wᵢ‖ ≤ R: the bound decreases by twice that,
   and holds for these W only.

Case 2 occurs where the set of minimizers is unbounded, for example where two neurons of opposite
signs share a face of their regions: moving both along it leaves the loss unchanged, so the exact
multipliers are 0 there, and no float near 0 satisfies case 1.  Then R = `reach` is 10 times the
maximum of ‖y‖ and the ‖X wᵢ‖ found; otherwise `reach` is infinite.  The scale
τ = max(0, −r·y) / ‖r‖² of (r, λ) maximizes the bound.

ρ = (m + p + 4) ε κ ‖|a r| + λ‖ with κ the condition number of X: the left singular vectors, and Π,
are known to about εκ.  Singular values below `rank_tolerance` count as 0: for data that close to a
lower rank, the bounds are for the data of that rank.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from landscape_jax.theory.basins.heights import Basis, heights, transposed_heights

_REACH = 10


class Upper(NamedTuple):
    """A point in the closed regions: W, its loss (1/m)‖q − y‖² rounded up, and its ‖X wᵢ‖."""

    value: Float[Array, " lanes"]
    W: Float[Array, "inputs neurons lanes"]
    sizes: Float[Array, "neurons lanes"]


class Lower(NamedTuple):
    """A lower bound on (1/m)‖q − y‖², its dual point, and the ‖X wᵢ‖ up to which it holds."""

    value: Float[Array, " lanes"]
    errors: Float[Array, "samples lanes"]
    multipliers: Float[Array, "samples neurons lanes"]
    reach: Float[Array, "neurons lanes"]


def upper_bound(
    basis: Basis,
    a: Float[Array, "samples neurons lanes"],
    b: Float[Array, "samples neurons lanes"],
    w: Float[Array, "inputs neurons lanes"],
    deep: Float[Array, "inputs neurons lanes"],
) -> Upper:
    """Compute upper bounds on basin values.

    **Arguments:** `basis`, of the data; `a`, vᵢ where neuron i is active, else 0; `b`, ±1, or 0
    where there is no constraint; `w`, approximate minimizers; `deep`, weights inside the regions.
    """
    y = basis.y[:, None]
    count, eps = len(y), float(jnp.finfo(y.dtype).eps)
    up = 1 + (count + 4) * eps
    W = _inside(basis, b, w, deep)
    found, terms = heights(basis.x, W), heights(jnp.abs(basis.x), jnp.abs(W))
    errors = jnp.sum(a * found, axis=1) - y
    share = 2 * (sum(W.shape[:2]) + 4) * eps
    rounding = share * (jnp.sum(jnp.abs(a) * terms, axis=1) + jnp.abs(y))
    value = up * jnp.mean((jnp.abs(errors) + rounding) ** 2, axis=0)
    at_zero = up * jnp.mean(y**2)
    idle = value > at_zero
    sizes = jnp.where(idle, 0, jnp.sqrt(jnp.sum(found**2, axis=0)))
    return Upper(jnp.where(idle, at_zero, value), jnp.where(idle, 0, W), sizes)


def lower_bound(
    basis: Basis,
    a: Float[Array, "samples neurons lanes"],
    b: Float[Array, "samples neurons lanes"],
    sizes: Float[Array, "neurons lanes"],
    errors: Float[Array, "samples lanes"],
    multipliers: Float[Array, "samples neurons lanes"],
) -> Lower:
    """Compute lower bounds on basin values.

    **Arguments:** as of `upper_bound`; `sizes`, the ‖X wᵢ‖ found; `errors`, r; `multipliers`, λ,
    of which negative ones count as 0.
    """
    multipliers = jnp.maximum(multipliers, 0)
    y = basis.y[:, None]
    count, eps = len(y), float(jnp.finfo(y.dtype).eps)
    far = _REACH * jnp.maximum(sizes, jnp.sqrt(jnp.sum(y**2)))
    lost = _lost(basis, a, b, errors, multipliers)
    along, squares = -jnp.sum(y * errors, axis=0), jnp.sum(errors**2, axis=0)
    scale = jnp.maximum(along, 0) / jnp.where(squares > 0, squares, 1)
    noise = 2 * jnp.sum(jnp.abs(y * errors), axis=0) + scale * squares
    total = (
        2 * along
        - scale * squares
        - 2 * jnp.sum(lost * far, axis=0)
        - 2 * (count + 4) * eps * noise
    )
    value = scale * total / count
    # 0 is a lower bound for every W.
    reach = jnp.where((lost == 0) | (value <= 0), jnp.inf, far)
    return Lower(jnp.where(value <= 0, 0, value), scale * errors, scale * multipliers, reach)


def _inside(basis: Basis, b: Array, w: Array, deep: Array) -> Float[Array, "inputs neurons lanes"]:
    """Move weights into their closed cones, with a margin for rounding errors."""
    x = basis.x
    gamma = 2 * (x.shape[1] + 2) * float(jnp.finfo(x.dtype).eps)

    def room(w: Array, times: int) -> Array:
        rounding = gamma * heights(jnp.abs(x), jnp.abs(w))
        return b * heights(x, w) - times * jnp.abs(b) * rounding

    # Twice the margin checked below, where the same height may be rounded differently.
    here, there = room(w, 2), room(deep, 2)
    outside = (b != 0) & (here < 0) & (there > 0)
    share = jnp.where(outside, -2 * here / jnp.where(outside, there - here, 1), 0)
    share = jnp.minimum(jnp.max(share, axis=0, initial=0), 1)
    moved = w + share * (deep - w)
    fits = jnp.all(room(moved, 1) >= 0, axis=0)
    return jnp.where(fits | jnp.isnan(moved), moved, 0)


def _lost(
    basis: Basis, a: Array, b: Array, errors: Array, multipliers: Array
) -> Float[Array, "neurons lanes"]:
    """Return ‖ζᵢ‖ + ρ for the neurons of case 2, 0 for the others."""
    u = basis.left
    zeta = heights(u, transposed_heights(u, a * errors[:, None] - b * multipliers))
    share = (sum(u.shape) + 4) * float(jnp.finfo(u.dtype).eps) * basis.condition
    terms = jnp.abs(a * errors[:, None]) + multipliers
    rounding = share * jnp.sqrt(jnp.sum(terms**2, axis=0))
    absorbed = jnp.all((b == 0) | (multipliers >= jnp.abs(zeta) + rounding), axis=0)
    return jnp.where(absorbed, 0, jnp.sqrt(jnp.sum(zeta**2, axis=0)) + rounding)
