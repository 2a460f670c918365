"""The gradient flow followed over decades of time: does it come to rest, or leave for infinity?"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar

from landscape_jax.objectives.base import AbstractObjective, Units, gradient_norm
from landscape_jax.search.descent import Descent, Run
from landscape_jax.search.lanes import select, work
from landscape_jax.search.status import Status

# Newton's method of one implicit step: its iterations at most, and the shares of a step tried.
_ITERATIONS = 12
_SHARES = (1.0, 0.5, 0.25, 0.0625)
# A step has landed where what Newton's method would still gain is this share of what it gained.
_REST = 1e-2
# The first step, in units of time; a refused one is tried again with an eighth.
_FIRST = 0.1
_SHORTER = 0.125
_SHORTEST = 1e-15
# Steps grow at most fourfold, and are at most three times as long as the time followed before.
_GROWTH, _AHEAD = 4, 3
# ... up to this power of the largest number.
_LONGEST = 0.6
# Where they are this share of the time followed, the flow is fast again, and time counts anew.
_FAST = 1e-3
# Decades of time on which the evidence rests.
_DECADES = 3
# L̃ ≤ (1 − 1e-3) L, or L above its infimum by 1e-3 L, is no minimum's; and θ is at rest where it
# moves by less than 1e-3 of its size in these decades.
_SHARE = 1e-3
# The excess of L over its infimum does not tend to 0 where at least so much of it is left.
_KEPT = 0.5
# F falls at one rate while nothing has changed yet: the rate must have fallen to this share.
_SLOWER = 0.5
# A fall counts above this multiple of the precision.
_ROUNDING = 64


# Where the objective has a ground, a run is followed along the flow after so many steps, and after
# twice as many each time.
FOLLOWED_AFTER = 1000
# An iteration of Newton's method counts as a step for each parameter.  So many may be taken, or as
# many as the run has taken before; more where its gradient has vanished: nothing is left to do.
_FOR, _FOR_VANISHED, _FOR_AT_MOST = 3000, 1000, 100
# Its dense matrix is for networks up to this size.
_MOST_PARAMETERS = 1000


class Walk(NamedTuple):
    """The state of one run that is followed; vectors are raveled.

    An implicit step of the time `step` goes from `base`, with F(base) = `value`; Newton's method
    has come to `point` in so many `iterations`.  `elapsed` is the time followed.  The marks are at
    the last powers of ten of it: F, the time, the bare value L, and θ, which began at `origin`.
    `spent` counts Newton's iterations times the number of parameters.
    """

    base: Float[Array, " parameters"]
    value: Scalar
    point: Float[Array, " parameters"]
    step: Scalar
    elapsed: Scalar
    decade: Int[Array, ""]
    values: Float[Array, " marks"]
    times: Float[Array, " marks"]
    bares: Float[Array, " marks"]
    places: Float[Array, "marks place"]
    origin: Float[Array, " place"]
    iterations: Int[Array, ""]
    spent: Int[Array, ""]
    ended: Bool[Array, ""]
    found: Bool[Array, ""]
    escapes: Bool[Array, ""]
    rests: Bool[Array, ""]


class Flow(eqx.Module):
    """The rule by which a run is followed along the flow x' = −∇F(x), to tell how it would end.

    Descent with a fixed step bounces where the curvature exceeds 2/step, so that neither its norm
    nor its gradient tells where it would go.  The flow is followed instead by implicit Euler steps
    of time h,

        ∇F(y) + (y − x)/h = 0,

    each the minimum of F + ‖· − x‖²/2h that Newton's method finds from x, with a positive definite
    matrix ∇²F + I/h all along, scaled to diagonal 1.  h is at most three times the time followed
    so far; where it must become much shorter, time counts anew.

    An objective with a `ground` (L, its infimum, and θ) has F = L and L = inf L at every local
    minimum.  A run `escapes` where, over three decades of time,

    - F fell in each, and in the last at half the rate of the one before at most: a slope that has
      not changed yet tells nothing,
    - and L does not tend to its infimum: half of the excess is left,
    - and F ≤ (1 − 1e-3) L, or L − inf L ≥ 1e-3 L while θ is at rest, moving by less than 1e-3 of
      its size.

    It is `found` where the gradient norm is at most `tolerance` at a point that the objective
    confirms as a minimum.  Where neither is seen, and L − inf L ≥ 1e-3 L while θ has not moved, it
    `rests`: no minimum is there, but e^{wx + b} may be too small to be felt.  Times are in units of
    length²/value.

    Source: KK20, theorems 1 and 4; implicit Euler steps as in `Polish`.
    """

    objective: AbstractObjective
    tolerance: Scalar
    units: Units

    def init(self, params: PyTree) -> Walk:
        """Return the state of a run that is at `params`."""
        x = ravel_pytree(params)[0]
        ground = self.objective.ground(params)
        assert ground is not None
        number, none, no = jnp.zeros((), x.dtype), jnp.zeros((), jnp.int32), jnp.array(False)
        marks = jnp.full(_DECADES + 1, jnp.nan, x.dtype)
        return Walk(
            base=x, value=self.objective(params), point=x, step=number + _FIRST * self.units.time,
            elapsed=number, decade=none, values=marks, times=marks,
            bares=marks,
            places=jnp.full((_DECADES + 1, ground.place.size), jnp.nan, x.dtype),
            origin=ground.place, iterations=none, spent=none, ended=no, found=no, escapes=no,
            rests=no,
        )  # fmt: skip

    def go(self, s: Walk, params: PyTree, allowance: Int[Array, ""]) -> Walk:
        """Take one iteration of Newton's method; judge the run where it ends an implicit step.

        `params` are any of the run: they tell the structure.
        """
        unravel = ravel_pytree(params)[1]

        def at(x: Array) -> Scalar:
            return self.objective(unravel(x))

        def above(x: Array) -> Scalar:
            return at(x) + jnp.sum((x - s.base) ** 2) / (2 * s.step)

        value, slope = jax.value_and_grad(at)(s.point)
        move = s.point - s.base
        matrix = jax.hessian(at)(s.point) + jnp.eye(len(move), dtype=move.dtype) / s.step
        residual = slope + move / s.step
        towards, positive = _solved(matrix, -residual)
        # Gains are measured in the quadratic form: differences of values may be below rounding.
        landed = positive & (s.iterations > 0)
        landed &= -jnp.sum(residual * towards) <= _REST * jnp.sum(move * (matrix @ move))
        rounding = _ROUNDING * jnp.finfo(value.dtype).eps * jnp.abs(value)
        here = value + jnp.sum(move**2) / (2 * s.step)
        landed &= here <= s.value + rounding

        tried = jnp.stack([s.point + share * towards for share in _SHARES])
        lower = jax.vmap(above)(tried) <= here + rounding
        best = jnp.argmax(lower)
        refused = ~landed & (~positive | ~lower.any() | (s.iterations >= _ITERATIONS))
        moved = s._replace(
            base=jnp.where(landed, s.point, s.base),
            value=jnp.where(landed, value, s.value),
            point=jnp.where(landed, s.point, jnp.where(refused, s.base, tried[best])),
            elapsed=s.elapsed + jnp.where(landed, s.step, 0),
            iterations=jnp.where(landed | refused, 0, s.iterations + 1),
            spent=s.spent + len(s.point),
        )
        furthest = jnp.maximum(_AHEAD * moved.elapsed, _FIRST * self.units.time)
        longer = jnp.minimum(_GROWTH * s.step, furthest)
        moved = moved._replace(
            step=jnp.where(landed, longer, jnp.where(refused, _SHORTER * s.step, s.step))
        )
        fast = moved.step < _FAST * moved.elapsed
        moved = moved._replace(
            elapsed=jnp.where(fast, 0, moved.elapsed),
            decade=jnp.where(fast, 0, moved.decade),
            values=jnp.where(fast, jnp.nan, moved.values),
        )
        at_base = landed | (s.spent == 0)
        return self._judge(moved, unravel(s.point), at_base, slope, allowance)

    def _judge(
        self, s: Walk, params: PyTree, at_base: Array, slope: Array, allowance: Int[Array, ""]
    ) -> Walk:
        """Record a mark where a decade is over, and end where it is known how the run would end."""
        ground = self.objective.ground(params)
        assert ground is not None
        due = at_base & (s.elapsed >= self.units.time * 10.0 ** s.decade.astype(s.elapsed.dtype))
        values, times, bares, places = (
            jnp.where(due, jnp.roll(old, -1, axis=0).at[-1].set(new), old)
            for old, new in (
                (s.values, s.value), (s.times, s.elapsed), (s.bares, ground.value),
                (s.places, ground.place),
            )
        )  # fmt: skip
        rounding = _ROUNDING * jnp.finfo(s.value.dtype).eps * jnp.abs(values[:-1])
        falls = values[:-1] - values[1:]
        rates = falls / (times[1:] - times[:-1])
        evident = (falls > rounding).all() & (rates[-1] <= _SLOWER * rates[-2])
        # NaN where the infimum is not known: then only L̃ < L tells.
        excess = bares - ground.least
        kept = ~(excess[-1] < _KEPT * excess[0])
        beaten = values[-1] <= bares[-1] - _SHARE * jnp.abs(bares[-1])
        missed = ground.value - ground.least >= _SHARE * jnp.abs(ground.value)
        size = _SHARE * (jnp.linalg.norm(ground.place) + self.units.length)
        rests = missed & (jnp.linalg.norm(places[-1] - places[0]) <= size)
        refuted = ~self.objective.is_admissible(params)
        escapes = due & evident & kept & (beaten | rests) & refuted
        norm = gradient_norm(ravel_pytree(params)[1](slope))
        found = at_base & (norm <= self.tolerance) & self.objective.is_confirmed(params)
        over = (s.spent >= allowance) | (s.step < _SHORTEST * self.units.time)
        over |= s.step > jnp.finfo(s.step.dtype).max ** _LONGEST
        return s._replace(
            decade=s.decade + due,
            values=values,
            times=times,
            bares=bares,
            places=places,
            escapes=escapes & ~found,
            found=found,
            rests=missed & refuted & (jnp.linalg.norm(ground.place - s.origin) <= size),
            ended=found | escapes | over,
        )


def _solved(matrix: Array, right: Array) -> tuple[Array, Bool[Array, ""]]:
    """Return the solution of a symmetric system, and whether its matrix is positive definite."""
    # The scales of a and b differ by many decades: with diagonal 1 the matrix is well conditioned.
    diagonal = jnp.diag(matrix)
    scale = jax.lax.rsqrt(jnp.where(diagonal > 0, diagonal, 1))
    factor = jnp.linalg.cholesky(matrix * scale[:, None] * scale)
    solution = scale * jax.scipy.linalg.cho_solve((factor, True), scale * right)
    positive = (diagonal > 0).all() & jnp.isfinite(solution).all()
    return jnp.where(positive, solution, 0), positive


def follow(
    rule: Descent,
    runs: Run,
    pending: Array,
    tolerance: Scalar,
    *,
    lanes: int,
    taken: bool,
) -> Run:
    """Follow the pending runs along the flow, and judge them by where it goes.

    A minimum that the flow comes to is the end of a run whose gradient vanishes, and of any if it
    is `taken`.  A run that is not judged goes on from where it was.
    """
    flow = Flow(rule.objective, tolerance, rule.units)

    def walk(run: Run, state: Walk) -> tuple[Run, Walk]:
        vanished = run.gradient_norm <= tolerance
        lost = is_lost(run)
        most = _FOR_VANISHED * min(len(state.base), _FOR_AT_MOST)
        allowed = jnp.maximum(run.steps, jnp.where(vanished | lost, most, _FOR))
        state = flow.go(state, run.params, jnp.minimum(allowed, rule.max_steps - run.steps))
        found = state.found & (vanished | taken)
        status = Status.where(vanished, Status.undecided, Status.running)
        status = Status.where(lost, run.status, status)
        escapes = state.escapes | (vanished & state.rests & ~state.found)
        status = Status.where(escapes, Status.escaping, status)
        status = Status.where(found, Status.converged, status)
        params = ravel_pytree(run.params)[1](state.base)
        value, slope = jax.value_and_grad(rule.objective)(params)
        ended = select(found | state.escapes, run.at(params, value, gradient_norm(slope)), run)
        steps = run.steps + state.spent
        ended = eqx.tree_at(
            lambda r: (r.status, r.steps, r.pause), ended, (status, steps, 2 * steps)
        )
        return select(state.ended, ended, run), state

    def go(lane: Run, states: Walk, _: Array) -> tuple[Run, Walk, Array]:
        lane, states = jax.vmap(walk)(lane, states)
        return lane, states, states.ended

    return work(go, runs, pending, lanes=lanes, begin=lambda lane: jax.vmap(flow.init)(lane.params))


def is_lost(runs: Run) -> Bool[Array, "*lanes"]:
    """Check which runs descent has lost at every step size tried."""
    return (runs.status == Status.diverged) | (runs.status == Status.nonfinite)


def has_ground(objective: AbstractObjective, starts: PyTree) -> bool:
    """Check whether the objective says what a run must come down to, that it can, and its size."""
    first = jax.tree.map(lambda leaf: leaf[0], starts)
    if sum(leaf.size for leaf in jax.tree.leaves(first)) > _MOST_PARAMETERS:
        return False
    ground = objective.ground(first)
    return ground is not None and ground.attained is not False
