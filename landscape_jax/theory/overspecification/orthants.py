"""Theorem 1 of SS16 in d dimensions: the 2ᵈ minima of one neuron and their values."""

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import accumulate, islice
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from landscape_jax.arrays import count, real
from landscape_jax.mistakes import explained
from landscape_jax.theory.overspecification.relu_neuron import NeuronPair
from landscape_jax.theory.overspecification.sizes import Sizes, whole_numbers

# Bits of an index: JAX's integers have 32 bits by default.
_LARGEST = 31
# Exact binomial coefficients of d have d bits: all of them are kept, or summed one by one.
_MOST_COUNTED, _MOST_SUMMED = 10_000, 100_000


class ValueDistribution(NamedTuple):
    """The values of the 2ᵈ minima by the number k of bad coordinates.

    - `values`: ((d − k) good + k bad)/d, k = 0, …, d, increasing.
    - `counts`: the number of minima of each value, C(d, k).
    - `probabilities`: C(d, k)/2ᵈ.
    """

    values: Float[np.ndarray, " counts"]
    counts: tuple[int, ...]
    probabilities: Float[np.ndarray, " counts"]


@explained
def orthant_minima(
    pair: NeuronPair, dim: int, indices: Int[Array | np.ndarray, " minima"] | None = None
) -> Float[Array, "minima dim"]:
    """List minima of a neuron on d copies of the samples, by default all 2ᵈ of them.

    The loss is the mean over coordinates of E(w_j), so a point whose coordinates are strict minima
    of E is a strict minimum: with curvatures c_j and within the distance of the coordinates to the
    basins' ends, the loss of a ReLU neuron rises from w to w + h by exactly Σ_j c_j h_j²/(2d).

    Coordinate j of minimum i is the bad one if bit j of i is 1.  Where 2ᵈ rows are too many,
    request ranges of indices.

    **Arguments:** `pair`; `dim`, 1 ≤ d ≤ 31; `indices`, integers from 0 to 2ᵈ − 1.

    **Returns:** one minimum a row.

    **Raises:** `ValueError` if d or an index is out of range.

    Source: SS16, theorem 1.

    ```python
    >>> from landscape_jax.theory.overspecification import relu_pair
    >>> orthant_minima(relu_pair(0.125), 2).tolist()
    [[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]]

    ```
    """
    if not 1 <= dim <= _LARGEST:
        raise ValueError(f"dim is {dim}; it must be from 1 to {_LARGEST}")
    chosen = np.arange(2**dim) if indices is None else np.asarray(indices)
    if chosen.size and not (chosen.min() >= 0 and chosen.max() < 2**dim):
        raise ValueError(
            f"indices range from {chosen.min()} to {chosen.max()}; give 0 to 2^dim − 1"
        )
    return _minima(jnp.asarray(chosen, jnp.uint32), jnp.array([pair.good, pair.bad]), dim)


@partial(jax.jit, static_argnames="dim")
def _minima(indices: Array, points: Array, dim: int) -> Array:
    bits = (indices[:, None] >> jnp.arange(dim, dtype=jnp.uint32)[None, :]) & 1
    return points[bits]


@explained
def value_distribution(pair: NeuronPair, dim: int) -> ValueDistribution:
    """Compute the values of all minima in d dimensions and their binomial frequencies.

    **Arguments:** `pair`; `dim`, d ≥ 1.

    **Raises:** `ValueError` if d is not from 1 to 10,000.

    Source: SS16, proof of theorem 1.

    ```python
    >>> from landscape_jax.theory.overspecification import relu_pair
    >>> found = value_distribution(relu_pair(0.125), 2)
    >>> found.values.tolist(), found.counts, found.probabilities.tolist()
    ([0.125, 0.3125, 0.5], (1, 2, 1), [0.25, 0.5, 0.25])

    ```
    """
    dim = count("dim", dim, most=_MOST_COUNTED)
    bad = np.arange(dim + 1) / dim
    counts = tuple(_binomials(dim))
    return ValueDistribution(
        values=(1 - bad) * pair.good_value + bad * pair.bad_value,
        counts=counts,
        probabilities=np.array([count / 2**dim for count in counts]),
    )


@explained
def share_of_minima(pair: NeuronPair, level: float, dims: Sizes) -> Float[np.ndarray, "..."]:
    """Compute the share of the 2ᵈ minima of value at most a level: an exact binomial tail.

    It is Pr[B(d, ½) ≤ K], K = ⌊d (level − good)/(bad − good)⌋.  For the ReLU neuron it is also
    F(level), the probability that a uniform point of the sphere lies in the basin of one of them,
    as the signs of its coordinates are independent and uniform.  Values are compared with the level
    in rational arithmetic.

    **Arguments:** `pair`; `level`, a value of the loss; `dims`, d ≥ 1, integers of any shape.

    **Raises:** `ValueError` if a d is not from 1 to 100,000, or the level is not finite.

    Source: SS16, theorem 1.

    ```python
    >>> import numpy as np
    >>> from landscape_jax.theory.overspecification import relu_pair
    >>> share_of_minima(relu_pair(0.02), 1 / 8, np.array([1, 5, 10])).tolist()
    [0.5, 0.1875, 0.0546875]

    ```
    """
    sizes = whole_numbers("dims", dims, most=_MOST_SUMMED)
    level = float(real("level", level))
    if not math.isfinite(level):
        raise ValueError(f"level is {level}; it must be finite")
    good, bad = Fraction(pair.good_value), Fraction(pair.bad_value)
    part = (Fraction(level) - good) / (bad - good)
    return np.array([_tail(int(d), math.floor(d * part)) for d in sizes.ravel().tolist()]).reshape(
        sizes.shape
    )


def _tail(d: int, most: int) -> float:
    return sum(islice(_binomials(d), max(0, min(most, d) + 1))) / 2**d


def _binomials(d: int) -> Iterator[int]:
    """Yield the binomial coefficients of d in order, each from the one before."""
    return accumulate(range(d), lambda found, k: found * (d - k) // (k + 1), initial=1)


@explained
def theorem_1_bound(dims: Sizes) -> Float[np.ndarray, "..."]:
    """Compute e^{−d/16}, the upper bound on F(c/4), c the least value of a bad minimum.

    With K bad coordinates of d the value is at least cK/d, so F(c/4) ≤ Pr[B(d, ½) ≤ d/4], and
    Chernoff's bound of this is e^{−d/16} (Hoeffding's is e^{−d/8}).

    For `relu_pair` c = ½: the F(1/8) ≤ e^{−d/16} of section 8.1 is F(c/4), as the theorem states.
    For `sigmoid_pair` c is slightly less than 1/8, not more as printed, and the level 1/32 of
    section 8.2 slightly more than c/4.  The bound on the share of minima still holds there if the
    good value is at least (1/8 − c)/3, so that (1/32 − good)/(c − good) ≤ ¼.

    **Arguments:** `dims`, d ≥ 1, integers of any shape.

    **Raises:** `ValueError` if a d is less than 1.

    Source: SS16, theorem 1.

    ```python
    >>> round(float(theorem_1_bound(16)), 6)
    0.367879

    ```
    """
    return np.asarray(np.exp(-whole_numbers("dims", dims) / 16))
