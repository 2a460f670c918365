"""Gradient flow over decades of time, to tell whether a run converges or diverges to infinity."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar

from landscape_jax.objectives.base import AbstractObjective, Units, gradient_norm
from landscape_jax.objectives.protocols import ground, is_admissible, is_confirmed
from landscape_jax.search.descent import Descent, Run
from landscape_jax.search.lanes import advance_all, select
from landscape_jax.search.parameters import first_entry
from landscape_jax.search.status import Status

# Newton's method within an implicit step: its iterations at most, and the step fractions tried.
_ITERATIONS = 12
_SHARES = (1.0, 0.5, 0.25, 0.0625)
# An implicit step is solved when Newton's method would still gain this share of its gain so far.
_REST = 1e-2
# The first step, in units of time; a refused step is tried again with an eighth of its time.
_FIRST = 0.1
_SHORTER = 0.125
_SHORTEST = 1e-15
# Steps grow at most fourfold, and are at most three times as long as the time followed before.
_GROWTH, _AHEAD = 4, 3
# ... up to this power of the largest number.
_LONGEST = 0.6
# Where steps are this share of the time followed, the flow is fast again, and time restarts at 0.
_FAST = 1e-3
# Decades of time on which the evidence rests.
_DECADES = 3
# L̃ ≤ (1 − 1e-3) L, or L above its infimum by 1e-3 L, excludes a minimum; and θ is at rest where
# it moves by less than 1e-3 of its size in these decades.
_SHARE = 1e-3
# The excess of L over its infimum does not tend to 0 where at least this share of it is left.
_KEPT = 0.5
# A constant rate of descent is no evidence: the rate must have fallen to this share.
_SLOWER = 0.5
# A decrease of F is significant above this multiple of the precision.
_ROUNDING = 64


# Where the objective has a ground, a run is followed along the flow after so many steps, and after
# twice as many each time.
FOLLOWED_AFTER = 1000
# An iteration of Newton's method counts as one step per parameter.  The allowance is this many
# steps, or as many as the run has taken; it is larger where the gradient has vanished or descent
# failed, as descent cannot continue there.
_FOR, _FOR_VANISHED, _FOR_AT_MOST = 3000, 1000, 100
# Newton's matrix is dense, so only networks up to this size are followed.
_MOST_PARAMETERS = 1000


class FlowState(NamedTuple):
    """The state of one run that is followed along the flow; vectors are raveled.

    An implicit step of the time `step` starts at `base`, with F(base) = `value`; Newton's method
    has reached `point` after `iterations`.  `elapsed` is the time followed.  Marks are recorded at
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
    """The rule by which a run is followed along the flow x' = −∇F(x) to predict how it would end.

    Descent with a fixed step bounces where the curvature exceeds 2/step, so that neither its norm
    nor its gradient shows where it would end.  The flow is followed instead by implicit Euler steps
    of time h,

        ∇F(y) + (y − x)/h = 0,

    each the minimum of F + ‖· − x‖²/2h that Newton's method finds from x, with a positive definite
    matrix ∇²F + I/h all along, scaled to diagonal 1.  h is at most three times the time followed
    so far; where it must become much shorter, time restarts at 0.

    An objective with a `ground` (L, its infimum, and θ) has F = L and L = inf L at every local
    minimum.  A run `escapes` where, over three decades of time,

    - F fell in each, and in the last at no more than half the rate of the one before (a constant
      rate is no evidence),
    - and L does not tend to its infimum: at least half of the excess is left,
    - and F ≤ (1 − 1e-3) L, or L − inf L ≥ 1e-3 L while θ is at rest, moving by less than 1e-3 of
      its size.

    It is `found` where the gradient norm is at most `tolerance` at a point that the objective
    confirms as a minimum.  Where neither holds, and L − inf L ≥ 1e-3 L while θ has not moved, it
    `rests`: there is no minimum, but e^{wx + b} may be too small to have an effect.  Times are in
    units of length²/value.

    Source: KK20, theorems 1 and 4; implicit Euler steps as in `Polish`.
    """

    objective: AbstractObjective
    tolerance: Scalar
    units: Units

    def init(self, params: PyTree) -> FlowState:
        """Return the state of a run that is at `params`."""
        x = ravel_pytree(params)[0]
        below = ground(self.objective, params)
        assert below is not None
        number, none, no = jnp.zeros((), x.dtype), jnp.zeros((), jnp.int32), jnp.array(False)
        value = self.objective(params)
        times, values = (jnp.full(_DECADES + 1, jnp.nan, a.dtype) for a in (x, value))
        return FlowState(
            base=x, value=value, point=x, step=number + _FIRST * self.units.time,
            elapsed=number, decade=none, values=values, times=times,
            bares=values,
            places=jnp.full((_DECADES + 1, below.place.size), jnp.nan, below.place.dtype),
            origin=below.place, iterations=none, spent=none, ended=no, found=no, escapes=no,
            rests=no,
        )  # fmt: skip

    def advance(self, s: FlowState, params: PyTree, allowance: Int[Array, ""]) -> FlowState:
        """Advance by one iteration of Newton's method; judge the run where an implicit step ends.

        Only the structure of `params` is used.
        """
        unravel = ravel_pytree(params)[1]

        def at(x: Array) -> Scalar:
            return self.objective(unravel(x))

        def penalized(x: Array) -> Scalar:
            return at(x) + jnp.sum((x - s.base) ** 2) / (2 * s.step)

        value, gradient = jax.value_and_grad(at)(s.point)
        move = s.point - s.base
        matrix = jax.hessian(at)(s.point) + jnp.eye(len(move), dtype=move.dtype) / s.step
        residual = gradient + move / s.step
        correction, positive = _solve_positive_definite(matrix, -residual)
        # Gains are measured in the quadratic form: differences of values may be below rounding.
        solved = positive & (s.iterations > 0)
        solved &= -jnp.sum(residual * correction) <= _REST * jnp.sum(move * (matrix @ move))
        rounding = _ROUNDING * jnp.finfo(value.dtype).eps * jnp.abs(value)
        here = value + jnp.sum(move**2) / (2 * s.step)
        # Each iteration may raise the penalized value by rounding, but a whole step may not.
        solved &= here <= s.value + rounding

        tried = jnp.stack([s.point + share * correction for share in _SHARES])
        lower = jax.vmap(penalized)(tried) <= here + rounding
        # The longest fraction of the step that does not raise the penalized value.
        best = jnp.argmax(lower)
        refused = ~solved & (~positive | ~lower.any() | (s.iterations >= _ITERATIONS))
        moved = s._replace(
            base=jnp.where(solved, s.point, s.base),
            value=jnp.where(solved, value, s.value),
            point=jnp.where(solved, s.point, jnp.where(refused, s.base, tried[best])),
            elapsed=s.elapsed + jnp.where(solved, s.step, 0),
            iterations=jnp.where(solved | refused, 0, s.iterations + 1),
            spent=s.spent + len(s.point),
        )
        furthest = jnp.maximum(_AHEAD * moved.elapsed, _FIRST * self.units.time)
        longer = jnp.minimum(_GROWTH * s.step, furthest)
        moved = moved._replace(
            step=jnp.where(solved, longer, jnp.where(refused, _SHORTER * s.step, s.step))
        )
        # What was recorded on a slow stretch is no evidence about the fast one that follows.
        fast = moved.step < _FAST * moved.elapsed
        moved = moved._replace(
            elapsed=jnp.where(fast, 0, moved.elapsed),
            decade=jnp.where(fast, 0, moved.decade),
            values=jnp.where(fast, jnp.asarray(jnp.nan, moved.values.dtype), moved.values),
        )
        at_base = solved | (s.spent == 0)
        return self._judge(moved, unravel(s.point), at_base, gradient, allowance)

    def _judge(
        self,
        s: FlowState,
        params: PyTree,
        at_base: Array,
        gradient: Array,
        allowance: Int[Array, ""],
    ) -> FlowState:
        """Record a mark at the end of each decade, and stop once the run's end is predicted."""
        below = ground(self.objective, params)
        assert below is not None
        due = at_base & (s.elapsed >= self.units.time * 10.0 ** s.decade.astype(s.elapsed.dtype))
        values, times, bares, places = (
            jnp.where(due, jnp.roll(old, -1, axis=0).at[-1].set(new), old)
            for old, new in (
                (s.values, s.value), (s.times, s.elapsed),
                (s.bares, below.value.astype(s.bares.dtype)), (s.places, below.place),
            )
        )  # fmt: skip
        rounding = _ROUNDING * jnp.finfo(s.value.dtype).eps * jnp.abs(values[:-1])
        falls = values[:-1] - values[1:]
        rates = falls / (times[1:] - times[:-1])
        evident = (falls > rounding).all() & (rates[-1] <= _SLOWER * rates[-2])
        # NaN where the infimum is not known: then only L̃ < L is evidence.
        excess = bares - below.least
        kept = ~(excess[-1] < _KEPT * excess[0])
        beaten = values[-1] <= bares[-1] - _SHARE * jnp.abs(bares[-1])
        missed = below.value - below.least >= _SHARE * jnp.abs(below.value)
        size = _SHARE * (jnp.linalg.norm(below.place) + self.units.length)
        rests = missed & (jnp.linalg.norm(places[-1] - places[0]) <= size)
        # A point that passes every test of a local minimum is never taken to escape.
        refuted = ~jnp.asarray(is_admissible(self.objective, params))
        escapes = due & evident & kept & (beaten | rests) & refuted
        norm = gradient_norm(ravel_pytree(params)[1](gradient))
        found = at_base & (norm <= self.tolerance) & is_confirmed(self.objective, params)
        # Steps that are too short to move, or too long to square, end the following.
        over = (s.spent >= allowance) | (s.step < _SHORTEST * self.units.time)
        over |= s.step > jnp.finfo(s.step.dtype).max ** _LONGEST
        return s._replace(
            decade=jnp.where(due, s.decade + 1, s.decade),
            values=values,
            times=times,
            bares=bares,
            places=places,
            escapes=escapes & ~found,
            found=found,
            rests=missed & refuted & (jnp.linalg.norm(below.place - s.origin) <= size),
            ended=found | escapes | over,
        )


def _solve_positive_definite(matrix: Array, right: Array) -> tuple[Array, Bool[Array, ""]]:
    """Return the solution of a symmetric system, and whether its matrix is positive definite."""
    # The scales of a and b differ by many decades: with diagonal 1 the matrix is well conditioned.
    diagonal = jnp.diag(matrix)
    scale = jax.lax.rsqrt(jnp.where(diagonal > 0, diagonal, 1))
    factor = jnp.linalg.cholesky(matrix * scale[:, None] * scale[None, :])
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
    """Follow the pending runs along the gradient flow, and set their statuses by where it leads.

    A minimum that the flow reaches becomes the end of a run whose gradient vanishes, and of any run
    if it is `taken`.  A run whose end stays open continues from where it was.
    """
    flow = Flow(rule.objective, tolerance, rule.units)

    def advance_one(run: Run, state: FlowState) -> tuple[Run, FlowState]:
        vanished = run.gradient_norm <= tolerance
        lost = is_lost(run)
        most = _FOR_VANISHED * min(len(state.base), _FOR_AT_MOST)
        allowed = jnp.maximum(run.steps, jnp.where(vanished | lost, most, _FOR))
        state = flow.advance(state, run.params, jnp.minimum(allowed, rule.max_steps - run.steps))
        found = state.found & (vanished | taken)
        status = Status.where(vanished, Status.undecided, Status.running)
        status = Status.where(lost, run.status, status)
        escapes = state.escapes | (vanished & state.rests & ~state.found)
        status = Status.where(escapes, Status.escaping, status)
        status = Status.where(found, Status.converged, status)
        params = ravel_pytree(run.params)[1](state.base)
        value, gradient = jax.value_and_grad(rule.objective)(params)
        norm = gradient_norm(gradient).astype(value.dtype)
        ended = select(found | state.escapes, run.at(params, value, norm), run)
        # Following costs work too: pausing at twice the steps keeps it to a share of the descent's.
        steps = run.steps + state.spent
        ended = eqx.tree_at(
            lambda r: (r.status, r.steps, r.pause), ended, (status, steps, 2 * steps)
        )
        return select(state.ended, ended, run), state

    def advance(lane: Run, states: FlowState, _: Array) -> tuple[Run, FlowState, Array]:
        lane, states = jax.vmap(advance_one)(lane, states)
        return lane, states, states.ended

    return advance_all(
        advance, runs, pending, lanes=lanes, begin=lambda lane: jax.vmap(flow.init)(lane.params)
    )


def is_lost(runs: Run) -> Bool[Array, "*lanes"]:
    """Check which runs diverged or became non-finite at every step size tried."""
    return (runs.status == Status.diverged) | (runs.status == Status.nonfinite)


def has_ground(objective: AbstractObjective, starts: PyTree) -> bool:
    """Check for a `ground` not known to be unattained, and for few enough parameters."""
    first = first_entry(starts)
    if sum(leaf.size for leaf in jax.tree.leaves(first)) > _MOST_PARAMETERS:
        return False
    found = eqx.filter_eval_shape(lambda params: ground(objective, params), first)
    return found is not None and found.attained is not False
