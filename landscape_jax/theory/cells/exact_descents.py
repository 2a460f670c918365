"""Descents of small problems that end in exact minima, on kinks too: thousands in one call."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from landscape_jax.mistakes import explained
from landscape_jax.precision import require_float64
from landscape_jax.theory.cells.closed import ClosedCells
from landscape_jax.theory.cells.one_sided import LeastSlope, least_slope

# Relative to the data's scale: w·xᵢ below it is on a kink, slopes below it are 0.  Slopes grow with
# the distance from a kink: a smaller tolerance for them recognises points beside a kink.
_ON, _FLAT = 1e-9, 1e-11
# Decreases below this share of Σ yᵢ² are rounding.
_ROUNDING = 1e-14
_MOST_HOPS = 200
# Distance from a kink within which rounding may stop a descent.
_NEXT = 1e-6
# Longest run of decreases that may be rounding.
_MOST_STALLS = 10
# The first descent ends if in a block of steps no value falls by this share.
_BLOCK = 500
_SLOW = 1e-3


class Ends(NamedTuple):
    """The end points of descents, along the leading axis.

    - `z`, (starts, K), and `w`, (starts, K, d): |z_j| = ‖w_j‖ unless z_j or w_j is 0.
    - `value`: (1/N) Σ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)².
    - `status`: "minimum", a local minimum, or a "saddle", or "unfinished".
    - `slope`: at a minimum the least one-sided slope of (N/2) L in the u_j = |z_j| w_j, which is 0
      to within rounding and proves it; else that of the direction of descent.
    - `hops`: how often the exact finish entered a further cell combination.
    """

    z: Float[np.ndarray, "starts neurons"]
    w: Float[np.ndarray, "starts neurons inputs"]
    value: Float[np.ndarray, " starts"]
    status: tuple[str, ...]
    slope: Float[np.ndarray, " starts"]
    hops: Int[np.ndarray, " starts"]

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of ends of each status."""
        return {kind: self.status.count(kind) for kind in ("minimum", "saddle", "unfinished")}


class _End(NamedTuple):
    """The end of one descent: the network is Σ_j σ_j [u_j·x]₊."""

    u: Float[np.ndarray, "neurons inputs"]
    signs: Float[np.ndarray, " neurons"]
    status: str
    slope: float
    hops: int


class _Data(NamedTuple):
    x: Float[np.ndarray, "samples inputs"]
    y: Float[np.ndarray, " samples"]
    sizes: Float[np.ndarray, " samples"]
    scale: float
    tolerance: float


@explained
def descend_exactly(
    x: Float[np.ndarray, "samples inputs"],
    y: Float[np.ndarray, " labels"],
    z: Float[np.ndarray, "starts neurons"],
    w: Float[np.ndarray, "_ _ _"],
    *,
    max_steps: int = 20_000,
) -> Ends:
    """Descend L = (1/N) Σ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)² from many starts to exact local minima.

    1. Gradient descent on (z, w) of all starts in one jitted call, with a small step, chooses the
       basin.  It ends if no value falls by a share of 1e-3 in 500 steps, or after `max_steps`.
    2. For fixed σ_j = sign z_j, L is a function of u_j = |z_j| w_j, and convex on the closed cell
       combination around u: it is minimised there, exactly (`ClosedCells.nearest_minimum`), kinks
       included.  If the least squares is unique all starts of these cells and signs share the
       result; else each ends near its own point.
    3. With e = output − y that end is a local minimum if and only if for every neuron

           f_j(v) = σ_j (Σ_{u_j·xᵢ > 0} eᵢ xᵢ·v + Σ_{u_j·xᵢ = 0} eᵢ [xᵢ·v]₊) ≥ 0 for all v:

       along a short segment the outputs are linear and the second order is a square.  `least_slope`
       decides this; else the point moves along the steepest v to the first minimum on that ray
       (with exact breakpoints), and 2. continues from there.  Values fall, and the number of cells
       is finite.

    A neuron with z_j = 0 has no sign.  If L falls with z_j to first order it gets that sign and
    moves.  Else it stays, as in gradient descent: then the end is a minimum only if
    Σ_{w_j·xᵢ > 0} eᵢ xᵢ·v + Σ_{w_j·xᵢ = 0} eᵢ [xᵢ·v]₊ is 0 for all v, and a saddle otherwise
    (theorem 2: z_j of either sign and a v raise and lower L).  A neuron with w_j = 0 and z_j ≠ 0 is
    on all kinks at once.

    A descent may leave late for another basin, so the basin depends on how long 1. runs; the status
    that 2. and 3. assign to the end is exact in any case.

    **Arguments:** `x`, (N, d), a bias as a column of ones; `y`, (N,); `z`, (starts, K), and `w`,
    (starts, K, d), the initial points; `max_steps` of the gradient descent, 0 for none.

    **Returns:** `Ends`.  |u_j·xᵢ|/‖xᵢ‖ below 1e-9 of the scale ‖y‖/‖x‖ (or of ‖u_j‖) counts as 0,
    and so do slopes above −1e-11 ‖x‖‖y‖.  "unfinished" are ends after 200 hops or where rounding
    stops the descent, and starts from which gradient descent becomes infinite or NaN.

    **Raises:** `ValueError` if shapes do not fit, entries are not finite, `max_steps` is negative,
    float64 is off, or the samples have too many rays (see `ClosedCells`).

    Source: LIU, lemma 2 and theorems 2 and 3, for any number of samples on the hyperplanes.

    ```python
    >>> x, y = np.eye(2), np.array([1.0, -1.0])
    >>> w = np.array([[[1.0, 1.0]], [[1.0, -1.0]], [[-1.0, -2.0]]])
    >>> ends = descend_exactly(x, y, np.ones((3, 1)), w)
    >>> ends.value.tolist(), ends.counts
    ([0.5, 0.5, 1.0], {'minimum': 3, 'saddle': 0, 'unfinished': 0})

    ```
    """
    _check(x, y, z, w)
    require_float64("an exact descent")
    if max_steps < 0:
        raise ValueError(f"max_steps is {max_steps}; it must be 0 or more")
    cells = ClosedCells(x)
    size, height = float(np.linalg.norm(x)), float(np.linalg.norm(y))
    scale = height / size if size > 0 and height > 0 else 1.0
    data = _Data(x, y, np.linalg.norm(x, axis=1), scale, _FLAT * size**2 * scale)
    at_z, at_w = z, w
    if max_steps:
        found = _descend(*map(jnp.asarray, (x, y, z, w)), max_steps)
        at_z, at_w = (np.asarray(a) for a in found)
    known: dict[bytes, _End] = {}
    ends = [_finish(data, cells, known, *point) for point in zip(at_z, at_w, strict=True)]
    return _gather(data, z, at_w, ends)


def _check(x: np.ndarray, y: np.ndarray, z: np.ndarray, w: np.ndarray) -> None:
    if y.shape != x.shape[:1] or w.shape != (*z.shape, x.shape[1]) or z.ndim != 2 or 0 in z.shape:
        raise ValueError(
            f"x, y, z and w have shapes {x.shape}, {y.shape}, {z.shape} and {w.shape}; give "
            "(samples, inputs), (samples,), (starts, neurons) and (starts, neurons, inputs), with "
            "at least one start and neuron"
        )
    if not all(np.isfinite(a).all() for a in (x, y, z, w)):
        raise ValueError("x, y, z or w has NaN or infinite entries; give finite numbers")


@functools.partial(jax.jit, static_argnums=4)
def _descend(x: Array, y: Array, z: Array, w: Array, max_steps: int) -> tuple[Array, Array]:
    """Run gradient descent from all starts, until all values fall slowly."""
    curvature = jnp.maximum(2 * jnp.linalg.norm(x, ord=2) ** 2 / len(x), jnp.finfo(x.dtype).tiny)

    def value(z: Array, w: Array) -> Array:
        return jnp.mean((jnp.einsum("sj,sjn->sn", z, jax.nn.relu(w @ x.T)) - y) ** 2, axis=1)

    def step(_: Array, point: tuple[Array, Array]) -> tuple[Array, Array]:
        z, w = point
        heights = w @ x.T
        errors = jnp.einsum("sj,sjn->sn", z, jax.nn.relu(heights)) - y
        active = jnp.where(heights > 0, errors[:, None], 0)
        down_z = 2 / len(x) * jnp.sum(active * heights, axis=2)
        down_w = 2 / len(x) * z[:, :, None] * (active @ x)
        # The rate is below about 1/‖Hessian‖, so that no step overshoots.
        size = jnp.sum(z**2, axis=1) + jnp.sum(w**2, axis=(1, 2)) + 1
        rate = 0.2 / (curvature * size + jnp.sqrt(curvature) * jnp.linalg.norm(errors, axis=1))
        return z - rate[:, None] * down_z, w - rate[:, None, None] * down_w

    def block(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        at, z, w, before = state
        z, w = jax.lax.fori_loop(0, jnp.minimum(_BLOCK, max_steps - at), step, (z, w))
        now = value(z, w)
        falls = jnp.any(now < (1 - _SLOW) * before)
        return jnp.where(falls, at + _BLOCK, max_steps), z, w, now

    start = jnp.asarray(0), z, w, value(z, w)
    _, z, w, _ = jax.lax.while_loop(lambda state: state[0] < max_steps, block, start)
    return z, w


def _finish(
    data: _Data,
    cells: ClosedCells,
    known: dict[bytes, _End],
    z: Float[np.ndarray, " neurons"],
    w: Float[np.ndarray, "neurons inputs"],
) -> _End:
    """Move one end point of gradient descent to an exact minimum or saddle."""
    if not (np.isfinite(z).all() and np.isfinite(w).all()):
        return _End(np.full(w.shape, np.nan), np.sign(z), "unfinished", np.nan, 0)
    signs, u = np.sign(z), np.abs(z)[:, None] * w
    hops = 0
    for _ in range(len(z) + 1):
        moving = signs != 0
        end = _settle(data, cells, known, signs[moving], u[moving])
        u[moving], hops = end.u, hops + end.hops
        if end.status != "minimum":
            return _End(u, signs, end.status, end.slope, hops)
        errors = _errors(data, signs, u)
        heights = np.maximum(w @ data.x.T, 0)
        falls = np.where(moving, 0, heights @ errors)
        sizes = np.maximum(np.linalg.norm(w, axis=1), np.finfo(float).tiny)
        j = int(np.argmax(np.abs(falls) / sizes))
        if abs(falls[j]) <= data.tolerance * sizes[j]:
            return _classify_resting(data, w, errors, _End(u, signs, end.status, end.slope, hops))
        signs[j] = -np.sign(falls[j])
        # The first minimum along w_j: the output is linear in |z_j|.
        u[j] = abs(falls[j]) / (heights[j] @ heights[j]) * w[j]
    raise AssertionError("a neuron that has got its sign keeps it")


def _classify_resting(
    data: _Data, w: Float[np.ndarray, "neurons inputs"], errors: np.ndarray, end: _End
) -> _End:
    """Decide whether the neurons with z_j = 0 make the end a saddle."""
    for j in np.flatnonzero(end.signs == 0):
        found = _slope(data, 1.0, w[j], errors)
        if not found.zero:
            # One of ±h_j is negative for some v: z_j of that sign lowers L.
            other = _slope(data, -1.0, w[j], errors)
            return end._replace(status="saddle", slope=min(found.slope, other.slope))
    return end


def _settle(
    data: _Data,
    cells: ClosedCells,
    known: dict[bytes, _End],
    signs: Float[np.ndarray, " neurons"],
    u: Float[np.ndarray, "neurons inputs"],
) -> _End:
    """Minimise over one cell combination after the other, to a local minimum over u."""
    sides = np.where(u @ data.x.T >= 0, 1.0, -1.0)
    passed: list[tuple[bytes, int]] = []
    end = _End(u, signs, "unfinished", np.nan, _MOST_HOPS)
    stalls, moved_to_kinks = 0, False
    for hop in range(_MOST_HOPS):
        key = signs.tobytes() + sides.tobytes()
        if key in known:
            end = known[key]._replace(hops=hop + known[key].hops)
            break
        if cells.unique(signs, sides):
            passed.append((key, hop))
        best = cells.nearest_minimum(data.y, signs, sides, u)
        u = u if best is None else best
        errors = _errors(data, signs, u)
        found = [_slope(data, sign, row, errors) for sign, row in zip(signs, u, strict=True)]
        slope = min((f.slope for f in found), default=0.0)
        j = min(range(len(found)), key=lambda j: found[j].slope, default=-1)
        if j < 0 or (down := found[j].direction) is None:
            end = _End(u, signs, "minimum", slope, hop)
            break
        moved = _line_minimum(data, signs[j], u[j], errors, down)
        u, sides, before = u.copy(), sides.copy(), errors @ errors
        u[j], sides[j] = moved
        after = _errors(data, signs, u)
        end = _End(u, signs, "unfinished", slope, hop + 1)
        # Near a kink a step may be as small as rounding, and the next one beyond it large.
        stalls = stalls + 1 if after @ after >= before - _ROUNDING * (data.y @ data.y) else 0
        if stalls > _MOST_STALLS:
            if moved_to_kinks:
                break
            # Rounding keeps it from the kinks near it: continue on these.
            u, stalls, moved_to_kinks = np.array([_to_kinks(data, row) for row in u]), 0, True
    for key, hop in passed:
        known[key] = end._replace(hops=end.hops - hop)
    return end


def _errors(
    data: _Data, signs: Float[np.ndarray, " neurons"], u: Float[np.ndarray, "neurons inputs"]
) -> Float[np.ndarray, " samples"]:
    return signs @ np.maximum(u @ data.x.T, 0) - data.y


def _on_kink(data: _Data, u: Float[np.ndarray, " inputs"]) -> Bool[np.ndarray, " samples"]:
    size = max(float(np.linalg.norm(u)), data.scale)
    return np.abs(data.x @ u) <= _ON * size * data.sizes


def _to_kinks(data: _Data, u: Float[np.ndarray, " inputs"]) -> Float[np.ndarray, " inputs"]:
    """Project a weight onto the hyperplanes of the samples that are near it."""
    size = max(float(np.linalg.norm(u)), data.scale)
    near = data.x[np.abs(data.x @ u) <= _NEXT * size * data.sizes]
    return u - np.linalg.lstsq(near, near @ u)[0] if len(near) else u


def _slope(
    data: _Data, sign: float, u: Float[np.ndarray, " inputs"], errors: Float[np.ndarray, " samples"]
) -> LeastSlope:
    """Compute the least slope of f_j."""
    kinks = _on_kink(data, u)
    active = ~kinks & (data.x @ u > 0)
    return least_slope(
        sign * errors[active] @ data.x[active],
        data.x[kinks],
        sign * errors[kinks],
        tolerance=data.tolerance,
    )


def _line_minimum(
    data: _Data,
    sign: float,
    u: Float[np.ndarray, " inputs"],
    errors: Float[np.ndarray, " samples"],
    v: Float[np.ndarray, " inputs"],
) -> tuple[Float[np.ndarray, " inputs"], Float[np.ndarray, " samples"]]:
    """Find the first minimum along v, and the signs of u·xᵢ on the piece before it."""
    heights = np.where(_on_kink(data, u), 0, data.x @ u)
    rates = data.x @ v
    rates = np.where(np.abs(rates) <= _ON * data.sizes, 0, rates)
    with np.errstate(divide="ignore", invalid="ignore"):
        stops = -heights / rates
    stops = np.unique(stops[np.isfinite(stops) & (stops > 0)])
    left, side = 0.0, heights
    for right in [*stops, np.inf]:
        middle = (left + right) / 2 if np.isfinite(right) else 2 * left + 1
        side = heights + middle * rates
        active = side > 0
        now = errors + sign * (np.maximum(heights + left * rates, 0) - np.maximum(heights, 0))
        slope, curvature = sign * (rates * now)[active].sum(), (rates[active] ** 2).sum()
        best = left - slope / curvature if curvature > 0 else np.inf
        if slope >= 0 or best <= right:
            left = max(left, min(best, right)) if slope < 0 else left
            break
        left = right
    return u + left * v, np.where(side >= 0, 1.0, -1.0)


def _gather(
    data: _Data,
    z: Float[np.ndarray, "starts neurons"],
    w: Float[np.ndarray, "starts neurons inputs"],
    ends: list[_End],
) -> Ends:
    """Return the networks: |z_j| stays where u_j = 0, and w_j where z_j = 0."""
    u, signs = np.stack([end.u for end in ends]), np.stack([end.signs for end in ends])
    sizes = np.sqrt(np.linalg.norm(u, axis=2))
    at_z = np.where(sizes > 0, signs * sizes, signs * np.abs(z))
    at_w = np.where(sizes[:, :, None] > 0, u / np.where(sizes > 0, sizes, 1)[:, :, None], 0)
    at_w = np.where(signs[:, :, None] == 0, w, at_w)
    outputs = np.einsum("sj,sjn->sn", at_z, np.maximum(at_w @ data.x.T, 0))
    return Ends(
        z=at_z,
        w=at_w,
        value=np.mean((outputs - data.y) ** 2, axis=1),
        status=tuple(end.status for end in ends),
        slope=np.array([end.slope for end in ends]),
        hops=np.array([end.hops for end in ends]),
    )
