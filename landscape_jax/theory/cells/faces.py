"""All faces into which samples cut the space of a neuron's weights: cells, kinks and {0}."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq_mat, fmpz_mat
from jaxtyping import Bool, Float

from landscape_jax.exact.directions import Direction, direction, dot, primitive, unit, whole_rows
from landscape_jax.exact.rationals import matrix
from landscape_jax.mistakes import explained
from landscape_jax.theory.cells.arrangement import (
    NO_VECTOR,
    Cell,
    about,
    all_signs,
    cells,
    centre,
    deepest,
    distinct_lines,
)


class Face(NamedTuple):
    """A face: all weights w with given signs of w·xᵢ, which may be 0.

    - `pattern`: where w·xᵢ > 0.
    - `zero`: where w·xᵢ = 0 though xᵢ ≠ 0: the kinks.  A cell is a face without any.
    - `witness`: a unit vector w inside, far from the boundary; 0 for the face {0}.
    - `margin`: minᵢ |w·xᵢ| / (‖w‖‖xᵢ‖) > 0 over the xᵢ whose hyperplane does not hold the face,
      rounded down; 1 if there are none.
    - `basis`: of the face's span, in whole numbers, each vector a row; empty for {0}.
    """

    pattern: Bool[np.ndarray, " samples"]
    zero: Bool[np.ndarray, " samples"]
    witness: Float[np.ndarray, " inputs"]
    margin: float
    basis: tuple[Direction, ...]


class Flat(NamedTuple):
    """An intersection of the hyperplanes of some samples, and the faces that lie in it.

    - `basis`: in whole numbers, each vector a row; empty for {0}.
    - `heights`: xᵢ·b for each row xᵢ and vector b of the basis.
    - `zero`: where xᵢ ≠ 0 and all of these are 0.
    - `patterns`: where w·xᵢ > 0 on each face, one a row.
    """

    basis: tuple[Direction, ...]
    heights: list[Direction]
    zero: Bool[np.ndarray, " samples"]
    patterns: Bool[np.ndarray, "faces samples"]


@explained
def face_bound(x: Any) -> int:
    """Bound the number of faces: 1 + Σ_{k=1}^r 2 C(M, r − k) Σ_{i<k} C(M − r + k − 1, i).

    M is the number of distinct lines through 0 of the samples, r their rank.  With equality where
    the lines are in general position, any r of them independent: then each choice of r − k
    hyperplanes meets in a flat of its own, cut by the others into cells (see `cell_bound`).

    **Arguments:** `x`, the samples, (N, inputs), see `cell_bound`.

    **Raises:** like `exact_samples`.

    Source: Zaslavsky 1975, section 5: no arrangement has more faces than one in general position.

    ```python
    >>> face_bound([[1.0, 0.0], [0.0, 1.0]]), face_bound([[1.0, 0.0], [-2.0, 0.0]])
    (9, 3)

    ```
    """
    lines = distinct_lines(whole_rows(x)).lines
    if not lines:
        return 1
    M, r = len(lines), fmpz_mat([list(row) for row in lines]).rank()
    return 1 + sum(
        2 * math.comb(M, r - k) * sum(math.comb(M - r + k - 1, i) for i in range(k))
        for k in range(1, r + 1)
    )


@explained
def faces(x: Any, *, limit: int = 200_000) -> Iterator[Face]:
    """List all faces of a data set, the cells first, then by falling dimension.

    A face is a non-empty set {w: sign w·xᵢ = sᵢ for all xᵢ ≠ 0}, s ∈ {−1, 0, 1}^N.  They are
    relatively open cones, and each w is in exactly one.

    The enumeration is exact, in whole numbers: the faces with sᵢ = 0 on a set of samples are the
    cells of the other samples on the flat where these w·xᵢ are 0.  Every flat is visited once, by
    cutting those of one dimension more by one hyperplane.

    **Arguments:** `x`, see `cell_bound`; `limit`, the largest `face_bound` that is accepted.

    **Returns:** an iterator of `Face`.  A cell is as in `cells`; the witness of another face is off
    its hyperplanes by rounding, about 1e-16.

    **Raises:** `ValueError` with the number if the bound is above the limit; while iterating, if a
    face holds no float64 vector; else like `exact_samples`.

    Source: LIU, section 6, takes the faces of one kink; LIU, section 4.3, the cells.

    ```python
    >>> for face in faces([[1.0], [2.0], [-1.0]]):
    ...     print(face.pattern.astype(int), face.zero.astype(int), face.witness)
    [1 1 0] [0 0 0] [1.]
    [0 0 1] [0 0 0] [-1.]
    [0 0 0] [1 1 1] [0.]

    ```
    """
    rows = whole_rows(x)
    bound = face_bound(x)
    if bound > limit:
        raise ValueError(
            f"the samples may have {about(bound)} faces, more than the limit of {limit}; "
            "give fewer samples or a larger limit"
        )
    return _faces(rows, limit)


def _faces(rows: Sequence[Direction], limit: int) -> Iterator[Face]:
    units = np.array([unit(row) if any(row) else np.zeros(len(row)) for row in rows])
    for basis in _bases(rows):
        if not basis:
            nowhere = np.zeros(len(rows), bool)
            yield Face(nowhere, np.any(units != 0, axis=1), np.zeros(units.shape[1]), 1.0, ())
            continue
        inside, zero = _on(basis, rows)
        for cell in cells(np.array(inside, dtype=object), limit=limit):
            yield _face(cell, zero, rows, units, basis)


def flats(rows: Sequence[Direction]) -> Iterator[Flat]:
    """List all flats with their faces, in the order of `faces`, in whole numbers.

    **Arguments:** `rows`, the samples' directions.
    """
    for basis in _bases(rows):
        inside, zero = _on(basis, rows)
        if basis:
            signs = all_signs([primitive(row) for row in inside])
        else:
            signs = np.zeros((1, len(rows)), bool)
        yield Flat(basis, inside, zero, signs)


def whole_space(rows: Sequence[Direction], patterns: Bool[np.ndarray, "cells samples"]) -> Flat:
    """Return the flat of codimension 0, with some of its cells by their activation patterns."""
    basis = _identity(len(rows[0]))
    return Flat(basis, *_on(basis, rows), patterns)


def _identity(inputs: int) -> tuple[Direction, ...]:
    return tuple(tuple(int(i == j) for j in range(inputs)) for i in range(inputs))


def _on(
    basis: Sequence[Direction], rows: Sequence[Direction]
) -> tuple[list[Direction], Bool[np.ndarray, " samples"]]:
    """Return each row's products with a flat's basis, and which rows xᵢ ≠ 0 are 0 on the flat."""
    inside = [tuple(dot(row, b) for b in basis) for row in rows]
    zero = np.array([any(row) and not any(r) for row, r in zip(rows, inside, strict=True)])
    return inside, zero


def _bases(rows: Sequence[Direction]) -> Iterator[tuple[Direction, ...]]:
    """Yield a basis of each intersection of hyperplanes, the whole space first."""
    lines = distinct_lines([primitive(row) for row in rows]).lines
    level = {frozenset[int](): _identity(len(rows[0]))}
    while level:
        yield from level.values()
        deeper: dict[frozenset[int], tuple[Direction, ...]] = {}
        for on, basis in level.items():
            met = set(on)
            for i, line in enumerate(lines):
                if i in met:
                    continue
                part = _cut(basis, line)
                holds = [k for k, row in enumerate(lines) if not any(dot(row, b) for b in part)]
                deeper.setdefault(frozenset(holds), part)
                met.update(holds)
        level = deeper


def _cut(basis: Sequence[Direction], normal: Direction) -> tuple[Direction, ...]:
    """Return a basis of the part of a span that is perpendicular to a normal; not all of it is.

    The vector with about the smallest angle to the normal is eliminated: the others stay far apart.
    """
    heights = [dot(normal, b) for b in basis]
    sizes = [max(abs(t) for t in b).bit_length() for b in basis]
    p = max(
        (i for i, t in enumerate(heights) if t),
        key=lambda i: abs(heights[i]).bit_length() - sizes[i],
    )
    return tuple(
        primitive([heights[p] * s - heights[i] * t for s, t in zip(b, basis[p], strict=True)])
        for i, b in enumerate(basis)
        if i != p
    )


def _face(
    cell: Cell,
    zero: Bool[np.ndarray, " samples"],
    rows: Sequence[Direction],
    units: Float[np.ndarray, "samples inputs"],
    basis: tuple[Direction, ...],
) -> Face:
    """Turn a cell of the samples on a flat into a face."""
    if not zero.any():
        return Face(cell.pattern, zero, cell.witness, cell.margin, basis)
    Q = np.linalg.qr(np.array([unit(b) for b in basis]).T)[0]
    at = np.flatnonzero(np.any(units != 0, axis=1) & ~zero)
    positive = cell.pattern[at]
    # The cell's own witness is in coordinates that distort lengths: it is second choice.
    given = fmpq_mat([list(b) for b in basis]).transpose() * matrix(cell.witness[:, None])
    tried = [Q @ centre(units[at] @ Q, positive) if len(at) else Q[:, 0], direction(given)]
    witness, margin = deepest([rows[i] for i in at.tolist()], positive, tried)
    if not margin > 0:
        raise ValueError(f"a face around {tried[1].tolist()} {NO_VECTOR}")
    return Face(cell.pattern, zero, witness, margin, basis)
