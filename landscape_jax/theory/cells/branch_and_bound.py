"""Branch and bound over the cells of each neuron: pruned regions are proven to be no better."""

import heapq
import math
from typing import NamedTuple

import numpy as np
from flint import fmpq
from jaxtyping import Bool, Float, Int

from landscape_jax.exact.rationals import nearest, squares
from landscape_jax.progress import Progress
from landscape_jax.proofs.loss_bound import split
from landscape_jax.theory.cells.ray_fit import ConeFit, cone_fit
from landscape_jax.theory.cells.rays import Rays
from landscape_jax.theory.cells.relaxation import Cone, Relaxed, exact_residual, relax

# How often the activation patterns are refitted from a point of the hull.
_MOST_FITS = 6
# Bounds within this share of the loss are compared in rational numbers.
_NEAR = 1e-9


class Node:
    """A region of the search tree: split in parts, or a leaf.

    - `cut`: the neuron and the sample at whose hyperplane it is split; `parts`: its parts.
    - `proof`: of a leaf, what bounds its networks from below; `None` for the bound 0.
    """

    __slots__ = ("cut", "parts", "proof")

    def __init__(self, proof: "Relaxed | ConeFit | None") -> None:
        self.cut: tuple[int, int] | None = None
        self.parts: list[Node] = []
        self.proof = proof


class Region(NamedTuple):
    """A set of cells for each neuron, by their rays, and the sign of its z."""

    signs: tuple[int, ...]
    cells: tuple[Bool[np.ndarray, " rays"], ...]


class _Open(NamedTuple):
    """An undecided region, ordered by its `value`; `lower` is a proven bound.

    - `signs`, `packed`: the region, eight rays a byte; `relaxed`: the point of the hull; `node`:
      its place in the tree.
    """

    value: float
    number: int
    lower: float
    signs: tuple[int, ...]
    packed: tuple[np.ndarray, ...]
    relaxed: Relaxed
    node: Node

    def region(self, rays: int) -> Region:
        """Unpack the region."""
        cells = (np.unpackbits(part, count=rays).astype(bool) for part in self.packed)
        return Region(self.signs, tuple(cells))


class _Best(NamedTuple):
    """The best cell combination so far and its exact fit; `square`: in floats, rounded up."""

    region: Region
    fit: ConeFit
    square: float


class BranchAndBound:
    """Branch and bound over regions, least bound first."""

    def __init__(self, rays: Rays, width: int, limit: int, progress: Progress | None) -> None:
        self.rays, self.width, self.limit, self.progress = rays, width, limit, progress
        self.heap: list[_Open] = []
        self.regions = 0
        self.roots: list[Node] = []
        nothing = tuple(np.zeros(len(rays.kind), bool) for _ in range(width))
        self.best = self._best(Region((1,) * width, nothing), ConeFit({}, squares(rays.labels)))

    def _best(self, region: Region, fit: ConeFit) -> _Best:
        return _Best(region, fit, _up(fit.square / fmpq(4) ** self.rays.exponent))

    def run(self) -> None:
        """Bound, prune and split until no region is open, or the limit is reached."""
        everything = np.ones(len(self.rays.kind), bool)
        none = np.zeros(0, int)
        for positive in range(self.width, -1, -1):
            signs = (1,) * positive + (-1,) * (self.width - positive)
            whole = Region(signs, (everything,) * self.width)
            self.roots.append(self._bound(whole, 0.0, None, (none, none)))
        while self.heap and self.regions < self.limit:
            at = heapq.heappop(self.heap)
            if at.lower >= self.best.square:
                continue
            start = at.relaxed.support, at.relaxed.signs
            region = at.region(len(self.rays.kind))
            j, i = at.node.cut = self._cut(region, at.relaxed)
            at.node.parts = [
                self._bound(Region(region.signs, cells), at.lower, at.node.proof, start)
                for cells in split(region.signs, region.cells, j, self.rays.signs[:, i])
            ]
            if self.progress is not None:
                self.progress(self.regions, len(self.heap))

    def lower(self) -> float:
        """Return a lower bound of all better networks, in the units of `Rays.y`; ∞ if none is."""
        if self.best.fit.square == 0:
            return math.inf
        left = (at.lower for at in self.heap if at.lower < self.best.square)
        return min(left, default=math.inf)

    def _bound(
        self,
        region: Region,
        lower: float,
        proof: Relaxed | ConeFit | None,
        start: tuple[np.ndarray, np.ndarray],
    ) -> Node:
        """Bound a region, of which `proof` shows `lower`, and queue it unless it is decided."""
        node = Node(proof)
        if self.best.fit.square == 0:
            return node
        self.regions += 1
        cone = _cone(region)
        support, signs = start
        inside = np.where(signs > 0, cone.plus[support], cone.minus[support])
        found = relax(
            self.rays, cone, support[inside], signs[inside], self.best.square * (1 - _NEAR)
        )
        if not found.open and found.lower > lower:
            lower, node.proof = found.lower, found
        if self._decided(node, found, lower):
            return node
        if not self._splits(region).any():
            node.proof = self._solve(region, found)
            return node
        heights = self._heights(region, found)
        self._improve(region, heights)
        if not self._decided(node, found, lower):
            packed = tuple(np.packbits(cells) for cells in region.cells)
            value = max(found.value, lower)
            at = _Open(value, self.regions, lower, region.signs, packed, found, node)
            heapq.heappush(self.heap, at)
        return node

    def _decided(self, node: Node, found: Relaxed, lower: float) -> bool:
        """Check that no network of a region is better than the best one."""
        if lower >= self.best.square:
            return True
        if found.value < self.best.square * (1 - _NEAR):
            return False
        errors = exact_residual(self.rays, found)
        if errors is None or squares(errors) < self.best.fit.square:
            return False
        node.proof = found
        return True

    def _splits(self, region: Region) -> Bool[np.ndarray, "neurons samples"]:
        """Find the samples whose hyperplanes cut the cells of a neuron."""
        parts = [self.rays.signs[cells] for cells in region.cells]
        return np.array([np.any(s > 0, axis=0) & np.any(s < 0, axis=0) for s in parts])

    def _heights(
        self, region: Region, found: Relaxed
    ) -> tuple[Float[np.ndarray, "neurons samples"], Float[np.ndarray, "neurons samples"]]:
        """Compute Σ λ [w·xᵢ]₊ and Σ λ [−w·xᵢ]₊ over the rays in use of each neuron.

        A ray that several neurons could use is assigned to the first of them.
        """
        above = np.zeros((len(region.signs), len(self.rays.y)))
        below = np.zeros_like(above)
        for place, sign, weight in zip(found.support, found.signs, found.weights, strict=True):
            j = next(
                j
                for j, (own, cells) in enumerate(zip(region.signs, region.cells, strict=True))
                if own == sign and cells[place]
            )
            above[j] += weight * self.rays.outputs[place]
            below[j] += weight * self.rays.opposite[place]
        return above, below

    def _cut(self, region: Region, found: Relaxed) -> tuple[int, int]:
        """Choose the neuron and the sample at whose hyperplane a region is split.

        It is the hyperplane of a sample with w·xᵢ > 0 on one ray in use and < 0 on another,
        for which Σ λ [w·xᵢ]₊ exceeds [Σ λ w·xᵢ]₊ most; else the most even cut of the rays.
        """
        splits = self._splits(region)
        gap = np.where(splits, np.minimum(*self._heights(region, found)), -1)
        if not np.max(gap) > 0:
            sides = [self.rays.signs[cells] for cells in region.cells]
            smaller = [np.minimum(np.sum(s > 0, axis=0), np.sum(s < 0, axis=0)) for s in sides]
            gap = np.where(splits, np.array(smaller), -1)
        j, i = np.unravel_index(int(np.argmax(gap)), gap.shape)
        return int(j), int(i)

    def _improve(
        self,
        region: Region,
        heights: tuple[Float[np.ndarray, "neurons samples"], Float[np.ndarray, "neurons samples"]],
    ) -> None:
        """Refit the activation patterns of some weights, and solve the best combination exactly."""
        rays, signs = self.rays, np.array(region.signs)
        now = heights[0] - heights[1]
        least, chosen = self.best.square * (1 - _NEAR), None
        for _ in range(_MOST_FITS):
            square = float(np.sum((signs @ np.maximum(now, 0) - rays.y) ** 2))
            if square < least:
                least, chosen = square, now
            cells = [np.flatnonzero(rays.cone(_sides(h))) for h in now]
            owner = np.repeat(np.arange(len(cells)), [len(c) for c in cells])
            if not len(owner):
                break
            every = np.concatenate(cells)
            columns = signs[owner, None] * rays.outputs[every]
            t = np.linalg.lstsq(columns.T, rays.y, rcond=None)[0]
            parts = t[:, None] * (rays.outputs[every] - rays.opposite[every])
            now = np.array([np.sum(parts[owner == j], axis=0) for j in range(len(cells))])
        if chosen is not None:
            cells = tuple(rays.cone(_sides(h)) for h in chosen)
            none = np.zeros(0, int)
            at = Region(region.signs, cells)
            self._solve(at, relax(rays, _cone(at), none, none))

    def _solve(self, region: Region, found: Relaxed) -> ConeFit:
        """Minimise over one closed cell for each neuron, exactly."""
        kinds = self.rays.kind
        columns = [
            (sign, kind)
            for sign, cells in zip(region.signs, region.cells, strict=True)
            for kind in dict.fromkeys(kinds[cells & (kinds >= 0)].tolist())
        ]
        start = [
            (int(sign), int(kinds[place]))
            for sign, place in zip(found.signs, found.support, strict=True)
        ]
        fit = cone_fit(self.rays, list(dict.fromkeys(columns)), start)
        if fit.square < self.best.fit.square:
            self.best = self._best(region, fit)
        return fit


def _cone(region: Region) -> Cone:
    none = np.zeros(len(region.cells[0]), bool)
    plus, minus = (
        np.logical_or.reduce(
            [none, *(c for s, c in zip(region.signs, region.cells, strict=True) if s == sign)]
        )
        for sign in (1, -1)
    )
    return Cone(plus, minus)


def _sides(heights: Float[np.ndarray, " samples"]) -> Int[np.ndarray, " samples"]:
    """Return the signs of heights, +1 if rounding leaves it open."""
    rounding = 1e-12 * float(np.max(np.abs(heights), initial=0.0))
    return np.where(heights >= -rounding, 1, -1).astype(np.int8)


def _up(square: fmpq) -> float:
    """Return a float above a rational."""
    return math.nextafter(nearest(square), math.inf)
