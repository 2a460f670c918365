"""Lemma 4 of SS16: the probability that a uniform point of the sphere is near a given point."""

import math

import numpy as np
from jaxtyping import Float
from scipy.special import betainc

from landscape_jax.mistakes import explained, shown
from landscape_jax.theory.overspecification.sizes import Sizes, real_numbers, whole_numbers

Distances = float | int | np.ndarray


@explained
def cap_probability(distance: Distances, dims: Sizes) -> Float[np.ndarray, "..."]:
    """Compute Pr[‖a − b‖ ≤ δ] for b uniform on the unit sphere of d dimensions, exactly.

    With sin²θ = δ²(1 − δ²/4) it is ½ I(sin²θ; (d − 1)/2, ½) if δ² ≤ 2, otherwise 1 minus that.

    The entry for d = 3 in the table after lemma 4's proof, δ²/2, should be δ²/4 (δ = 2: the whole
    sphere).

    **Arguments:** `distance`, 0 ≤ δ ≤ 2; `dims`, d ≥ 2; they broadcast.

    **Raises:** `ValueError` if one is out of range.

    Source: SS16, lemma 4; the cap's area by Li 2011.

    ```python
    >>> import numpy as np
    >>> cap_probability(1.0, np.array([2, 3])).round(6).tolist()
    [0.333333, 0.25]

    ```
    """
    delta, sizes = _checked(distance, dims)
    square = delta**2 * (1 - delta**2 / 4)
    half = betainc((sizes - 1) / 2, 0.5, np.clip(square, 0, 1)) / 2
    return np.asarray(np.where(delta**2 <= 2, half, 1 - half))


@explained
def lemma_4_bound(distance: Distances, dims: Sizes) -> Float[np.ndarray, "..."]:
    """Compute (δ√(1 − δ²/4))^{d−1} / (π(d − 1)), lemma 4's lower bound on `cap_probability`.

    It holds for all d ≥ 2 and 0 ≤ δ ≤ 2; the lemma states δ > 0, but for δ > 2 it is undefined.
    It increases up to δ = √2 only and is 0 at δ = 2, where the probability is 1.

    **Arguments:** see `cap_probability`.

    **Raises:** `ValueError` if one is out of range.

    Source: SS16, lemma 4.

    ```python
    >>> round(float(lemma_4_bound(1.0, 3)), 6)
    0.119366

    ```
    """
    delta, sizes = _checked(distance, dims)
    sine = delta * np.sqrt(np.maximum(1 - delta**2 / 4, 0))
    return np.asarray(sine ** (sizes - 1) / (math.pi * (sizes - 1)))


@explained
def band_probability(height: Distances, dims: Sizes) -> Float[np.ndarray, "..."]:
    """Compute Pr[|a·b| ≤ s] for b uniform on the unit sphere of d dimensions, exactly.

    It is I(s²; ½, (d − 1)/2).  The hyperplane of a weight vector w meets the ball of radius δ
    around c if and only if |w·c| ≤ δ‖w‖: this band with s = δ/‖c‖.

    **Arguments:** `height`, 0 ≤ s ≤ 1; `dims`, d ≥ 2; they broadcast.

    **Raises:** `ValueError` if one is out of range.

    Source: SS16, section 6.2, A_j.

    ```python
    >>> round(float(band_probability(0.5, 2)), 6), round(float(band_probability(0.5, 3)), 6)
    (0.333333, 0.5)

    ```
    """
    s, sizes = real_numbers("height", height), whole_numbers("dims", dims, 2)
    if not np.all((s >= 0) & (s <= 1)):
        raise ValueError(f"height is {shown(height)}; it must be from 0 to 1")
    return np.asarray(betainc(0.5, (sizes - 1) / 2, s**2))


def _checked(
    distance: Distances, dims: Sizes
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    delta = real_numbers("distance", distance)
    if not np.all((delta >= 0) & (delta <= 2)):
        raise ValueError(f"distance is {shown(distance)}; it must be from 0 to 2")
    return delta, np.asarray(whole_numbers("dims", dims, 2), np.float64)
