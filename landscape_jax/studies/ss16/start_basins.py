"""The basin values of random starts, chunk by chunk, each with bounds that hold."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from landscape_jax.theory.basins import BasinValues, basin_values, region_patterns
from landscape_jax.theory.overspecification import initial_weights

Table = Array | np.ndarray
# Called with the number of starts that are done.
Progress = Callable[[int], None]
# Starts in one call: a progress bar moves several times, and a call is well above its overhead.
_CHUNK = 512


class Basins(NamedTuple):
    """The basins of random starts, one a leading entry.

    - `W`, (starts, n, d), and `v`, (starts, n): the starts.
    - `value`, `gap`: the least loss over all weights of the region that are within reach (see
      `theory.basins.BasinValues.reach`) is between value − gap and value.
    - `everywhere`: whether that is the whole region, and so the basin value; else weights are
      bounded, by much more than those found.
    - `solved`: whether the gap is as small as was asked for, everywhere; `bounded`: whether it is,
      for bounded weights only.
    """

    W: Float[Array, "starts width inputs"]
    v: Float[Array, "starts width"]
    value: Float[np.ndarray, " starts"]
    gap: Float[np.ndarray, " starts"]
    solved: Bool[np.ndarray, " starts"]
    bounded: Bool[np.ndarray, " starts"]
    everywhere: Bool[np.ndarray, " starts"]


def value_at_zero(y: Float[Table, " labels"]) -> float:
    """Give (1/m) Σ y², the value at W = 0, which no basin's value exceeds.

    **Raises:** `ValueError` where it is not finite.

    Source: SS16, corollary 2.

    ```python
    >>> import numpy as np
    >>> value_at_zero(np.array([1.0, 2.0]))
    2.5

    ```
    """
    largest = float(np.max(np.abs(y), initial=0.0))
    if not largest < math.sqrt(np.finfo(np.asarray(y).dtype).max):
        raise ValueError("y has a mean square that is not finite; scale the labels down")
    return float(np.mean(np.asarray(y) ** 2))


def basins_of_starts(
    x: Float[Table, "samples inputs"],
    y: Float[Table, " labels"],
    width: int,
    starts: int,
    *,
    seed: int = 0,
    tolerance: float | None = None,
    progress: Progress | None = None,
) -> Basins:
    """Draw random starts of one width, and bound their basin values.

    Start i of width n is drawn by `fold_in(fold_in(key(seed), n), i)`, so that neither other widths
    nor more starts change it.  Where the solver fails altogether, what is known of every basin is
    left: its value is at most (1/m) Σ y², that of W = 0, and at least 0.

    **Arguments:** `x`, (m, d), and `y`, (m,), see `basin_values`; `width`, n; `starts`, how many;
    `seed`; `tolerance`, on the gap, see `basin_values`; `progress`, called with the number of
    starts done.

    **Returns:** `Basins`.

    **Raises:** `ValueError` on sizes and data that are not so.

    Source: SS16, sections 3.2, 4.2 and 5.
    """
    if width < 1 or starts < 1 or seed < 0:
        raise ValueError(
            f"width, starts, seed are {width}, {starts}, {seed}; give at least 1, 1 and 0"
        )
    data, labels = jnp.asarray(x), jnp.asarray(y)
    top = value_at_zero(y)
    key = jax.random.fold_in(jax.random.key(seed), width)
    W, v = initial_weights(key, starts, width, data.shape[1], dtype=data.dtype)
    parts = []
    for index in _chunks(starts):
        parts.append(_solved(data, labels, W[index], v[index], tolerance))
        if progress is not None:
            progress(min(int(index[-1]) + 1, starts))
    value, gap, solved, bounded, reach = (
        np.concatenate([np.asarray(getattr(part, name)) for part in parts])[:starts]
        for name in ("value", "gap", "solved", "bounded", "reach")
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
    """Give the starts of each call, all calls of one shape: the last start may be repeated."""
    count = -(-starts // _CHUNK)
    size = -(-starts // count)
    return list(np.minimum(np.arange(count * size), starts - 1).reshape(count, size))


def _solved(x: Array, y: Array, W: Array, v: Array, tolerance: float | None) -> BasinValues:
    """Solve one chunk in the shape of the next power of two of neurons, which compiles seldom.

    The neurons that are put in are active nowhere, and so have no part in the loss.
    """
    patterns = region_patterns(x, W)
    idle = (1 << (W.shape[1] - 1).bit_length()) - W.shape[1]
    patterns = jnp.pad(patterns, ((0, 0), (0, 0), (0, idle)))
    outer = jnp.pad(v, ((0, 0), (0, idle)), constant_values=1)
    return basin_values(x, y, patterns, outer, tolerance=tolerance)
