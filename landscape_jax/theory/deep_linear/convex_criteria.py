"""Corollary 5 of YSJ19: convex criteria, and whether they have a minimum near a linear map."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Scalar

from landscape_jax.networks import DeepLinear, criteria
from landscape_jax.objectives import AbstractObjective, EmpiricalRisk

# Largest R‖g‖/λ, the change of predictions up to the minimum, for which a minimum is proven.
_STEP = 0.5
# Rounding errors of gradient and Hessian, in units of eps · outputs · (1 + max |q|).
_ROUNDING = 64
# Singular values of the inputs below this, relative to the largest, count as zero.
_RANK = 1e-12


class OfProduct(AbstractObjective):
    """ℓ₀: the empirical risk as a function of the product matrix."""

    risk: EmpiricalRisk

    def __call__(self, params: Float[Array, "outputs inputs"]) -> Scalar:
        """Return the risk of the linear map."""
        return self.risk(DeepLinear([params]))


class _Whitened(NamedTuple):
    """ℓ₀ for whitened inputs: its derivatives, the largest ‖x‖ and the largest |prediction|."""

    gradient: Float[np.ndarray, " entries"]
    hessian: Float[np.ndarray, "entries entries"]
    reach: float
    prediction: float


def is_convex(risk: EmpiricalRisk) -> bool:
    """Check whether the criterion is a named one, all of which are convex in the prediction.

    ```python
    >>> import jax.numpy as jnp
    >>> x, y = jnp.eye(2), jnp.array([1.0, -1.0])
    >>> is_convex(EmpiricalRisk(x, y, criterion="logistic"))
    True
    >>> is_convex(EmpiricalRisk(x, y, criterion=lambda q, y: jnp.sum(jnp.sin(q - y))))
    False

    ```
    """
    criterion = risk.criterion
    named = any(criterion == criteria.named(name) for name in criteria.NAMES)
    return named or isinstance(criterion.loss, criteria.Hinge)


def has_minimum_near(risk: EmpiricalRisk, product: Float[np.ndarray, "outputs inputs"]) -> bool:
    """Check that a convex named risk has a minimum near a linear map with a nearly zero gradient.

    The squared loss and hinge^p, convex and piecewise polynomial or of that growth, attain their
    infimum for all data.  Logistic and cross-entropy need not: on separable data the gradient
    decays like e^{−q}, to 0 in floats.  Both are self-concordant, |f‴| ≤ R‖d‖ f″ along a line of
    direction d, with R = √2 max ‖x‖.  So there is a minimum if R ‖g‖/λ ≤ ½, with the gradient g,
    plus its rounding error, and the least eigenvalue λ of the Hessian.  Evaluated in coordinates
    with white inputs, for cross-entropy modulo shifts of all outputs by the same amount.

    Source: Bach, *Self-concordant analysis for logistic regression*, 2010, proposition 2.
    """
    kind = risk.criterion.name
    named = any(risk.criterion == criteria.named(name) for name in ("logistic", "cross_entropy"))
    # If all inputs are 0 the risk is constant.
    if not named or not risk.x.any():
        return True
    white = _whitened(risk, product)
    values, vectors = np.linalg.eigh(white.hessian)
    outputs = len(product)
    # The number of directions that change no softmax.
    flat = white.gradient.size // outputs if kind == "cross_entropy" else 0
    noise = _ROUNDING * np.finfo(np.float64).eps * outputs * (1 + white.prediction)
    least = values[flat] if len(values) > flat else np.inf
    if not least > noise:
        return False
    along = vectors[:, flat:].T @ white.gradient
    step = (np.linalg.norm(along) + noise) / (least - noise)
    return bool(np.sqrt(2) * white.reach * step <= _STEP)


def _whitened(risk: EmpiricalRisk, product: np.ndarray) -> _Whitened:
    """Whiten the inputs: x = (U√N)(S Vᵀ/√N), the second factor moved into the linear map."""
    x = np.asarray(risk.x, np.float64)
    U, S, Vt = np.linalg.svd(x, full_matrices=False)
    zero = _RANK * S.max()
    rank = int(np.sum(zero < S))
    size = np.sqrt(len(x))
    white = U[:, :rank] * size
    turned = product @ Vt[:rank].T * (S[:rank] / size)
    again = EmpiricalRisk(jnp.asarray(white), risk.y, criterion=risk.criterion, chunk=risk.chunk)
    gradient, hessian = _second_order(OfProduct(again), jnp.asarray(turned))
    entries = turned.size
    reach = float(np.linalg.norm(white, axis=1).max())
    return _Whitened(
        np.asarray(gradient).ravel(),
        np.asarray(hessian).reshape(entries, entries),
        reach,
        float(np.abs(white @ turned.T).max()),
    )


@eqx.filter_jit
def _second_order(loss: OfProduct, product: Array) -> tuple[Array, Array]:
    return jax.grad(lambda R: loss(R))(product), jax.hessian(lambda R: loss(R))(product)
