"""Checks of KK20's theorems 1, 2 and 4 at a point of the neuron-augmented objective."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, PyTree, Scalar

from landscape_jax.mistakes import explained
from landscape_jax.objectives import AbstractObjective, Augmented, NeuronAugmented
from landscape_jax.objectives.augmented import distinct_inputs
from landscape_jax.objectives.base import Known
from landscape_jax.objectives.protocols import Ground
from landscape_jax.theory.added_neurons.least_value import least_value


class Check(NamedTuple):
    """A number and its upper bound; the check fails if the number is above the bound or NaN."""

    value: float
    bound: float

    @property
    def holds(self) -> bool:
        """Whether the number is at most its bound (NaN is not)."""
        return self.value <= self.bound


class AugmentedCheck(NamedTuple):
    """The conditions of theorems 1 and 2 on a local minimum (θ, a, b, w) of L̃, each as a number.

    - `gradient`: the largest norm of a row of ∇L̃, over all parameters.
    - `a_is_zero`: the largest |aₖ|.
    - `adds_nothing`: the largest |aₖ exp(wₖ·xᵢ + bₖ)|; theorem 1 (ii).
    - `values_equal`: |L̃ − L|; theorem 1 (ii).
    - `is_global`: L(θ) minus the infimum over all functions (`least_value`); this is stronger than
      theorem 1 (i), see `NeuronAugmented`.
    - `balanced`: the largest norm, over distinct inputs, of the mean of ∇ℓ(f(xᵢ), yᵢ) at that
      input; 0 if and only if L(θ) is that infimum.
    - `samplewise`: the largest ‖∇ℓ(f(xᵢ), yᵢ)‖: 0 if each prediction minimizes the loss of its
      sample; theorem 2 (iii), where `consistent`.
    - `consistent`: equal inputs have equal labels (assumption 3).
    """

    gradient: Check
    a_is_zero: Check
    adds_nothing: Check
    values_equal: Check
    is_global: Check
    balanced: Check
    samplewise: Check
    consistent: bool

    @property
    def theorem_1(self) -> bool:
        """Whether all conditions of theorem 1 on a local minimum hold."""
        parts = (self.a_is_zero, self.adds_nothing, self.values_equal, self.is_global)
        return all(part.holds for part in parts)

    @property
    def theorem_2(self) -> bool:
        """Whether theorem 1 and, if labels are consistent, (iii) of theorem 2 hold."""
        return self.theorem_1 and (self.samplewise.holds or not self.consistent)


@explained
def check_augmented(
    objective: NeuronAugmented, params: Augmented, *, tolerance: float | int = 1e-6
) -> AugmentedCheck:
    """Check the conditions of theorems 1 and 2 on a local minimum, at a point where descent ended.

    The conditions are necessary, not sufficient.  A point that fails is no local minimum, or
    descent stopped too early for the tolerance, which the gradient shows.

    **Arguments:** `objective`, L̃, with a convex criterion; `params`, the point; `tolerance`, the
    bound of every number, times 1 + max |f(xᵢ)| for `adds_nothing` and 1 + |L| for values.

    **Returns:** an `AugmentedCheck`.

    **Raises:** `ValueError` if the tolerance is not positive.

    Source: KK20, theorems 1 and 2.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> x, y = jnp.array([[1.0], [2.0]]), jnp.array([2.0, 4.0])
    >>> objective = lj.NeuronAugmented(lj.EmpiricalRisk(x, y))
    >>> none = jnp.zeros(1), jnp.zeros(1), jnp.zeros((1, 1))
    >>> fit, flat = lj.DeepLinear([jnp.full((1, 1), 2.0)]), lj.DeepLinear([jnp.ones((1, 1))])
    >>> check_augmented(objective, lj.Augmented(fit, *none)).theorem_2
    True
    >>> bad = check_augmented(objective, lj.Augmented(flat, *none))
    >>> bad.is_global.value, bad.is_global.holds, bad.a_is_zero.holds
    (2.5, False, True)

    ```
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance is {tolerance}; it must be positive")
    numbers = {name: float(value) for name, value in _measure(objective, params).items()}
    least, risk = least_value(objective.risk), numbers["risk"]
    size, scale = tolerance * (1 + numbers["size"]), tolerance * (1 + abs(risk))
    return AugmentedCheck(
        gradient=Check(numbers["gradient"], tolerance),
        a_is_zero=Check(numbers["a"], tolerance),
        adds_nothing=Check(numbers["added"], size),
        values_equal=Check(abs(numbers["value"] - risk), scale),
        is_global=Check(risk - least, scale),
        balanced=Check(numbers["balanced"], tolerance),
        samplewise=Check(numbers["samplewise"], tolerance),
        consistent=_is_consistent(objective),
    )


@eqx.filter_jit
def _measure(objective: NeuronAugmented, params: Augmented) -> dict[str, Array]:
    risk, network = objective.risk, params.network
    value, gradient = jax.value_and_grad(objective)(params)
    rows = [jnp.linalg.norm(jnp.atleast_2d(g), axis=-1).max() for g in jax.tree.leaves(gradient)]
    q = risk.predictions(network)
    per_sample = jax.vmap(jax.grad(risk.criterion.loss))(q, risk.y)
    return {
        "value": value,
        "risk": risk(network),
        "gradient": jnp.stack(rows).max(),
        "a": jnp.abs(params.a).max(),
        "added": jnp.abs(params.added(risk.x)).max(),
        "size": jnp.abs(q).max(),
        "balanced": objective.slopes(network).max(),
        "samplewise": jnp.linalg.norm(per_sample, axis=1).max(),
    }


def _is_consistent(objective: NeuronAugmented) -> bool:
    """Check whether equal inputs have equal labels."""
    place, y = distinct_inputs(objective.risk), np.asarray(objective.risk.y)
    first = np.unique(place, return_index=True)[1]
    return bool((y == y[first[place]]).all())


class AtNetwork(AbstractObjective):
    """L̃ as a function of the added neurons (a, b, w) alone, at a fixed network: L̃|θ.

    If the network is not a global minimum of L, L̃|θ has no local minimum (theorem 4).

    **Arguments:** `augmented`, L̃; `network`, θ.

    Call it with an `Augmented` whose own network is `None`.

    Source: KK20, theorem 4.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> x, y = jnp.array([[1.0], [2.0]]), jnp.array([2.0, 4.0])
    >>> objective = lj.NeuronAugmented(lj.EmpiricalRisk(x, y))
    >>> at = AtNetwork(objective, lj.DeepLinear([jnp.ones((1, 1))]))
    >>> float(at(lj.Augmented(None, jnp.zeros(1), jnp.zeros(1), jnp.zeros((1, 1)))))
    2.5

    ```
    """

    augmented: NeuronAugmented
    network: PyTree

    def __call__(self, params: Augmented) -> Scalar:
        """Return L̃ of the network with these neurons."""
        return self.augmented(self.whole(params))

    def whole(self, params: Augmented) -> Augmented:
        """Return the network and the neurons as one `Augmented`."""
        return Augmented(self.network, params.a, params.b, params.w)

    def known(self, params: Augmented) -> Known:
        """Return the units of the risk."""
        return self.augmented.known(self.whole(params))

    def escape(self, params: Augmented) -> Scalar:
        """Return ‖(a, b, w)‖."""
        return self.augmented.escape(self.whole(params))

    def ground(self, params: Augmented) -> Ground:
        """Return L(θ), which is fixed, with its infimum and θ."""
        return self.augmented.ground(self.whole(params))

    def is_admissible(self, params: Augmented) -> Bool[Array, ""]:
        """Check whether the point passes what every local minimum of L̃|θ passes."""
        return self.augmented.is_admissible(self.whole(params))

    def is_confirmed(self, params: Augmented) -> Bool[Array, ""]:
        """Check whether the network interpolates beyond rounding."""
        return self.augmented.is_confirmed(self.whole(params), fixed=True)
