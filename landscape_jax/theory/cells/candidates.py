"""Face combinations that may hold a local minimum: the others are excluded by proven float bounds.

All floating-point results here come with a bound of their distance from the exact number, so that
an excluded combination holds no minimum.  With ε = 2⁻⁵², in any order of summation:

1. The columns of A, the outputs of K neurons along the bases of their spans, come from whole
   numbers and are rounded entry by entry.  They are scaled to norm 1, up to rounding.
2. A Cholesky factor L of AᵀA, leaving out columns whose pivot is small, names a set S of columns.
   As LLᵀ = AᵀA + Δ with ‖Δ‖ ≤ (N + m + 20) mε on S, of m columns, λ = 1/(2‖L⁻¹‖²) is below the
   least eigenvalue of A_SᵀA_S if 2λ exceeds 8‖Δ‖ and 1e-8: then the rounding of L⁻¹ is far below
   the factor of 2.  So the columns of S are independent.
3. For any t, and the least squares solution t* of S, A_SᵀA_S (t − t*) = A_SᵀA t − A_Sᵀy = g, hence

       ‖t − t*‖ ≤ ‖g‖/λ  and  ‖A_S (t − t*)‖ ≤ ‖g‖/√λ,

   where g and the errors At − y are computed with a rounding of at most 4(N + m + 20) ε √m
   (√m ‖t‖ + ‖y‖) (Higham 2002, sections 3.1, 10.1).
4. The columns of S span all others if and only if |S| is the rank of A, which is computed in whole
   numbers; then the errors are those of all columns.  If |S| = N they are 0.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, islice
from typing import NamedTuple

import numpy as np
from flint import fmpz_mat
from jaxtyping import Bool, Float, Int

from landscape_jax.exact.coordinates import scaled
from landscape_jax.exact.directions import dot
from landscape_jax.theory.cells.fans import FaceProblem, rays_around

_EPSILON = float(np.finfo(float).eps)
# Columns of smaller pivots are left out, and smaller eigenvalues are no proof of independence.
_PIVOT, _LEAST = 1e-6, 1e-8
# Squares of columns below it may have lost digits to underflow.
_TINY = 1e-200
# Numbers in the tables of one block of combinations, and the most combinations in it.
_NUMBERS, _MOST = 2_000_000, 4096


class Candidates(NamedTuple):
    """What is proven of a block of face combinations.

    - `chosen`: the faces, by their index, a combination a row.
    - `possible`: where a minimum is not excluded.
    - `zero`: where the errors are proven to be 0.
    """

    chosen: Int[np.ndarray, "block neurons"]
    possible: Bool[np.ndarray, " block"]
    zero: Bool[np.ndarray, " block"]


class Tables:
    """The flats in floats, the largest entry of a basis vector 1; slopes on rays at first use.

    - `heights`: xᵢ·b, 0 beyond the flat's dimension; `y`: the labels, the largest about 1.
    """

    def __init__(self, given: FaceProblem) -> None:
        self.given = given
        inputs = len(given.rows[0])
        self.heights = np.zeros((len(given.flats), len(given.rows), inputs))
        for at, flat in enumerate(given.flats):
            sizes = [given.denominator * max(map(abs, b)) for b in flat.basis]
            # Python divides whole numbers with one rounding.
            self.heights[at, :, : len(sizes)] = [
                [t / size for t, size in zip(row, sizes, strict=True)] for row in flat.heights
            ]
        self.dimension = np.array([len(flat.basis) for flat in given.flats])
        self.kinks = np.array([flat.zero.any() for flat in given.flats])
        self.beside = np.array([[any(row) for row in flat.heights] for flat in given.flats])
        self.y = scaled(given.labels.entries())[0]
        self._rays: dict[int, np.ndarray] = {}

    def slopes(self, place: int) -> Float[np.ndarray, "samples rays"]:
        """Return the matrix M of a face: for errors e, eM is h on the rays around it, v and −v."""
        given, flat = self.given, int(self.given.flat[place])
        zero = given.flats[flat].zero
        if flat not in self._rays:
            kinks = [given.rows[i] for i in np.flatnonzero(zero).tolist()]
            rays = rays_around(kinks, len(given.rows[0]))
            sizes = [given.denominator * max(map(abs, ray)) for ray in rays[::2]]
            table = [
                [dot(row, ray) / size for ray, size in zip(rays[::2], sizes, strict=True)]
                for row in given.rows
            ]
            half = np.array(table).reshape(len(given.rows), len(sizes))
            self._rays[flat] = np.stack([half, -half], axis=2).reshape(len(half), -1)
        table = self._rays[flat]
        on = given.patterns[place][:, None] | (zero[:, None] & (table > 0))
        return np.where(on, table, 0)


class Fitted(NamedTuple):
    """Least squares of the scaled columns S of each combination, with error bounds.

    - `t`: 0 off S; `sizes`: what the columns were divided by; `errors`: At − y.
    - `off_t`, `off_errors`: bounds on the distances from the exact ones, infinite if unproven.
    - `kept`: S.
    """

    t: Float[np.ndarray, "block columns"]
    sizes: Float[np.ndarray, "block columns"]
    errors: Float[np.ndarray, "block samples"]
    off_t: Float[np.ndarray, " block"]
    off_errors: Float[np.ndarray, " block"]
    kept: Bool[np.ndarray, "block columns"]


def candidates(tables: Tables, places: Sequence[int], width: int) -> Iterator[Candidates]:
    """Yield what is proven of all face combinations, block by block.

    **Arguments:** `places`, the indices of the faces that are combined; `width`, the number K > 0
    of neurons.

    **Returns:** an iterator, in the order of `itertools.combinations_with_replacement`.
    """
    samples, inputs = tables.heights.shape[1:]
    columns = width * inputs
    most = min(_MOST, max(1, _NUMBERS // (columns * max(samples, columns))))
    every = combinations_with_replacement(places, width)
    while block := list(islice(every, most)):
        yield _judged(tables, np.array(block))


def _judged(tables: Tables, chosen: Int[np.ndarray, "block neurons"]) -> Candidates:
    """Compute which combinations may hold a minimum."""
    given = tables.given
    samples, inputs = tables.heights.shape[1:]
    count, width = chosen.shape
    flat = given.flat[chosen]
    heights = tables.heights[flat]
    A = np.where(given.patterns[chosen][..., None], heights, 0)
    A = A.transpose(0, 2, 1, 3).reshape(count, samples, width * inputs)
    fit = fitted(A, tables.y)
    columns = np.sum(tables.dimension[flat], axis=1)
    held = np.sum(fit.kept, axis=1)
    unique, proven = held == columns, np.isfinite(fit.off_t)
    zero = proven & (held == samples)
    errors, off = fit.errors * ~zero[:, None], np.where(zero, 0, fit.off_errors)

    t = (fit.t / fit.sizes).reshape(count, width, inputs)
    sides = np.matmul(heights, t[..., None])[..., 0]
    rows = np.linalg.norm(heights / fit.sizes.reshape(count, width, 1, inputs), axis=3)
    lengths = np.linalg.norm(fit.t.reshape(count, width, inputs), axis=2)
    with np.errstate(invalid="ignore"):
        room = rows * (fit.off_t[:, None] + (inputs + 8) * _EPSILON * lengths)[..., None]
    sides = np.where(given.patterns[chosen], sides, -sides)
    beside = tables.beside[flat]
    free = ~(unique & proven)[:, None]
    # False where floats exclude R_j on the face, on its mirror image, and R_j = 0.
    positive = free | ~np.any(beside & (sides <= -room), axis=2)
    negative = free | ~np.any(beside & (sides >= room), axis=2)
    rests = free | (lengths <= fit.off_t[:, None])
    possible = np.all(positive | negative | rests, axis=1)
    kinked = tables.kinks[flat]
    at = np.flatnonzero(possible & np.any(kinked, axis=1) & proven)
    above, below, level = _slopes(tables, chosen[at], kinked[at], errors[at], off[at])
    positive, negative, rests = positive[at] & above, negative[at] & below, rests[at] & level
    possible[at] = np.all(positive | negative | rests, axis=1)
    # Without a proof that S spans all columns the errors are not known.
    for k in at[~possible[at] & ~unique[at]].tolist():
        possible[k] = _rank(given, chosen[k]) != held[k]
    return Candidates(chosen, possible, zero)


def _slopes(
    tables: Tables,
    chosen: Int[np.ndarray, "some neurons"],
    kinked: Bool[np.ndarray, "some neurons"],
    errors: Float[np.ndarray, "some samples"],
    off: Float[np.ndarray, " some"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute where h ≥ 0, h ≤ 0 and h = 0 are not excluded, for each neuron."""
    above, below, level = (np.ones(chosen.shape, bool) for _ in range(3))
    samples = errors.shape[1]
    sizes = np.linalg.norm(errors, axis=1)
    room = off + (samples + 10) * _EPSILON * sizes
    for place in np.unique(chosen[kinked]).tolist():
        rows, neurons = np.nonzero(chosen == place)
        table = tables.slopes(place)
        slopes = errors[rows] @ table
        rounding = room[rows, None] * np.linalg.norm(table, axis=0)
        above[rows, neurons] = np.all(slopes >= -rounding, axis=1)
        below[rows, neurons] = np.all(slopes <= rounding, axis=1)
        level[rows, neurons] = np.all(np.abs(slopes) <= rounding, axis=1)
    return above, below, level


def _rank(given: FaceProblem, chosen: Int[np.ndarray, " neurons"]) -> int:
    """Compute the rank of A, exactly."""
    flats = [given.flats[at].heights for at in given.flat[chosen].tolist()]
    on = given.patterns[chosen]
    rows = [
        [
            t
            for heights, active in zip(flats, on[:, i].tolist(), strict=True)
            for t in (heights[i] if active else (0,) * len(heights[i]))
        ]
        for i in np.flatnonzero(np.any(on, axis=0)).tolist()
    ]
    return fmpz_mat(rows).rank() if rows and rows[0] else 0


def fitted(
    A: Float[np.ndarray, "block samples columns"], y: Float[np.ndarray, " samples"]
) -> Fitted:
    """Solve the least squares of independent columns, and bound the errors of the solutions."""
    count, samples, columns = A.shape
    squares = np.einsum("cnm,cnm->cm", A, A)
    used = squares > _TINY
    sizes = np.where(used, np.sqrt(np.where(used, squares, 1)), 1)
    A = A / sizes[:, None]
    turned = A.transpose(0, 2, 1)
    kept, inverse = _factor(np.matmul(turned, A), used)
    norms = np.linalg.norm(inverse, axis=(1, 2))
    eigenvalue = 1 / norms**2
    spread = (samples + columns + 20) * _EPSILON
    # Columns that are not 0, but too small: they may have lost digits.
    lost = np.any(~used & (squares > 0), axis=1)
    proven = (eigenvalue > max(_LEAST, 8 * spread * columns)) & ~lost
    eigenvalue = np.where(proven, eigenvalue / 2, 1)

    def solve(right: Float[np.ndarray, "block samples"]) -> Float[np.ndarray, "block columns"]:
        along = np.where(kept, np.matmul(turned, right[..., None])[..., 0], 0)
        half = np.matmul(inverse, along[..., None])
        return np.where(kept, np.matmul(inverse.transpose(0, 2, 1), half)[..., 0], 0)

    t = solve(np.broadcast_to(y, (count, samples)))
    t = t + solve(y - np.matmul(A, t[..., None])[..., 0])
    errors = np.matmul(A, t[..., None])[..., 0] - y
    gradient = np.where(kept, np.matmul(turned, errors[..., None])[..., 0], 0)
    terms = np.sqrt(columns) * np.linalg.norm(t, axis=1) + np.linalg.norm(y)
    rest = np.linalg.norm(gradient, axis=1) + 4 * spread * np.sqrt(columns) * terms
    off_t = np.where(proven, rest / eigenvalue, np.inf)
    off_errors = rest / np.sqrt(eigenvalue) + 4 * (columns + 20) * _EPSILON * terms
    return Fitted(t, sizes, errors, off_t, np.where(proven, off_errors, np.inf), kept)


def _factor(
    gram: Float[np.ndarray, "block columns columns"], used: Bool[np.ndarray, "block columns"]
) -> tuple[Bool[np.ndarray, "block columns"], Float[np.ndarray, "block columns columns"]]:
    """Compute S and the inverse Cholesky factor of AᵀA on S, extended by the identity."""
    columns = used.shape[1]
    # The combinations last, so that vector instructions run over them.
    G = np.ascontiguousarray(gram.transpose(1, 2, 0))
    kept = used.T.copy()
    L, inverse = np.zeros_like(G), np.zeros_like(G)
    for j in range(columns):
        pivot = G[j, j] - np.sum(L[j, :j] ** 2, axis=0)
        kept[j] &= pivot > _PIVOT
        L[j, :j] *= kept[j]
        L[j, j] = np.sqrt(np.where(kept[j], pivot, 1))
        for i in range(j + 1, columns):
            L[i, j] = kept[j] * (G[i, j] - np.sum(L[i, :j] * L[j, :j], axis=0)) / L[j, j]
        inverse[j, j] = 1 / L[j, j]
        inverse[j, :j] = -np.sum(L[j, :j, None] * inverse[:j, :j], axis=0) / L[j, j]
    return kept.T, inverse.transpose(2, 0, 1)
