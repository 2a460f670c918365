"""The neuron-augmented objective: one exponential neuron more for each output."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar

from landscape_jax.objectives.base import AbstractObjective, Known
from landscape_jax.objectives.empirical import EmpiricalRisk

# What the added neurons add counts as nothing below this many roots of the precision.
_NOTHING = 100
# The mean slope of the losses at a distinct input counts as zero below this root of the precision.
_ROOT = 0.25


class Augmented(eqx.Module):
    """A network with one exponential neuron added to each output: f(x)ₖ + aₖ exp(wₖ·x + bₖ).

    **Arguments:** `network`, the network f; `a` and `b`, (outputs,); `w`, (outputs, inputs).

    Source: KK20, section 2.
    """

    network: PyTree
    a: Float[Array, " outputs"]
    b: Float[Array, " outputs"]
    w: Float[Array, "outputs inputs"]

    def __call__(self, x: Float[Array, "samples inputs"]) -> Float[Array, "samples outputs"]:
        """Give the predictions of samples, one a row."""
        return self.network(x) + self.added(x)

    def added(self, x: Float[Array, "samples inputs"]) -> Float[Array, "samples outputs"]:
        """Give what the added neurons add: aₖ exp(wₖ·x + bₖ)."""
        product = jnp.matmul(x, self.w.T, precision=jax.lax.Precision.HIGHEST)
        return self.a * jnp.exp(product + self.b)


class NeuronAugmented(AbstractObjective):
    """The empirical risk of a network with exponential neurons added, plus λ‖a‖².

    L̃(θ, a, b, w) = (1/N) Σᵢ ℓ(f(xᵢ; θ) + a ∘ exp(wxᵢ + b), yᵢ) + λ‖a‖²

    At every local minimum of it a = 0, L̃ = L and θ is a global minimum of L (theorem 1).  Where L
    has a suboptimal θ at which descent would stop, ‖(a, b, w)‖ grows without bound instead
    (theorem 4), with a gradient that tends to 0: `is_admissible` tells such points from minima.

    More is true than theorem 1 says: f(·; θ) has the least loss of *all* functions.  With a = 0 the
    value does not change with b and w, so that ∂L̃/∂aₖ = (1/N) Σᵢ ∂ₖℓ(f(xᵢ), yᵢ) exp(wₖ·xᵢ + bₖ)
    vanishes on an open set of (bₖ, wₖ); as exponentials of distinct inputs are independent, the
    slopes ∂ₖℓ of the samples at each distinct input add up to 0.  Where no prediction does that
    (cross-entropy on classes, with no conflicting repeats) L̃ has no local minimum at all.

    **Arguments:** `risk`, the `EmpiricalRisk` of the network alone; `penalty`, λ > 0.

    Call it with an `Augmented`.

    **Raises:** `ValueError` where λ is not positive.

    Source: KK20, eq. 2 and section 3.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> x, y = jnp.array([[1.0], [2.0]]), jnp.array([1.0, 3.0])
    >>> objective = lj.NeuronAugmented(lj.EmpiricalRisk(x, y), penalty=0.5)
    >>> net = lj.DeepLinear([jnp.ones((1, 1))])
    >>> float(objective(lj.Augmented(net, jnp.zeros(1), jnp.zeros(1), jnp.zeros((1, 1)))))
    0.5

    ```
    """

    risk: EmpiricalRisk
    penalty: Float[Array, ""]
    inputs: Int[Array, " samples"] | None
    attained: Bool[Array, ""]

    def __init__(self, risk: EmpiricalRisk, *, penalty=1.0):
        if not isinstance(penalty, Tracer) and not (
            np.isfinite(penalty) and np.ndim(penalty) == 0 and penalty > 0
        ):
            raise ValueError(f"penalty is {penalty}; it must be a positive number")
        self.risk = risk
        self.penalty = jnp.asarray(penalty, risk.x.dtype)
        if isinstance(risk.x, Tracer) or isinstance(risk.y, Tracer):
            self.inputs, self.attained = None, jnp.asarray(True)
        else:
            place = distinct_inputs(risk)
            self.inputs, self.attained = jnp.asarray(place), jnp.asarray(_attained(risk, place))

    def __call__(self, params: Augmented) -> Scalar:
        """Give L̃."""
        return self.risk(params) + self.penalty * jnp.sum(params.a**2)

    def known(self, params: Augmented) -> Known:
        """Return the units of the risk."""
        return Known(units=self.risk.known(params.network).units)

    def escape(self, params: Augmented) -> Scalar:
        """Give ‖(a, b, w)‖, the norm to be monitored (KK20, section 5)."""
        return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in (params.a, params.b, params.w)))

    def is_admissible(self, params: Augmented) -> Bool[Array, ""]:
        """Say whether the point passes what every local minimum passes, beside its gradient.

        - The added neurons add nothing.  From a ∂L̃/∂a − ∂L̃/∂b = 2λa² a small gradient alone gives
          a small a, but not a small a exp(wx + b): on the way to infinity b grows as a vanishes.
        - The slopes of the losses add up to 0 at each distinct input, and predictions exist where
          they do (see the class).  A small gradient alone does not say so where exp(wx + b) is
          small, as it is for b far below 0.
        """
        q = params.network(self.risk.x)
        added, eps = jnp.abs(params.added(self.risk.x)).max(), jnp.finfo(q.dtype).eps
        nothing = added <= _NOTHING * eps**0.5 * (1 + jnp.abs(q).max())
        return self.attained & nothing & (self.slopes(params.network).max() <= eps**_ROOT)

    def slopes(self, network: PyTree) -> Float[Array, " samples"]:
        """Give ‖mean of ∇ℓ(f(xᵢ), yᵢ) over the samples with one input‖, 0 past the last input.

        Where the data are traced nothing is compared, and all are 0.
        """
        q = network(self.risk.x)
        if self.inputs is None:
            return jnp.zeros(len(q), q.dtype)
        slope = jax.vmap(jax.grad(self.risk.criterion.loss))(q, self.risk.y)
        total = jax.ops.segment_sum(slope, self.inputs, len(q))
        count = jax.ops.segment_sum(jnp.ones(len(q), q.dtype), self.inputs, len(q))
        return jnp.linalg.norm(total, axis=1) / jnp.maximum(count, 1)


def distinct_inputs(risk: EmpiricalRisk) -> Int[np.ndarray, " samples"]:
    """Number the distinct inputs from 0, and give the number of each sample's."""
    return np.unique(np.asarray(risk.x), axis=0, return_inverse=True)[1].reshape(-1)


def _attained(risk: EmpiricalRisk, place: np.ndarray) -> bool:
    """Say whether at each distinct input some prediction has the least loss, as far as is known."""
    y, count = np.asarray(risk.y), place.max() + 1
    if risk.criterion.name == "logistic":
        sums = np.zeros((count, y.shape[1]))
        np.add.at(sums, place, y)
        return bool((np.abs(sums) < np.bincount(place)[:, None]).all())
    if risk.criterion.name == "cross_entropy":
        # Classes that never occur are not seen here; with none of them, two at an input are needed.
        table = y if y.ndim == 2 else np.eye(max(2, y.max() + 1))[y]
        sums = np.zeros((count, table.shape[1]))
        np.add.at(sums, place, table)
        return bool((sums > 0).all())
    return True
