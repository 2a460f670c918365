"""The least empirical risk that any function has: a value known without looking at a network."""

import jax
import jax.numpy as jnp
import numpy as np

from landscape_jax.networks import criteria
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.objectives.augmented import distinct_inputs
from landscape_jax.theory.convex import minimise


def least_value(risk: EmpiricalRisk) -> float:
    """Give the infimum of the risk over all functions from inputs to outputs.

    (1/N) Σⱼ inf_q Σ_{i: xᵢ = x̄ⱼ} ℓ(q, yᵢ), over the distinct inputs x̄ⱼ.

    Every network's risk is at least this, so a network that has it is a global minimum, and at
    every local minimum of the neuron-augmented objective the network has it (see
    `NeuronAugmented`).  In closed form for the squared loss (the mean label), cross-entropy (the
    mean distribution, infimum its entropy), logistic and hinge; else by Newton's method at each
    input, for a convex criterion with real labels.

    **Arguments:** `risk`; its criterion must be convex in q.

    Source: KK20, section 4, the last step of the proof of theorem 1.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> x, y = jnp.array([[1.0], [1.0], [2.0]]), jnp.array([1.0, -1.0, 3.0])
    >>> round(least_value(lj.EmpiricalRisk(x, y)), 6)
    0.666667

    ```
    """
    place = distinct_inputs(risk)
    labels = np.asarray(risk.y, float) if risk.y.ndim == 2 else np.asarray(risk.y)
    groups = [labels[place == j] for j in range(place.max() + 1)]
    return sum(_least(risk.criterion, group) for group in groups) / len(labels)


def _least(criterion: criteria.Criterion, y: np.ndarray) -> float:
    """Give inf_q Σᵢ ℓ(q, yᵢ)."""
    if criterion == criteria.named("squared"):
        return float(np.sum((y - y.mean(axis=0)) ** 2))
    if criterion == criteria.named("cross_entropy"):
        # Classes that do not occur have probability 0, and add nothing.
        table = y if y.ndim == 2 else np.eye(y.max() + 1)[y]
        return _entropy(table.sum(axis=0), len(table))
    if criterion == criteria.named("logistic"):
        positive = (y > 0).sum(axis=0)
        return sum(_entropy(np.array([p, len(y) - p]), len(y)) for p in positive)
    if isinstance(criterion.loss, criteria.Hinge):
        return sum(_hinge(criterion.loss.power, column) for column in y.T)
    if y.ndim != 2:
        raise ValueError(
            f"y has shape {y.shape} at one input; give labels (samples, outputs) for the "
            f"criterion {criterion.name}, whose predictions are of that size"
        )

    def total(q: jax.Array) -> jax.Array:
        return jnp.sum(jax.vmap(criterion.loss, (None, 0))(q, jnp.asarray(y)))

    return minimise(total, y.mean(axis=0)).value


def _entropy(weights: np.ndarray, total: int) -> float:
    """Give −Σ wₖ log(wₖ/total)."""
    some = weights[weights > 0]
    return float(-np.sum(some * np.log(some / total)))


def _hinge(power: float, y: np.ndarray) -> float:
    """Give min_q Σᵢ max(0, 1 − yᵢq)^p: (1 + q)/(1 − q) = (n₊/n₋)^{1/(p−1)} where both occur."""
    positive, negative = int((y > 0).sum()), int((y < 0).sum())
    if not positive or not negative:
        return 0.0
    ratio = (positive / negative) ** (1 / (power - 1))
    q = (ratio - 1) / (ratio + 1)
    return positive * (1 - q) ** power + negative * (1 + q) ** power
