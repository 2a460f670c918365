"""Activation patterns of two-layer ReLU networks: on which samples each neuron is active."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from landscape_jax.mistakes import explained
from landscape_jax.precision import times


@explained
def region_patterns(
    x: Float[Array | np.ndarray, "samples inputs"],
    W: Float[Array | np.ndarray, "*starts neurons coordinates"],
) -> Bool[Array, "*starts samples neurons"]:
    """Compute the activation pattern of each weight matrix: whether wᵢ·x_t > 0.

    A weight vector with wᵢ·x_t = 0 belongs to no open region (definition 7), which has probability
    0 for random weights; it counts as inactive there.

    **Arguments:** `x`, (m, d), one sample a row, a bias as a column of ones; `W`, (..., n, d), any
    number of weight matrices.

    **Returns:** (..., m, n), true where the neuron is active: bᵢₜ = 1, else bᵢₜ = −1.

    **Raises:** `ValueError` if x and W differ in the number of inputs.

    Source: SS16, definitions 7–9.

    ```python
    >>> import jax.numpy as jnp
    >>> region_patterns(jnp.array([[1.5, 0.5], [-1.0, 2.0]]), jnp.array([[1.0, 0.0]])).tolist()
    [[True], [False]]

    ```
    """
    if x.shape[1] != W.shape[-1]:
        raise ValueError(f"W has neurons of {W.shape[-1]} inputs; x has {x.shape[1]}")
    return times(jnp.asarray(x), jnp.swapaxes(jnp.asarray(W), -1, -2)) > 0
