"""Theorem 1 of SS16 for one ReLU neuron: two samples whose loss has a good and a bad minimum."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landscape_jax.arrays import count
from landscape_jax.machine import require_memory
from landscape_jax.mistakes import explained
from landscape_jax.networks.activations import named

Bounds = tuple[float, float]


class NeuronPair(NamedTuple):
    """Two samples of one input, and the two minima of one neuron's loss on them.

    The loss is E(w) = ½ Σᵢ (φ(wxᵢ) − yᵢ)², i = 1, 2.

    - `epsilon`: ε, the parameter of the samples; `activation`: φ, by name.
    - `x`, `y`: the samples, each of 2 numbers.
    - `good`, `bad`: the minima; `boundary`: the one local maximum, between them.
    - `good_value`, `bad_value`: E there; `good_curvature`, `bad_curvature`: E″ there.
    - `good_bounds`, `bad_bounds`, `boundary_bounds`: proven lower and upper bounds on the points,
      and `good_value_bounds`, `bad_value_bounds` on the values, for the exact samples.
    """

    epsilon: float
    activation: str
    x: tuple[float, float]
    y: tuple[float, float]
    good: float
    bad: float
    boundary: float
    good_value: float
    bad_value: float
    good_curvature: float
    bad_curvature: float
    good_bounds: Bounds
    bad_bounds: Bounds
    boundary_bounds: Bounds
    good_value_bounds: Bounds
    bad_value_bounds: Bounds


@explained
def relu_pair(epsilon: float) -> NeuronPair:
    """Return the samples (½, √(2ε)), (−1, 1) and the two strict minima of a ReLU neuron there.

    E(w) = ½(2ε + (w + 1)²) for w ≤ 0 and ½((w/2 − √(2ε))² + 1) for w ≥ 0: the minima are
    E(−1) = ε with E″ = 1 and E(2√(2ε)) = ½ with E″ = ¼, and between them E(0) = ε + ½ is the
    maximum.  The basins are the two half-lines.

    **Arguments:** `epsilon`, 0 < ε < ½ (from ½ on, w = −1 is not the better minimum).

    **Returns:** a `NeuronPair`.

    **Raises:** `ValueError` if ε is not in that range.

    Source: SS16, section 8.1; figure 3 is `neuron_loss` for ε = 0.1, figure 4 `mean_loss`.

    ```python
    >>> pair = relu_pair(0.02)
    >>> pair.good, pair.bad, pair.good_value, pair.bad_value
    (-1.0, 0.4, 0.02, 0.5)
    >>> [round(float(neuron_loss(pair, w)), 6) for w in (pair.good, 0.0, pair.bad)]
    [0.02, 0.52, 0.5]

    ```
    """
    epsilon = float(epsilon)
    if not 0 < epsilon < 0.5:
        raise ValueError(f"epsilon is {epsilon}; it must be between 0 and 1/2")
    label = math.sqrt(2 * epsilon)
    bad = 2 * label
    return NeuronPair(
        epsilon=epsilon,
        activation="relu",
        x=(0.5, -1.0),
        y=(label, 1.0),
        good=-1.0,
        bad=bad,
        boundary=0.0,
        good_value=epsilon,
        bad_value=0.5,
        good_curvature=1.0,
        bad_curvature=0.25,
        good_bounds=(-1.0, -1.0),
        # The root is rounded correctly, and doubling is exact.
        bad_bounds=(math.nextafter(bad, 0), math.nextafter(bad, 9)),
        boundary_bounds=(0.0, 0.0),
        good_value_bounds=(epsilon, epsilon),
        bad_value_bounds=(0.5, 0.5),
    )


@explained
def sample_losses(
    pair: NeuronPair, w: float | Float[Array | np.ndarray, "..."]
) -> Float[Array, "2 ..."]:
    """Compute L₁(w) and L₂(w), (φ(wxᵢ) − yᵢ)², for weights of any shape, in their precision."""
    at = jnp.asarray(w)
    phi = named(pair.activation)
    return jnp.stack([(phi(at * x) - y) ** 2 for x, y in zip(pair.x, pair.y, strict=True)])


@explained
def neuron_loss(
    pair: NeuronPair, w: float | Float[Array | np.ndarray, "..."]
) -> Float[Array, "..."]:
    """Compute E(w) = ½(L₁(w) + L₂(w)) for weights of any shape.

    ```python
    >>> float(neuron_loss(relu_pair(0.125), 0.0))
    0.625

    ```
    """
    return jnp.mean(sample_losses(pair, w), axis=0)


@explained
def mean_loss(pair: NeuronPair, W: Float[Array | np.ndarray, "... dim"]) -> Float[Array, "..."]:
    """Compute the loss of neurons of d inputs on d copies of the samples: the mean of E(w_j).

    **Arguments:** `pair`; `W`, (..., d), one neuron a row.

    Source: SS16, proof of theorem 1; in two dimensions figure 4.

    ```python
    >>> import jax.numpy as jnp
    >>> float(mean_loss(relu_pair(0.125), jnp.array([-1.0, 0.0])))
    0.375

    ```
    """
    return jnp.mean(neuron_loss(pair, W), axis=-1)


@explained
def copies(
    pair: NeuronPair, dim: int
) -> tuple[Float[Array, "samples dim"], Float[Array, " samples"]]:
    """Return the data in d dimensions: a copy of both samples on each axis.

    **Arguments:** `pair`; `dim`, d ≥ 1.

    **Returns:** x, (2d, d), and y, (2d,).

    **Raises:** `ValueError` if d < 1.

    Source: SS16, proof of theorem 1.

    ```python
    >>> x, y = copies(relu_pair(0.125), 2)
    >>> x.tolist(), y.tolist()
    ([[0.5, 0.0], [-1.0, 0.0], [0.0, 0.5], [0.0, -1.0]], [0.5, 1.0, 0.5, 1.0])

    ```
    """
    dim = count("dim", dim)
    require_memory(16 * dim**2, f"dim {dim}", "give fewer dimensions")
    axes = jnp.eye(dim)[:, None, :] * jnp.array(pair.x)[None, :, None]
    return jax.lax.collapse(axes, 0, 2), jnp.tile(jnp.array(pair.y), dim)
