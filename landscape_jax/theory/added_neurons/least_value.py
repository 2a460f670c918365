"""The infimum of the empirical risk over all functions, whatever the network."""

import numpy as np

from landscape_jax.mistakes import explained
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.objectives.augmented import distinct_inputs
from landscape_jax.objectives.least import least_loss


@explained
def least_value(risk: EmpiricalRisk) -> float:
    """Return the infimum of the risk over all functions from inputs to outputs.

    (1/N) Σⱼ inf_q Σ_{i: xᵢ = x̄ⱼ} ℓ(q, yᵢ), over the distinct inputs x̄ⱼ.

    Every network's risk is at least this, so a network that attains it is a global minimum, and at
    every local minimum of the neuron-augmented objective the network attains it (see
    `NeuronAugmented`).  In closed form for the squared loss (the mean label), cross-entropy (the
    mean distribution, infimum its entropy), logistic and hinge; else by Newton's method at each
    input, for a convex criterion with real labels.

    **Arguments:** `risk`; its criterion must be convex in q.

    **Raises:** `ValueError` if the labels of a user's criterion do not determine the shape of its
    predictions.

    Source: KK20, section 4, the last step of the proof of theorem 1.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> x, y = jnp.array([[1.0], [1.0], [2.0]]), jnp.array([1.0, -1.0, 3.0])
    >>> round(least_value(lj.EmpiricalRisk(x, y)), 6)
    0.666667

    ```
    """
    labels = np.asarray(risk.y)
    least = least_loss(risk.criterion, labels, distinct_inputs(risk)).value
    if np.isnan(least):
        raise ValueError(
            f"y has shape {labels.shape}; give labels (samples, outputs) for the criterion "
            f"{risk.criterion.name}, whose predictions have that shape"
        )
    return least
