"""The least squares of many patterns by the kernel for CPUs, `least_squares.cc`."""

from pathlib import Path

import jax.numpy as jnp
from jaxtyping import Array
from numpy import float64

from landscape_jax import native

_SOURCE = Path(__file__).with_suffix(".cc")
# Beyond, a group of tables leaves the cache.
_MOST = 16384


def target(dtype, samples: int, inputs: int, neurons: int) -> str | None:
    """Give the kernel's prefix; `None` to use XLA's code."""
    columns = neurons * inputs
    if not 0 < max(samples, columns) * columns <= _MOST or samples == 0:
        return None
    return native.kernels(_SOURCE, ("least_squares",), dtype)


def solve(
    prefix: str, x: Array, y: Array, patterns: Array, free: Array, tolerance: float
) -> tuple[Array, Array, Array, Array]:
    """Give R, loss, rank and smallest of `solutions.CellSolutions`, without derivatives.

    `tolerance` is `solutions.rank_tolerance`.  A pattern gets the same bits whatever is beside it.
    All is NaN, and ranks are 0, where samples or labels are not finite.
    """
    operands = x, y, patterns, free
    each = native.result((len(patterns),), x.dtype, *operands)
    R = native.result(free.shape, x.dtype, *operands)
    rank = native.result((len(patterns),), jnp.int32, *operands)
    return native.call(
        prefix,
        "least_squares",
        (R, each, rank, each),
        *operands,
        vmap_method="sequential",
        tolerance=float64(tolerance),
    )
