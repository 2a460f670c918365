"""The empirical risk: the mean loss of a network's predictions on a data set."""

from collections.abc import Callable
from typing import Any, SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree, Scalar

from landscape_jax.arrays import checked, count, values
from landscape_jax.networks import criteria
from landscape_jax.networks.models import DeepLinear, Mlp, TwoLayer
from landscape_jax.networks.predictions import predictions
from landscape_jax.objectives.base import AbstractObjective, Known, Units
from landscape_jax.objectives.function_module import FunctionModule
from landscape_jax.objectives.hidden_neurons import network_symmetry
from landscape_jax.precision import precision, times


class EmpiricalRisk(AbstractObjective):
    """The mean over samples of the loss of a network's prediction.

    L(f) = (1/N) Σᵢ ℓ(f(xᵢ), yᵢ)

    Samples are processed a chunk at a time, also under `grad`, so that the memory beyond the data
    does not grow with their number.

    **Arguments:**

    - `x`: the samples, shape (N, inputs), one a row, or (N, …) for networks of other inputs, such
      as images.
    - `y`: their labels: (N,) or (N, outputs); for "cross_entropy" classes, N integers, or
      distributions, (N, outputs); for "logistic" and `criteria.hinge(p)` −1 or 1.
    - `criterion`: "squared", ‖q − y‖²; "cross_entropy", with softmax; "logistic", log(1 + e^{−yq});
      `criteria.hinge(p)`; or any function of a prediction q, shape (outputs,), and its label.
    - `chunk`: samples held at a time.

    Call it with a network: any pytree that is a function of samples, (N, …) to (N, outputs), or of
    one sample, as the modules of `equinox.nn` are (see `networks.predictions`).  It computes in the
    precision of the network's arrays.

    **Raises:** `TypeError` if data are not real numbers; `ValueError` if they are not finite or do
    not fit.

    ```python
    >>> import jax, jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> x, y = jnp.array([[1.0], [2.0]]), jnp.array([1.0, 3.0])
    >>> risk = lj.EmpiricalRisk(x, y)
    >>> float(risk(lj.DeepLinear([jnp.ones((1, 1))])))
    0.5
    >>> jax.grad(risk)(lj.DeepLinear([jnp.ones((1, 1))])).weights[0].tolist()
    [[-2.0]]

    ```
    """

    x: Float[Array, "samples *inputs"]
    y: Array
    criterion: criteria.Criterion = eqx.field(static=True)
    chunk: int = eqx.field(static=True)
    # How many outputs classes need; jnp would clip an index past the end.
    classes: int | None = eqx.field(static=True)

    def __init__(
        self,
        x,
        y,
        *,
        criterion: str | criteria.Loss | criteria.Criterion = "squared",
        chunk: SupportsIndex = 16384,
    ):
        self.x = checked("x", x, 2, "(samples, inputs) or (samples, …)", more=True)
        self.criterion = criteria.named(criterion)
        self.y = self.criterion.checked(y, len(self.x), self.x.dtype)
        self.chunk = min(count("chunk", chunk), len(self.x))
        are_classes = self.criterion.labels == "class" and self.y.ndim == 1
        classes = values(self.y, y) if are_classes else None
        self.classes = None if classes is None else int(classes.max()) + 1

    def __call__(self, network: PyTree) -> Scalar:
        """Return L(network)."""
        chunks, rest = divmod(len(self.x), self.chunk)
        if chunks == 1 and not rest:
            return jnp.mean(self._losses(network, self.x, self.y))
        return self._in_chunks(network, chunks, rest)

    # Jitted, as a loop outside of `jit` is compiled again in every call.
    @eqx.filter_jit
    def _in_chunks(self, network: PyTree, chunks: int, rest: int) -> Scalar:
        def part(start: Array | int, size: int) -> Array:
            x, y = (jax.lax.dynamic_slice_in_dim(a, start, size) for a in (self.x, self.y))
            return jnp.sum(self._losses(network, x, y))

        step = jax.checkpoint(lambda i: part(i * self.chunk, self.chunk))
        dtype = precision(network, self.x.dtype)
        tail = part(chunks * self.chunk, rest) if rest else jnp.zeros((), dtype)
        total, _ = jax.lax.scan(lambda s, i: (s + step(i), None), tail, jnp.arange(chunks))
        return total / len(self.x)

    def known(self, params: PyTree) -> Known:
        """Return the symmetry of a `TwoLayer` or an `Mlp`, and the units.

        In each hidden layer the neurons may be permuted; for an odd or even activation each may
        change its sign; for a homogeneous one, such as relu, a neuron's incoming weights may be
        multiplied by any c > 0 and its outgoing ones by c to minus its degree.  Other networks have
        no known symmetry.

        For "squared" the unit of values is the variance of the labels, and that of parameters its
        fourth root, the size of parameters in a network of two layers of equal size.  For other
        criteria both are 1.  Inputs are assumed to be of order one.
        """
        units = Units(*_units(self.y)) if self.criterion.name == "squared" else Units()
        return Known(symmetry=network_symmetry(params), units=units)

    def smooth_radius(self, params: PyTree) -> Scalar | float:
        """Return 0 where a sample lies exactly on a kink of a hidden neuron, else ∞, as if smooth.

        Only a `TwoLayer` is tested: its risk has no Hessian where a change of the neuron moves the
        kink and changes the outputs.
        """
        if not isinstance(params, TwoLayer) or not params.activation.kinks:
            return jnp.inf
        h = times(self.data(params)[0], params.W1.T)
        h = h if params.b1 is None else h + params.b1[None]
        moves = jnp.full(len(self.x), True) if params.b1 is not None else self.x.any(axis=1)
        seen = moves[:, None] & params.W2.any(axis=0)[None]
        on_kink = jnp.stack([h == kink for kink in params.activation.kinks]).any(axis=0)
        return jnp.where((on_kink & seen).any(), 0, jnp.inf)

    def data(self, network: PyTree) -> tuple[Float[Array, "samples *inputs"], Array]:
        """Return samples and labels in the precision of a network; classes stay integers."""
        return self._cast(network, self.x, self.y)

    def predictions(self, network: PyTree) -> Float[Array, "samples outputs"]:
        """Return f(xᵢ) for each sample, a row each."""
        return predictions(network, self.data(network)[0])

    def losses(self, network: PyTree) -> Float[Array, " samples"]:
        """Return ℓ(f(xᵢ), yᵢ) for each sample."""
        return self._losses(network, self.x, self.y)

    def batches(self, size: SupportsIndex) -> Callable[[Key[Array, ""]], "EmpiricalRisk"]:
        """Return the function from a key to the risk on `size` samples drawn with replacement.

        Its mean over keys is this risk: pass it as `restart(…, batches=…)`.

        **Raises:** `TypeError` if `size` is not an integer, `ValueError` if it is below 1.
        """
        return Batches(self, count("size", size))

    def _cast(self, network: PyTree, x: Array, y: Array) -> tuple[Array, Array]:
        dtype = precision(network, x.dtype)
        return x.astype(dtype), y.astype(dtype) if jnp.issubdtype(y.dtype, jnp.floating) else y

    def _losses(self, network: Any, x: Array, y: Array) -> Array:
        x, y = self._cast(network, x, y)
        taken = _inputs(network)
        if taken is not None and x.shape[-1] != taken:
            raise ValueError(f"x has {x.shape[-1]} inputs a sample; the network takes {taken}")
        q = predictions(network, x)
        if self.classes is not None and self.classes > q.shape[1]:
            raise ValueError(
                f"y has class {self.classes - 1}; the network gives {q.shape[1]} outputs, "
                "one for each class from 0"
            )
        if y.ndim == 2 and self.criterion.labels != "any" and y.shape != q.shape:
            raise ValueError(f"y has {y.shape[1]} outputs; the network gives {q.shape[1]}")
        return jax.vmap(self.criterion.loss)(q, y).astype(x.dtype)


def _inputs(network: Any) -> int | None:
    """Return how many inputs one of our networks takes, `None` for any other."""
    if isinstance(network, TwoLayer):
        return network.W1.shape[1]
    return network.weights[0].shape[1] if isinstance(network, DeepLinear | Mlp) else None


@jax.jit
def _units(y: Array) -> tuple[Scalar, Scalar]:
    """Return the labels' variance (where rounding: mean square, or 1) and its fourth root."""
    spread = jnp.mean(jnp.sum((y - y.mean(axis=0, keepdims=True)) ** 2, axis=-1))
    square = jnp.mean(jnp.sum(y**2, axis=-1))
    varies = spread > jnp.finfo(y.dtype).eps * square
    value = jnp.where(varies, spread, jnp.where(square > 0, square, 1))
    return value, value**0.25


class Batches(FunctionModule):
    """Draw the risk on a few samples; see `EmpiricalRisk.batches`."""

    risk: EmpiricalRisk
    size: int = eqx.field(static=True)

    def __call__(self, key: Key[Array, ""]) -> EmpiricalRisk:
        """Draw one batch."""
        chosen = jax.random.randint(key, (self.size,), 0, len(self.risk.x))
        x, y = self.risk.x[chosen], self.risk.y[chosen]
        return EmpiricalRisk(x, y, criterion=self.risk.criterion, chunk=self.risk.chunk)
