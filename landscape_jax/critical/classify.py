"""What kind of critical point a value and a spectrum belong to, and on what evidence."""

import math
from typing import Literal

import numpy as np
from jaxtyping import Float

from landscape_jax.objectives.base import Attained, Known

Kind = Literal["global", "spurious", "minimum", "saddle", "undecided"]

# A point that attains the infimum is close within so many √(‖∇F‖), in units: F grows at least like
# the cube of the distance, also where the Hessian is singular.
_CLOSE = 10.0
# Values decide where their rounding is below so much of the least detail.
_RESOLVED = 1e-6
# A sum of terms is rounded by at most about so many eps of the sum of their sizes.
_ROUNDING = 4.0


def eigenvalue_tolerance(
    eigenvalues: Float[np.ndarray, " parameters"], slope: float, length: float = 1.0
) -> float:
    """Return the magnitude below which the sign of an eigenvalue is not significant.

    It is P·eps·‖H‖ + √(2‖H‖‖∇F‖/ℓ).  The first term is the rounding of a Hessian of P parameters.
    The second says that the point is not critical itself: by Newton–Kantorovich there is one
    near, with the same sign, when L‖∇F‖/λ² ≤ ½, and the Lipschitz constant L of the Hessian is
    taken to be ‖H‖/ℓ.  It is a rule, not a proof; proofs are in `proofs/`.

    **Arguments:** all eigenvalues; `slope`, the Euclidean norm of ∇F; `length`, ℓ, the length on
    which the Hessian changes by its own size; where it is 0 there is none, and no sign is
    significant.
    """
    if not length > 0:
        return math.inf
    norm = float(np.abs(eigenvalues).max(initial=0))
    rounding = len(eigenvalues) * float(np.finfo(eigenvalues.dtype).eps)
    return rounding * norm + math.sqrt(2 * norm * slope / length)


def value_rounding(known: Known, attained: Attained | None, size: int, eps: float) -> float:
    """Return the error of F by rounding: eps times the sizes of its terms where they are known.

    Where they are not, it is P·eps times the larger of the infimum and the unit of value.
    """
    if attained is not None:
        return _ROUNDING * eps * attained.terms
    return size * eps * max(abs(known.infimum or 0.0), float(known.units.value))


def classify(
    known: Known,
    value: float,
    eigenvalues: Float[np.ndarray, " parameters"],
    slope: float,
    *,
    length: float = 1.0,
    attained: Attained | None = None,
    tolerance: float | None = None,
) -> Kind:
    """Decide of which kind a critical point is, on evidence alone.

    In this order, λ being the smallest eigenvalue and τ the tolerance, ‖∇F‖ in units:

    - "saddle": λ < −τ (a maximum is one of these);
    - "global": the infimum is attained at `attained.point`, which is closer than its `reach` and
      than 10 √‖∇F‖; or the value is the infimum up to rounding, and rounding is below 1e-6 of the
      least detail;
    - "spurious": λ > τ, and the infimum is attained and lower than F at the critical point near by,
      which is at least F − 2‖∇F‖²/λ, by more than rounding;
    - "minimum": λ > τ, and no lower value is known;
    - "undecided": all else, as where λ is within the tolerance or not a number.

    **Arguments:** `known`, what theory knows; value, eigenvalues in increasing order (NaN where
    there is no Hessian) and Euclidean norm of the gradient at the point; `length`, see
    `eigenvalue_tolerance`; `attained`, a point near by at which the infimum is attained;
    `tolerance`, of eigenvalues, default: `eigenvalue_tolerance`.

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
    """Return whether the exhibited point is so near that a descent there would end in it."""
    relative = slope / float(known.units.gradient)
    near = _CLOSE * math.sqrt(relative) + 64 * eps
    return attained.distance <= min(attained.reach, near * float(known.units.length))
