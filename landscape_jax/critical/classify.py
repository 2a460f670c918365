"""The kind of a critical point by its value and spectrum, without proof."""

import math
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from landscape_jax.mistakes import explained
from landscape_jax.objectives.base import Known
from landscape_jax.objectives.protocols import Attained

Kind = Literal["global", "spurious", "minimum", "saddle", "undecided"]

# A point that attains the infimum is close within this many √(‖∇F‖), in units: F grows at least
# like the cube of the distance, also where the Hessian is singular.
_CLOSE = 10.0
# Values are evidence where their rounding is below this share of the least detail.
_RESOLVED = 1e-6
# The rounding of a sum of terms is at most about this many eps of the sum of their sizes.
_ROUNDING = 4.0


def eigenvalue_tolerance(
    eigenvalues: Float[np.ndarray, " parameters"], slope: float, length: float = 1.0
) -> float:
    """Return the magnitude below which the sign of an eigenvalue is not significant.

    It is P·eps·‖H‖ + √(2‖H‖‖∇F‖/ℓ).  The first term is the rounding of a Hessian of P parameters.
    The second accounts for the point not being critical itself: by Newton–Kantorovich there is a
    critical point nearby, with the same sign, if L‖∇F‖/λ² ≤ ½, where the Lipschitz constant L of
    the Hessian is estimated by ‖H‖/ℓ.  It is a rule, not a proof; proofs are in `proofs/`.

    **Arguments:** all eigenvalues; `slope`, the Euclidean norm of ∇F; `length`, ℓ, the length on
    which the Hessian changes by its own size; where it is 0 there is no Hessian, and no sign is
    significant.
    """
    if not length > 0:
        return math.inf
    norm = float(np.abs(eigenvalues).max(initial=0))
    eps = float(np.finfo(eigenvalues.dtype).eps)
    return insignificant(norm, len(eigenvalues), eps, slope, length)


def insignificant(norm: Any, parameters: int, eps: float, slope: Any, length: Any) -> Any:
    """Return P·eps·‖H‖ + √(2‖H‖‖∇F‖/ℓ), of numbers or of JAX's scalars; see the rule above."""
    return parameters * eps * norm + (2 * norm * slope / length) ** 0.5


def value_rounding(known: Known, attained: Attained | None, size: int, eps: float) -> float:
    """Estimate the rounding error of F: 4 eps times the sizes of its terms where they are known.

    Otherwise it is P·eps times the larger of the infimum and the unit of value.
    """
    if attained is not None:
        return _ROUNDING * eps * attained.terms
    return size * eps * max(abs(known.infimum or 0.0), float(known.units.value))


@explained
def classify(
    known: Known,
    value: float | int,
    eigenvalues: Float[np.ndarray, " parameters"],
    slope: float | int,
    *,
    length: float | int = 1.0,
    attained: Attained | None = None,
    tolerance: float | int | None = None,
) -> Kind:
    """Determine the kind of a critical point numerically, without proof.

    In this order, λ being the smallest eigenvalue and τ the tolerance, ‖∇F‖ in units:

    - "saddle": λ < −τ (a maximum is one of these);
    - "global": the infimum is attained at `attained.point`, which is closer than its `reach` and
      than 10 √‖∇F‖; or the value is the infimum up to rounding, and rounding is below 1e-6 of the
      least detail;
    - "spurious": λ > τ, and the infimum is attained and lower than F at the nearby critical point,
      which is at least F − 2‖∇F‖²/λ, by more than rounding;
    - "minimum": λ > τ, and no lower value is known;
    - "undecided": all else, as where λ is within the tolerance or not a number.

    **Arguments:** `known`, what theory knows; value, eigenvalues in increasing order (NaN where
    there is no Hessian) and Euclidean norm of the gradient at the point; `length`, see
    `eigenvalue_tolerance`; `attained`, a nearby point at which the infimum is attained;
    `tolerance`, of eigenvalues, default: `eigenvalue_tolerance`.

    **Raises:** `ValueError` if there are no eigenvalues.

    ```python
    >>> import numpy as np
    >>> classify(Known(infimum=0.0), 0.02, np.array([0.005, 1.0]), 1e-12)
    'spurious'
    >>> classify(Known(), 0.02, np.array([0.005, 1.0]), 1e-12)
    'minimum'
    >>> classify(Known(), 0.02, np.array([0.005, 1.0]), 1e-3)
    'undecided'

    ```
    """
    if np.ndim(eigenvalues) != 1 or not len(eigenvalues):
        raise ValueError(
            f"eigenvalues has shape {np.shape(eigenvalues)}; give those of a Hessian, at least one"
        )
    if tolerance is None:
        tolerance = eigenvalue_tolerance(eigenvalues, slope, length)
    smallest = float(eigenvalues[0])
    if smallest < -tolerance:
        return "saddle"
    eps = float(np.finfo(eigenvalues.dtype).eps)
    rounding = value_rounding(known, attained, len(eigenvalues), eps)
    if attained is not None and _is_close(known, attained, slope, eps):
        return "global"
    if known.infimum is not None:
        detail = float(known.units.value) if attained is None else attained.detail
        if value <= known.infimum + rounding and rounding <= _RESOLVED * detail:
            return "global"
    if not smallest > tolerance:
        return "undecided"
    if known.infimum is None:
        return "minimum"
    least = value - 2 * slope**2 / smallest
    return "spurious" if least > known.infimum + rounding else "undecided"


def _is_close(known: Known, attained: Attained, slope: float, eps: float) -> bool:
    """Check whether the exhibited point is so near that descent would end in it."""
    relative = slope / float(known.units.gradient)
    near = _CLOSE * math.sqrt(relative) + 64 * eps
    return attained.distance <= min(attained.reach, near * float(known.units.length))
