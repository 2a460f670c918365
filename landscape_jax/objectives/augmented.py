"""The neuron-augmented objective: one exponential neuron more for each output."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar

from landscape_jax.arrays import concretely, is_traced, positive
from landscape_jax.mistakes import require
from landscape_jax.networks.criteria import Hinge, named
from landscape_jax.networks.predictions import predictions
from landscape_jax.objectives.base import AbstractObjective, Known
from landscape_jax.objectives.empirical import EmpiricalRisk
from landscape_jax.objectives.least import LeastLoss, least_loss
from landscape_jax.objectives.protocols import Ground
from landscape_jax.precision import precision, times

# Loss gradients below this, in units, confirm a minimum.
_FINE = 1e-12
# The resolution: the root of the precision, and this many roundings of the predictions.
_ROUNDINGS = 100
# Interpolation is tested for at most this many predictions and Jacobian entries.
_MOST_PREDICTIONS, _MOST_ENTRIES = 512, 2**22
# A network can interpolate where a step of at most this share of its size suffices.
_NEAR = 1e-3
# A sample's loss counts as flat in a direction with at most this share of the largest curvature.
_FLAT = 1e-6


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
        """Return the predictions of samples, one a row.

        **Raises:** `ValueError` if the added neurons are not one for each output.
        """
        q = predictions(self.network, x)
        self._check(q.shape[-1], x.shape[-1])
        return q + self.added(x)

    def added(self, x: Float[Array, "samples inputs"]) -> Float[Array, "samples outputs"]:
        """Return the outputs of the added neurons, aₖ exp(wₖ·x + bₖ)."""
        product = times(x, self.w.T)
        return self.a[None] * jnp.exp(product + self.b[None])

    def _check(self, outputs: int, inputs: int) -> None:
        """Check that there is one neuron an output, of as many inputs as the samples have."""
        wanted = {"a": (outputs,), "b": (outputs,), "w": (outputs, inputs)}
        for name, shape in wanted.items():
            found = jnp.shape(getattr(self, name))
            if found != shape:
                raise ValueError(
                    f"{name} has shape {found}; with {outputs} outputs and {inputs} inputs it must "
                    f"be {shape}: one added neuron for each output"
                )


class NeuronAugmented(AbstractObjective):
    """The empirical risk of a network with exponential neurons added, plus λ‖a‖².

    L̃(θ, a, b, w) = (1/N) Σᵢ ℓ(f(xᵢ; θ) + a ∘ exp(wxᵢ + b), yᵢ) + λ‖a‖²

    At every local minimum of it a = 0, L̃ = L and θ is a global minimum of L (theorem 1).  Where L
    has a suboptimal θ at which descent would stop, ‖(a, b, w)‖ grows without bound instead
    (theorem 4), with a gradient that tends to 0: `is_admissible` distinguishes such points from
    minima.

    More than theorem 1 is true: f(·; θ) has the least loss of *all* functions.  With a = 0 the
    value does not change with b and w, so that ∂L̃/∂aₖ = (1/N) Σᵢ ∂ₖℓ(f(xᵢ), yᵢ) exp(wₖ·xᵢ + bₖ)
    vanishes on an open set of (bₖ, wₖ); as exponentials of distinct inputs are independent, the
    derivatives ∂ₖℓ of the samples at each distinct input add up to 0.  Where no prediction achieves
    that (cross-entropy on classes, one class for each input) L̃ has no local minimum at all.

    Checks at a point are only so precise.  Predictions are measured in the square root of the
    labels' variance for "squared", in 1 for other criteria; loss gradients (the mean of ∇ℓ over the
    samples with one input) likewise.

    - A minimum is confirmed where no loss gradient is above 1e-12, or where those above are within
      the resolution and a step of at most 1e-3 of θ makes all of them 0, to first order: in float32
      a network that interpolates cannot be distinguished from one that misses by rounding.
    - Loss gradients within the resolution, the root of the precision (1.5e-8 in float64, 3.5e-4 in
      float32) and a hundred roundings of the predictions, are no evidence against a minimum.

    **Arguments:** `risk`, the `EmpiricalRisk` of the network alone; `penalty`, λ > 0; `attained`,
    whether at each distinct input some prediction has the least loss.  It is known for the named
    criteria, and computed for others that are strictly convex near it, with real labels; where it
    is not known, no minimum is confirmed, and `restart` returns `undecided`.

    Call it with an `Augmented`.

    **Raises:** `ValueError` if λ is not positive.

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
    inputs: Int[Array, " samples"]
    least: Float[Array, ""]
    attained: bool | None = eqx.field(static=True)
    # The number of distinct inputs, or a bound of it.
    count: int = eqx.field(static=True)

    def __init__(self, risk: EmpiricalRisk, *, penalty=1.0, attained: bool | None = None):
        require("risk", risk, EmpiricalRisk)
        require("attained", attained, bool | None)
        if risk.x.ndim != 2:
            raise ValueError(
                f"x of risk has shape {risk.x.shape}; the added neurons are functions of w·x + b, "
                "so give samples as rows, (samples, inputs)"
            )
        penalty = positive("penalty", penalty)
        self.risk = risk
        with concretely(penalty):
            self.penalty = jnp.asarray(penalty, risk.x.dtype)
        with concretely(risk.x, risk.y):
            if is_traced(risk.x, risk.y):
                every = jnp.unique(risk.x, axis=0, return_inverse=True, size=len(risk.x))[1]
                self.inputs, self.count = every.reshape(-1), len(risk.x)
                always = risk.criterion == named("squared")
                always |= isinstance(risk.criterion.loss, Hinge)
                least = LeastLoss(np.nan, True if always else None)
            else:
                place = distinct_inputs(risk)
                self.inputs, self.count = jnp.asarray(place), int(place.max()) + 1
                least = least_loss(risk.criterion, np.asarray(risk.y), place)
            self.least = jnp.asarray(least.value, risk.x.dtype)
        self.attained = least.attained if attained is None else bool(attained)

    def __call__(self, params: Augmented) -> Scalar:
        """Return L̃."""
        penalty = self._cast(params).penalty
        return self.risk(params) + penalty * jnp.sum(params.a**2)

    def _cast(self, params: PyTree) -> "NeuronAugmented":
        """Return this objective in the precision of params."""
        dtype = precision(params, self.risk.x.dtype)
        is_floating = lambda leaf: jnp.issubdtype(leaf.dtype, jnp.floating)
        return jax.tree.map(lambda leaf: leaf.astype(dtype) if is_floating(leaf) else leaf, self)

    def known(self, params: Augmented) -> Known:
        """Return the units of the risk."""
        return Known(units=self.risk.known(params.network).units)

    def escape(self, params: Augmented) -> Scalar:
        """Return ‖(a, b, w)‖, the norm to be monitored (KK20, section 5)."""
        return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in (params.a, params.b, params.w)))

    def ground(self, params: Augmented) -> Ground:
        """Return L(θ), which L̃ equals at every local minimum, with its infimum and θ."""
        place = ravel_pytree(eqx.filter(params.network, eqx.is_inexact_array))[0]
        outputs = self._outputs(params.network)
        least = self.least if self._is_known_for(outputs) else self.least * jnp.nan
        value, dtype = self.risk(params.network), precision(params, least.dtype)
        attained = self._attained(params.network)
        return Ground(value.astype(dtype), least.astype(dtype), place, attained)

    def is_admissible(self, params: Augmented) -> Bool[Array, ""]:
        """Check the conditions, other than a small gradient, that hold at every local minimum.

        - The added neurons add nothing.  From a ∂L̃/∂a − ∂L̃/∂b = 2λa² a small gradient alone gives
          a small a, but not a small a exp(wx + b): towards infinity b grows as a vanishes.
        - The loss gradients vanish at each distinct input, and predictions exist where they do (see
          the class).  A small gradient of L̃ alone does not imply it where exp(wx + b) is small, as
          for b far below 0.
        """
        at = self._cast(params)
        within = at._adds_nothing(params) & at._is_within(params.network)
        return within & (at._attained(params.network) is not False)

    def is_confirmed(self, params: Augmented, *, fixed: bool = False) -> Bool[Array, ""]:
        """Check whether an admissible point of vanishing gradient is a minimum beyond rounding.

        **Arguments:** `params`, the point; `fixed`, whether parameters of the network are fixed.
        """
        at, network = self._cast(params), params.network
        if not at._attained(network):
            return jnp.asarray(False)
        unit = at._units(network)[1]
        fine = at.slopes(network).max() <= _FINE * unit
        if not fixed:
            fine |= at._is_within(network) & at._can_interpolate(network)
        return at._adds_nothing(params) & fine

    def slopes(self, network: PyTree) -> Float[Array, " samples"]:
        """Return ‖mean of ∇ℓ(f(xᵢ), yᵢ) over the samples with one input‖, 0 past the last input."""
        q, y = self.risk.predictions(network), self.risk.data(network)[1]
        gradients = jax.vmap(jax.grad(self.risk.criterion.loss))(q, y)
        return jnp.linalg.norm(self._means(gradients), axis=1)

    def _means(self, rows: Float[Array, "samples ..."]) -> Float[Array, "inputs ..."]:
        """Return the means over the samples with one input."""
        total = jax.ops.segment_sum(rows, self.inputs, self.count)
        many = jax.ops.segment_sum(jnp.ones(len(rows), rows.dtype), self.inputs, self.count)
        return total / jnp.maximum(many, 1).reshape(-1, *[1] * (rows.ndim - 1))

    def _attained(self, network: PyTree) -> bool | None:
        """Return whether the least loss is attained, for as many outputs as the network has."""
        outputs = self._outputs(network)
        if self.risk.classes is not None and outputs > max(2, self.risk.classes):
            return False
        return self.attained if self._is_known_for(outputs) else None

    def _outputs(self, network: PyTree) -> int:
        """Return the number of the network's outputs."""
        return eqx.filter_eval_shape(predictions, network, self.risk.x).shape[-1]

    def _is_known_for(self, outputs: int) -> bool:
        """Check whether the least loss is known for so many outputs; a scalar label is for one."""
        return self.risk.criterion.labels != "any" or self.risk.y.ndim == 2 or outputs == 1

    def _units(self, network: PyTree) -> tuple[Scalar, Scalar]:
        """Return the units of predictions and of loss gradients."""
        units = self.risk.known(network).units
        prediction = jnp.asarray(units.length, self.risk.x.dtype) ** 2
        return prediction, units.value / prediction

    def _adds_nothing(self, params: Augmented) -> Bool[Array, ""]:
        """Check whether the outputs of the added neurons are below the resolution."""
        q = predictions(params.network, self.risk.x)
        size = self._units(params.network)[0] + jnp.abs(q).max()
        return jnp.abs(params.added(self.risk.x)).max() <= jnp.finfo(q.dtype).eps ** 0.5 * size

    def _is_within(self, network: PyTree) -> Bool[Array, ""]:
        """Check whether the loss gradients are below the resolution."""
        q = predictions(network, self.risk.x)
        gradient = jax.vmap(jax.grad(self.risk.criterion.loss))
        # Rounding of a prediction q by eps·q changes the gradient by eps times H q.
        change = jax.jvp(lambda q: gradient(q, self.risk.y), (q,), (q,))[1]
        eps = jnp.finfo(q.dtype).eps
        rounding = _ROUNDINGS * eps * jnp.linalg.norm(change, axis=1).max()
        return self.slopes(network).max() <= eps**0.5 * self._units(network)[1] + rounding

    def _can_interpolate(self, network: PyTree) -> Bool[Array, ""]:
        """Check whether a short step in θ makes all loss gradients 0, to first order.

        With the Jacobian J of the predictions at the distinct inputs and the blocks H of the loss's
        Hessian, the gradients g + HJδ are 0 for a δ if HJ has the rank of H: if (HJ)(HJ)ᵀ is
        regular on the range of H.
        """
        free, rest = eqx.partition(network, eqx.is_inexact_array)
        theta, unravel = ravel_pytree(free)
        samples = self.risk.x
        first = jax.ops.segment_min(jnp.arange(len(samples)), self.inputs, self.count)
        where = samples[jnp.clip(first, 0, len(samples) - 1)]
        q = predictions(network, samples)
        outputs = q.shape[-1]
        size = self.count * outputs
        if size > min(len(theta), _MOST_PREDICTIONS) or size * len(theta) > _MOST_ENTRIES:
            return jnp.asarray(False)

        jacobian = jax.jacrev(lambda flat: predictions(eqx.combine(unravel(flat), rest), where))(
            theta
        )
        loss = self.risk.criterion.loss
        blocks = self._means(jax.vmap(jax.hessian(loss))(q, self.risk.y))
        gradient = self._means(jax.vmap(jax.grad(loss))(q, self.risk.y)).reshape(-1)
        low, axes = jnp.linalg.eigh(blocks)
        flat = (low <= _FLAT * jnp.abs(low).max()).astype(low.dtype)
        null = jnp.einsum("jkm,jm,jlm->jkl", axes, flat, axes)
        product = jnp.einsum("jkl,jlp->jkp", blocks, jacobian).reshape(size, -1)
        gram = product @ product.T
        # H's null space is filled up: only its range decides whether the Gram matrix is regular.
        scale = jnp.trace(gram) / size
        every = jnp.arange(self.count)
        table = gram.reshape(self.count, outputs, self.count, outputs)
        whole = table.at[every, :, every, :].add(scale * null).reshape(size, size)
        eigenvalues, vectors = jnp.linalg.eigh(whole)
        regular = eigenvalues[0] > _ROUNDINGS * jnp.finfo(q.dtype).eps * eigenvalues[-1]
        step = product.T @ (vectors @ ((vectors.T @ gradient) / eigenvalues))
        length = self.risk.known(network).units.length + jnp.linalg.norm(theta)
        return regular & (jnp.linalg.norm(step) <= _NEAR * length)


def distinct_inputs(risk: EmpiricalRisk) -> Int[np.ndarray, " samples"]:
    """Return the number of each sample's input, the distinct ones numbered from 0."""
    return np.unique(np.asarray(risk.x), axis=0, return_inverse=True)[1].reshape(-1)
