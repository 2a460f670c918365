"""Critical points of any index: descent finds minima only, following eigenvectors finds all."""

from collections.abc import Callable
from typing import Any, NamedTuple, SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, Key, PyTree, Scalar

from landscape_jax.arrays import count, is_traced, positive
from landscape_jax.critical.checks import entry_shapes, fitting
from landscape_jax.critical.classify import insignificant
from landscape_jax.mistakes import explained, shown
from landscape_jax.objectives.base import AbstractObjective, Units, gradient_norm, hessian
from landscape_jax.objectives.protocols import smooth_radius
from landscape_jax.precision import times
from landscape_jax.search.initial_points import (
    checked_tolerance,
    initial_points,
    on_device,
    restart_indices,
)
from landscape_jax.search.lanes import advance_all, select
from landscape_jax.search.parameters import (
    checked_objective,
    first_entry,
    of_arrays,
    split,
    whole,
)
from landscape_jax.search.runs import Runs
from landscape_jax.search.status import Status
from landscape_jax.summary import Summarised, Summary

# Shifts of the eigenvalues tried for a step of at most the radius, and dampings of Newton's steps,
# both times the norm of the Hessian.  The least must not drown eigenvalues that fall with ‖∇F‖.
_SHIFTS = np.logspace(-14, 2, 65)
_DAMPINGS = np.logspace(-13, -1, 9)
# The sign of an eigenvalue smaller than this, relative to the largest, may change on the way.
_UNSURE = 1e-3
# Newton's step is taken where it brings ‖∇F‖ down to so much: only near a critical point it does.
_GAIN = 0.1
# Numbers in the Hessians that are held at a time.
_HELD, _MOST_LANES = 2**22, 128


class CriticalPoints(Summarised, eqx.Module):
    """Where the search for critical points ended, one a leading entry of every field.

    - `runs`: the ends, as `Runs`; their statuses are converged, max_steps, diverged or nonfinite.
      What these have (`params`, `value`, `status`, …) is reached from here too.
    - `eigenvalues`: the whole spectrum of ∇²F there, in increasing order; NaN where F has no
      Hessian.
    - `index`: how many eigenvalues are negative; −1 where the search did not converge, and where F
      has no Hessian.
    - `nullity`: how many are zero to within rounding; −1 likewise.
    """

    runs: Runs
    eigenvalues: Float[Array, "restarts parameters"]
    index: Int[Array, " restarts"]
    nullity: Int[Array, " restarts"]

    def __len__(self) -> int:
        return len(self.runs)

    def __repr__(self) -> str:
        """Return what there is in a line."""
        return self.summarise().title

    def summarise(self) -> Summary:
        """Return a row for each index: how many points, and their values."""
        if is_traced(self):
            return Summary("CriticalPoints(traced)")
        rows = []
        for index, points in self.counts().items():
            values = np.asarray(self.value)[self.is_converged & (np.asarray(self.index) == index)]
            rows.append((str(index), str(points), f"{values.min():.6g}", f"{values.max():.6g}"))
        title = f"CriticalPoints({self.runs!r}, index: count {self.counts()})"
        return Summary(title, ("index", "points", "lowest value", "highest value"), rows)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "runs":
            raise AttributeError(f"CriticalPoints has no attribute {name!r}")
        return getattr(self.runs, name)

    def counts(self) -> dict[int, int]:
        """Count the critical points of each index; starts that did not converge are left out."""
        found = np.asarray(self.index)[self.is_converged]
        values, counts = np.unique(found, return_counts=True)
        return dict(zip(values.tolist(), counts.tolist(), strict=True))


@explained
def critical_points(
    objective: AbstractObjective,
    start: Callable[[Key[Array, ""]], PyTree] | PyTree,
    restarts: SupportsIndex | Array | np.ndarray,
    *,
    key: Key[Array, ""] | None = None,
    seek: SupportsIndex | Array | np.ndarray | None = None,
    tolerance: float | int | Scalar | None = None,
    max_steps: SupportsIndex = 300,
    radius: float | int | Scalar = 0.1,
    norm_limit: float | int | Scalar = 1e4,
    lanes: SupportsIndex | None = None,
) -> CriticalPoints:
    """Find points with ∇F = 0, of any index, from many starts in one call.

    With ∇²F = U Λ Uᵀ, λ₁ ≤ λ₂ ≤ …, a start follows its first m eigenvectors uphill and the others
    downhill, as descent follows all of them downhill:

    x ← x − Σᵢ σᵢ uᵢ (uᵢ·∇F)/(|λᵢ| + s),  σᵢ = −1 for i ≤ m and 1 for the others,

    s being the least shift for which the step is at most `radius` long.  Near a critical point of
    index m it is Newton's step.  Wherever a damped Newton step (Levenberg–Marquardt on ∇F = 0), −Σᵢ
    uᵢ λᵢ (uᵢ·∇F)/(λᵢ² + μ) of at most the radius brings ‖∇F‖ down to a tenth, that is taken
    instead; a singular Hessian (flat directions, critical points that form manifolds) does not
    hinder it.  It is restricted to index m only if you give `seek`; even then the index found may
    be another one, where the Hessian is nearly singular on the way.

    Minimising ‖∇F‖² instead fails: from 36 parameters on it almost always stalls where ∇F ≠ 0 lies
    in the kernel of ∇²F.

    Restart i starts where `restart` would with the same key.  Eigenvalues count as zero up to P ·
    eps · ‖∇²F‖ + √(2‖∇²F‖‖∇F‖/ℓ), as in `critical.index`, with ℓ the objective's unit of length.
    All tolerances are relative to its `known(…).units`.  The call is pure.

    **Arguments:**

    - `objective`: any objective; its Hessians are dense, (P, P).  At a kink that the objective does
      not report (as in empirical risks) the Hessian does not classify the point: judge such ends
      yourself.
    - `start`, `restarts`, `key`: as of `restart`.
    - `seek`: the index m sought, one for all or one for each restart; where left out, the number of
      negative eigenvalues at the start, and any critical point met on the way is accepted.
    - `tolerance`: of the gradient norm, in units of ∇F; 1e-12 in float64 and 1e-5 in float32 if
      left out.
    - `max_steps`: of one start.
    - `radius`: the longest step, in units of length.
    - `norm_limit`: the norm of all parameters above which a search has diverged, in units of that
      of its start (of the unit of length, where that is larger).
    - `lanes`: how many starts move at a time; memory grows with lanes · P².

    **Returns:** `CriticalPoints`, in the order of their indices as given.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range; the
    message names it.

    Source: Cerjan and Miller (1981) for following eigenvectors; Frye et al. (2021) for what
    minimising ‖∇F‖² finds.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> risk, start = lj.PopulationRisk(jnp.eye(2)), lj.starts.gaussian((2, 2))
    >>> found = critical_points(risk, start, 30, key=jax.random.key(0), seek=1)
    >>> saddles = found.index == 1
    >>> bool(saddles.any()), bool((found.gradient_norm[saddles] <= 1e-12).all())
    (True, True)

    ```
    """
    checked_objective(objective)
    points = initial_points(start, key)
    index = restart_indices(restarts, points.length)
    starts, fixed = split(points.at(index))
    leaves = jax.tree.leaves(starts)
    dtype = jnp.result_type(*leaves)
    size = sum(leaf.size for leaf in leaves) // len(index)
    usual = max(1, min(_MOST_LANES, _HELD // size**2))
    width = usual if lanes is None else count("lanes", lanes)
    steps, reach = count("max_steps", max_steps), positive("radius", radius)
    limit = positive("norm_limit", norm_limit)
    relative = checked_tolerance("tolerance", tolerance, dtype, 1e-12)
    sought = _sought(seek, len(index), size)
    first = first_entry(starts)
    alone = of_arrays(objective, first, fixed)
    with fitting(alone, entry_shapes(starts), "start"):
        rule = _Rule(
            alone,
            jax.tree.map(lambda unit: on_device(unit, dtype), alone.known(first).units),
            on_device(relative, dtype),
            on_device(reach, dtype),
            on_device(limit, dtype),
            on_device(steps, jnp.int32),
            bound=seek is not None,
        )
        found = _search(rule, starts, sought, index, points.key, min(width, len(index)))
    return eqx.tree_at(lambda found: found.runs.params, found, whole(found.runs.params, fixed))


def _sought(seek: Any, restarts: int, size: int) -> Int[Array, " restarts"] | None:
    if seek is None:
        return None
    given = seek if isinstance(seek, jax.Array) else np.asarray(seek)
    if not jnp.issubdtype(given.dtype, jnp.integer) or given.shape not in ((), (restarts,)):
        raise ValueError(
            f"seek is {shown(seek)}; give an integer, or one for each of the {restarts} restarts"
        )
    if not is_traced(given):
        known = np.asarray(jax.device_get(given))
        if known.min() < 0 or known.max() > size:
            raise ValueError(
                f"seek has an index of {known.min() if known.min() < 0 else known.max()}; give "
                f"indices between 0 and the {size} parameters"
            )
        return on_device(np.broadcast_to(known, restarts), jnp.int32)
    return jnp.broadcast_to(given.astype(jnp.int32), restarts)


class _State(NamedTuple):
    """One search: where it is, its gradient norm, the index sought, its steps, how it stands.

    `limit` is the norm of the parameters above which it has diverged.
    """

    params: PyTree
    norm: Scalar
    limit: Scalar
    sought: Int[Array, ""]
    steps: Int[Array, ""]
    status: Status


class _Rule(eqx.Module):
    """The rule of one search: its step, and when it stops; sizes are in the units."""

    objective: AbstractObjective
    units: Units
    relative: Scalar
    reach: Scalar
    norm_limit: Scalar
    max_steps: Int[Array, ""]
    bound: bool = eqx.field(static=True)

    @property
    def tolerance(self) -> Scalar:
        """The gradient norm at which a search has converged."""
        return jnp.asarray(self.relative * self.units.gradient)

    @property
    def length(self) -> Scalar:
        """The unit of length."""
        return jnp.asarray(self.units.length)

    @property
    def radius(self) -> Scalar:
        """The longest step."""
        return self.reach * self.length

    def init(self, params: PyTree, sought: Int[Array, ""] | None) -> _State:
        """Give the state of a search that has not begun."""
        if sought is None:
            sought = (self.eigh(params)[0] < 0).sum().astype(jnp.int32)
        size = jnp.maximum(jnp.linalg.norm(ravel_pytree(params)[0]), self.length)
        limit, none = self.norm_limit * size, jnp.zeros((), jnp.int32)
        return self._look(params, self.norm(params), limit, sought, none)

    def advance(self, state: _State) -> _State:
        """Take one step: Newton's where it brings ‖∇F‖ down, else along the eigenvectors."""
        x, unravel = ravel_pytree(state.params)
        eigenvalues, U = self.eigh(state.params)
        along = times(self.slope(state.params), U)
        largest = jnp.abs(eigenvalues).max()
        scale = jnp.where(largest > 0, largest, 1)
        damping = scale * jnp.asarray(_DAMPINGS, x.dtype)[:, None]
        newton = (-along * eigenvalues)[None] / ((eigenvalues**2)[None] + damping**2)
        newton = x[None] + times(newton, U.T)
        norms = jax.vmap(lambda x: self.norm(unravel(x)))(newton)
        near = jnp.linalg.norm(newton - x[None], axis=1) <= self.radius
        norms = jnp.where(near & jnp.isfinite(norms), norms, jnp.asarray(jnp.inf, norms.dtype))
        best = jnp.argmin(norms)
        near = norms[best] <= _GAIN * state.norm
        if self.bound:
            unsure = _UNSURE * scale
            near &= jnp.sum(eigenvalues < -unsure, dtype=jnp.int32) <= state.sought
            near &= jnp.sum(eigenvalues <= unsure, dtype=jnp.int32) >= state.sought
        followed = x + times(self._follow(eigenvalues, along, scale, state.sought), U.T)
        end = jnp.where(near, newton[best], followed)
        end = unravel(end)
        return self._look(end, self.norm(end), state.limit, state.sought, state.steps + 1)

    def norm(self, params: PyTree) -> Scalar:
        """Return the gradient norm."""
        return gradient_norm(jax.grad(self.objective)(params))

    def slope(self, params: PyTree) -> Float[Array, " parameters"]:
        """Give ∇F, raveled."""
        return ravel_pytree(jax.grad(self.objective)(params))[0]

    def eigh(self, params: PyTree) -> tuple[Array, Array]:
        """Give the eigenvalues of ∇²F and its eigenvectors; NaN where it is not finite."""
        H = hessian(self.objective, params)
        finite = jnp.isfinite(H).all()
        eigenvalues, U = jnp.linalg.eigh(jnp.where(finite, H, 0))
        return jnp.where(finite, eigenvalues, jnp.asarray(jnp.nan, H.dtype)), U

    def _follow(self, eigenvalues: Array, along: Array, scale: Array, sought: Array) -> Array:
        """Give the step along each eigenvector, in all at most the radius long."""
        uphill = jnp.where(jnp.arange(len(along), dtype=jnp.int32) < sought, -1, 1)
        shifts = scale * jnp.asarray(_SHIFTS, along.dtype)[:, None]
        steps = (-uphill * along)[None] / (jnp.abs(eigenvalues)[None] + shifts)
        lengths = jnp.linalg.norm(steps, axis=1)
        fits = lengths <= self.radius
        chosen = jnp.where(fits.any(), jnp.argmax(fits), len(_SHIFTS) - 1)
        return steps[chosen] * jnp.where(fits[chosen], 1, self.radius / lengths[chosen])

    def _look(
        self, params: PyTree, norm: Scalar, limit: Scalar, sought: Array, steps: Array
    ) -> _State:
        status = Status.where(steps >= self.max_steps, Status.max_steps, Status.running)
        status = Status.where(norm <= self.tolerance, Status.converged, status)
        gone = jnp.linalg.norm(ravel_pytree(params)[0]) > limit
        status = Status.where(gone, Status.diverged, status)
        status = Status.where(jnp.isfinite(norm), status, Status.nonfinite)
        return _State(params, norm, limit, sought, steps, status)


@eqx.filter_jit
def _search(
    rule: _Rule,
    starts: PyTree,
    sought: Int[Array, " restarts"] | None,
    index: Int[Array, " restarts"],
    key: Key[Array, ""] | None,
    lanes: int,
) -> CriticalPoints:
    total = len(index)
    states = jax.lax.map(lambda pair: rule.init(*pair), (starts, sought), batch_size=lanes)

    def advance(state: _State, _: PyTree, index: Array) -> tuple[_State, PyTree, Array]:
        # Some have nothing to do from their start.
        moved = select(state.status == Status.running, jax.vmap(rule.advance)(state), state)
        return moved, (), moved.status != Status.running

    ends = advance_all(advance, states, jnp.full(total, True), lanes=lanes)

    def describe(state: _State) -> tuple[Array, Array, Array, Array, Status, Array]:
        eigenvalues, _ = rule.eigh(state.params)
        norm = jnp.abs(eigenvalues).max()
        eps = float(jnp.finfo(eigenvalues.dtype).eps)
        slope = jnp.linalg.norm(rule.slope(state.params))
        radius = jnp.asarray(smooth_radius(rule.objective, state.params), norm.dtype)
        smooth, length = radius > 0, jnp.minimum(radius, rule.length)
        bound = insignificant(norm, len(eigenvalues), eps, slope, length)
        negative, zero = eigenvalues < -bound, jnp.abs(eigenvalues) <= bound
        value = rule.objective(state.params)
        finite = jnp.isfinite(value) & (jnp.isfinite(eigenvalues).all() | ~smooth)
        status = Status.where(finite, state.status, Status.nonfinite)
        eigenvalues = jnp.where(smooth, eigenvalues, jnp.asarray(jnp.nan, norm.dtype))
        return value, eigenvalues, negative.sum(), zero.sum(), status, smooth

    value, eigenvalues, negative, zero, status, smooth = jax.lax.map(
        describe, ends, batch_size=lanes
    )
    sure = (status == Status.converged) & smooth
    runs = Runs(
        params=ends.params,
        value=value,
        gradient_norm=ends.norm,
        steps=ends.steps,
        status=status,
        restart_index=index,
        key=key,
        lanes=lanes,
    )
    return CriticalPoints(
        runs, eigenvalues, jnp.where(sure, negative, -1), jnp.where(sure, zero, -1)
    )
