"""Least squares over the convex hull of neurons' outputs on several cells, with lower bounds.

The outputs σ[w·x₁]₊, …, σ[w·x_N]₊ of a neuron with its weight in some closed cells are a
combination, with coefficients ≥ 0, of those on the rays of these cells.  For one cell such
combinations are exactly the possible outputs, for several the convex hull of their union.  So the
least squares over such combinations bounds the loss from below: Pilanci & Ergen 2020 with a weight
decay that tends to 0, on a part of the cells.  It is a non-negative least squares problem,
min ‖Σ_k λ_k a_k − y‖², λ ≥ 0.

*The bound.*  Let S be independent columns and ν = (I − P_S) y the residual of their least squares.
If a_k·ν ≤ 0 for all columns, then for every λ ≥ 0

    ‖Σ λ_k a_k − y‖² ≥ ‖ν‖² − 2 Σ λ_k a_k·ν ≥ ‖ν‖²,

since y·ν = ‖ν‖².  The columns of S, and their negatives, have a_k·ν = 0 exactly.  For the others
let e = y − A_S λ for any λ, so that ν = (I − P_S) e and ‖ν − e‖ = ‖P_S e‖ ≤ ‖A_Sᵀe‖/σ_min(A_S).
All roundings are bounded: sums of n products by n u Σ|terms|, u = 2⁻⁵³ (Higham 2002, section 3.1),
the rounding of the data by u, and σ_min² ≥ s/2 if AᵀA − sI has a Cholesky factor and s is at least
8 (N + |S| + 4) u trace(AᵀA) (Rump 2006).  If that leaves the sign of some a_k·ν open, ν is computed
in rational numbers.
"""

from typing import NamedTuple

import numpy as np
from flint import fmpq_mat
from jaxtyping import Bool, Float, Int

from landscape_jax.exact.rationals import least_squares
from landscape_jax.theory.cells.rays import Rays

_UNIT = 2.0**-53
# Columns with a slope above it times ‖y‖ enter.
_SLOPE = 1e-11
# The most columns that enter together.
_TOGETHER = 12
# A share of the trace that keeps systems of nearly dependent columns definite.
_RIDGE = 1e-14


class Cone(NamedTuple):
    """The rays allowed for neurons with z > 0, and for those with z < 0."""

    plus: Bool[np.ndarray, " rays"]
    minus: Bool[np.ndarray, " rays"]


class Relaxed(NamedTuple):
    """A point of the hull and the bound that it proves, in the units of `Rays.y`.

    - `support`: the rays in use, and `signs` of their neurons; `weights`: their λ > 0.
    - `value`: ‖Σ λ_k a_k − y‖².
    - `lower`: a bound of all values, provided that no `open` column has a_k·ν > 0; `open`: rays,
      (sign, index), for which that is undecided.
    """

    support: Int[np.ndarray, " support"]
    signs: Int[np.ndarray, " support"]
    weights: Float[np.ndarray, " support"]
    value: float
    lower: float
    open: list[tuple[int, int]]


def relax(
    rays: Rays,
    cone: Cone,
    support: Int[np.ndarray, " start"],
    signs: Int[np.ndarray, " start"],
    enough: float = 0.0,
) -> Relaxed:
    """Solve the least squares over the hull, and bound it from below.

    An active set method (Lawson and Hanson 1974, chapter 23) that adds several columns at once.

    **Arguments:** `cone`, the rays; `support`, `signs`, an initial guess of those in use; `enough`,
    a value below which the search may end.
    """
    A, y = rays.outputs, rays.y
    live = rays.kind >= 0
    sizes = np.where(live, np.linalg.norm(A, axis=1), 1)
    plus, minus = cone.plus & live, cone.minus & live
    weights = np.zeros(len(support))
    level = _SLOPE * float(np.linalg.norm(y))
    square = np.inf
    while True:
        support, signs, weights = _solved(rays, support, signs, weights)
        e = y - (signs * weights) @ A[support]
        before, square = square, float(e @ e)
        # A value that no longer falls is minimal to within rounding.
        if square < enough or square >= before:
            break
        slopes = A @ e / sizes
        gains = np.stack([np.where(minus, -slopes, -np.inf), np.where(plus, slopes, -np.inf)])
        # Columns in use have slope 0 to within rounding.
        gains[(signs > 0).astype(int), support] = -np.inf
        flat = gains.ravel()
        best = np.argpartition(flat, -min(_TOGETHER, len(flat)))[-min(_TOGETHER, len(flat)) :]
        best = best[flat[best] > level]
        if not len(best):
            break
        best = best[np.argsort(-flat[best])]
        support = np.concatenate([support, best % len(A)])
        signs = np.concatenate([signs, np.where(best >= len(A), 1, -1)])
        weights = np.concatenate([weights, np.zeros(len(best))])
    return _bounded(rays, cone, support, signs, weights)


def _solved(
    rays: Rays,
    support: Int[np.ndarray, " start"],
    signs: Int[np.ndarray, " start"],
    weights: Float[np.ndarray, " start"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve the non-negative least squares of some columns, starting from weights ≥ 0."""
    columns = signs[:, None] * rays.outputs[support]
    sizes = np.linalg.norm(columns, axis=1)
    columns /= sizes[:, None]
    G, c = columns @ columns.T, columns @ rays.y
    level = _SLOPE * float(np.linalg.norm(rays.y))
    weights = weights * sizes
    used = weights > 0
    for _ in range(3 * len(support) + 3):
        inside = _least(G, c, used)
        if np.all(inside[used] > 0):
            weights = inside
            gains = np.where(used, -np.inf, c - G @ weights - level)
            new = int(np.argmax(gains)) if len(gains) else -1
            if new < 0 or not gains[new] > 0:
                break
            used[new] = True
            continue
        # Up to where the first weight is 0.
        falling = used & (inside <= 0)
        shares = weights[falling] / (weights[falling] - inside[falling])
        share = float(np.min(np.where(np.isfinite(shares), shares, 0)))
        weights = np.where(used, weights + share * (inside - weights), 0)
        last = np.flatnonzero(falling)[int(np.argmin(shares))]
        used &= weights > 0
        used[last] = False
        weights[~used] = 0
    if used.any():
        # One step of iterative refinement removes the effect of the ridge and of rounding.
        weights = weights + _least(G, columns @ (rays.y - weights @ columns), used)
        used &= weights > 0
    return support[used], signs[used], (weights / sizes)[used]


def _least(
    G: Float[np.ndarray, "columns columns"],
    c: Float[np.ndarray, " columns"],
    used: Bool[np.ndarray, " columns"],
) -> Float[np.ndarray, " columns"]:
    found = np.zeros(len(c))
    at = np.flatnonzero(used)
    if len(at):
        part = G[np.ix_(at, at)]
        ridge = _RIDGE * np.trace(part)
        found[at] = np.linalg.solve(part + ridge * np.eye(len(at)), c[at])
    return found


def _bounded(
    rays: Rays,
    cone: Cone,
    support: Int[np.ndarray, " support"],
    signs: Int[np.ndarray, " support"],
    weights: Float[np.ndarray, " support"],
) -> Relaxed:
    A, y = rays.outputs, rays.y
    columns = signs[:, None] * A[support]
    samples = len(y)
    e = y - weights @ columns
    off = _off(columns, y, weights, e)
    value = float(e @ e)
    lower = max(0.0, float(np.linalg.norm(e)) * (1 - (samples + 4) * _UNIT) - off) ** 2
    # a_k·ν differs from the computed a_k·e by at most this, and by rounding.
    tiny = float(np.finfo(float).tiny)
    slack = np.full(len(A), np.inf)
    if off < np.inf:
        slack = (samples + 8) * _UNIT * (A @ np.abs(e)) + 1.001 * off * np.linalg.norm(A, axis=1)
        slack += tiny
    slopes = A @ e
    known = np.zeros(len(rays.columns) + 1, bool)
    known[rays.kind[support]] = True
    known[-1] = True  # Outputs that are 0 everywhere have the kind −1.
    unknown = ~known[rays.kind]
    left = [
        (sign, int(k))
        for sign, part in ((1, cone.plus), (-1, cone.minus))
        for k in np.flatnonzero(part & unknown & ~(sign * slopes <= -slack))
    ]
    return Relaxed(support, signs, weights, value, lower * (1 - 4 * _UNIT), left)


def _off(
    columns: Float[np.ndarray, "support samples"],
    y: Float[np.ndarray, " samples"],
    weights: Float[np.ndarray, " support"],
    e: Float[np.ndarray, " samples"],
) -> float:
    """Bound ‖ν − e‖ for the computed e; ∞ if the columns are not proven to be independent."""
    count, samples = columns.shape
    sizes = np.abs(columns)
    # Underflow changes a number by less than the smallest normal one.
    tiny = float(np.finfo(float).tiny) * (1 + float(np.sum(weights)))
    rounding = 2 * (count + 4) * _UNIT * (np.abs(y) + weights @ sizes) + tiny
    own = float(np.linalg.norm(rounding))
    if not count:
        return 1.001 * own
    along = np.abs(columns @ e) + sizes @ (2 * (samples + 6) * _UNIT * np.abs(e) + 2 * rounding)
    G = columns @ columns.T
    shift = float(np.linalg.eigvalsh(G)[0]) / 2
    if not shift > 8 * (samples + count + 4) * _UNIT * float(np.trace(G)):
        return np.inf
    try:
        np.linalg.cholesky(G - shift * np.eye(count))
    except np.linalg.LinAlgError:
        return np.inf
    return 1.001 * (own + float(np.linalg.norm(along)) / float(np.sqrt(shift / 2)))


def exact_residual(rays: Rays, found: Relaxed) -> fmpq_mat | None:
    """Compute ν in rational numbers; None if some `open` column has a_k·ν > 0."""
    kinds = dict.fromkeys(rays.kind[found.support].tolist())
    e = rays.labels
    if kinds:
        A = fmpq_mat([list(rays.columns[kind]) for kind in kinds]).transpose()
        e = rays.labels - A * least_squares(A, rays.labels)
    if found.open:
        slopes = rays.slopes([int(rays.kind[place]) for _, place in found.open], e)
        if any(sign * t > 0 for (sign, _), t in zip(found.open, slopes, strict=True)):
            return None
    return e
