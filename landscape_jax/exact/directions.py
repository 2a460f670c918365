"""Rows and weights up to a positive factor, in whole numbers: signs of products do not change."""

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Float

from landscape_jax.exact.coordinates import scaled
from landscape_jax.exact.samples import exact_inputs

Direction = tuple[int, ...]


def whole_rows(x: Any) -> list[Direction]:
    """Return each sample's direction in whole numbers."""
    return [whole_direction(row) for row in exact_inputs(x)]


def whole_direction(row: Sequence[fmpq]) -> Direction:
    """Return the direction of a row of rational numbers in whole numbers."""
    scale = math.lcm(*(int(t.q) for t in row))
    return primitive([int(t.p) * (scale // int(t.q)) for t in row])


def primitive(row: Sequence[int]) -> Direction:
    """Divide whole numbers by their greatest common divisor."""
    common = math.gcd(*row)
    return tuple(t // common for t in row) if common > 1 else tuple(row)


def dot(a: Direction, b: Direction) -> int:
    """Compute the inner product of two rows of whole numbers."""
    return sum(map(operator.mul, a, b))


def unit(row: Direction) -> Float[np.ndarray, " inputs"]:
    """Return a direction as a unit vector of floats, however large its whole numbers are."""
    largest = max(abs(t) for t in row)
    scaled = np.array([t / largest for t in row])
    return scaled / np.linalg.norm(scaled)


def direction(weights: fmpq_mat) -> Float[np.ndarray, " inputs"]:
    """Return a column of rational numbers as a unit vector; 0 as 0."""
    values = scaled(weights.entries())[0]
    return values / max(float(np.linalg.norm(values)), np.finfo(float).tiny)
