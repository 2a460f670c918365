"""The last decades of a descent by Newton's method, where its answer is sure to be descent's."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, PyTree, Scalar

from landscape_jax.search.descent import gradient_norm


class Polished(NamedTuple):
    """The point that Newton's method gives, and whether descent would have ended there."""

    params: PyTree
    value: Scalar
    gradient_norm: Scalar
    accepted: Bool[Array, ""]


class _Solution(NamedTuple):
    x: Float[Array, " parameters"]
    residual: Float[Array, " parameters"]
    direction: Float[Array, " parameters"]
    square: Scalar
    positive: Bool[Array, ""]
    iteration: Array


def conjugate_gradients(
    product: Callable[[Array], Array], right: Float[Array, " parameters"], tolerance: Scalar
) -> tuple[Float[Array, " parameters"], Bool[Array, ""]]:
    """Solve Hx = b to ‖b − Hx‖ ≤ tolerance·‖b‖ and say whether H looked positive definite.

    Formula: pᵀHp > 0 along every search direction.  The tridiagonal matrix of the Lanczos process
    started at b is positive definite exactly while that holds, so a random b finds a negative
    eigenvalue of H before the residual is small.
    """
    goal = (tolerance * jnp.linalg.norm(right)) ** 2
    limit = 2 * right.size + 20

    def unfinished(s: _Solution) -> Array:
        return s.positive & (s.square > goal) & (s.iteration < limit)

    def iterate(s: _Solution) -> _Solution:
        image = product(s.direction)
        curvature = s.direction @ image
        positive = curvature > 0
        length = jnp.where(positive, s.square / jnp.where(positive, curvature, 1), 0)
        residual = s.residual - length * image
        square = residual @ residual
        return _Solution(
            s.x + length * s.direction,
            residual,
            residual + square / s.square * s.direction,
            square,
            positive,
            s.iteration + 1,
        )

    begin = _Solution(
        jnp.zeros_like(right), right, right, right @ right, jnp.array(True), jnp.array(0)
    )
    end = jax.lax.while_loop(unfinished, iterate, begin)
    return end.x, end.positive & (end.square <= goal)


def polish(
    objective: Callable[[PyTree], Scalar], params: PyTree, tolerance: Scalar, *, probe: Array
) -> Polished:
    """Go from near a minimum to the minimum itself by Newton–CG, if descent would go there.

    Newton's steps x ← x − H⁻¹∇F(x) are taken while they halve the gradient.  The end x* is accepted
    where

    - ∇F(x*) is at most `tolerance` (the largest norm over neurons);
    - the Hessian is positive definite at x₀, at x* and midway, seen by conjugate gradients from
      the random `probe`;
    - 8 ‖∇F(m) − ½(∇F(x₀) + ∇F(x*))‖ ≤ ½ λ ‖δ‖ with δ = x* − x₀, m midway, and λ = zᵀHz/zᵀz,
      z = H⁻²·probe, the smallest eigenvalue of H(x*).  To the third order the left side is
      ‖(H(x*) − H(x₀))δ‖: on the way the Hessian changes by less than half of λ.

    Under these, F is convex and as good as quadratic between x₀ and x*, and descent, which contracts
    towards x* there, ends in x*.  Otherwise nothing is accepted, and one goes on descending.

    **Arguments:** `params`, x₀; `probe`, a random vector, one entry a parameter.

    **Returns:** the last point, and whether it is accepted.
    """
    start, unravel = ravel_pytree(params)
    slope = jax.grad(lambda x: objective(unravel(x)))
    end, positive = _newton(slope, start)
    move = end - start

    def curvature(x: Array) -> tuple[Array, Array, Array]:
        g, product = jax.linearize(slope, x)

        def invert(_, carry: tuple) -> tuple:
            _, right, positive = carry
            z, solved = conjugate_gradients(product, right, jnp.asarray(1e-3, x.dtype))
            return right, z, positive & solved

        before, z, positive = jax.lax.fori_loop(0, 2, invert, (probe, probe, jnp.array(True)))
        return g, positive, (z @ before) / (z @ z)

    points = jnp.stack([start, start + move / 2, end])
    g, convex, smallest = jax.vmap(curvature)(points)
    norm = gradient_norm(unravel(g[2]))
    change = 8 * jnp.linalg.norm(g[1] - (g[0] + g[2]) / 2)
    rounding = 100 * jnp.finfo(end.dtype).eps
    nearly_quadratic = change <= smallest[2] / 2 * jnp.linalg.norm(move) + rounding
    accepted = positive & convex.all() & (norm <= tolerance) & nearly_quadratic
    return Polished(unravel(end), objective(unravel(end)), norm, accepted)


def _newton(slope: Callable[[Array], Array], start: Array) -> tuple[Array, Array]:
    """Take Newton's steps while they halve the gradient, and say whether all Hessians looked

    positive definite.  The last step, which does not, is taken back.
    """

    def unfinished(carry: tuple) -> Array:
        _, _, _, halved, positive, count = carry
        return halved & positive & (count < 20)

    def iterate(carry: tuple) -> tuple:
        x, step, size, _, _, count = carry
        g, product = jax.linearize(slope, x + step)
        new = jnp.linalg.norm(g)
        halved = new < size / 2
        next_step, positive = conjugate_gradients(product, -g, jnp.minimum(0.1, jnp.sqrt(new)))
        return jnp.where(halved, x + step, x), next_step, new, halved, positive, count + 1

    infinite = jnp.asarray(jnp.inf, start.dtype)
    begin = (start, jnp.zeros_like(start), infinite, jnp.array(True), jnp.array(True), 0)
    x, _, _, _, positive, _ = jax.lax.while_loop(unfinished, iterate, begin)
    return x, positive
