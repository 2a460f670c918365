"""Directions of known slope or curvature out of a point, with the objective along them."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landscape_jax.networks import TwoLayer
from landscape_jax.objectives import EmpiricalRisk

# The number of steps that are tried, each half of the one before.
_STEPS = 40


class Way(NamedTuple):
    """A direction out of a point p, with the objective along it.

    - `direction`: of (w, z), a network of norm 1.
    - `slope`, `curvature`: L(p + t·direction) = L(p) + slope·t + curvature·t² + O(t³) for t > 0;
      the curvature is not computed, 0, if the slope is not 0.
    - `step`: the tried t > 0 with the largest change; `value`: the objective there.
    """

    direction: TwoLayer
    slope: float
    curvature: float
    step: float
    value: float


def saddle_ways(
    risk: EmpiricalRisk,
    network: TwoLayer,
    neuron: int,
    v: Float[np.ndarray, " inputs"],
    h: float,
    heights: Float[np.ndarray, " samples"],
    reach: float,
) -> tuple[Way, Way]:
    """Compute a descent and an ascent of a neuron with z_j = 0, at a saddle.

    With δz_j = ta and δw_j = tbv the change of N L is t² (a² Σ [w_j·xᵢ]₊² + 2ab h(v)) + O(t³): the
    directions are the eigenvectors of that form in (a, b), with b > 0, as h(−v) differs on kinks.

    **Arguments:** `neuron`, j; `v`, a unit vector, and `h`, h(v) ≠ 0; `heights`, the [w_j·xᵢ]₊;
    `reach`, the largest step.
    """
    S = float(heights @ heights)
    # The eigenvalues of ((S, h), (h, 0)); their product is −h².
    top = S / 2 + float(np.hypot(S / 2, h))
    found = []
    for eigenvalue in (-(h / top) * h, top):
        a, b = np.sign(h) * np.array([eigenvalue, h]) / np.hypot(eigenvalue, h)
        direction = towards(network, neuron, float(a), b * v)
        curvature = eigenvalue / len(heights)
        found.append(followed(risk, network, direction, 0.0, curvature, reach))
    return found[0], found[1]


def towards(
    network: TwoLayer, neuron: int, dz: float, dw: Float[np.ndarray, " inputs"]
) -> TwoLayer:
    """Return the direction that moves one neuron only."""
    W1, W2 = np.zeros(network.W1.shape), np.zeros(network.W2.shape)
    W1[neuron], W2[0, neuron] = dw, dz
    return TwoLayer(jnp.asarray(W1), jnp.asarray(W2))


def followed(
    risk: EmpiricalRisk,
    network: TwoLayer,
    direction: TwoLayer,
    slope: float,
    curvature: float,
    reach: float,
) -> Way:
    """Evaluate the objective along a descent, or an ascent if slope or curvature is positive."""
    steps = reach * 0.5 ** np.arange(1, _STEPS + 1)
    values = np.asarray(_along(risk, network, direction, jnp.asarray(steps)))
    at = int(np.argmax(values) if (slope or curvature) > 0 else np.argmin(values))
    return Way(direction, slope, curvature, float(steps[at]), float(values[at]))


@eqx.filter_jit
def _along(
    risk: EmpiricalRisk, network: TwoLayer, direction: TwoLayer, steps: Float[Array, " steps"]
) -> Float[Array, " steps"]:
    def value(step: Array) -> Array:
        return risk(jax.tree.map(lambda p, v: p + step * v, network, direction))

    return jax.vmap(value)(steps)
