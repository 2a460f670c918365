"""Neurons on one ray, which a homogeneous activation merges into one neuron."""

from typing import Literal

import numpy as np
from jaxtyping import Float

# Two neurons are on one ray where their unit vectors agree to so many units in the last place.
_UNITS_IN_THE_LAST_PLACE = 8


def merged_rays(
    rows: Float[np.ndarray, "neurons dim"],
    masses: Float[np.ndarray, " neurons"],
    parity: Literal["odd", "even"] | None = None,
) -> tuple[Float[np.ndarray, "rays dim"], Float[np.ndarray, " rays"]]:
    """Return the unit vectors of the rays that neurons are on, and the sum of the masses on each.

    For φ(ct) = cᵖφ(t), c > 0, the function Σ bⱼ φ(vⱼ·x) is Σ mᵣ φ(uᵣ·x) with the sums mᵣ of the
    masses bⱼ‖vⱼ‖ᵖ on each ray.  For an even φ the rays u and −u are one, for an odd φ too, with the
    opposite mass.  Two neurons are on one ray where their unit vectors agree to 8 units in the last
    place; a sum that is 0 to that precision is left out.

    **Arguments:** `rows`, none of them 0; `masses`; `parity` of φ, where lines are to be merged.

    **Returns:** the rays, in the order of their first neurons.

    ```python
    >>> units, masses = merged_rays(np.array([[2.0, 0], [0, 1], [3, 0]]), np.array([1.0, 2, 4]))
    >>> units.tolist(), masses.tolist()
    ([[1.0, 0.0], [0.0, 1.0]], [5.0, 2.0])

    ```
    """
    tolerance = _UNITS_IN_THE_LAST_PLACE * np.finfo(rows.dtype).eps
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    same = np.abs(units[:, None] - units).max(axis=2, initial=0) <= tolerance
    opposite = np.zeros_like(same)
    if parity is not None:
        opposite = np.abs(units[:, None] + units).max(axis=2, initial=0) <= tolerance
    first = np.argmax(same | opposite, axis=1) if len(rows) else np.zeros(0, int)
    turned = opposite[np.arange(len(rows)), first] & (parity == "odd")
    signed = np.where(turned, -masses, masses)
    totals, sizes = (np.bincount(first, x, len(rows)) for x in (signed, np.abs(masses)))
    kept = np.abs(totals) > tolerance * sizes
    return units[kept], totals[kept].astype(masses.dtype)
