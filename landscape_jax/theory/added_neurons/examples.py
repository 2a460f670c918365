"""Examples 1 to 7 of KK20: where added neurons remove local minima, and paths where they fail."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Scalar

from landscape_jax.mistakes import explained
from landscape_jax.networks import DeepLinear, TwoLayer, criteria
from landscape_jax.objectives import Augmented, EmpiricalRisk, NeuronAugmented


class Path(NamedTuple):
    """An objective L̃, a network θ at which it has no minimum, and a path along which it decreases.

    - `objective`: L̃ with the *mean* over the samples; KK20's sum is this times their number, with
      λ times their number.
    - `network`: θ.
    - `at`: ε ↦ the point (θ, a, b, w) of the path, for ε > 0.
    - `value`: ε ↦ L̃ there, in closed form.
    - `limit`: L̃ as ε → 0, its infimum at this θ, which is not attained.
    """

    objective: NeuronAugmented
    network: PyTree
    at: Callable[[float], Augmented]
    value: Callable[[float], float]
    limit: float


class Bumps(eqx.Module):
    """f(x; θ) = 5(−0.3 exp(−16(θ − 0.2)²) − 0.7 exp(−32(θ − 0.8)²) + 0.5), for one input 0.

    Source: KK20, example 1.
    """

    theta: Float[Array, ""]

    def __call__(self, x: Float[Array, "samples inputs"]) -> Float[Array, "samples 1"]:
        """Return the prediction, the same for every sample."""
        theta = self.theta
        wide, narrow = jnp.exp(-16 * (theta - 0.2) ** 2), jnp.exp(-32 * (theta - 0.8) ** 2)
        return jnp.broadcast_to(5 * (-0.3 * wide - 0.7 * narrow + 0.5), (len(x), 1))


@explained
def example_1(penalty: float | int = 1) -> NeuronAugmented:
    """Return L̃ of example 1: one sample x₁ = 0, y₁ = −1 and ℓ(q, y) = max(0, 1 − yq)³.

    Call it with an `Augmented` of `Bumps`.  L has a suboptimal local minimum near θ = 0.2 and is 0
    near 0.8, where f ≤ −1.  At the former, ∂f/∂θ = 0 and so ∂L̃/∂θ = 0 for all (a, b, w): the second
    statement of theorem 4.

    Source: KK20, example 1.
    """
    risk = EmpiricalRisk(jnp.zeros((1, 1)), -jnp.ones(1), criterion=criteria.hinge(3))
    return NeuronAugmented(risk, penalty=penalty)


@explained
def best_in_example_1(
    theta: Float[Array, ""], b: Float[Array, ""], penalty: float | int | Scalar = 1
) -> Scalar:
    """Return min over (a, W) of L̃ in example 1, as a function of (θ, b).

    W does not matter, as x₁ = 0.  With r = 1 + f(θ) and s = e^b, L̃ = max(0, r + as)³ + λa².  If
    r ≤ 0 the minimum is 0, at a = 0.  Otherwise a < 0 with 3su² + 2λa = 0, u = r + as > 0:
    u + (3s²/2λ)u² = r, u = 2r/(1 + √(1 + 6s²r/λ)), and the minimum is u³ + 9s²u⁴/(4λ).

    Source: KK20, figure 1; the closed form is ours.

    ```python
    >>> round(float(best_in_example_1(jnp.asarray(0.2), jnp.asarray(-9.0))), 2)
    8.0

    ```
    """
    r = jnp.maximum(0, 1 + Bumps(theta)(jnp.zeros((1, 1)))[0, 0])
    s = jnp.exp(b)
    u = 2 * r / (1 + jnp.sqrt(1 + 6 * s**2 * r / penalty))
    return u**3 + 9 * s**2 * u**4 / (4 * penalty)


@explained
@eqx.filter_jit
def slopes_in_theta(objective: NeuronAugmented, params: Augmented) -> tuple[PyTree, PyTree]:
    """Return ∂L/∂θ = A[θ] r[f] and ∂L̃/∂θ = A[θ] r[f + g].

    The added neurons remove a suboptimal θ where the first gradient is 0 and the second is not.

    Source: KK20, example 2.
    """
    return jax.grad(objective.risk)(params.network), jax.grad(objective)(params).network


@explained
def example_2() -> tuple[NeuronAugmented, TwoLayer, TwoLayer]:
    """Return L̃, a suboptimal local minimum θ of L where ∂L̃/∂θ ≠ 0, and a better θ.

    f = relu(θx), x = ±1, y = (1, 2), squared loss: L = ½(max(0, θ) − 1)² + ½(max(0, −θ) − 2)² has
    the local minima θ = 1, of value 2, and θ = −2, of value ½.  At θ = 1, A[θ] r[f] = 0 but
    A[θ] r[f + g] = g(x₁), which is not 0 where a ≠ 0.  (The second layer is 1; keep it
    fixed.)

    Source: KK20, example 2; the instance is ours.
    """
    risk = EmpiricalRisk(jnp.array([[1.0], [-1.0]]), jnp.array([1.0, 2.0]))
    one = jnp.ones((1, 1))
    return NeuronAugmented(risk), TwoLayer(one, one), TwoLayer(-2 * one, one)


@explained
def example_3(penalty: float | int = 1) -> Path:
    """Return example 3: one sample, squared loss, f(x₁) = 2, y₁ = 1.

    L̃ = (1 + a e^{w·x₁ + b})² + λa².  At a local minimum a = 0, where ∂L̃/∂a = 2e^{w·x₁+b} > 0.
    Along a = −e^{−1/ε}, b = 1/ε − w·x₁ the first term is 0: L̃ = λe^{−2/ε} → 0.

    Source: KK20, example 3.

    ```python
    >>> path = example_3()
    >>> [round(float(path.objective(path.at(e))), 4) for e in (2.0, 1.0, 0.5)]
    [0.3679, 0.1353, 0.0183]

    ```
    """
    risk = EmpiricalRisk(jnp.ones((1, 1)), jnp.ones(1))
    return _one_sample(risk, DeepLinear([jnp.full((1, 1), 2.0)]), -1.0, penalty)


@explained
def example_4(penalty: float | int = 1) -> Path:
    """Return example 4: two samples, squared loss, f = 0, y = (1, −1), distinct inputs.

    Along a = e^{−1/ε}, b = 1/ε − w·x₁, w = −(x₂ − x₁)/ε the first sample is fitted and
    L̃ = ½(1 + e^{−‖x₂ − x₁‖²/ε})² + λe^{−2/ε} → ½.  a stays positive, a → 0⁺, where the paper
    prints 0⁻.  The limit is the infimum: a e^{w·x + b} has one sign, so the loss of one of the two
    samples stays at least 1.

    Source: KK20, example 4, whose L̃ is the sum: twice this, with λ/2 here for its λ.

    ```python
    >>> path = example_4()
    >>> [round(float(path.objective(path.at(e))), 4) for e in (1.0, 0.5, 0.1)]
    [1.0709, 0.6628, 0.5]

    ```
    """
    risk = EmpiricalRisk(jnp.array([[1.0], [2.0]]), jnp.array([1.0, -1.0]))
    return _two_samples(risk, penalty, 2)


@explained
def example_5(penalty: float | int = 1) -> tuple[NeuronAugmented, DeepLinear]:
    """Return example 5: example 4 with x₁ = x₂, where f = 0 has the least risk of all functions.

    L̃ = 1 + (a e^{w·x₁ + b})² + λa² ≥ 1, with equality where a = 0: each such point is a local
    minimum, though f fits no sample.

    **Returns:** L̃, and the network θ.

    Source: KK20, example 5 (there the sum: 2 + 2(·)² + λa², with λ/2 here for its λ).
    """
    risk = EmpiricalRisk(jnp.array([[1.0], [1.0]]), jnp.array([1.0, -1.0]))
    return NeuronAugmented(risk, penalty=penalty), DeepLinear([jnp.zeros((1, 1))])


@explained
def example_6(penalty: float | int = 1, power: float | int = 3) -> Path:
    """Return example 6: example 3 with the smoothed hinge loss: f(x₁) = 2, y₁ = −1.

    Derived from the statement, not from the paper's appendix E.  With r = 1 − y₁f(x₁) = 3,
    L̃ = max(0, r − y₁a e^{w·x₁ + b})^p + λa².  At a local minimum a = 0, where
    ∂L̃/∂a = −p r^{p−1} y₁ e^{w·x₁+b} ≠ 0.  Along a = y₁r e^{−1/ε}, b = 1/ε − w·x₁ the first term is
    0: L̃ = λr²e^{−2/ε} → 0.

    Source: KK20, section 6.2, example 6.
    """
    risk = EmpiricalRisk(jnp.ones((1, 1)), -jnp.ones(1), criterion=criteria.hinge(power))
    return _one_sample(risk, DeepLinear([jnp.full((1, 1), 2.0)]), -3.0, penalty)


@explained
def example_7(penalty: float | int = 1, power: float | int = 3) -> Path:
    """Return example 7: example 4 with the smoothed hinge loss: f = 0, y = (1, −1).

    Derived from the statement, not from the paper's appendix E.
    L̃ = ½ max(0, 1 − g₁)^p + ½ max(0, 1 + g₂)^p + λa².  On the path of example 4 g₁ = 1 and
    g₂ = e^{−‖x₂ − x₁‖²/ε}: L̃ = ½(1 + e^{−‖x₂ − x₁‖²/ε})^p + λe^{−2/ε} → ½, the infimum, as g has
    one sign.

    Source: KK20, section 6.2, example 7.
    """
    x, y = jnp.array([[1.0], [2.0]]), jnp.array([1.0, -1.0])
    return _two_samples(EmpiricalRisk(x, y, criterion=criteria.hinge(power)), penalty, power)


def _one_sample(
    risk: EmpiricalRisk, network: DeepLinear, reach: float, penalty: float | int
) -> Path:
    """Return the path on which g(x₁) = `reach`, which cancels the whole loss, with w = 0."""

    def at(epsilon: float) -> Augmented:
        a, b = reach * math.exp(-1 / epsilon), 1 / epsilon
        return _augmented(network, a, b, 0.0)

    def value(epsilon: float) -> float:
        return penalty * reach**2 * math.exp(-2 / epsilon)

    return Path(NeuronAugmented(risk, penalty=penalty), network, at, value, 0.0)


def _two_samples(risk: EmpiricalRisk, penalty: float | int, power: float | int) -> Path:
    """Return the path on which g(x₁) = 1 cancels the loss of the first sample, and g(x₂) → 0."""
    network = DeepLinear([jnp.zeros((1, 1))])
    first, second = (float(x) for x in risk.x[:, 0])
    distance = second - first

    def at(epsilon: float) -> Augmented:
        w = -distance / epsilon
        return _augmented(network, math.exp(-1 / epsilon), 1 / epsilon - w * first, w)

    def value(epsilon: float) -> float:
        off = math.exp(-(distance**2) / epsilon)
        return (1 + off) ** power / 2 + penalty * math.exp(-2 / epsilon)

    return Path(NeuronAugmented(risk, penalty=penalty), network, at, value, 0.5)


def _augmented(network: Any, a: float, b: float, w: float) -> Augmented:
    return Augmented(network, jnp.full(1, a), jnp.full(1, b), jnp.full((1, 1), w))
