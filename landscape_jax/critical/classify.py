"""What kind of critical point a value and a spectrum belong to."""

import math
from typing import Literal

import numpy as np
from jaxtyping import Float

from landscape_jax.objectives.base import Known

Kind = Literal["global", "spurious", "minimum", "saddle", "undecided"]


def eigenvalue_tolerance(
    eigenvalues: Float[np.ndarray, " parameters"], gradient_norm: float
) -> float:
    """Give the size up to which the sign of an eigenvalue says nothing of a critical point nearby.

    It is P·eps·‖H‖ + √(2‖H‖‖∇F‖).  The first term is the rounding of a Hessian of P parameters.
    The second says that the point is not critical itself: by Newton–Kantorovich there is one
    near, with the same sign, when L‖∇F‖/λ² ≤ ½, and the Lipschitz constant L of the Hessian is
    taken to be ‖H‖ (parameters of order one).  It is a rule, not a proof; proofs are in `proofs/`.

    **Arguments:** all eigenvalues; the norm of the gradient.
    """
    norm = float(np.abs(eigenvalues).max(initial=0))
    rounding = len(eigenvalues) * float(np.finfo(eigenvalues.dtype).eps)
    return rounding * norm + math.sqrt(2 * norm * gradient_norm)


def classify(
    known: Known,
    value: float,
    eigenvalues: Float[np.ndarray, " parameters"],
    gradient_norm: float,
    *,
    tolerance: float | None = None,
) -> Kind:
    """Say of which kind the critical point is.

    - "global": an infimum is known and attained, and the value is the infimum up to rounding, or
      below `known.below_value` (the convention under which a descent counts as global);
    - "saddle": the smallest eigenvalue is below −tolerance (a maximum is one of these);
    - "spurious": it is above the tolerance, and a lower value is known to be attained;
    - "minimum": it is above the tolerance, and no lower value is known;
    - "undecided": it is within the tolerance, or not a number.

    **Arguments:** `known`, what theory knows; value, eigenvalues in increasing order and gradient
    norm at the point; `tolerance`, of eigenvalues, default: `eigenvalue_tolerance`.

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
    if known.infimum is not None:
        rounding = len(eigenvalues) * float(np.finfo(eigenvalues.dtype).eps)
        attained = known.infimum + rounding * max(1.0, abs(known.infimum))
        convention = -math.inf if known.below_value is None else float(known.below_value)
        if value <= attained or value < convention:
            return "global"
    if tolerance is None:
        tolerance = eigenvalue_tolerance(eigenvalues, gradient_norm)
    smallest = float(eigenvalues[0])
    if smallest < -tolerance:
        return "saddle"
    if smallest > tolerance:
        return "minimum" if known.infimum is None else "spurious"
    return "undecided"
