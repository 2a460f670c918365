"""Lower bounds of basin values as claims, from dual points that are repaired exactly."""

from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from landscape_jax.exact.rationals import least_squares, matrix, rational
from landscape_jax.mistakes import explained
from landscape_jax.proofs import NotProven, RegionBound, prove_region_bound
from landscape_jax.theory.basins.values import BasinValues

# As in `bounds`: where a dual constraint is not met exactly, weights are bounded by this multiple.
_REACH = 10


@explained
def lower_bound_claim(
    x: Any, y: Any, patterns: Any, v: Any, values: BasinValues, index: int
) -> RegionBound | NotProven:
    """Prove the lower bound of one basin value in rational arithmetic, for a file.

    The floats r and λ of `values` nearly satisfy the dual constraints.  With cᵢ = aᵢ∘r − bᵢ∘λᵢ and
    the least squares Xsᵢ of cᵢ, λᵢ + bᵢ∘Xsᵢ satisfies them exactly.  If it has a negative entry,
    λᵢ stays, and the bound is for wᵢ with ‖X wᵢ‖ ≤ reachᵢ, that of `values` or 10 times the larger
    of ‖y‖ and the ‖X wᵢ‖ of `values.W`.

    **Arguments:** `x`, `y`, `patterns`, `v`, as for `basin_values`; `values`, its result; `index`,
    which of the problems.

    **Returns:** a `RegionBound`; its `lower` is value − gap, but for rounding.

    Source: SS16, section 4.2.

    ```python
    >>> import jax.numpy as jnp
    >>> from landscape_jax.theory.basins import basin_values, region_patterns
    >>> x, y = jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([1.0, 2.0])
    >>> patterns = region_patterns(x, jnp.array([[[-1.0, -1.0]]]))
    >>> found = basin_values(x, y, patterns, jnp.ones(1))
    >>> lower_bound_claim(x, y, patterns, jnp.ones(1), found, 0).lower
    5/2

    ```
    """
    data, labels = np.asarray(x), np.asarray(y)
    pattern = np.asarray(patterns[index]).astype(int)
    signs = np.broadcast_to(np.asarray(v), (len(patterns), pattern.shape[1]))[index]
    errors = [rational(t) for t in np.asarray(values.errors[index]).tolist()]
    X, active = matrix(data.astype(float).tolist()), matrix(pattern.tolist())
    weights = [rational(t) for t in signs.tolist()]
    multipliers, remainders = _repaired(
        X, active, weights, errors, np.asarray(values.multipliers[index])
    )
    reach = np.asarray(values.reach[index])
    sizes = np.linalg.norm(data @ np.asarray(values.W[index]).T, axis=0)
    far = _REACH * np.maximum(sizes, np.linalg.norm(labels))
    limits = tuple(
        None if not any(row) else rational(float(own if np.isfinite(own) else most))
        for row, own, most in zip(remainders, reach, far, strict=True)
    )
    target = tuple(rational(t) for t in labels.tolist())
    found = prove_region_bound(
        X,
        target,
        active,
        tuple(weights),
        tuple(errors),
        fmpq_mat(multipliers),
        fmpq_mat(remainders),
        limits,
    )
    if found and found.lower >= 0:
        return found
    # No loss is negative, which r = 0 and λ = 0 prove.
    samples, neurons = pattern.shape
    return prove_region_bound(
        X,
        target,
        active,
        tuple(weights),
        (fmpq(0),) * samples,
        fmpq_mat(samples, neurons),
        fmpq_mat(neurons, X.ncols()),
        (None,) * neurons,
    )


def _repaired(
    X: fmpq_mat, active: fmpq_mat, signs: list[fmpq], errors: list[fmpq], floats: np.ndarray
) -> tuple[list[list[fmpq]], list[list[fmpq]]]:
    """Return λ, (samples, neurons), and the sᵢ, 0 where the dual constraint holds exactly."""
    columns, remainders = [], []
    patterns = active.transpose().tolist()
    for own, on, v in zip(floats.T.tolist(), patterns, signs, strict=True):
        multipliers = [rational(max(t, 0.0)) if any(on) else fmpq(0) for t in own]
        sides = [1 if t == 1 else -1 for t in on]
        c = [
            (v * r if b > 0 else 0) - b * m
            for r, m, b in zip(errors, multipliers, sides, strict=True)
        ]
        s = least_squares(X, fmpq_mat(len(c), 1, c))
        moved = [m + b * t for m, b, t in zip(multipliers, sides, (X * s).entries(), strict=True)]
        exact = all(t >= 0 for t in moved)
        columns.append(moved if exact else multipliers)
        remainders.append([fmpq(0)] * X.ncols() if exact else s.entries())
    return [list(row) for row in zip(*columns, strict=True)], remainders
