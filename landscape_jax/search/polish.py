"""The last decades of a descent by Newton's method, where it finds what descent would find."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar

from landscape_jax.objectives.base import AbstractObjective, gradient_norm
from landscape_jax.objectives.protocols import hessian_products

# The residual of a linear system, relative to its right side.
_RESIDUAL = 1e-6
# The length of the second Newton step, at most, relative to the first.
_CONTRACTION = 0.25
# The change of the gradient in a step of finite time, at most, relative to the gradient.
_CHANGE = 0.5
# A pseudo-transient step's time 1/shift is at first the longest, then shortened or lengthened by a
# factor.  Descent takes 2000 steps of 0.1 for the shortest; for fewer it does not pay.
_LEAST_SHIFT = 1e-5
_MOST_SHIFT = 5e-3
_FACTOR = 4
_MOST_SYSTEMS = 200
# Iterations of conjugate gradients between two inspections.
_ITERATIONS = 16


class Phase(eqx.Enumeration):
    """The purpose of a run's current linear system, or how its finish ended."""

    begin = "nothing has been solved"
    probe = "whether H is positive definite where a pseudo-transient step begins"
    first = "the first Newton step of a pseudo-transient step"
    second = "the second Newton step, which confirms the first"
    final_probe = "whether H is positive definite at the end of Newton's method"
    accepted = "ended: the point is a minimum that descent would reach"
    refused = "ended: descent continues from the end of the last pseudo-transient step"


class LinearSystem(NamedTuple):
    """A system (H + shift·I) `step` = right side, being solved by conjugate gradients.

    `square` = ‖residual‖², and `goal` is what it must fall to.  The system is `open` until then; it
    has `failed` where the iteration does not find its matrix positive definite.
    """

    step: Float[Array, " parameters"]
    residual: Float[Array, " parameters"]
    direction: Float[Array, " parameters"]
    square: Scalar
    goal: Scalar
    open: Bool[Array, ""]
    failed: Bool[Array, ""]
    iterations: Int[Array, ""]


class PolishState(NamedTuple):
    """The state of one run that is being finished; vectors are raveled.

    A pseudo-transient step begins at `base`, with the `gradient` there; Newton's method has reached
    `point`, with `value` and gradient `norm` there.  Its time is 1/`shift`, or infinite; `first` is
    the length of its first Newton step.  `passed` is the time of the steps taken, and `left` an
    estimate of the time that descent would need for the step of infinite time.
    """

    phase: Phase
    base: Float[Array, " parameters"]
    gradient: Float[Array, " parameters"]
    point: Float[Array, " parameters"]
    value: Scalar
    norm: Scalar
    shift: Scalar
    infinite: Bool[Array, ""]
    first: Scalar
    system: LinearSystem
    systems: Int[Array, ""]
    passed: Scalar
    left: Scalar

    @property
    def ended(self) -> Bool[Array, "*lanes"]:
        """Whether the finish is over."""
        return (self.phase == Phase.accepted) | (self.phase == Phase.refused)

    @property
    def accepted(self) -> Bool[Array, "*lanes"]:
        """Whether it reached a minimum."""
        return self.phase == Phase.accepted


class Polish(eqx.Module):
    """Newton finish: converge a run to the minimum that gradient descent would reach.

    Descent follows the flow x' = −∇F(x), slowly where an eigenvalue of the Hessian H is small.  A
    pseudo-transient step follows it for a time h at once, by implicit Euler: to the point y near x
    with

        ∇F(y) + (y − x)/h = 0,

    the minimum of F + ‖· − x‖²/2h to which Newton's method converges from x.  It is accepted where
    the matrices H + I/h are positive definite along all directions of the conjugate gradients that
    invert them, and the second Newton step is at most a quarter of the first,

        ‖s₂‖ ≤ ¼ ‖s₁‖,   s₂ = −(H(x + s₁) + I/h)⁻¹(∇F(x + s₁) + s₁/h).

    This is the quantity of Newton and Kantorovich, measured instead of bounded: the Hessian changes
    little between x and x + s₁ against its smallest eigenvalue plus 1/h.

    Where H(x) is positive definite, h is infinite: Newton's method converges to a minimum in a
    region where F is convex and nearly quadratic, and descent would end there.  Its end x* is
    accepted where ‖∇F‖ (the largest over neurons) is at most `tolerance` there and one step before,
    and H(x*) is positive definite.  Otherwise, or where that is refused, h is finite and the step
    must follow the flow in time, |∇F(x) − ∇F(y)| ≤ ½ |∇F(x)|: the fast components have decayed, and
    the drift along a valley, or away from a saddle, remains.  After an accepted step the next is
    tried with a longer h, after a refused one with a shorter.  Where even short steps are refused,
    descent continues from the end of the last one.  Without `follows` no step is finite: an
    optimizer with a memory does not follow the flow.

    H is tested for positive definiteness by conjugate gradients from the random `probe`: the
    tridiagonal matrix of the Lanczos process started there is positive definite exactly while
    pᵀHp > 0 along all directions p, so that a negative eigenvalue is found before the residual is
    small.

    The time that descent would need for a step s of infinite time is ln(λ‖s‖/tolerance)/λ for the
    slowest component of the gradient, λ = sᵀHs/sᵀs being close to its eigenvalue.

    Source: Kelley and Keyes (1998), pseudo-transient continuation; the guards are ours.
    """

    objective: AbstractObjective
    tolerance: Scalar
    below_value: Scalar
    probe: Float[Array, " parameters"]
    follows: bool = eqx.field(static=True, default=True)

    def init(self, params: PyTree) -> PolishState:
        """Return the state of a run that has stopped at `params`."""
        x = ravel_pytree(params)[0]
        zeros, number = jnp.zeros_like(x), jnp.zeros((), x.dtype)
        value = jnp.zeros((), self.tolerance.dtype)
        no, none = jnp.array(False), jnp.zeros((), jnp.int32)
        system = LinearSystem(zeros, zeros, zeros, number, number, no, no, none)
        return PolishState(
            phase=Phase.begin, base=x, gradient=zeros, point=x, value=value, norm=value + jnp.inf,
            shift=number + _LEAST_SHIFT, infinite=no, first=number + jnp.nan, system=system,
            systems=none, passed=number, left=number + jnp.nan,
        )  # fmt: skip

    def advance(self, s: PolishState, params: PyTree) -> PolishState:
        """Judge a solved system, begin the next one, and iterate conjugate gradients some times.

        Only the structure of `params` is used.
        """
        unravel = ravel_pytree(params)[1]
        confirmed, refused = self._judge(s)
        stepped = self._is_solved(s, Phase.first) | self._is_solved(s, Phase.second)
        moved = jnp.where(stepped, s.point + s.system.step, s.point)
        point = jnp.where(refused, s.base, moved)
        value, gradient, product = hessian_products(self.objective, unravel(point))
        g, norm = ravel_pytree(gradient)[0], gradient_norm(gradient).astype(value.dtype)
        s = self._next(s, confirmed, refused, point, g, value, norm)

        def shifted(direction: Array) -> Array:
            probing = (s.phase == Phase.probe) | (s.phase == Phase.final_probe)
            shift = jnp.where(probing | s.infinite, 0, s.shift)
            return ravel_pytree(product(unravel(direction)))[0] + shift * direction

        def iterate(_: Array | int, system: LinearSystem) -> LinearSystem:
            return _iterate(system, shifted)

        return s._replace(system=jax.lax.fori_loop(0, _ITERATIONS, iterate, s.system))

    def _judge(self, s: PolishState) -> tuple[Bool[Array, ""], Bool[Array, ""]]:
        """Check whether the solved system confirms a pseudo-transient step, or refuses it."""
        length = jnp.linalg.norm(s.system.step)
        rounding = 100 * jnp.finfo(length.dtype).eps * jnp.linalg.norm(s.base)
        first, second = self._is_solved(s, Phase.first), self._is_solved(s, Phase.second)
        far = second & ~(length <= _CONTRACTION * s.first + rounding)
        # At the end of the step the gradient is −(y − x)/h.
        change = jnp.linalg.norm(s.gradient + s.shift * s.system.step)
        fast = first & ~s.infinite & ~(change <= _CHANGE * jnp.linalg.norm(s.gradient))
        refused = (first | second) & (s.system.failed | far | fast)
        return second & ~refused, refused

    def _next(
        self,
        s: PolishState,
        confirmed: Bool[Array, ""],
        refused: Bool[Array, ""],
        point: Float[Array, " parameters"],
        g: Float[Array, " parameters"],
        value: Scalar,
        norm: Scalar,
    ) -> PolishState:
        """Choose the next phase, and begin its system, where the last one is solved."""
        solved, begun = ~s.system.open, s.phase != Phase.begin
        probed, judged = self._is_solved(s, Phase.probe), self._is_solved(s, Phase.final_probe)
        first = self._is_solved(s, Phase.first) & ~refused
        begins = confirmed | ~begun
        # Small one step before as well: one more Newton step then reaches full precision.
        arrived = confirmed & s.infinite & (jnp.maximum(s.norm, norm) <= self.tolerance)
        shift = jnp.where(refused & ~s.infinite, s.shift * _FACTOR, s.shift)
        smaller = jnp.maximum(shift / _FACTOR, _LEAST_SHIFT)
        shift = jnp.where(confirmed & ~s.infinite, smaller, shift)
        # Infinite time is tried where H is positive definite, and given up at this base if refused.
        infinite = jnp.where(probed, ~s.system.failed, s.infinite & ~refused)
        base, at_base = jnp.where(confirmed, point, s.base), jnp.where(begins, g, s.gradient)

        # Each later line overrides the earlier ones.
        phase = Phase.where(solved, Phase.first, s.phase)
        phase = Phase.where(first, Phase.second, phase)
        phase = Phase.where(begins & ~infinite, Phase.probe, phase)
        phase = Phase.where(arrived, Phase.final_probe, phase)
        # A finite step to where descent would stop: descent itself inspects the point and decides.
        known = confirmed & ~s.infinite & ((norm <= self.tolerance) | (value < self.below_value))
        lost = known | (shift > _MOST_SHIFT) | (s.systems >= _MOST_SYSTEMS)
        if not self.follows:
            lost |= solved & begun & ~infinite
        minimum = Phase.where(s.system.failed, Phase.refused, Phase.accepted)
        phase = Phase.where(judged, minimum, Phase.where(lost, Phase.refused, phase))

        probing = (phase == Phase.probe) | (phase == Phase.final_probe)
        current_shift = jnp.where(infinite, 0, shift)
        right = jnp.where(probing, self.probe, -(g + current_shift * (point - base)))
        square = jnp.where(solved, jnp.sum(right**2), s.system.square)
        goal = jnp.where(solved, _RESIDUAL**2 * square, s.system.goal)
        system = LinearSystem(
            step=jnp.where(solved, 0, s.system.step),
            residual=jnp.where(solved, right, s.system.residual),
            direction=jnp.where(solved, right, s.system.direction),
            square=square,
            goal=goal,
            open=square > goal,
            failed=s.system.failed & ~solved,
            iterations=jnp.where(solved, 0, s.system.iterations),
        )
        length = jnp.linalg.norm(s.system.step)
        nan = jnp.asarray(jnp.nan, length.dtype)
        passed, left = self._times(s, confirmed, refused, first)
        return PolishState(
            phase=phase, base=base, gradient=at_base, point=point, value=value, norm=norm,
            shift=shift, infinite=infinite,
            first=jnp.where(solved, jnp.where(first, length, nan), s.first),
            system=system, systems=jnp.where(solved, s.systems + 1, s.systems), passed=passed,
            left=left,
        )  # fmt: skip

    def _times(
        self,
        s: PolishState,
        confirmed: Bool[Array, ""],
        refused: Bool[Array, ""],
        first: Bool[Array, ""],
    ) -> tuple[Scalar, Scalar]:
        """Return the time of the finite steps taken, and that which the infinite one replaces."""
        passed = s.passed + jnp.where(confirmed & ~s.infinite, 1 / s.shift, 0)
        square = jnp.sum(s.system.step**2)
        eigenvalue = -jnp.sum(s.gradient * s.system.step) / square
        tolerance = self.tolerance.astype(square.dtype)
        slowest = jnp.maximum(eigenvalue * jnp.sqrt(square) / tolerance, 1)
        time = jnp.log(slowest) / eigenvalue
        # Estimated once, where Newton's method of infinite time begins: it covers all steps of it.
        begins = first & s.infinite & jnp.isnan(s.left)
        left = jnp.where(begins, time, s.left)
        return passed, jnp.where(refused & s.infinite, jnp.asarray(jnp.nan, left.dtype), left)

    def _is_solved(self, s: PolishState, phase: Phase) -> Bool[Array, ""]:
        return ~s.system.open & (s.phase == phase)


def _iterate(s: LinearSystem, product: Callable[[Array], Array]) -> LinearSystem:
    """Advance by one iteration of conjugate gradients, where the system is open."""
    product_along = product(s.direction)
    curvature = jnp.sum(s.direction * product_along)
    positive = curvature > 0
    length = jnp.where(s.open & positive, s.square / curvature, 0)
    residual = s.residual - length * product_along
    square = jnp.sum(residual**2)
    iterations = s.iterations + 1
    failed = ~positive | (iterations > 2 * len(residual) + 20)
    return LinearSystem(
        step=s.step + length * s.direction,
        residual=residual,
        direction=jnp.where(s.open, residual + square / s.square * s.direction, s.direction),
        square=square,
        goal=s.goal,
        open=s.open & ~failed & (square > s.goal),
        failed=s.failed | (s.open & failed),
        iterations=iterations,
    )
