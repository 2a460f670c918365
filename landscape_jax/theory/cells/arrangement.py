"""The cells into which samples cut the space of a neuron's weights, exactly, and combinations."""

import itertools
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq, fmpz_mat
from jaxtyping import Bool, Float

from landscape_jax.exact.coordinates import root
from landscape_jax.exact.directions import (
    Direction,
    dot,
    primitive,
    unit,
    whole_direction,
    whole_rows,
)
from landscape_jax.exact.rationals import rational
from landscape_jax.mistakes import explained
from landscape_jax.theory.cells.cones import deepest_direction

NO_VECTOR = (
    "holds no float64 vector that was found: samples or columns differ in size by more than "
    "float64 resolves; scale the columns of x, and give decimals as they are written, as "
    "Decimal or Fraction"
)


class Cell(NamedTuple):
    """A cell: all weights w with given signs of w·xᵢ, none of them 0 for xᵢ ≠ 0.

    - `pattern`: where w·xᵢ > 0; false at a sample xᵢ = 0.
    - `witness`: a unit vector w inside, far from the boundary.
    - `margin`: minᵢ |w·xᵢ| / (‖w‖‖xᵢ‖) > 0 over xᵢ ≠ 0, the distance from w/‖w‖ to the cell's
      boundary, rounded down; 1 if there is no boundary.
    """

    pattern: Bool[np.ndarray, " samples"]
    witness: Float[np.ndarray, " inputs"]
    margin: float


class DistinctLines(NamedTuple):
    """The distinct lines through 0 that some rows span.

    `lines`: the first row of each line; `place`: the index of each row's line, −1 for the row 0;
    `same`: whether the row has the direction of the line's first row, not the opposite one.
    """

    lines: list[Direction]
    place: list[int]
    same: list[bool]


@explained
def cell_bound(x: Any) -> int:
    """Bound the number of cells: 2 Σ_{i<r} C(M − 1, i), for M distinct lines of rank r.

    Samples on one line through 0 count once and xᵢ = 0 not at all.  Equality holds if the lines
    are in general position: any r of them are independent.

    **Arguments:** `x`, the samples, (N, inputs), one a row, a bias as a column of ones; numbers as
    in `exact_samples`.

    **Raises:** like `exact_samples`.

    Source: Cover 1965, theorem 1.

    ```python
    >>> cell_bound([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), cell_bound([[1.0, 0.0], [-2.0, 0.0]])
    (6, 2)

    ```
    """
    return _bound(distinct_lines(whole_rows(x)).lines)


@explained
def cells(x: Any, *, limit: int = 200_000) -> Iterator[Cell]:
    """List all cells of a data set.

    A cell is a non-empty open set {w: sᵢ(w·xᵢ) > 0 for all xᵢ ≠ 0}, s ∈ {−1, 1}^N.

    The enumeration is exact, in whole numbers: a further sample x splits just those cells that its
    hyperplane x·w = 0 meets, and these are the cells of the other samples on that hyperplane, one
    dimension lower.  A point v of such a cell there gives a point kv ± x on each side.  So no cell
    is missed, and none that is listed is empty, however degenerate the data are.

    Half of the cells are stored, as whole numbers; the others are their negatives.

    **Arguments:** `x`, see `cell_bound`; `limit`, the largest `cell_bound` that is accepted.

    **Returns:** an iterator of `Cell`, whose witnesses are centres of the largest ball in the cell,
    or exact points of it, rounded, and in any case checked exactly.

    **Raises:** `ValueError` with the number if the bound is above the limit; while iterating, if a
    cell holds no float64 vector; else like `exact_samples`.

    Source: LIU, section 4.3 (which leaves arrangements to de Berg et al. 2008).

    ```python
    >>> for cell in cells([[1.0, 0.0], [0.0, 1.0]]):
    ...     print(cell.pattern.astype(int), cell.witness.round(3), round(cell.margin, 3))
    [1 1] [0.707 0.707] 0.707
    [0 0] [-0.707 -0.707] 0.707
    [1 0] [ 0.707 -0.707] 0.707
    [0 1] [-0.707  0.707] 0.707

    ```
    """
    rows = whole_rows(x)
    known = distinct_lines(rows)
    bound = _bound(known.lines)
    if bound > limit:
        raise ValueError(
            f"the samples may have {about(bound)} cells, more than the limit of {limit}; "
            "give fewer samples or a larger limit"
        )
    return _cells(known, len(rows[0]))


@explained
def combination_count(count: int, width: int) -> int:
    """Count the combinations of n cells for K neurons, up to their order: C(n + K − 1, K).

    **Arguments:** `count`, the number n of cells; `width`, the number K of neurons.

    **Raises:** `ValueError` if count < 0 or width < 1.

    ```python
    >>> combination_count(14, 2)
    105

    ```
    """
    if width < 1:
        raise ValueError(f"width is {width}; it must be at least 1")
    if count < 0:
        raise ValueError(f"count is {count}; it must be at least 0")
    return math.comb(count + width - 1, width)


def about(count: int) -> str:
    """Format a number: a large one in three digits, with its power of ten.

    ```python
    >>> about(1234), about(5 * 10**189)
    ('1234', 'about 5e189')

    ```
    """
    if count < 10**12:
        return str(count)
    lead, power = f"{Decimal(count):.2e}".split("e+")
    return f"about {lead.rstrip('0').rstrip('.')}e{power}"


@explained
def cell_combinations(
    cells: Sequence[Cell], width: int, *, limit: int = 10_000_000
) -> Iterator[tuple[Cell, ...]]:
    """List all cell combinations of K neurons, up to the neurons' order.

    **Arguments:** `cells`, all of a data set; `width`, the number K of neurons; `limit`, the
    largest `combination_count` that is accepted.

    **Raises:** `ValueError` with the number if it is above the limit, and if width < 1.

    ```python
    >>> four = list(cells([[1.0, 0.0], [0.0, 1.0]]))
    >>> len(list(cell_combinations(four, 2)))
    10

    ```
    """
    count = combination_count(len(cells), width)
    if count > limit:
        raise ValueError(
            f"there are {about(count)} combinations of {len(cells)} cells, more than the limit of "
            f"{limit}; give fewer samples or neurons, or a larger limit"
        )
    return itertools.combinations_with_replacement(cells, width)


def stacked_patterns(
    combination: Sequence[Cell], samples: int
) -> Bool[np.ndarray, "neurons samples"]:
    """Return the activation patterns of some cells, one a row.

    **Raises:** `ValueError` if there are none or they are of another number of samples.
    """
    if not combination or any(len(cell.pattern) != samples for cell in combination):
        raise ValueError(
            f"combination has {len(combination)} cells; give at least one, of these {samples} "
            "samples"
        )
    return np.stack([cell.pattern for cell in combination])


def distinct_lines(rows: Sequence[Direction]) -> DistinctLines:
    """Find the distinct lines through 0 of some rows, and the line of each row."""
    lines: list[Direction] = []
    index: dict[Direction, int] = {}
    place, same = [], []
    for row in rows:
        opposite = tuple(-t for t in row)
        if not any(row):
            at = -1
        elif row in index or opposite in index:
            at = index[row] if row in index else index[opposite]
        else:
            at = index[row] = len(lines)
            lines.append(row)
        place.append(at)
        same.append(row in index)
    return DistinctLines(lines, place, same)


def _bound(lines: Sequence[Direction]) -> int:
    if not lines:
        return 1
    rank = fmpz_mat([list(row) for row in lines]).rank()
    return 2 * sum(math.comb(len(lines) - 1, i) for i in range(rank))


def _half(rows: Sequence[Direction]) -> Iterator[tuple[int, Direction]]:
    """Yield the cells of distinct lines on the positive side of the first: (signs, point).

    Bit i of the signs is 1 if the point is on the positive side of row i.
    """
    found = {1: rows[0]}
    for n in range(1, len(rows) - 1):
        found = dict(_split(found, rows[:n], rows[n]))
    if len(rows) == 1:
        return iter(found.items())
    return _split(found, rows[:-1], rows[-1])


def _split(
    found: dict[int, Direction], rows: Sequence[Direction], new: Direction
) -> Iterator[tuple[int, Direction]]:
    """Split the cells of some rows by the hyperplane of another."""
    met = _on_hyperplane(rows, new)
    bit = 1 << len(rows)
    heights = [abs(dot(r, new)) for r in rows]
    for signs, point in found.items():
        on = met.get(signs)
        if on is None:
            # Its hyperplane does not meet the cell, so the whole cell is on the point's side.
            yield (signs | bit if dot(new, point) > 0 else signs), point
            continue
        # |r·new| < (k/2) |r·on| for all rows r: the signs at k on ± new are those at on, and at
        # most half the distance to a boundary is used up.
        k = 2 + 2 * max(h // abs(dot(r, on)) for h, r in zip(heights, rows, strict=True))
        yield signs | bit, primitive([k * t + s for t, s in zip(on, new, strict=True)])
        yield signs, primitive([k * t - s for t, s in zip(on, new, strict=True)])


def _on_hyperplane(rows: Sequence[Direction], normal: Direction) -> dict[int, Direction]:
    """Return the cells of the rows on the hyperplane w·normal = 0, with a point of each.

    Its basis is n_p e_j − n_j e_p, j ≠ p, with n_p ≠ 0.  No row is 0 on it, as none is on the
    normal's line; but rows may be parallel on it.
    """
    p = next(i for i, t in enumerate(normal) if t)
    others = [j for j in range(len(normal)) if j != p]
    inside = [primitive([normal[p] * r[j] - normal[j] * r[p] for j in others]) for r in rows]
    known = distinct_lines(inside)
    found = {}
    for signs, u in _half(known.lines):
        point = [normal[p] * t for t in u]
        point.insert(p, -sum(normal[j] * t for j, t in zip(others, u, strict=True)))
        found[_row_signs(known, signs)] = primitive(point)
    return found


def _row_signs(known: DistinctLines, signs: int) -> int:
    """Convert the signs of lines to those of rows, none of which is 0."""
    rows = enumerate(zip(known.place, known.same, strict=True))
    return sum(1 << i for i, (at, same) in rows if bool(signs >> at & 1) == same)


def all_signs(rows: Sequence[Direction]) -> Bool[np.ndarray, "cells rows"]:
    """Return the activation pattern of each cell, in the order of `cells`, in whole numbers.

    **Arguments:** `rows`, each without a common divisor.
    """
    known = distinct_lines(rows)
    count = len(known.lines)
    if not count:
        return np.zeros((1, len(rows)), bool)
    size = (count + 7) // 8
    found = b"".join(signs.to_bytes(size, "little") for signs, _ in _half(known.lines))
    packed = np.frombuffer(found, np.uint8).reshape(-1, size)
    positive = np.unpackbits(packed, axis=1, count=count, bitorder="little").astype(bool)
    place = np.array(known.place)
    # The row 0, of place −1, gets the pattern of the last line and is then masked.
    patterns = positive[:, place] == np.array(known.same)
    both = np.stack([patterns, ~patterns], axis=1).reshape(-1, len(rows))
    return both & (place >= 0)


def _cells(known: DistinctLines, inputs: int) -> Iterator[Cell]:
    if not known.lines:
        yield Cell(np.zeros(len(known.place), bool), np.eye(inputs)[0], 1.0)
        return
    units = np.array([unit(row) for row in known.lines])
    place, same = np.array(known.place), np.array(known.same)
    for signs, point in _half(known.lines):
        positive = np.array([bool(signs >> i & 1) for i in range(len(known.lines))])
        tried = [centre(units, positive), unit(point)]
        witness, margin = deepest(known.lines, positive, tried)
        if not margin > 0:
            raise ValueError(f"a cell around {unit(point).tolist()} {NO_VECTOR}")
        # The row 0, of place −1, gets the pattern of the last line and is then masked.
        pattern = positive[place] == same
        yield Cell(pattern & (place >= 0), witness, margin)
        yield Cell(~pattern & (place >= 0), -witness, margin)


def deepest(
    rows: Sequence[Direction],
    positive: Bool[np.ndarray, " rows"],
    tried: Sequence[Float[np.ndarray, " inputs"]],
) -> tuple[Float[np.ndarray, " inputs"], float]:
    """Return the vector with the largest margin over the rows, and that margin."""
    margins = [_margin(rows, positive, w) for w in tried]
    best = max(range(len(tried)), key=margins.__getitem__)
    return tried[best], margins[best]


def centre(
    units: Float[np.ndarray, "lines inputs"], positive: Bool[np.ndarray, " lines"]
) -> Float[np.ndarray, " inputs"]:
    """Find the unit vector of a cell farthest from its boundary; 0 if there is none."""
    return deepest_direction(np.where(positive[:, None], units, -units))[0]


def _margin(
    rows: Sequence[Direction],
    positive: Bool[np.ndarray, " rows"],
    w: Float[np.ndarray, " inputs"],
) -> float:
    """Compute minᵢ sᵢ w·xᵢ / (‖w‖‖xᵢ‖) exactly and round it down; 0 if it is not positive."""
    whole = whole_direction([rational(t) for t in w.tolist()])
    least, size = 1.0, dot(whole, whole)
    for row, plus in zip(rows, positive.tolist(), strict=True):
        height = dot(row, whole) if plus else -dot(row, whole)
        if height <= 0:
            return 0.0
        least = min(least, root(fmpq(height**2, size * dot(row, row))) * (1 - 1e-15))
    return least
