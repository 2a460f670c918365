"""Lower bounds of the loss of all networks: a tree of regions, a dual point for each leaf."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from math import comb, gcd
from typing import ClassVar

import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat
from jaxtyping import Bool, Int

from landscape_jax.mistakes import explained
from landscape_jax.proofs.certificate import NotProven
from landscape_jax.proofs.rational_claim import RationalClaim, checked, dot, shown, versions
from landscape_jax.proofs.rational_file import Shapes, check_shapes

# Choices of hyperplanes that may meet in rays, and neurons, that a check takes on.
MOST_CHOICES, MOST_NEURONS = 100_000, 100


@dataclass(frozen=True, eq=False, repr=False)
class LossBound(RationalClaim):
    """A lower bound of the loss (1/N) Σᵢ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)² of all networks of K neurons.

    - `x`, (samples, inputs), a bias as a column of ones; `y`, (samples,); `width`, K.
    - `tree`, (nodes, 2), in preorder: (j, i) splits a region where w_j·xᵢ = 0, neurons and samples
      counted from 0; (−1, l) is a leaf with row l of `errors`.  The first regions are those of K,
      K − 1, …, 0 positive z, the positive ones first.
    - `errors`, (leaves, samples): the dual points ν.
    - `lower`: the bound.
    """

    KIND: ClassVar[str] = "lower bound of the loss of all networks"
    SHAPES: ClassVar[Shapes] = {
        "x": "samples inputs",
        "y": "samples",
        "width": "",
        "tree": "nodes 2",
        "errors": "leaves samples",
        "lower": "",
    }

    x: fmpq_mat
    y: tuple[fmpq, ...]
    width: fmpq
    tree: fmpq_mat
    errors: fmpq_mat
    lower: fmpq
    versions: dict[str, str] = field(default_factory=versions)

    @property
    def statement(self) -> str:
        """Return what is proven in one sentence."""
        samples, inputs = self.x.nrows(), self.x.ncols()
        return (
            f"Every network of {self.width} ReLU neurons without biases has a loss "
            f"1/m sum (q(x_t) - y_t)^2 of at least {shown(self.lower)} on m = {samples} samples "
            f"x_t in R^{inputs}; SHA-256 of the samples, the regions and the dual points "
            f"{self.digest}."
        )

    def objections(self) -> Iterator[str]:
        """Yield what is not proven.

        Let q = Σ_j σ_j [X w_j]₊, |z_j| being absorbed in w_j, so that σ_j = ±1; the order of the
        neurons does not matter.  In a region each w_j lies in a convex cone C_j of closed cells of
        the hyperplanes w·xᵢ = 0.  Modulo the null space of X each cell is the cone of its rays, on
        which [X w]₊ is linear.  So if σ_j ν·[X w]₊ ≤ 0 on the rays in C_j for all j, ν·q ≤ 0 and

            ‖q − y‖² ≥ 2 ν·(y − q) − ‖ν‖² ≥ 2 ν·y − ‖ν‖².

        A region is covered by its parts with w_j·xᵢ ≥ 0 and ≤ 0.  Neurons of one sign and one cone
        (the same rays) are split together: it matters how many of them are in the first part.
        """
        samples, leaves = self.x.nrows(), self.errors.nrows()
        if self.width.q != 1 or not 1 <= self.width <= MOST_NEURONS:
            yield f"its width is not a whole number from 1 to {MOST_NEURONS}."
            return
        if any(t.q != 1 for t in self.tree.entries()):
            yield "its tree is not of whole numbers."
            return
        choices = comb(samples, max(self.x.rank() - 1, 0))
        if choices > MOST_CHOICES:
            yield "its samples may have too many rays to be checked."
            return
        yield from self.too_large(2 * choices * samples * (leaves + 1))
        heights = ray_heights(self.x)
        yield from self._uncovered(heights, _slopes(heights, self.errors))

    def _uncovered(
        self, heights: list[list[int]], slopes: Int[np.ndarray, "rays leaves"]
    ) -> Iterator[str]:
        """Walk through the tree; yield what is wrong with it, or with a leaf."""
        width, samples = int(self.width.p), self.x.nrows()
        signs = np.sign(np.array(heights, object)).astype(np.int8).reshape(-1, samples)
        values = [2 * dot(row, self.y) - dot(row, row) for row in self.errors.tolist()]
        everything = np.ones(len(heights), bool)
        waiting = [(_signs(width, p), (everything,) * width) for p in range(width + 1)]
        for j, i in ((int(a.p), int(b.p)) for a, b in self.tree.tolist()):
            if not waiting:
                yield "its tree has more nodes than regions."
                return
            outer, cells = waiting.pop()
            if j == -1:
                if not 0 <= i < len(values):
                    yield "a leaf has no dual point."
                    return
                if any(np.any(s * slopes[c, i] > 0) for s, c in zip(outer, cells, strict=True)):
                    yield "a dual point does not hold in its region."
                    return
                if not self.lower * samples <= values[i]:
                    yield "the loss is not proven to be as large as claimed."
                    return
            elif 0 <= j < width and 0 <= i < samples:
                parts = list(split(outer, cells, j, signs[:, i]))
                waiting += [(outer, part) for part in reversed(parts)]
            else:
                yield "a node splits at no neuron or no sample."
                return
        if waiting:
            yield "its tree does not decide all regions."


@explained
def prove_loss_bound(
    x: fmpq_mat, y: tuple[fmpq, ...], width: int, tree: fmpq_mat, errors: fmpq_mat
) -> LossBound | NotProven:
    """Prove a lower bound of the loss of all networks from a tree of regions.

    **Arguments:** as for `LossBound`.

    **Returns:** a `LossBound` with the largest `lower` that the dual points prove, or `NotProven`
    with the reason.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type or shape.

    Source: Pilanci & Ergen 2020, theorem 1 (convex hull of outputs); LIU, section 4 (the problem).

    ```python
    >>> x, y = fmpq_mat(1, 1, [1]), (fmpq(2),)
    >>> leaves = fmpq_mat(2, 2, [-1, 0, -1, 1])  # z > 0 fits y, z < 0 does not
    >>> prove_loss_bound(x, y, 1, leaves, fmpq_mat(2, 1, [0, 2])).lower
    0

    ```
    """
    given = {"x": x, "y": y, "tree": tree, "errors": errors}
    check_shapes(given, LossBound.SHAPES)
    used = {int(i.p) for j, i in tree.tolist() if j == -1 and 0 <= i < errors.nrows()}
    rows = errors.tolist()
    values = [2 * dot(rows[i], y) - dot(rows[i], rows[i]) for i in used]
    lower = min(values, default=fmpq(0)) / len(y)
    return checked(LossBound(x, y, fmpq(width), tree, errors, lower))


def split(
    outer: tuple[int, ...],
    cells: tuple[Bool[np.ndarray, " rays"], ...],
    j: int,
    sides: Int[np.ndarray, " rays"],
) -> Iterator[tuple[Bool[np.ndarray, " rays"], ...]]:
    """Yield the parts of a region: k = 0, 1, … of the neurons like j where w·xᵢ ≥ 0.

    **Arguments:** `outer`, the signs of the z; `cells`, the rays of each neuron; `j`, the neuron;
    `sides`, the signs of w·xᵢ on the rays.
    """
    alike = [
        k
        for k, (own, other) in enumerate(zip(outer, cells, strict=True))
        if own == outer[j] and np.array_equal(other, cells[j])
    ]
    above, below = (cells[j] & (s * sides >= 0) for s in (1, -1))
    for count in range(len(alike) + 1):
        parts = list(cells)
        for place, k in enumerate(alike):
            parts[k] = above if place < count else below
        yield tuple(parts)


def ray_heights(x: fmpq_mat) -> list[list[int]]:
    """List the products X w of all rays w of the hyperplanes w·xᵢ = 0, up to a positive factor.

    In coordinates u of the row space, w = Bᵀu with r independent samples B, a ray is the solution,
    up to scale and sign, of r − 1 independent equations xᵢ·Bᵀu = 0.
    """
    rank = x.rank()
    if rank == 0:
        return []
    kept: list[list[fmpq]] = []
    for row in x.tolist():
        if fmpq_mat([*kept, row]).rank() > len(kept):
            kept.append(row)
    table, _ = (x * fmpq_mat(kept).transpose()).numer_denom()
    rows = [[int(t) for t in row] for row in table.tolist()]
    planes = dict.fromkeys(_line(row) for row in rows if any(row))
    rays: dict[tuple[int, ...], None] = {}
    for choice in combinations(planes, rank - 1):
        kernel, nullity = (
            fmpz_mat([list(plane) for plane in choice]).nullspace() if choice else (None, 1)
        )
        if nullity == 1:
            u = [1] if kernel is None else [int(kernel[k, 0]) for k in range(rank)]
            rays[_line(u)] = None
    heights = fmpz_mat([list(u) for u in rays]) * table.transpose()
    return [[sign * int(t) for t in row] for row in heights.tolist() for sign in (1, -1)]


def _line(row: list[int]) -> tuple[int, ...]:
    """Return a row up to its factor, its first entry that is not 0 being positive."""
    common = gcd(*row)
    first = next(t for t in row if t)
    return tuple(t // common * (1 if first > 0 else -1) for t in row)


def _slopes(heights: list[list[int]], errors: fmpq_mat) -> Int[np.ndarray, "rays leaves"]:
    """Return the signs of ν·[X w]₊ for all rays and all ν."""
    if not heights:
        return np.zeros((0, errors.nrows()), np.int8)
    numbers, _ = errors.transpose().numer_denom()
    products = fmpz_mat([[max(t, 0) for t in row] for row in heights]) * numbers
    table = [[(t > 0) - (t < 0) for t in row] for row in products.tolist()]
    return np.array(table, np.int8)


def _signs(width: int, positive: int) -> tuple[int, ...]:
    return (1,) * positive + (-1,) * (width - positive)
