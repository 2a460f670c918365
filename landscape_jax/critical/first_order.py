"""First-order test of neurons of length 0, where F has no Hessian: can growing one lower F?"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from landscape_jax.objectives.expectations import pair_expectation
from landscape_jax.objectives.population import PopulationRisk

_RANDOM, _ITERATIONS = 64, 400


def without(
    risk: PopulationRisk, W: Float[Array, "neurons dim"], dropped: Bool[Array, " neurons"]
) -> tuple[PopulationRisk, Float[Array, "rest dim"]]:
    """Remove some of the students from the risk and the point."""
    kept = ~np.asarray(dropped)
    a = np.ones(len(kept)) if risk.student_weights is None else np.asarray(risk.student_weights)
    weights = jnp.asarray(a[kept], risk.teacher.dtype)
    rest = eqx.tree_at(lambda r: r.student_weights, risk, weights, is_leaf=lambda x: x is None)
    return rest, jnp.asarray(W)[kept]


def least_growth(
    risk: PopulationRisk, W: Float[Array, "neurons dim"], zero: Bool[Array, " neurons"]
) -> float:
    """Compute the least rate of change of F when a neuron of length 0 grows.

    For a φ with φ(ct) = cφ(t), a unit vector u, t ≥ 0 and wᵢ = 0,

        F(W + t eᵢuᵀ) = F(W) + t aᵢ ψ(u) + O(t²),   ψ(u) = Σₗ aₗ f(u, wₗ) − Σⱼ bⱼ f(u, vⱼ),

    so aᵢψ < 0 somewhere on the sphere is a direction of descent, and aᵢψ > 0 everywhere makes W a
    strict minimum in wᵢ.  (Where other neurons are critical, ψ = 0 along each of them, as a share
    of it can move to neuron i.  So the second case requires that all neurons are zero.)  The least
    value on the sphere is searched from the directions of all neurons, their opposites and random
    ones by u ← (κu − aᵢ∇ψ)/|·|, which never increases aᵢψ when κ bounds its curvature, at most
    Σ|c||u|.  A negative value is exhibited; that none is lower is as certain as the search.

    **Arguments:** `risk`, with a piecewise linear activation; `W`; `zero`, which neurons are of
    length 0, at least one.

    **Returns:** minᵢ min_u aᵢψ(u).
    """
    a = np.ones(len(W)) if risk.student_weights is None else np.asarray(risk.student_weights)
    rest, others = without(risk, W, zero)
    signs = jnp.asarray(np.unique(a[np.asarray(zero)]), others.dtype)
    return float(_least(rest, others, signs))


@eqx.filter_jit
def _least(
    rest: PopulationRisk, W: Float[Array, "rest dim"], weights: Float[Array, " zeros"]
) -> Array:
    V = rest.teacher.astype(W.dtype)
    neurons = jnp.concatenate([W, V])
    a = jnp.ones(0, W.dtype) if rest.student_weights is None else rest.student_weights
    outer = jnp.concatenate([a, -rest.teacher_weights]).astype(W.dtype)
    f = pair_expectation(rest.activation, rest.order)
    curvature = jnp.sum(jnp.abs(outer) * jnp.linalg.norm(neurons, axis=1))

    def unit(u: Array) -> Array:
        size = jnp.linalg.norm(u, axis=1, keepdims=True)
        return u / jnp.where(size > 0, size, 1)

    def rates(u: Array, weight: Array) -> Array:
        return weight * jnp.sum(f(u, neurons) * outer, axis=1)

    random = jax.random.normal(jax.random.key(0), (_RANDOM, W.shape[1]), W.dtype)
    starts = unit(jnp.concatenate([neurons, -neurons, random]))

    def search(weight: Array) -> Array:
        gradient = jax.grad(lambda u: jnp.sum(rates(u, weight)))
        shift = jnp.abs(weight) * curvature

        def step(_: Array, u: Array) -> Array:
            return unit(shift * u - gradient(u))

        return rates(jax.lax.fori_loop(0, _ITERATIONS, step, starts), weight).min()

    return jnp.stack([search(weight) for weight in weights]).min()
