"""The share of values at most a level, for values that are known between two bounds."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from landscape_jax.mistakes import explained
from landscape_jax.theory.overspecification import Share, clopper_pearson


class DecidedShare(NamedTuple):
    """The share of values at most a level, with an interval that undecided values widen.

    - `share`: an estimate and its interval: the estimate counts the values proven to be at most the
      level; the interval's lower end counts all undecided ones as above, its upper end as at most
      the level.
    - `below`, `undecided`: the numbers of values proven to be at most the level, and undecided.
    """

    share: Share
    below: int
    undecided: int


@explained
def share_at_most(
    value: Float[np.ndarray, " starts"],
    gap: Float[np.ndarray, " starts"],
    level: float,
    *,
    confidence: float = 0.95,
) -> DecidedShare:
    """Compute the share of values at most a level, with its Clopper–Pearson interval.

    The true value is between value − gap and value.  It counts if value ≤ level, does not count if
    value − gap > level, and is undecided otherwise.  The interval covers the probability with at
    least the given confidence, whatever the undecided values are.

    **Arguments:** `value`, upper bounds, and `gap` ≥ 0, both (starts,); `level`, finite;
    `confidence`, between 0 and 1.

    **Returns:** a `DecidedShare`.

    **Raises:** `ValueError` if there are no values, or a bound or the level is NaN.

    Source: SS16, F_n of definition 9; Clopper and Pearson 1934.

    ```python
    >>> import numpy as np
    >>> found = share_at_most(np.array([0.1, 0.3, 0.5]), np.array([0.0, 0.2, 0.1]), 0.2)
    >>> found.below, found.undecided, [round(float(end), 3) for end in found.share]
    (1, 1, [0.333, 0.008, 0.992])

    ```
    """
    if np.isnan(value).any() or np.isnan(gap).any() or np.isnan(level):
        raise ValueError("value, gap or level has NaN; give bounds that hold")
    below = int(np.count_nonzero(value <= level))
    undecided = int(np.count_nonzero(value - gap <= level)) - below
    least = clopper_pearson(below, len(value), confidence=confidence)
    most = clopper_pearson(below + undecided, len(value), confidence=confidence)
    return DecidedShare(Share(least.estimate, least.low, most.high), below, undecided)
