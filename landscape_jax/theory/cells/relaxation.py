"""Least squares over the convex hull of what neurons can do on many cells at once, with bounds.

Of a neuron whose weight lies in some closed cells the outputs σ[w·x₁]₊, …, σ[w·x_N]₊ are a
combination with coefficients ≥ 0 of those on the rays of these cells: exactly that where it is one
cell, and the convex hull of the union where they are several.  So the least squares over such
combinations bounds the loss from below: Pilanci & Ergen 2020 with a weight decay that tends to 0,
on a part of the cells.  It is a non-negative least squares problem, min ‖Σ_k λ_k a_k − y‖², λ ≥ 0.

*The bound.*  Let S be independent columns and ν = (I − P_S) y the residual of their least squares.
If a_k·ν ≤ 0 for all columns, then for every λ ≥ 0

    ‖Σ λ_k a_k − y‖² ≥ ‖ν‖² − 2 Σ λ_k a_k·ν ≥ ‖ν‖²,

since y·ν = ‖ν‖².  The columns of S, and their negatives, have a_k·ν = 0 exactly.  For the others
let e = y − A_S λ for any λ, so that ν = (I − P_S) e and ‖ν − e‖ = ‖P_S e‖ ≤ ‖A_Sᵀe‖/σ_min(A_S).
All roundings are counted: sums of n products by n u Σ|terms|, u = 2⁻⁵³ (Higham 2002, section 3.1),
the rounding of the data by u, and σ_min² ≥ s/2 where AᵀA − sI has a Cholesky factor and s is at
least 8 (N + |S| + 4) u trace(AᵀA) (Rump 2006).  Where that leaves the sign of some a_k·ν open, ν
is computed in rational numbers.
"""

from typing import NamedTuple

import numpy as np
from flint import fmpq_mat
from jaxtyping import Bool, Float, Int

from landscape_jax.exact.rationals import least_squares
from landscape_jax.theory.cells.rays import Rays

_UNIT = 2.0**-53
# Columns of a slope above it times ‖y‖ enter.
_SLOPE = 1e-11
# Columns that enter together.
_TOGETHER = 12
# A share of the trace that keeps systems of nearly dependent columns definite.
_RIDGE = 1e-14


class Cone(NamedTuple):
    """The rays of the neurons with z > 0, and of those with z < 0."""

    plus: Bool[np.ndarray, " rays"]
    minus: Bool[np.ndarray, " rays"]


class Relaxed(NamedTuple):
    """A point of the hull and what it proves, in the units of `Rays.y`.

    - `support`: the rays in use, and `signs` of their neurons; `weights`: their λ > 0.
    - `value`: ‖Σ λ_k a_k − y‖².
    - `lower`: no point has a smaller one, provided that no `open` column has a_k·ν > 0; `open`:
      rays, (sign, place), for which that is to be decided.
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

    An active set method (Lawson and Hanson 1974, chapter 23) that takes in several columns at once.

    **Arguments:** `cone`, the rays; `support`, `signs`, a first guess at those in use.
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
        # What no longer falls is at its least but for rounding.
        if square < enough or square >= before:
            break
        slopes = A @ e / sizes
        gains = np.stack([np.where(minus, -slopes, -np.inf), np.where(plus, slopes, -np.inf)])
        # What is in use has slope 0 but for rounding.
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
    """Solve the non-negative least squares of some columns, from weights ≥ 0 on."""
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
        # What the ridge and rounding have left.
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
    """Bound ‖ν − e‖ for the computed e; ∞ where the columns are not seen to be independent."""
    count, samples = columns.shape
    sizes = np.abs(columns)
    # What underflows is off by less than the smallest normal number.
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
    """Return ν in rational numbers; None where some column that was left open has a_k·ν > 0."""
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
