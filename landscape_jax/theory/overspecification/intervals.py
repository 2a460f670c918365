"""Exact (Clopper–Pearson) confidence intervals of probabilities from counts."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import beta

from landscape_jax.mistakes import explained, shown
from landscape_jax.theory.overspecification.sizes import real_numbers

_Counts = int | np.integer | np.ndarray


class Share(NamedTuple):
    """An estimated probability and its confidence interval, floats or arrays of one shape.

    - `estimate`: successes / trials.
    - `low`, `high`: the ends of the interval.
    """

    estimate: Float[np.ndarray, "..."]
    low: Float[np.ndarray, "..."]
    high: Float[np.ndarray, "..."]


@explained
def clopper_pearson(
    successes: _Counts, trials: _Counts, *, confidence: float | Float[np.ndarray, "..."] = 0.95
) -> Share:
    """Compute the exact binomial (Clopper–Pearson) confidence interval of a probability.

    By quantiles of the beta distribution,

    low = B⁻¹((1 − confidence)/2; s, t − s + 1),  high = B⁻¹((1 + confidence)/2; s + 1, t − s):

    for every probability, the interval lies below it, and above it, with probability at most
    (1 − confidence)/2 each.

    **Arguments:** `successes` and `trials`, integers or arrays of integers that broadcast;
    `confidence`, between 0 and 1.

    **Returns:** a `Share`.

    **Raises:** `ValueError` unless 0 ≤ successes ≤ trials, trials ≥ 1 and 0 < confidence < 1.

    Source: Clopper and Pearson 1934.

    ```python
    >>> found = clopper_pearson(0, 100)
    >>> float(found.estimate), float(found.low), round(float(found.high), 6)
    (0.0, 0.0, 0.036217)

    ```
    """
    level = real_numbers("confidence", confidence)
    try:
        s, t, _ = np.broadcast_arrays(successes, trials, level)
    except ValueError as error:
        shapes = ", ".join(str(np.shape(part)) for part in (successes, trials, level))
        raise ValueError(
            f"successes, trials and confidence have the shapes {shapes}; give ones that broadcast"
        ) from error
    if not (np.issubdtype(s.dtype, np.integer) and np.issubdtype(t.dtype, np.integer)):
        raise ValueError(f"successes and trials are {s.dtype} and {t.dtype}; give whole numbers")
    if not (np.all(t >= 1) and np.all(s >= 0) and np.all(s <= t)):
        raise ValueError(
            f"successes is {shown(successes)}, trials is {shown(trials)}; give 0 ≤ successes ≤ "
            "trials, and trials ≥ 1"
        )
    if not np.all((level > 0) & (level < 1)):
        raise ValueError(f"confidence is {confidence}; it must be between 0 and 1")
    # At 0 or all successes the beta quantile is NaN, and the interval ends at 0 or 1.
    low = np.where(s == 0, 0.0, beta.ppf((1 - level) / 2, np.maximum(s, 1), t - s + 1))
    high = np.where(s == t, 1.0, beta.ppf((1 + level) / 2, s + 1, np.maximum(t - s, 1)))
    return Share(np.asarray(s / t), low, high)
