"""The last decades of a descent by Newton's method, where its answer is sure to be descent's."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, PyTree, Scalar

from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.search.descent import gradient_norm

_RESIDUAL = 1e-6
_MOST_STEPS = 20


class Polished(NamedTuple):
    """The point that Newton's method gives, and whether descent would have ended there."""

    params: PyTree
    value: Scalar
    gradient_norm: Scalar
    accepted: Bool[Array, ""]


class _Newton(NamedTuple):
    x: Float[Array, " parameters"]
    step: Float[Array, " parameters"]
    first: Float[Array, " parameters"]
    size: Scalar
    norm: Scalar
    probe: Float[Array, " parameters"]
    halved: Bool[Array, ""]
    positive: Bool[Array, ""]
    taken: Array


class _Solution(NamedTuple):
    x: Float[Array, "systems parameters"]
    residual: Float[Array, "systems parameters"]
    direction: Float[Array, "systems parameters"]
    square: Float[Array, " systems"]
    positive: Bool[Array, " systems"]
    iteration: Array


def conjugate_gradients(
    product: Callable[[Array], Array], right: Float[Array, "systems parameters"]
) -> tuple[Float[Array, "systems parameters"], Bool[Array, " systems"]]:
    """Solve Hx = b for several b, to a residual of 1e-6 ‖b‖, and say whether H looked positive.

    Formula: pᵀHp > 0 along every search direction.  The tridiagonal matrix of the Lanczos process
    started at b is positive definite exactly while that holds, so a random b finds a negative
    eigenvalue of H before the residual is small.
    """
    goal = _RESIDUAL**2 * jnp.sum(right**2, axis=1)
    limit = 2 * right.shape[1] + 20

    def open_systems(s: _Solution) -> Array:
        return s.positive & (s.square > goal)

    def iterate(s: _Solution) -> _Solution:
        image = product(s.direction)
        curvature = jnp.sum(s.direction * image, axis=1)
        positive = s.positive & ((curvature > 0) | (s.square <= goal))
        length = jnp.where(open_systems(s) & positive, s.square / curvature, 0)[:, None]
        residual = s.residual - length * image
        square = jnp.sum(residual**2, axis=1)
        ratio = jnp.where(s.square > 0, square / s.square, 0)[:, None]
        return _Solution(
            s.x + length * s.direction,
            residual,
            residual + ratio * s.direction,
            square,
            positive,
            s.iteration + 1,
        )

    begin = _Solution(
        jnp.zeros_like(right),
        right,
        right,
        jnp.sum(right**2, axis=1),
        jnp.full(len(right), True),
        jnp.array(0),
    )
    end = jax.lax.while_loop(
        lambda s: open_systems(s).any() & (s.iteration < limit), iterate, begin
    )
    return end.x, end.positive & (end.square <= goal)


def polish(
    objective: AbstractObjective, params: PyTree, tolerance: Scalar, *, probe: Array
) -> Polished:
    """Go from near a minimum to the minimum itself by Newton–CG, if descent would go there.

    Newton's steps x ← x − H⁻¹∇F(x) are taken while they halve the gradient.  The end x* is accepted
    where

    - ∇F(x*) is at most `tolerance` (the largest norm over neurons);
    - the Hessian is positive definite at x₀, at every point on the way and at x*, seen by conjugate
      gradients from the random `probe`;
    - the first step s₀ = −H(x₀)⁻¹∇F(x₀) is the whole way δ = x* − x₀ up to a quarter,
      ‖s₀ − δ‖ ≤ ¼ ‖δ‖.  As s₀ − δ = H(x₀)⁻¹(H̄ − H(x₀))δ, with H̄ the mean Hessian on the way, this
      says that the Hessian changes little against its smallest eigenvalue: the quantity of Newton
      and Kantorovich, measured instead of bounded.

    Then F is convex and as good as quadratic between x₀ and x*, and descent, which contracts
    towards x* there, ends in x*.  Otherwise nothing is accepted, and one goes on descending.

    **Arguments:** `params`, x₀; `probe`, a random vector, one entry a parameter.

    **Returns:** the last point with its value and gradient norm, and whether it is accepted.
    """
    start, unravel = ravel_pytree(params)
    infinite = jnp.asarray(jnp.inf, start.dtype)
    begin = _Newton(
        start, jnp.zeros_like(start), jnp.zeros_like(start), infinite, infinite, probe,
        jnp.array(True), jnp.array(True), jnp.array(0),
    )  # fmt: skip

    def iterate(s: _Newton) -> _Newton:
        slope, image = objective.curvature(unravel(s.x + s.step))
        g = ravel_pytree(slope)[0]
        size = jnp.linalg.norm(g)
        halved = size < s.size / 2
        product = jax.vmap(lambda direction: ravel_pytree(image(unravel(direction)))[0])
        (step, probe), solved = conjugate_gradients(product, jnp.stack([-g, s.probe]))
        return _Newton(
            x=jnp.where(halved, s.x + s.step, s.x),
            step=step,
            first=jnp.where(s.taken == 0, step, s.first),
            size=size,
            norm=jnp.where(halved, gradient_norm(slope), s.norm),
            probe=probe / jnp.linalg.norm(probe),
            halved=halved,
            positive=s.positive & solved.all(),
            taken=s.taken + 1,
        )

    end = jax.lax.while_loop(
        lambda s: s.halved & s.positive & (s.taken < _MOST_STEPS), iterate, begin
    )
    move = end.x - start
    rounding = 100 * jnp.finfo(start.dtype).eps * jnp.linalg.norm(start)
    close = jnp.linalg.norm(end.first - move) <= jnp.linalg.norm(move) / 4 + rounding
    accepted = end.positive & close & (end.norm <= tolerance)
    return Polished(unravel(end.x), objective(unravel(end.x)), end.norm, accepted)
