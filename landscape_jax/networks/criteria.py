"""Criteria: the loss ℓ(q, y) of one prediction q, convex in q."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Scalar

from landscape_jax.arrays import concretely, floats, numbers, values
from landscape_jax.mistakes import explained, shown
from landscape_jax.networks.static_parts import StaticPart
from landscape_jax.public_names import defined

__dir__ = defined(__name__)

Loss = Callable[[Array, Array], Array]
_CLASSES = (
    "y must be classes, one integer from 0 for each sample, or distributions, rows that sum to 1"
)


@dataclass(frozen=True)
class Hinge:
    """Σₖ max(0, 1 − yₖqₖ)^p, for labels yₖ = ±1; differentiable for p ≥ 2."""

    power: float

    def __call__(self, q: Float[Array, " outputs"], y: Float[Array, " outputs"]) -> Scalar:
        """Return the loss of one prediction."""
        return jnp.sum(jnp.maximum(0, 1 - y * q) ** self.power)


@dataclass(frozen=True)
class Criterion(StaticPart):
    """The loss of one prediction and its known properties; static, equal where its parts are.

    - `loss`: a function of a prediction q, shape (outputs,), and its label y, to a scalar.
    - `labels`: what labels must be: "real" (outputs,), "sign" (outputs,) of ±1, "class" (an integer
      from 0, or a distribution over the outputs), or "any".
    """

    name: str
    loss: Loss
    labels: str = "any"

    def __call__(self, q: Float[Array, " outputs"], y: Any) -> Scalar:
        """Return the loss of one prediction."""
        return self.loss(q, y)

    def checked(self, y: Any, samples: int, dtype) -> Array:
        """Return the labels of all samples in the shape that the loss expects.

        Classes and labels of any kind keep their type, others have the given `dtype`.

        **Raises:** `TypeError` if labels are not real numbers; `ValueError` if they have another
        shape or other values than `labels`.
        """
        given = numbers("y", y)
        if given.ndim == 0 or given.shape[0] != samples:
            raise ValueError(
                f"y has shape {given.shape}; give one label for each of the {samples} samples"
            )
        if self.labels == "any":
            return given
        if self.labels == "class" and given.ndim == 1 and jnp.issubdtype(given.dtype, jnp.integer):
            classes = values(given, y)
            if classes is not None and classes.min() < 0:
                raise ValueError(f"y has the class {classes.min()}; {_CLASSES}")
            return given
        if given.ndim > 2:
            raise ValueError(f"y has shape {given.shape}; give (samples,) or (samples, outputs)")
        with concretely(y):
            table = floats("y", given).astype(dtype).reshape(samples, -1)
        known = values(table, y)
        if known is not None:
            eps = float(jnp.finfo(dtype).eps)
            self._check_values(known.astype(float).reshape(samples, -1), eps)
        return table

    def _check_values(self, y: np.ndarray, eps: float) -> None:
        if not np.isfinite(y).all():
            raise ValueError("y has entries that are not finite; give finite labels")
        if self.labels == "sign" and not (np.abs(y) == 1).all():
            raise ValueError(f"y must be −1 or 1 for the criterion {self.name}")
        rounding = max(1e-6, 8 * eps)
        if self.labels == "class" and not (
            (y >= 0).all() and np.abs(y.sum(axis=1) - 1).max() <= rounding
        ):
            raise ValueError(f"y has a row that is no distribution; {_CLASSES}")


@explained
def hinge(power: float | int = 2) -> Criterion:
    """Return the criterion Σₖ max(0, 1 − yₖqₖ)^p for labels ±1, the smoothed hinge loss of KK20.

    **Raises:** `ValueError` if p < 2, as the loss is not continuously differentiable then.
    """
    if not power >= 2:
        raise ValueError(f"power is {power}; it must be at least 2, for a differentiable loss")
    return Criterion(f"hinge^{power:g}", Hinge(float(power)), "sign")


def _squared(q: Array, y: Array) -> Array:
    return jnp.sum((q - y) ** 2)


def _cross_entropy(q: Array, y: Array) -> Array:
    logarithm = jax.nn.log_softmax(q)
    if jnp.issubdtype(y.dtype, jnp.integer):
        return -logarithm[y]
    return -jnp.sum(y * logarithm)


def _logistic(q: Array, y: Array) -> Array:
    return jnp.sum(jnp.logaddexp(0, -y * q))


_KNOWN = {
    known.name: known
    for known in (
        Criterion("squared", _squared, "real"),
        Criterion("cross_entropy", _cross_entropy, "class"),
        Criterion("logistic", _logistic, "sign"),
    )
}
NAMES = tuple(_KNOWN)


@explained
def named(criterion: str | Loss | Criterion) -> Criterion:
    """Return the criterion of a name, or a user's function of q and y as a criterion.

    **Raises:** `ValueError` if a name is not known, `TypeError` if it is not a name or function.

    ```python
    >>> import jax.numpy as jnp
    >>> from landscape_jax.networks import criteria
    >>> float(criteria.named("squared")(jnp.array([1.0, 2.0]), jnp.array([0.0, 0.0])))
    5.0

    ```
    """
    if isinstance(criterion, Criterion):
        return criterion
    if isinstance(criterion, str):
        if criterion not in _KNOWN:
            raise ValueError(
                f"criterion is {criterion!r}; it must be a function of (q, y), hinge(p) or one of "
                f"{', '.join(NAMES)}"
            )
        return _KNOWN[criterion]
    if not callable(criterion):
        raise TypeError(f"criterion is {shown(criterion)}; give a name or a function of (q, y)")
    return Criterion(getattr(criterion, "__name__", repr(criterion)), criterion)
