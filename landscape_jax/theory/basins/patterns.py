"""Regions of two-layer ReLU networks: which samples each neuron is active on."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float


def region_patterns(
    x: Float[Array | np.ndarray, "samples inputs"],
    W: Float[Array | np.ndarray, "*starts neurons coordinates"],
) -> Bool[Array, "*starts samples neurons"]:
    """Give the region combination of each start: whether wᵢ·x_t > 0.

    A weight on a boundary, wᵢ·x_t = 0, belongs to no open region (definition 7), which has
    probability 0 for random starts; it counts as inactive there.

    **Arguments:** `x`, (m, d), one sample a row, a bias as a column of ones; `W`, (..., n, d), any
    number of starts.

    **Returns:** (..., m, n), true where the neuron is active: bᵢₜ = 1, else bᵢₜ = −1.

    **Raises:** `ValueError` where the inputs' numbers differ.

    Source: SS16, definitions 7–9.

    ```python
    >>> import jax.numpy as jnp
    >>> region_patterns(jnp.array([[1.5, 0.5], [-1.0, 2.0]]), jnp.array([[1.0, 0.0]])).tolist()
    [[True], [False]]

    ```
    """
    if x.shape[1] != W.shape[-1]:
        raise ValueError(f"W has neurons of {W.shape[-1]} inputs; x has {x.shape[1]}")
    product = jnp.matmul(
        jnp.asarray(x), jnp.swapaxes(jnp.asarray(W), -1, -2), precision=jax.lax.Precision.HIGHEST
    )
    return product > 0
