"""Colour refinement with backtracking: all maps of one coloured graph onto another.

A graph is a square array of edge colours; vertices carry colours too.  Refinement
(Weisfeiler–Leman) splits the vertices by the multiset of (edge, neighbour) colours they see, in
both graphs at once; vertices it cannot distinguish are decided by trying (individualisation).
Colours that are too coarse, by a tolerance or by a collision of hashes, cost time but never change
the answer: every candidate is passed to `accept`, which alone decides.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Int, UInt64

T = TypeVar("T")
Sides = tuple[int, int]
Accept = Callable[[Sides, Int[np.ndarray, "2 vertices"]], T | None]


def clusters(values: Float[np.ndarray, "*shape"], gap: float) -> Int[np.ndarray, "*shape"]:
    """Number the clusters of `values`, those between which the sorted values leave a `gap`.

    Two values that differ by at most `gap` are in one cluster, whatever lies between them, so no
    rounding boundary can separate them.
    """
    flat = values.ravel()
    order = np.argsort(flat)
    numbers = np.zeros(flat.size, np.int64)
    numbers[order[1:]] = np.cumsum(np.diff(flat[order]) > gap)
    return numbers.reshape(values.shape)


def scramble(numbers: Int[np.ndarray, "*shape"], salt: int = 0) -> UInt64[np.ndarray, "*shape"]:
    """Hash each number to its own pseudo-random 64-bit word (the finaliser of splitmix64)."""
    word = (numbers + 1 + (salt << 32)).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def refine(
    edges: UInt64[np.ndarray, "2 vertices vertices"], colours: Int[np.ndarray, "2 vertices"]
) -> Int[np.ndarray, "2 vertices"] | None:
    """Split the colours until both graphs are equitable; `None` if their histograms differ.

    A vertex i sees the multiset of pairs (E_ij, c_j); with random words R and r its hash is
    Σⱼ R(E_ij) r(c_j) mod 2⁶⁴, one matrix-vector product.
    """
    count = 0
    while True:
        words = scramble(colours)
        seen = np.matmul(edges, words[..., None])[..., 0]
        colours = np.unique(words * np.uint64(3) + seen, return_inverse=True)[1].reshape(
            words.shape
        )
        before, count = count, int(colours.max(initial=-1)) + 1
        first, second = (np.bincount(side, minlength=count) for side in colours)
        if not np.array_equal(first, second):
            return None
        if count == before:
            return colours


def search(
    edges: UInt64[np.ndarray, "2 vertices vertices"],
    colours: Int[np.ndarray, "2 vertices"],
    accept: Accept[T],
    sides: Sides = (0, 1),
) -> T | None:
    """Try the maps of the first graph's vertices onto the second's that preserve all colours.

    The search is complete: when no map is accepted, every colour-preserving map has been refused,
    or differs from a refused one by an automorphism of the second graph.

    **Arguments:** `edges`, the colours of both graphs' edges; `colours`, of their vertices;
    `accept(sides, colours)`, called with refined colours of the graphs sides[0] and sides[1]: it
    may guess a map between their equal colours, and is called again with finer ones where it
    returns `None`; `sides`, the two graphs, (1, 1) for automorphisms of the second.

    **Returns:** the first answer of `accept` that is not `None`, else `None`.
    """
    refined = refine(edges[list(sides)], colours)
    if refined is None:
        return None
    found = accept(sides, refined)
    sizes = np.bincount(refined[0])
    if found is not None or sizes.max(initial=1) == 1:
        return found
    # The smallest class that is not decided yet has the fewest candidates to try.
    cell = np.argmin(np.where(sizes > 1, sizes, sizes.max() + 1))
    pivot = int(np.argmax(refined[0] == cell))
    refused: list[int] = []
    for image in np.flatnonzero(refined[1] == cell).tolist():
        # If an automorphism carries a refused candidate to this one, this one fails likewise.
        if _has_automorphism(edges, refined[1], accept, sides[1], refused, image):
            continue
        found = search(edges, _individualise(refined, pivot, image), accept, sides)
        if found is not None:
            return found
        refused.append(image)
    return None


def _has_automorphism(
    edges: np.ndarray,
    colours: np.ndarray,
    accept: Accept[T],
    side: int,
    sources: list[int],
    image: int,
) -> bool:
    """Check whether an automorphism of one graph carries one of `sources` to `image`."""
    both = np.stack([colours, colours])
    return any(
        search(edges, _individualise(both, source, image), accept, (side, side)) is not None
        for source in sources
    )


def _individualise(
    colours: Int[np.ndarray, "2 vertices"], first: int, second: int
) -> Int[np.ndarray, "2 vertices"]:
    """Colour one vertex of each graph apart from all others."""
    colours = colours.copy()
    colours[0, first] = colours[1, second] = colours.max() + 1
    return colours
