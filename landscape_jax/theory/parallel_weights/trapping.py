"""The probability that no sample lies between parallel weights and their optimal positions."""

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from landscape_jax.mistakes import explained
from landscape_jax.theory.parallel_weights.line import Normals, read_normals
from landscape_jax.theory.parallel_weights.mixture import (
    Mixture,
    as_arrays,
    log_masses,
    minimum,
    outermost,
)


class Trapping(NamedTuple):
    """The probability that none of N samples lies in the gaps between h and h*.

    - `optimum`: h*, (K,).
    - `gap`: P_g, the probability that a sample lies in the union of the gaps.
    - `probability`: P_t = (1 − P_g)^N, and `log_probability`, its logarithm; −expm1 of that is the
      probability that some sample lies there.
    - `largest_gap`: the paper's max_k P(g_k) ≤ P_g; `largest_probability` and `log_largest`: P_t
      with it, at least the true one, and its logarithm.
    """

    optimum: Float[Array, " weights"]
    gap: Float[Array, ""]
    probability: Float[Array, ""]
    log_probability: Float[Array, ""]
    largest_gap: Float[Array, ""]
    largest_probability: Float[Array, ""]
    log_largest: Float[Array, ""]


@explained
def trapping(
    positions: Float[Array, " weights"],
    normals: Normals,
    mixture: Mixture | None = None,
    *,
    samples: int = 100,
    gaps_of: Sequence[int] | None = None,
) -> Trapping:
    """Compute P_t = (1 − P_g)^N, P_g the probability of the gaps between h and h*.

    P_g is exact: of the intervals between neighbouring ends of gaps each counts once, however many
    gaps cover it.  The paper uses the largest gap instead of the union.

    P_t is not the probability that a data set has a genuine minimum in the cells of h.  For that
    the gaps to the *data set's* optimum must be empty, see `sample_minimum`.  At the peak, where
    h = h*, P_t is 1 for any N; but the data set's optimum is about N^{−1/2} away, and the nearest
    samples 1/N.  Far out P_t is too small instead: where no sample is active all h are optimal.
    For N = 100 and h = (0.733, −0.733), P_t is 0.98, and 0.055 ± 0.004 of 4000 data sets have the
    minimum; at (4, −4) it is 0.37, and 0.943 ± 0.004 have it.

    **Arguments:** `positions`, (K,); `normals`, (K,), each 1 or −1; `mixture`, by default the
    paper's; `samples`, N; `gaps_of`, the weights whose gaps count (the others are fixed), by
    default all.

    **Returns:** a `Trapping`, differentiable in the positions; NaN where a position is.

    **Raises:** `ValueError` if `normals` is not K signs, samples < 1, or `gaps_of` is empty or
    names a weight that does not exist.

    Source: LIU, eqs. 25, 26, E.7, E.8.

    ```python
    >>> import jax.numpy as jnp
    >>> found = trapping(jnp.array([0.5, -0.5]), (1, -1))
    >>> f"{found.gap:.5f} {found.probability:.5f} {found.largest_probability:.5f}"
    '0.06485 0.00122 0.03702'

    ```
    """
    if samples < 1:
        raise ValueError(f"samples is {samples}; give at least 1")
    n = read_normals(positions, normals)
    chosen = tuple(range(len(n)) if gaps_of is None else gaps_of)
    if not chosen or not set(chosen) <= set(range(len(n))):
        raise ValueError(f"gaps_of is {chosen}; give some of the weights 0 to {len(n) - 1}")
    counted = jnp.zeros(len(n), bool).at[jnp.asarray(chosen)].set(True)
    number = jnp.asarray(samples, positions.dtype)
    return _trapping(positions, n, as_arrays(mixture, positions.dtype), number, counted)


@eqx.filter_jit
def _trapping(
    positions: Array, n: Array, mixture: Mixture, samples: Array, counted: Array
) -> Trapping:
    optimum = minimum(positions, n, mixture)
    end = jnp.where(counted, optimum, positions)
    low, high = jnp.minimum(positions, end), jnp.maximum(positions, end)
    log_in, log_out = _covered(low, high, mixture)
    log_none = samples * _log_none(log_in, log_out)
    worst = jnp.argmax(log_in[1:]) + 1
    return Trapping(
        optimum=optimum,
        gap=jnp.exp(log_in[0]),
        probability=jnp.exp(log_none[0]),
        log_probability=log_none[0],
        largest_gap=jnp.exp(log_in[worst]),
        largest_probability=jnp.exp(log_none[worst]),
        log_largest=log_none[worst],
    )


def _covered(
    low: Float[Array, " gaps"], high: Float[Array, " gaps"], mixture: Mixture
) -> tuple[Float[Array, " gaps+1"], Float[Array, " gaps+1"]]:
    """Compute log P inside and outside, first of the union of all gaps, then of each gap."""
    ends = jnp.sort(jnp.concatenate([low, high]))
    first, last = outermost(ends, mixture)
    lefts, rights = jnp.concatenate([first, ends]), jnp.concatenate([ends, last])
    each = (low <= lefts[:, None]) & (rights[:, None] <= high)
    inside = jnp.column_stack([each.any(axis=1), each])
    log_mass = logsumexp(log_masses(lefts, rights, mixture)[0], axis=1)[:, None]
    log_in = logsumexp(jnp.where(inside, log_mass, -jnp.inf), axis=0)
    return log_in, logsumexp(jnp.where(inside, -jnp.inf, log_mass), axis=0)


def _log_none(log_in: Float[Array, " n"], log_out: Float[Array, " n"]) -> Float[Array, " n"]:
    """Compute log(1 − P_g) from whichever of P_g and 1 − P_g is small."""
    mostly_out = log_in < log_out
    small = jnp.where(mostly_out, log_in, -1.0)
    return jnp.where(mostly_out, jnp.log1p(-jnp.exp(small)), log_out)
