"""The last decades of a descent by Newton's method, where its answer is sure to be descent's."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar

from landscape_jax.objectives.base import AbstractObjective, gradient_norm

# The residual of a linear system, against its right side.
_RESIDUAL = 1e-6
# Newton's second step of a leap is at most so long, against the first.
_CONTRACTION = 0.25
# So much the gradient may change in a leap of finite time.
_CHANGE = 0.5
# A leap's time 1/shift is at first the longest, and shortened or lengthened by a factor.  Descent
# takes 2000 steps of 0.1 for the shortest; for fewer it does not pay.
_LEAST_SHIFT = 1e-5
_MOST_SHIFT = 5e-3
_FACTOR = 4
_MOST_SYSTEMS = 200
# Iterations of conjugate gradients between two looks.
_ITERATIONS = 16


class Leaps(NamedTuple):
    """The state of one run that is being finished; vectors are raveled.

    A leap begins at `base`, with the gradient `slope`, and has the shift 1/h, or none where it is
    `infinite`; Newton's method has come to `point`, with `value` and gradient `norm` there.
    `step`, `residual`, `direction`, `square` = ‖residual‖² and `goal` are those of the linear
    system that is solved there while it is `open`; it has `failed` where its matrix is not seen to
    be positive definite.  `first` is the length of the leap's first Newton step, NaN before it is
    known.  While `probing`, the right side is the random probe; `final`, where Newton's method has
    ended.
    """

    base: Float[Array, " parameters"]
    slope: Float[Array, " parameters"]
    point: Float[Array, " parameters"]
    value: Scalar
    norm: Scalar
    shift: Scalar
    infinite: Bool[Array, ""]
    first: Scalar
    step: Float[Array, " parameters"]
    residual: Float[Array, " parameters"]
    direction: Float[Array, " parameters"]
    square: Scalar
    goal: Scalar
    open: Bool[Array, ""]
    failed: Bool[Array, ""]
    iterations: Int[Array, ""]
    systems: Int[Array, ""]
    probing: Bool[Array, ""]
    final: Bool[Array, ""]
    ended: Bool[Array, ""]
    accepted: Bool[Array, ""]


class Polish(eqx.Module):
    """The rule by which a run near a minimum is brought to it, if descent would go there.

    Descent follows the flow x' = −∇F(x), slowly where an eigenvalue of the Hessian H is small.  A
    leap goes a time h along it at once, by an implicit Euler step: the point y near x with

        ∇F(y) + (y − x)/h = 0,

    the minimum of F + ‖· − x‖²/2h, to which Newton's method is to go from x: the matrices H + I/h
    are positive definite along all directions of the conjugate gradients that invert them, and the
    second step is at most a quarter of the first,

        ‖s₂‖ ≤ ¼ ‖s₁‖,   s₂ = −(H(x + s₁) + I/h)⁻¹(∇F(x + s₁) + s₁/h).

    This is the quantity of Newton and Kantorovich, measured instead of bounded: the Hessian changes
    little on the way against its smallest eigenvalue plus 1/h.

    Where H(x) is positive definite, h is infinite: Newton's method proper goes to a minimum in a
    region where F is convex and as good as quadratic, and descent would end there.  Its end x* is
    accepted where ‖∇F‖ (the largest over neurons) is at most `tolerance` there and one step before,
    and H(x*) is positive definite.  Otherwise, or where that is refused, h is finite and the leap
    must follow the flow in time, |∇F(x) − ∇F(y)| ≤ ½ |∇F(x)|: what is fast has died down, and what
    is left is the drift along a valley, or away from a saddle.  After each leap the next is tried
    with a longer h, after a refused one with a shorter.  Where even short leaps are refused one
    goes on descending, from where the last one led.  Without `follows` no leap is finite: an
    optimizer with a memory does not go along the flow.

    Whether H is positive definite is seen by conjugate gradients from the random `probe`: the
    tridiagonal matrix of the Lanczos process started there is positive definite exactly while
    pᵀHp > 0 along all directions p, so that a negative eigenvalue is found before the residual is
    small.

    Source: Kelley and Keyes (1998), pseudo-transient continuation; the guards are ours.
    """

    objective: AbstractObjective
    tolerance: Scalar
    below_value: Scalar
    probe: Float[Array, " parameters"]
    follows: bool = eqx.field(static=True, default=True)

    def init(self, params: PyTree) -> Leaps:
        """Give the state of a run that has stopped at `params`."""
        x = ravel_pytree(params)[0]
        zeros, number = jnp.zeros_like(x), jnp.zeros((), x.dtype)
        no, none = jnp.array(False), jnp.zeros((), jnp.int32)
        return Leaps(
            base=x, slope=zeros, point=x, value=number, norm=number + jnp.inf,
            shift=number + _LEAST_SHIFT, infinite=no, first=number + jnp.nan, step=zeros,
            residual=zeros, direction=zeros, square=number, goal=number, open=no, failed=no,
            iterations=none, systems=none, probing=no, final=no, ended=no, accepted=no,
        )  # fmt: skip

    def go(self, s: Leaps, params: PyTree) -> Leaps:
        """Look at what was solved, begin the next system, and iterate a little.

        `params` are any of the run: they tell the structure.
        """
        unravel = ravel_pytree(params)[1]
        solved, begun = ~s.open, s.systems > 0
        length = jnp.linalg.norm(s.step)
        rounding = 100 * jnp.finfo(length.dtype).eps * jnp.linalg.norm(s.base)
        probed = solved & s.probing
        stepped = solved & ~s.probing & begun
        second = stepped & ~jnp.isnan(s.first)
        far = second & ~(length <= _CONTRACTION * s.first + rounding)
        # At the end of a leap the gradient is −(y − x)/h.
        change = jnp.linalg.norm(s.slope + s.shift * s.step)
        fast = ~second & ~s.infinite & ~(change <= _CHANGE * jnp.linalg.norm(s.slope))
        refused = stepped & (s.failed | far | fast)
        leapt = second & ~refused
        point = jnp.where(refused, s.base, jnp.where(stepped, s.point + s.step, s.point))

        value, slope, image = self.objective.curvature(unravel(point))
        g, norm = ravel_pytree(slope)[0], gradient_norm(slope)
        there = leapt & s.infinite & (jnp.maximum(s.norm, norm) <= self.tolerance)
        shift = jnp.where(refused & ~s.infinite, s.shift * _FACTOR, s.shift)
        shift = jnp.where(leapt & ~s.infinite, jnp.maximum(shift / _FACTOR, _LEAST_SHIFT), shift)
        infinite = jnp.where(probed, ~s.failed, s.infinite & ~refused)
        begins = leapt | ~begun
        base, at_base = jnp.where(leapt, point, s.base), jnp.where(begins, g, s.slope)
        probing = jnp.where(solved, there | (begins & ~infinite), s.probing)
        # Such a run is for descent to look at.
        known = leapt & ~s.infinite & ((norm <= self.tolerance) | (value < self.below_value))
        lost = known | (shift > _MOST_SHIFT) | (s.systems >= _MOST_SYSTEMS)
        if not self.follows:
            lost |= solved & begun & ~infinite
        judged = probed & s.final

        pull = jnp.where(infinite, 0, shift)
        right = jnp.where(probing, self.probe, -(g + pull * (point - base)))
        pull = jnp.where(probing, 0, pull)
        square = jnp.where(solved, jnp.sum(right**2), s.square)
        goal = jnp.where(solved, _RESIDUAL**2 * square, s.goal)
        first = jnp.where(stepped & ~refused & ~leapt, length, jnp.nan)
        s = Leaps(
            base=base,
            slope=at_base,
            point=point,
            value=value,
            norm=norm,
            shift=shift,
            infinite=infinite,
            first=jnp.where(solved, first, s.first),
            step=jnp.where(solved, 0, s.step),
            residual=jnp.where(solved, right, s.residual),
            direction=jnp.where(solved, right, s.direction),
            square=square,
            goal=goal,
            open=square > goal,
            failed=s.failed & ~solved,
            iterations=jnp.where(solved, 0, s.iterations),
            systems=s.systems + solved,
            probing=probing,
            final=s.final | there,
            ended=judged | lost,
            accepted=judged & ~s.failed,
        )

        def product(direction: Array) -> Array:
            return ravel_pytree(image(unravel(direction)))[0] + pull * direction

        return jax.lax.fori_loop(0, _ITERATIONS, lambda _, s: self._iterate(s, product), s)

    def _iterate(self, s: Leaps, product: Callable[[Array], Array]) -> Leaps:
        """Take one iteration of conjugate gradients, where the system is open."""
        image = product(s.direction)
        curvature = jnp.sum(s.direction * image)
        positive = curvature > 0
        length = jnp.where(s.open & positive, s.square / curvature, 0)
        residual = s.residual - length * image
        square = jnp.sum(residual**2)
        iterations = s.iterations + 1
        failed = ~positive | (iterations > 2 * len(image) + 20)
        return s._replace(
            step=s.step + length * s.direction,
            residual=residual,
            direction=jnp.where(s.open, residual + square / s.square * s.direction, s.direction),
            square=square,
            open=s.open & ~failed & (square > s.goal),
            failed=s.failed | (s.open & failed),
            iterations=iterations,
        )
