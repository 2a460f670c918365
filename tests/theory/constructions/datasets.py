"""Data sets for theorem 1 of YSJ19: random ones, and ones of the rare case, exactly."""

import math
from typing import NamedTuple

import numpy as np

SLOPES = ((1.0, 0.0), (1.0, 0.01), (1.001, 1.0), (0.5, 2.0))
CORNERS = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
XOR = np.array([1.0, -1.0, -1.0, 1.0])


class Problem(NamedTuple):
    x: np.ndarray
    y: np.ndarray
    width: int
    slopes: tuple[float, float]


def scattered(seed, shape=None, slopes=None):
    """A random data set of m samples in d dimensions, with noise from small to large."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 11))
    # Evenly in the logarithms: m from d + 2 to 200, the width from 2 to 50.
    spread = lambda least, most: round(math.exp(rng.uniform(math.log(least), math.log(most))))
    m, d, width = shape or (spread(d + 2, 200), d, spread(2, 50))
    x = rng.normal(size=(m, d)) * 10 ** rng.uniform(-2, 2, d) + rng.normal(size=d)
    y = x @ rng.normal(size=d) / np.linalg.norm(x, axis=0).max()
    y += 10 ** rng.uniform(-2, 2) * rng.standard_t(3, size=m) + rng.normal()
    return Problem(x, y, width, slopes or SLOPES[seed % 4])


def tied(seed):
    """A data set of whole numbers with J = ∅: at some levels t, ȳ = t and y = t ± c in an XOR.

    The errors c·ab at (a, b) are orthogonal to a, b, t and 1.  Points that are fitted exactly are
    added, which changes no least squares.
    """
    rng = np.random.default_rng(seed)
    levels = [(t, int(rng.integers(-3, 4))) for t in range(int(rng.integers(1, 5)))]
    levels[0] = (0, 2)
    parts = [np.column_stack([CORNERS, np.full(4, t)]) for t, _ in levels]
    x, y = np.vstack(parts), np.concatenate([t + c * XOR for t, c in levels])
    more = np.unique(rng.integers(-9, 10, size=(int(rng.integers(0, 6)), 3)), axis=0)
    more = more[(np.abs(more[:, :2]) != 1).all(axis=1)]
    x, y = np.vstack([x, more]), np.concatenate([y, more[:, 2]])
    order = rng.permutation(len(x))
    # Moved off the origin, as the proof measures lengths from there.
    return (x + rng.integers(-3, 4, size=3))[order], y[order]
