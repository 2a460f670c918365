"""Basin values of random initializations, in chunks, each between proven bounds."""

import math
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from landscape_jax.machine import require_memory
from landscape_jax.mistakes import explained
from landscape_jax.progress import Progress, reporting
from landscape_jax.sweeps.executors import checked_executor, results
from landscape_jax.theory.basins import basin_values, region_patterns
from landscape_jax.theory.overspecification import initial_weights

AnyArray = Array | np.ndarray
# Starts in one call: enough to hide its overhead, few enough for a progress bar.
_CHUNK = 512


class Basins(NamedTuple):
    """The basins of random initializations, one a leading entry.

    - `W`, (starts, n, d), and `v`, (starts, n): the initializations.
    - `value`, `gap`: the least loss over all weights of the closed region that are within reach
      (see `theory.basins.BasinValues.reach`) is between value − gap and value.
    - `everywhere`: whether this is the whole closed region, so that it is the basin value;
      otherwise weights are bounded, far beyond those found.
    - `solved`: whether the gap is within tolerance and `everywhere` holds; `bounded`: whether it is
      within tolerance for bounded weights only.
    """

    W: Float[Array, "starts width inputs"]
    v: Float[Array, "starts width"]
    value: Float[np.ndarray, " starts"]
    gap: Float[np.ndarray, " starts"]
    solved: Bool[np.ndarray, " starts"]
    bounded: Bool[np.ndarray, " starts"]
    everywhere: Bool[np.ndarray, " starts"]


@explained
def value_at_zero(y: Float[AnyArray, " labels"]) -> float:
    """Compute (1/m) Σ y², the value at W = 0, an upper bound on all basin values.

    **Raises:** `ValueError` if it is not finite.

    Source: SS16, corollary 2.

    ```python
    >>> import numpy as np
    >>> value_at_zero(np.array([1.0, 2.0]))
    2.5

    ```
    """
    with np.errstate(over="ignore", invalid="ignore"):
        value = float(np.mean(np.asarray(y) ** 2))
    if not math.isfinite(value):
        raise ValueError("y has a mean square that is not finite; scale the labels down")
    return value


@explained
def basins_of_starts(
    x: Float[AnyArray, "samples inputs"],
    y: Float[AnyArray, " labels"],
    width: int,
    starts: int,
    *,
    seed: int = 0,
    tolerance: float | None = None,
    progress: Progress | bool | None = None,
    executor: Executor | None = None,
) -> Basins:
    """Draw random initializations of one width, and compute bounds on their basin values.

    Initialization i of width n is drawn with `fold_in(fold_in(key(seed), n), i)`, so that it does
    not depend on other widths or on `starts`.  If the solver fails, the trivial bounds are
    returned: 0 and (1/m) Σ y², the value of W = 0.

    **Arguments:** `x`, (m, d), and `y`, (m,), see `basin_values`; `width`, n; `starts`, the number
    of initializations; `seed`; `tolerance`, on the gap, see `basin_values`; `progress`, `True` for
    a bar, or a function, called with the numbers of starts done and of all; `executor`, whose
    workers compute the values, see `sweep`.

    **Returns:** `Basins`.

    **Raises:** `ValueError` if the width, the number of starts or the seed is out of range, the
    weights need more memory than the machine has, the executor forks, or the data are not as
    described; `SweepError` if pieces failed on its workers.

    Source: SS16, sections 3.2, 4.2 and 5.
    """
    if width < 1 or starts < 1 or seed < 0:
        raise ValueError(
            f"width, starts, seed are {width}, {starts}, {seed}; give at least 1, 1 and 0"
        )
    data, labels = jnp.asarray(x), jnp.asarray(y)
    # The weights, in JAX and in NumPy, and the patterns of a chunk, padded to a power of two.
    needed = 16.0 * starts * width * data.shape[1] + 2.0 * min(starts, _CHUNK) * width * len(data)
    require_memory(needed, f"{starts} starts of {width} neurons", "give fewer")
    top = value_at_zero(y)
    key = jax.random.fold_in(jax.random.key(seed), width)
    W, v = initial_weights(key, starts, width, data.shape[1], dtype=data.dtype)
    if executor is not None:
        checked_executor(executor)
    solve = _Solver(np.asarray(data), np.asarray(labels), tolerance)
    pieces = [_Piece(i, np.asarray(W[i]), np.asarray(v[i])) for i in _chunks(starts)]
    computed = (
        ((piece, solve(piece)) for piece in pieces)
        if executor is None
        else results(executor, solve, pieces, str)
    )
    parts, done = {}, 0
    with reporting(progress, "initializations") as report:
        for piece, part in computed:
            parts[int(piece.chosen[0])] = part
            done += len(piece.chosen)
            if report is not None:
                report(min(done, starts), starts)
    ordered = [parts[first] for first in sorted(parts)]
    value, gap, solved, bounded, reach = (
        np.concatenate(columns)[:starts] for columns in zip(*ordered, strict=True)
    )
    failed = ~(np.isfinite(value) & np.isfinite(gap))
    return Basins(
        W=W,
        v=v,
        value=np.where(failed, top, value),
        gap=np.where(failed, top, gap),
        solved=solved & ~failed,
        bounded=bounded & ~failed,
        everywhere=np.isinf(reach).reshape(starts, -1).all(axis=1) | failed,
    )


def _chunks(starts: int) -> list[np.ndarray]:
    """List the start indices of each call, all of one shape: the last index may be repeated."""
    count = -(-starts // _CHUNK)
    size = -(-starts // count)
    return list(np.minimum(np.arange(count * size), starts - 1).reshape(count, size))


class _Piece(NamedTuple):
    """The weights of some initializations."""

    chosen: np.ndarray
    W: np.ndarray
    v: np.ndarray

    def __str__(self) -> str:
        return f"starts {self.chosen[0]} to {self.chosen[-1]}"


@dataclass(frozen=True, eq=False)
class _Solver:
    """Solve chunks, padded to a power of two of neurons, so that few shapes are compiled.

    The added neurons are active nowhere, and so do not enter the loss.
    """

    x: np.ndarray
    y: np.ndarray
    tolerance: float | None

    def __call__(self, piece: _Piece) -> tuple[np.ndarray, ...]:
        x, W = jnp.asarray(self.x), jnp.asarray(piece.W)
        patterns = region_patterns(x, W)
        idle = (1 << (W.shape[1] - 1).bit_length()) - W.shape[1]
        patterns = jnp.pad(patterns, ((0, 0), (0, 0), (0, idle)))
        outer = jnp.pad(jnp.asarray(piece.v), ((0, 0), (0, idle)), constant_values=1)
        found = basin_values(x, jnp.asarray(self.y), patterns, outer, tolerance=self.tolerance)
        return tuple(
            np.asarray(part)
            for part in (found.value, found.gap, found.solved, found.bounded, found.reach)
        )
