"""The least one-sided slope at a kink: whether g·v + Σᵢ cᵢ [rᵢ·v]₊ is negative for some v."""

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import lsq_linear

from landscape_jax.mistakes import explained
from landscape_jax.theory.cells.arrangement import cell_bound, cells

# Unit rows closer than this are on one line: computed units are off by a few 1e-16.
_SAME = 1e-13
# A sum of kinks on one line up to this share of its terms is 0 to within rounding.
_CANCELS = 1e-15
# The default tolerance of a slope, relative to ‖g‖ + Σᵢ |cᵢ|‖rᵢ‖.
_LEVEL = 1e-9
_BVLS = {"tol": 1e-15, "max_iter": 1000}


class LeastSlope(NamedTuple):
    """The least of f(v) = g·v + Σᵢ cᵢ [rᵢ·v]₊ over all v with ‖v‖ ≤ 1.

    - `nonnegative`: f(v) ≥ −tolerance·‖v‖ for all v.
    - `zero`: |f(v)| ≤ tolerance·‖v‖ for all v.
    - `slope`: the least of f over the unit ball, at most 0.
    - `direction`: the unit vector v of that slope, if it is below −tolerance; else None.
    - `multipliers`: λ ∈ [0, 1]^rows with ‖g + Σᵢ λᵢ cᵢ rᵢ‖ = −slope, if f is convex: they prove
      that f(v) ≥ slope·‖v‖.  None if f is not convex.
    """

    nonnegative: bool
    zero: bool
    slope: float
    direction: Float[np.ndarray, " inputs"] | None
    multipliers: Float[np.ndarray, " rows"] | None


class _Merged(NamedTuple):
    """f(v) = g·v + Σₗ Cₗ [uₗ·v]₊ with unit vectors on distinct lines.

    `C` and `u`: of all lines, also those with Cₗ = 0; `place`: the index of each row's line, −1 for
    the row 0; `same`: whether the row has the direction of uₗ, not the opposite one.
    """

    g: Float[np.ndarray, " inputs"]
    C: Float[np.ndarray, " lines"]
    u: Float[np.ndarray, "lines inputs"]
    place: list[int]
    same: list[bool]


@explained
def least_slope(
    g: Float[np.ndarray, " inputs"],
    rows: Float[np.ndarray, "rows entries"],
    weights: Float[np.ndarray, " weights"],
    *,
    tolerance: float | None = None,
) -> LeastSlope:
    """Compute the steepest descent of f(v) = g·v + Σᵢ cᵢ [rᵢ·v]₊, or show that there is none.

    At a point where neuron j with z_j ≠ 0 lies on the hyperplanes of the samples xᵢ, i ∈ Z, this is
    the one-sided slope of (N/2) L in u_j = |z_j| w_j, where e is output − y and σ = sign z_j:
    g = σ Σ eᵢxᵢ over the active samples, and rᵢ = xᵢ, cᵢ = σeᵢ for i ∈ Z.

    1. Rows on one line are merged: c[r·v]₊ = c[−r·v]₊ + c r·v.  On distinct lines kinks do not
       cancel, so f is 0 if and only if g and C are 0 after that, and convex if and only if C ≥ 0.
    2. If f is convex it is max (g + Σ λᵢCᵢuᵢ)·v over λ ∈ [0, 1], and the least of that over the
       unit ball is minus the distance of −g from {Σ λᵢCᵢuᵢ}: a least squares problem with bounds.
       The residual is along −v.  With independent rows the plain least squares is tried first.
    3. Else C[t]₊ = min(0, Ct) for C < 0, so f is the least of convex functions, one for each set S
       of these rows, with g + Σ_S Cᵢuᵢ for g.  All S are tried, or those of the cells of these rows
       if they are fewer.  With independent rows f then always has a descent.

    **Arguments:** `g`, (d,); `rows`, (rows, d), the rᵢ: they may be none, dependent, parallel,
    opposite or 0; `weights`, (rows,), the cᵢ, of any sign; `tolerance`, the slope that counts as 0,
    by default 1e-9·(‖g‖ + Σ|cᵢ|‖rᵢ‖); give it if g is itself a small difference of large numbers.

    **Returns:** a `LeastSlope`.  Rounding is about 1e-15 of the same sum, except that unit rows
    closer than 1e-13 count as one, which changes f by that much.

    **Raises:** `ValueError` if shapes do not fit or entries are not finite; like `cells`.

    Source: LIU, lemma 2, for one sample and to first order; here any number of them.

    ```python
    >>> import numpy as np
    >>> found = least_slope(np.array([-1.0, 0.0]), np.array([[1.0, 0.0]]), np.array([4.0]))
    >>> found.nonnegative, found.multipliers.tolist(), found.zero
    (True, [0.25], False)
    >>> least_slope(np.array([-1.0, 0.0]), np.array([[1.0, 0.0]]), np.array([0.5])).slope
    -0.5
    >>> both = np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> found = least_slope(np.array([-1.0, 0.0]), both, np.array([4.0, -1.0]))
    >>> found.nonnegative, found.multipliers.tolist()
    (True, [0.0, 1.0])
    >>> least_slope(np.array([-1.0, 0.0]), both, np.array([1.0, -1.0])).zero
    True

    ```
    """
    if g.ndim != 1 or rows.shape != (len(weights), len(g)):
        raise ValueError(
            f"g, rows and weights have shapes {g.shape}, {rows.shape} and {weights.shape}; give "
            "(inputs,), (rows, inputs) and (rows,)"
        )
    if not all(np.isfinite(a).all() for a in (g, rows, weights)):
        raise ValueError("g, rows or weights has NaN or infinite entries; give finite numbers")
    sizes = np.abs(weights) * np.linalg.norm(rows, axis=1)
    if tolerance is None:
        tolerance = _LEVEL * float(np.linalg.norm(g) + np.sum(sizes))
    lines = _merged(g, rows, weights)
    up, down = lines.C > 0, lines.C < 0
    # The residual g + Σ λᵢCᵢuᵢ and the λ of each convex function.
    found = [
        _convex(lines.g + (chosen * lines.C[down]) @ lines.u[down], lines.u[up], lines.C[up])
        for chosen in _subsets(lines.u[down])
    ]
    rest, share = max(found, key=lambda f: float(np.linalg.norm(f[0])))
    size = float(np.linalg.norm(rest))
    shares = np.zeros(len(lines.C))
    shares[up] = share
    return LeastSlope(
        nonnegative=size <= tolerance,
        zero=float(np.linalg.norm(lines.g) + np.sum(np.abs(lines.C))) <= tolerance,
        slope=-size,
        direction=-rest / size if size > tolerance else None,
        multipliers=None if down.any() else _multipliers(lines, shares),
    )


def _merged(
    g: Float[np.ndarray, " inputs"],
    rows: Float[np.ndarray, "rows inputs"],
    weights: Float[np.ndarray, " rows"],
) -> _Merged:
    """Merge the rows on one line, each written as a multiple of the line's first unit row."""
    u: list[np.ndarray] = []
    place, same = [], []
    left, total, parts = g.astype(float), [], []
    for row, weight in zip(rows, weights.tolist(), strict=True):
        size = float(np.linalg.norm(row))
        if size == 0:
            place.append(-1)
            same.append(True)
            continue
        unit = row / size
        sides = [float(unit @ other) for other in u]
        at = next(
            (k for k, t in enumerate(sides) if np.linalg.norm(unit - np.sign(t) * u[k]) <= _SAME),
            len(u),
        )
        if at == len(u):
            u.append(unit)
            total.append(0.0)
            parts.append(0.0)
        place.append(at)
        same.append(at >= len(sides) or sides[at] > 0)
        total[at] += weight * size
        parts[at] += abs(weight) * size
        if not same[-1]:
            left = left + weight * row
    C = np.array([t if abs(t) > _CANCELS * p else 0.0 for t, p in zip(total, parts, strict=True)])
    return _Merged(left, C, np.array(u).reshape(len(u), len(g)), place, same)


def _subsets(u: Float[np.ndarray, "lines inputs"]) -> Iterable[Float[np.ndarray, " lines"]]:
    """Yield sets of rows, as 0 and 1, among them {u·v > 0} of every v that is on no boundary."""
    if not len(u) or 2 ** len(u) <= cell_bound(u):
        return (np.array(chosen) for chosen in itertools.product([0.0, 1.0], repeat=len(u)))
    return (cell.pattern.astype(float) for cell in cells(u))


def _convex(
    g: Float[np.ndarray, " inputs"],
    u: Float[np.ndarray, "lines inputs"],
    C: Float[np.ndarray, " lines"],
) -> tuple[Float[np.ndarray, " inputs"], Float[np.ndarray, " lines"]]:
    """Compute the shortest g + Σ λᵢCᵢuᵢ, 0 ≤ λ ≤ 1, and its λ."""
    if not len(C):
        return g, C
    best, _, rank, _ = np.linalg.lstsq(u.T, -g)
    if rank < len(C) or np.any(best < 0) or np.any(best > C):
        best = lsq_linear(u.T, -g, bounds=(0, C), method="bvls", **_BVLS).x
    return g + best @ u, np.clip(best / C, 0, 1)


def _multipliers(lines: _Merged, shares: Float[np.ndarray, " lines"]) -> Float[np.ndarray, " rows"]:
    """Convert the lines' λ to those of rows: 1 − λ for one of the opposite direction."""
    rows = zip(lines.place, lines.same, strict=True)
    return np.array(
        [0.0 if at < 0 else shares[at] if same else 1 - shares[at] for at, same in rows]
    )
