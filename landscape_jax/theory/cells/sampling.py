"""Random samples of cells and cell combinations, for data that have too many to list."""

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from landscape_jax.mistakes import explained
from landscape_jax.theory.cells.arrangement import Cell

_BATCH = 4096


class SampledCells(NamedTuple):
    """Distinct cells of Gaussian weights, the most frequent first.

    - `cells`: like those of `cells(x)`, with the drawn weight of largest margin as its witness.
    - `met`: how many of the weights are in each cell; `drawn`: how many weights were drawn.
    - `share`: met/drawn, an unbiased estimate of each cell's share of the solid angle, with a
      standard error of √(share (1 − share)/drawn).
    - `unseen`: an estimate of the share of the solid angle of all other cells: the share of the
      draws that are alone in their cell (Good–Turing).  It is no estimate of the number of these
      cells: thin ones may be most of them.
    """

    cells: tuple[Cell, ...]
    met: Int[np.ndarray, " cells"]
    drawn: int
    share: Float[np.ndarray, " cells"]
    unseen: float


class SampledCombinations(NamedTuple):
    """Distinct cell combinations, up to the neurons' order.

    - `chosen`: the cells of each, by index, ascending; `patterns`: for `cell_solutions`.
    """

    chosen: Int[np.ndarray, "combinations neurons"]
    patterns: Bool[np.ndarray, "combinations samples neurons"]


@explained
def sampled_cells(
    x: Float[Array | np.ndarray, "samples inputs"], count: int, *, key: Key[Array, ""]
) -> SampledCells:
    """Draw Gaussian weights and return the distinct cells in which they lie.

    A weight w ~ N(0, I) lies in a cell with the probability of the cell's share of the solid angle.
    So wide cells are found first, and thin ones perhaps never: all that are returned are cells,
    proven by their witnesses, but others may exist.  `cells(x)` lists all, if there are not too
    many.

    A weight so close to a hyperplane that rounding could decide the side is dropped.

    **Arguments:** `x`, (N, d), a bias as a column of ones; `count`, the number of weights, drawn in
    one jitted call; `key`.

    **Returns:** `SampledCells`.

    **Raises:** `ValueError` if count < 1, or if x is empty or has entries that are not finite.

    Source: LIU, section 4.3 (cells); Good 1953 (the unseen share).

    ```python
    >>> import jax, jax.numpy as jnp
    >>> found = sampled_cells(jnp.eye(2), 1000, key=jax.random.key(0))
    >>> len(found.cells), found.share.round(1).tolist(), found.unseen
    (4, [0.3, 0.3, 0.2, 0.2], 0.0)

    ```
    """
    if count < 1:
        raise ValueError(f"count is {count}; it must be at least 1")
    if 0 in x.shape:
        raise ValueError(f"x has shape {x.shape}; give at least one sample and one input")
    if not np.isfinite(np.asarray(x)).all():
        raise ValueError("x has NaN or infinite entries; give finite numbers")
    packed, margins, weights = (np.asarray(a) for a in _draw(jnp.asarray(x), key, count))
    # NaN and negative margins are not certain.
    certain = np.flatnonzero(margins > 0)
    bits, place, met = np.unique(packed[certain], axis=0, return_inverse=True, return_counts=True)
    deepest = np.full(len(bits), -1)
    order = np.argsort(margins[certain], kind="stable")
    deepest[place.ravel()[order]] = certain[order]
    often = np.argsort(-met, kind="stable")
    found = []
    for at in often:
        w = weights[deepest[at]].astype(float)
        pattern = np.unpackbits(bits[at], count=x.shape[0]).astype(bool)
        found.append(Cell(pattern, w / np.linalg.norm(w), float(margins[deepest[at]])))
    met = met[often]
    once = float(np.sum(met[met == 1])) / max(len(certain), 1)
    return SampledCells(tuple(found), met, len(certain), met / max(len(certain), 1), once)


@explained
def sampled_combinations(
    cells: Sequence[Cell],
    width: int,
    count: int,
    *,
    key: Key[Array, ""],
    shares: Float[Array | np.ndarray, " cells"] | None = None,
) -> SampledCombinations:
    """Draw cell combinations, each neuron's cell independently.

    With the `share` of `sampled_cells` they are distributed as those of a network with Gaussian
    weights, among these cells; without, all cells are equally likely.  Results of `cell_solutions`
    or `genuine_minimum` hold for the drawn combinations only: if none of them holds a minimum,
    another one may.

    **Arguments:** `cells`; `width`, the number K of neurons; `count`, how many are drawn; `key`;
    `shares`, the cells' probabilities, up to a factor.

    **Returns:** `SampledCombinations`, at most `count`, all distinct.

    **Raises:** `ValueError` if there are no cells, width or count is below 1, or shares do not fit,
    are negative or all 0.

    ```python
    >>> import jax
    >>> from landscape_jax.theory.cells import cells
    >>> four = list(cells([[1.0, 0.0], [0.0, 1.0]]))
    >>> found = sampled_combinations(four, 2, 200, key=jax.random.key(0))
    >>> len(found.chosen), found.patterns.shape
    (10, (10, 2, 2))

    ```
    """
    if not cells or width < 1 or count < 1:
        raise ValueError(
            f"there are {len(cells)} cells, width is {width} and count {count}; give at least one "
            "of each"
        )
    chances = np.ones(len(cells)) if shares is None else np.asarray(shares, float)
    if len(chances) != len(cells) or not (np.all(chances >= 0) and 0 < chances.sum() < np.inf):
        raise ValueError(
            f"shares, {len(chances)} for {len(cells)} cells, must be one for each, not negative, "
            "finite and not all 0"
        )
    logits = jnp.log(jnp.asarray(chances / chances.sum()))
    drawn = np.asarray(jax.random.categorical(key, logits, shape=(count, width)))
    chosen = np.unique(np.sort(drawn, axis=1), axis=0)
    patterns = np.stack([cell.pattern for cell in cells])
    return SampledCombinations(chosen, np.swapaxes(patterns[chosen], 1, 2))


@eqx.filter_jit
def _draw(x: Array, key: Array, count: int) -> tuple[Array, Array, Array]:
    """Draw weights; return their patterns as bits, their margins, rounded down, and the weights."""
    sizes = jnp.linalg.norm(x, axis=1)
    # The sum of d products and three norms: Higham 2002, section 3.1.
    rounding = (x.shape[1] + 4) * jnp.finfo(x.dtype).eps

    def batch(i: Array) -> tuple[Array, Array, Array]:
        w = jax.random.normal(jax.random.fold_in(key, i), (_BATCH, x.shape[1]), x.dtype)
        heights = w @ x.T / jnp.where(sizes > 0, sizes, 1)
        depths = jnp.abs(heights) / jnp.linalg.norm(w, axis=1, keepdims=True)
        margins = jnp.min(jnp.where(sizes > 0, depths, 1), axis=1) - rounding
        return jnp.packbits(heights > 0, axis=1), margins, w

    found = jax.lax.map(batch, jnp.arange(-(-count // _BATCH)))
    packed, margins, weights = (a.reshape(-1, *a.shape[2:])[:count] for a in found)
    return packed, margins, weights
