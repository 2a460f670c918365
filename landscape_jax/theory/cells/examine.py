"""Classify any point of the landscape: a local minimum, a saddle, or one with a descent."""

from typing import Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Real

from landscape_jax.critical.perturbations import Nearby, lowest_nearby
from landscape_jax.mistakes import explained
from landscape_jax.networks import TwoLayer
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.precision import require_float64
from landscape_jax.theory.cells.one_sided import LeastSlope, least_slope
from landscape_jax.theory.cells.ways import Way, followed, saddle_ways, towards


class Examined(NamedTuple):
    """The kind of a point (z, w).

    - `kind`: "minimum", "saddle", or "descends" if there is a descent to first order.
    - `differentiable`: whether the loss is differentiable at the point.
    - `loss`: the value of the objective.
    - `kinks`: for each neuron the samples on whose hyperplanes it lies; `resting`: the neurons with
      z_j = 0.
    - `least_slope`: the least one-sided slope of the loss in a z_j or w_j; 0 if none is negative.
    - `descent`: of a saddle, or to first order; `ascent`: of a saddle.
    - `nearby`: of a minimum, the lowest of many points near it, by the objective.
    """

    kind: Literal["minimum", "saddle", "descends"]
    differentiable: bool
    loss: float
    kinks: tuple[tuple[int, ...], ...]
    resting: tuple[int, ...]
    least_slope: float
    descent: Way | None
    ascent: Way | None
    nearby: Nearby | None


class _Neuron(NamedTuple):
    """A neuron's z and kinks, and the least slopes of h(v) = g·v + Σ_kinks eᵢ [xᵢ·v]₊.

    - `heights`: [w·xᵢ]₊, 0 on kinks; `reach`: how far it may move until another sign changes.
    - `down`: of σh for z ≠ 0, of h for z = 0; `up`: of −h for z = 0.
    - `along`: h(w); `linear`: whether the loss is differentiable in the neuron.
    """

    z: float
    kinks: Bool[np.ndarray, " samples"]
    heights: Float[np.ndarray, " samples"]
    reach: float
    down: LeastSlope
    up: LeastSlope
    along: float
    linear: bool


@explained
def examine(
    x: Real[np.ndarray, "samples inputs"],
    y: Real[np.ndarray, " labels"],
    network: TwoLayer,
    *,
    tolerance: float = 1e-9,
    perturbations: int = 2000,
) -> Examined:
    """Classify a network as a local minimum of the loss, a saddle, or a point with a descent.

    With e = output − y, h_j(v) = Σ_{w_j·xᵢ > 0} eᵢ xᵢ·v + Σ_{w_j·xᵢ = 0} eᵢ [xᵢ·v]₊ and
    σ_j = sign z_j it is (see `face_minima`)

    - a point with a descent if σ_j h_j(v) < 0 for a neuron with z_j ≠ 0: by δw_j along v with the
      slope (2/N)|z_j| h_j(v); or if h_j(w_j) ≠ 0 for one with z_j = 0: by δz_j;
    - else a saddle if h_j ≠ 0 for a neuron with z_j = 0 (see `saddle_ways`);
    - else a local minimum: these are all cases.

    **Arguments:** `x`, (N, d), a bias as a column of ones; `y`, (N,), floats or whole numbers;
    `network`, a ReLU `TwoLayer` without biases and of one output; `tolerance`: |w_j·xᵢ| up to it
    times ‖w_j‖‖xᵢ‖ counts as 0, and slopes of h_j up to it times ‖x‖(‖y‖ + ‖x‖ Σ|z_k|‖w_k‖) are 0.
    So the result holds for a point within this tolerance. z_j counts as 0 only if it is exactly 0;
    `perturbations`, at how many points around a minimum the objective is evaluated, 0 for none.

    **Returns:** an `Examined`; its values are the objective's.

    **Raises:** `ValueError` if shapes do not fit, the network has biases or another activation,
    entries are not finite, the tolerance is not in (0, 1), or float64 is off; else like
    `least_slope`.

    Source: LIU, lemmas 1 and 2, theorems 2 and 3, for any faces.

    ```python
    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> at = lambda w, z: TwoLayer(jnp.array([w]), jnp.array([[z]]))
    >>> x, y = np.eye(2), np.array([1.0, -1.0])
    >>> examine(x, y, at([1.0, 0.0], 1.0), perturbations=0).kind
    'minimum'
    >>> examine(x, y, at([1.0, 1.0], 0.0)).kind
    'saddle'
    >>> found = examine(x, y, at([2.0, 0.0], 1.0))
    >>> found.kind, found.least_slope, found.descent.direction.W2.tolist()
    ('descends', -2.0, [[-1.0]])

    ```
    """
    w, z = _checked(x, y, network, tolerance)
    # Whole numbers too.
    x, y = x.astype(np.float64), y.astype(np.float64)
    e = np.maximum(x @ w.T, 0) @ z - y
    terms = float(np.sum(np.abs(z) * np.linalg.norm(w, axis=1)))
    size = float(np.linalg.norm(x))
    level = tolerance * size * (float(np.linalg.norm(y)) + size * terms)
    neurons = [_neuron(x, e, row, float(t), tolerance, level) for row, t in zip(w, z, strict=True)]
    risk = EmpiricalRisk(x, y)
    descents = [
        found for j, n in enumerate(neurons) if (found := _descent(j, n, w[j], level)) is not None
    ]
    reach = min(n.reach for n in neurons)
    descent, ascent, nearby = None, None, None
    slope = 0.0
    moving = [j for j, n in enumerate(neurons) if n.z == 0 and not n.down.zero]
    if descents:
        slope, j, dz, dw = min(descents, key=lambda found: found[0])
        slope *= 2 / len(x)
        kind = "descends"
        direction = towards(network, j, dz, dw)
        descent = followed(risk, network, direction, slope, 0.0, _finite(reach))
    elif moving:
        kind = "saddle"
        j = min(moving, key=lambda j: min(neurons[j].down.slope, neurons[j].up.slope))
        down, up = neurons[j].down, neurons[j].up
        best, h = (down, down.slope) if down.slope <= up.slope else (up, -up.slope)
        assert best.direction is not None
        descent, ascent = saddle_ways(
            risk, network, j, best.direction, h, neurons[j].heights, _finite(reach)
        )
    else:
        kind = "minimum"
        radius, key = _finite(reach) * (1 - 1e-9), jax.random.key(0)
        if perturbations:
            nearby = lowest_nearby(risk, network, radius=radius, count=perturbations, key=key)
    return Examined(
        kind=kind,
        differentiable=all(n.linear for n in neurons),
        loss=float(risk(network)),
        kinks=tuple(tuple(np.flatnonzero(n.kinks).tolist()) for n in neurons),
        resting=tuple(j for j, n in enumerate(neurons) if n.z == 0),
        least_slope=slope,
        descent=descent,
        ascent=ascent,
        nearby=nearby,
    )


def _checked(
    x: Real[np.ndarray, "samples inputs"],
    y: Real[np.ndarray, " labels"],
    network: TwoLayer,
    tolerance: float,
) -> tuple[Float[np.ndarray, "neurons inputs"], Float[np.ndarray, " neurons"]]:
    require_float64("examining a point")
    if network.b1 is not None or network.b2 is not None or network.activation.name != "relu":
        raise ValueError(
            f"network has biases or activation {network.activation.name}; give a ReLU network "
            "without biases, and a bias as a column of ones in x"
        )
    w, z = np.asarray(network.W1, np.float64), np.asarray(network.W2, np.float64)
    if y.shape != x.shape[:1] or w.shape[1] != x.shape[1] or len(z) != 1 or not x.size:
        raise ValueError(
            f"x, y, W1 and W2 have shapes {x.shape}, {y.shape}, {w.shape} and {z.shape}; give "
            "(samples, inputs), (samples,), (neurons, inputs) and (1, neurons)"
        )
    if not all(np.isfinite(a).all() for a in (x, y, w, z)):
        raise ValueError("x, y or network has NaN or infinite entries; give finite numbers")
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}; it must be between 0 and 1")
    return w, z[0]


def _finite(reach: float) -> float:
    """Return a finite reach also if no sign can change."""
    return reach if np.isfinite(reach) else 1.0


def _neuron(
    x: Float[np.ndarray, "samples inputs"],
    e: Float[np.ndarray, " samples"],
    w: Float[np.ndarray, " inputs"],
    z: float,
    tolerance: float,
    level: float,
) -> _Neuron:
    lengths, products = np.linalg.norm(x, axis=1), x @ w
    on = np.abs(products) <= tolerance * float(np.linalg.norm(w)) * lengths
    heights = np.where(on, 0, np.maximum(products, 0))
    beside = ~on
    reach = float(np.min(np.abs(products[beside]) / lengths[beside], initial=np.inf))
    kinks = on & (lengths > 0)
    rows, weights, g = x[kinks], e[kinks], (e * (heights > 0)) @ x
    sign = -1.0 if z < 0 else 1.0
    # h is linear if and only if Σ eᵢ ([xᵢ·v]₊ + [−xᵢ·v]₊) = 0.
    twice = np.concatenate([weights, weights])
    both = least_slope(np.zeros_like(w), np.vstack([rows, -rows]), twice, tolerance=level)
    return _Neuron(
        z=z,
        kinks=kinks,
        heights=heights,
        # A kink stays one-sided as long as z keeps its sign.
        reach=min(reach, abs(z)) if z and kinks.any() else reach,
        down=least_slope(sign * g, rows, sign * weights, tolerance=level),
        up=least_slope(-g, rows, -weights, tolerance=level),
        along=float(g @ w),
        linear=z == 0 or both.zero,
    )


def _descent(
    j: int, neuron: _Neuron, w: Float[np.ndarray, " inputs"], level: float
) -> tuple[float, int, float, Float[np.ndarray, " inputs"]] | None:
    """Return a first-order descent of one neuron: (N/2 times its slope, j, δz_j, δw_j)."""
    by_z = -abs(neuron.along), j, -float(np.sign(neuron.along)), np.zeros_like(w)
    if neuron.z == 0:
        return by_z if abs(neuron.along) > level * float(np.linalg.norm(w)) else None
    if neuron.down.direction is None:
        return None
    by_w = abs(neuron.z) * neuron.down.slope, j, 0.0, neuron.down.direction
    return min(by_w, by_z, key=lambda found: found[0])
