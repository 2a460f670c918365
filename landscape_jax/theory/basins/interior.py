"""A primal-dual interior-point method for the cone-constrained least squares of many basins.

Why not a library: the problems are small, many, degenerate, and share their data.  Measured on
problems of 20 samples, 5 inputs and 4 neurons, by `benchmarks/basins.py`:

- qpax 0.1.4 under `vmap`, the nearest library, takes 40 to 50 times as long as the kernel for CPUs
  (see `primal_dual`) and five times as long as the code below; at a tolerance of 1e-10 a fifth of
  its lanes end in NaN, as many as it reports as converged, and it returns no bound;
- Clarabel, called for one problem at a time, takes 50 times as long as the kernel, and five times
  as long as the code below; it is the reference for accuracy.

jaxopt's OSQP, a first-order method, has a lower accuracy (its default is 1e-3).

The method: Mehrotra's predictor-corrector from an infeasible initial point, one factorization for
both steps, in lockstep over the lanes.  A lane that stops is frozen and keeps its best iterate.

- *Heights.*  Coordinates are the left singular vectors of the data, so the iteration does not
  depend on its rank and scale, and rows are equilibrated.
- *Rank-deficient least squares.*  A small multiple of the identity is added to the system but not
  to the residuals: a proximal term around the current iterate, which changes no fixed point.  It
  also bounds the drift along rays on which the loss is constant.
- *Large weights.*  λ/s spans 24 digits at the end; a multiple of the identity covers its rounding.
- *No overshooting.*  The complementarity is not reduced below what the tolerance needs, so that
  the multipliers of slack constraints can absorb residuals (case 1 of `bounds`).
- *Size.*  The system is of n p unknowns, or by Woodbury's formula n of p and one of m.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from landscape_jax.theory.basins.heights import heights, transposed_heights
from landscape_jax.theory.basins.systems import Problems, factorize, solve_factorized

# Gaps can be reduced to this power of the rounding unit, with residuals well below.
_CLOSE = 0.64
# A lane stops after this many steps without a better iterate.
PATIENCE = 15
MOST_STEPS = 100


def closeness(dtype) -> float:
    """Return the target for the gap plus residuals, where ‖y‖ = 1."""
    return float(jnp.finfo(dtype).eps) ** _CLOSE


class _Iterate(NamedTuple):
    """A primal-dual iterate: z, (p, n, lanes); the slacks s ≈ Gz and λ, (m, n, lanes), positive.

    Where there is no constraint s = 1 and λ = 0.
    """

    z: Float[Array, "rank neurons lanes"]
    s: Float[Array, "samples neurons lanes"]
    multipliers: Float[Array, "samples neurons lanes"]


class BestIterates(NamedTuple):
    """The best iterate of each lane.

    - `z`, `multipliers`: of the iterate with the least gap plus residuals; `deep`: the zᵢ that was
      deepest inside its cone.
    - `steps`: the number of Newton steps.
    """

    z: Float[Array, "rank neurons lanes"]
    multipliers: Float[Array, "samples neurons lanes"]
    deep: Float[Array, "rank neurons lanes"]
    steps: Int[Array, " lanes"]


class _LoopState(NamedTuple):
    point: _Iterate
    best: _Iterate
    merit: Float[Array, " lanes"]
    deep: Float[Array, "rank neurons lanes"]
    depth: Float[Array, "neurons lanes"]
    steps: Int[Array, " lanes"]
    stale: Int[Array, " lanes"]
    going: Bool[Array, " lanes"]


class _Residuals(NamedTuple):
    """Gz − s, Aᵀ(Az − y) − Gᵀλ, the gap Σ s λ, and their norms summed (the merit)."""

    short: Float[Array, "samples neurons lanes"]
    gradient: Float[Array, "rank neurons lanes"]
    gap: Float[Array, " lanes"]
    merit: Float[Array, " lanes"]


def interior_point(problems: Problems, gram: Array | None) -> BestIterates:
    """Solve all problems to gaps of about 1e-10 in float64 and 4e-5 in float32, where ‖y‖ = 1."""
    tolerance = closeness(problems.u.dtype)
    n, lanes = problems.a.shape[1:]
    p = problems.u.shape[1]

    def body(state: _LoopState) -> _LoopState:
        there = _residuals(problems, state.point)
        better = state.going & (there.merit < state.merit)
        depth = _depth(problems, state.point.z)
        deeper = state.going & (depth > state.depth)
        stale = jnp.where(better, 0, state.stale + 1)
        # A merit that is not finite stays not finite.
        going = state.going & (there.merit > tolerance) & (there.merit < jnp.inf)
        going &= (stale < PATIENCE) & (state.steps < MOST_STEPS)
        new = _step(problems, gram, tolerance, state.point, there)
        return _LoopState(
            point=_where(going, new, state.point),
            best=_where(better, state.point, state.best),
            merit=jnp.where(better, there.merit, state.merit),
            deep=jnp.where(deeper, state.point.z, state.deep),
            depth=jnp.where(deeper, depth, state.depth),
            steps=state.steps + going,
            stale=stale,
            going=going,
        )

    on = jnp.abs(problems.b)
    z, none = jnp.zeros((p, n, lanes), on.dtype), jnp.zeros(lanes, jnp.int32)
    start = _Iterate(z, jnp.ones_like(on), on)
    end = jax.lax.while_loop(
        lambda state: jnp.any(state.going),
        body,
        _LoopState(
            point=start,
            best=start,
            merit=jnp.full(lanes, jnp.inf, on.dtype),
            deep=z,
            depth=jnp.zeros((n, lanes), on.dtype),
            steps=none,
            stale=none,
            going=jnp.ones(lanes, bool),
        ),
    )
    return BestIterates(end.best.z, end.best.multipliers, end.deep, end.steps)


def _where(chosen: Bool[Array, " lanes"], one: _Iterate, two: _Iterate) -> _Iterate:
    return _Iterate(*(jnp.where(chosen, x, y) for x, y in zip(one, two, strict=True)))


def _residuals(problems: Problems, at: _Iterate) -> _Residuals:
    u, y, a, b = problems
    h = heights(u, at.z)
    short = jnp.abs(b) * (b * h - at.s)
    errors = jnp.sum(a * h, axis=1) - y[:, None]
    gradient = transposed_heights(u, a * errors[:, None] - b * at.multipliers)
    gap = jnp.sum(at.s * at.multipliers, axis=(0, 1))
    sizes = (jnp.sqrt(jnp.sum(r**2, axis=(0, 1))) for r in (short, gradient))
    return _Residuals(short, gradient, gap, sum(sizes, gap))


def _depth(problems: Problems, z: Array) -> Float[Array, "neurons lanes"]:
    """Return the sine of the least angle between zᵢ and the boundary of its cone; < 0 outside."""
    inside = jnp.where(problems.b != 0, problems.b * heights(problems.u, z), jnp.inf)
    size = jnp.sqrt(jnp.sum(z**2, axis=0))
    return jnp.min(inside, axis=0) / jnp.where(size > 0, size, 1)


def _step(
    problems: Problems, gram: Array | None, tolerance: float, at: _Iterate, there: _Residuals
) -> _Iterate:
    """Take one predictor-corrector step."""
    u, _, _, b = problems
    _, s, multipliers = at
    on = jnp.abs(b)
    count = jnp.maximum(jnp.sum(on, axis=(0, 1)), 1)
    system = factorize(problems, gram, multipliers / s)

    def direction(product: Array) -> _Iterate:
        dz = solve_factorized(
            system,
            -there.gradient
            - transposed_heights(u, b * ((product + multipliers * there.short) / s)),
        )
        ds = on * (b * heights(u, dz) + there.short)
        return _Iterate(dz, ds, -(product + multipliers * ds) / s)

    def reach(move: _Iterate) -> Float[Array, " lanes"]:
        """Return the largest step up to 1 that keeps s and λ nonnegative."""
        falls = [(x, dx, (on > 0) & (dx < 0)) for x, dx in zip(at[1:], move[1:], strict=True)]
        most = [jnp.where(where, -x / jnp.where(where, dx, 1), 1) for x, dx, where in falls]
        return jnp.min(jnp.minimum(*most), axis=(0, 1), initial=1)

    affine = direction(s * multipliers)
    share, mean = reach(affine), there.gap / count
    after = (s + share * affine.s) * (multipliers + share * affine.multipliers)
    ahead = jnp.sum(on * after, axis=(0, 1)) / count
    target = (ahead / jnp.where(mean > 0, mean, 1)) ** 3 * mean
    target = jnp.maximum(target, 0.3 * tolerance / count)
    move = direction(on * (s * multipliers + affine.s * affine.multipliers - target))
    # Stop short of the boundary, by less as the gap decreases.
    share = jnp.minimum(1, reach(move) * jnp.clip(1 - mean, 0.99, 0.9995))
    return _Iterate(*(x + share * dx for x, dx in zip(at, move, strict=True)))
