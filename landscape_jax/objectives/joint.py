"""The population risk of a two-layer student as a function of both its layers."""

from dataclasses import replace
from functools import partial
from typing import Any, SupportsIndex

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Scalar

from landscape_jax.mistakes import require
from landscape_jax.networks.activations import Activation, Function
from landscape_jax.networks.models import TwoLayer
from landscape_jax.objectives.base import AbstractObjective, Known, Symmetry, Units
from landscape_jax.objectives.hidden_neurons import HiddenNeurons, network_symmetry
from landscape_jax.objectives.isometries import teacher_isometries
from landscape_jax.objectives.matching import is_silent
from landscape_jax.objectives.population import PopulationRisk
from landscape_jax.objectives.protocols import Attained, nearest_minimizer
from landscape_jax.objectives.teacher import namespace, plain, ray_masses


class JointRisk(AbstractObjective):
    """The population risk as a function of both layers of the student, a `TwoLayer` without biases.

    F(W, a) = ½ E[(Σᵢ aᵢ φ(wᵢ·x) − Σⱼ bⱼ φ(vⱼ·x))²], x ~ N(0, I), with W₁ = W and W₂ = aᵀ.

    For φ(ct) = cᵖφ(t), p > 0, F depends on uᵢ = |aᵢ|^{1/p} wᵢ and the signs of aᵢ alone, so it is
    constant along (aᵢ, wᵢ) → (aᵢ/cᵖ, cwᵢ).  Kinds are those of u as a point of the `PopulationRisk`
    with weights ±1 (`balanced`), and families are counted modulo that, permutations of neurons,
    and isometries that keep the teacher's function.  Where aᵢ ≠ 0 and wᵢ ≠ 0 for all i, (W, a) is a
    critical point of F exactly if u is one of that risk, and a local minimum exactly if u is one:
    (W, a) ↦ u is open with continuous local inverses, and signs do not change nearby.

    **Arguments:** `teacher`, (k, d); `teacher_weights`, `activation`, `order`, as of
    `PopulationRisk`.

    Call it with a `TwoLayer` of the same activation, without biases, with one output.

    **Raises:** as `PopulationRisk`; `TypeError` or `ValueError` if the network is no such.

    Source: SS18, eq. 2, with a trained second layer.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> risk = lj.JointRisk(jnp.eye(2))
    >>> net = lj.TwoLayer(2 * jnp.eye(2), jnp.full((1, 2), 0.5))
    >>> abs(float(risk(net))) < 1e-6
    True
    >>> start = lj.starts.network(lj.TwoLayer, (2, 3, 1), bias=False)
    >>> runs = lj.restart(risk, start, 8, key=jax.random.key(0), max_steps=300)
    >>> runs.params.W1.shape
    (8, 3, 2)

    ```
    """

    risk: PopulationRisk

    def __init__(
        self,
        teacher,
        *,
        teacher_weights=None,
        activation: str | Function | Activation = "relu",
        order: SupportsIndex | None = None,
    ):
        self.risk = PopulationRisk(
            teacher, teacher_weights=teacher_weights, activation=activation, order=order
        )

    def __call__(self, network: TwoLayer) -> Scalar:
        """Return F(W, a)."""
        return self.of_weights(network)(network.W1)

    def of_weights(self, network: TwoLayer) -> PopulationRisk:
        """Return the risk as a function of W alone, with the network's second layer fixed."""
        require("params", network, TwoLayer)
        if network.b1 is not None or network.b2 is not None:
            raise ValueError("params has biases; give a TwoLayer without them")
        if network.W2.shape[0] != 1:
            raise ValueError(f"params has {network.W2.shape[0]} outputs; give a TwoLayer with one")
        if network.activation != self.risk.activation:
            raise ValueError(
                f"params has the activation {network.activation.name}; the risk has "
                f"{self.risk.activation.name}"
            )
        return replace(self.risk, student_weights=network.W2[0])

    def known(self, params: TwoLayer) -> Known:
        """Return the infimum, 0 where there are as many students as teachers, symmetry and units.

        The units are s² and, for both layers, s^{1/(1 + p)}, with s the largest mass |Σ b|‖v‖ᵖ of a
        ray; for a φ that is not homogeneous, s is the largest |b|, and the unit of length 1.
        """
        n, d = params.W1.shape
        inner = self.risk.known(jnp.zeros((n, d), params.W1.dtype)).units
        degree = self.risk.activation.degree or 0
        length = inner.length ** (degree / (1 + degree)) if degree else 1.0
        units = Units(inner.value, length)
        if namespace(self.risk.teacher, self.risk.teacher_weights) is jnp:
            return Known(units=units)
        V, b = plain(self.risk.teacher), plain(self.risk.teacher_weights)
        felt = V.any(axis=1) | (not is_silent(self.risk.activation))
        masses = ray_masses(V, b, degree, np)[0] if degree else np.where(felt, b, 0)
        reachable = np.count_nonzero(masses) <= n
        return Known(
            infimum=0.0 if reachable else None, symmetry=self._symmetry(params, V, b), units=units
        )

    def _symmetry(
        self, params: TwoLayer, V: np.ndarray, b: np.ndarray
    ) -> Symmetry | HiddenNeurons | tuple[HiddenNeurons, ...] | None:
        """Return the group on rows (u, sign(a)|u|), or (w, a) where φ is not homogeneous.

        The isometries of the inputs keep the last coordinate: it has a line of its own, whose mass
        no other has, and the mean has a part along it.
        """
        activation, preserved = self.risk.activation, None
        if activation.degree != 0:
            preserved = teacher_isometries(activation, V, b)
        if preserved is None:
            return network_symmetry(params)
        lines, masses, mean = preserved
        own = 2 * np.abs(masses).max(initial=0) or 1.0
        lines = np.pad(lines, ((0, 1), (0, 1)))
        lines[-1, -1] = 1
        return Symmetry(
            np.zeros(len(params.W1), V.dtype),
            lines,
            np.append(masses, own).astype(V.dtype),
            np.append(mean, own).astype(V.dtype),
            rows=partial(_rows, activation.degree),
            flips=activation.parity == "odd",
        )

    def balanced(self, params: TwoLayer) -> tuple[AbstractObjective, Any]:
        """Return the risk with second layer ±1 and u, for a homogeneous φ; else this and params."""
        inner = self.of_weights(params)
        return inner.balanced(params.W1) if self.risk.activation.degree else (self, params)

    def nearest_minimizer(self, params: TwoLayer) -> Attained | None:
        """Return a nearby point at which F is 0 and no a has another sign, as far as is known."""
        even, u = self.balanced(params)
        if even is self:
            return None
        near = nearest_minimizer(even, u)
        if near is None:
            return None
        a = np.abs(plain(params.W2[0])) ** (1 / (self.risk.activation.degree or 1))
        W = np.where(a[:, None] > 0, np.asarray(near.point) / np.where(a > 0, a, 1)[:, None], 0)
        point = replace(params, W1=jnp.asarray(W, params.W1.dtype))
        return near._replace(point=point)

    def smooth_radius(self, params: TwoLayer) -> Any:
        """Return the length of the shortest neuron where φ has a kink at 0; 0 for a zero neuron."""
        return self.risk.smooth_radius(params.W1)


def _rows(degree: int | float | None, network: TwoLayer) -> Float[Array, "neurons columns"]:
    """Write what F depends on as one row a neuron."""
    W, a = network.W1, network.W2[0]
    if not degree:
        return jnp.concatenate([W, a[:, None]], axis=1)
    u = jnp.abs(a)[:, None] ** (1 / degree) * W
    signs = jnp.sign(a) * jnp.linalg.norm(u, axis=1)
    return jnp.concatenate([u, signs[:, None]], axis=1)
