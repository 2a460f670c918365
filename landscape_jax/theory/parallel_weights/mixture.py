"""The positions of parallel weights that are optimal on average over two Gaussian classes."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from landscape_jax.mistakes import explained, require
from landscape_jax.theory.parallel_weights.line import Normals, Regions, read_normals, regions

# The integral ends where the density has fallen by e⁻⁴⁰ = 4e-18.
_FALL = 40.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
# Replaces log 0, finite so that derivatives are; far below the logarithm of any probability.
_NOTHING = -1e4
# The line ends this many standard deviations beyond all positions and means.
_BEYOND = 20.0


class Mixture(eqx.Module):
    """Labels y = ±1 with a Gaussian x for each: the projections on the common normal.

    **Arguments:** `means` and `variances` of x for y = 1 and for y = −1; `prior`, the probability
    of y = 1.

    **Raises:** `ValueError` if a number is not finite, a variance is not positive, or the prior is
    not in (0, 1).

    Source: LIU, eq. E.6.

    ```python
    >>> Mixture(means=(2.0, -2.0)).prior
    0.5

    ```
    """

    means: tuple[float, float] = (1.0, -1.0)
    variances: tuple[float, float] = (1.0, 1.0)
    prior: float = 0.5

    def __check_init__(self):
        require("means", self.means, tuple[float, float])
        require("variances", self.variances, tuple[float, float])
        require("prior", self.prior, float)
        if not all(map(math.isfinite, self.means)):
            raise ValueError(f"means is {self.means}; give two finite numbers")
        if not all(0 < v < math.inf for v in self.variances):
            raise ValueError(f"variances is {self.variances}; give two positive numbers")
        if not 0 < self.prior < 1:
            raise ValueError(f"prior is {self.prior}; give a number between 0 and 1")


@explained
def mixture_system(
    positions: Float[Array, " weights"], normals: Normals, mixture: Mixture | None = None
) -> tuple[Float[Array, "weights weights"], Float[Array, " weights"]]:
    """Compute F and f of F h = f, which holds if h is optimal for the regions of the positions.

    With π± the priors and P_j±, x̄_j± the probability and the mean of region j in each class,

    F_lk = Σⱼ I_jl I_jk (π₊P_j+ + π₋P_j−),
    f_l = Σ_k Σⱼ I_jl I_jk (π₊P_j+ x̄_j+ + π₋P_j− x̄_j−) − Σⱼ I_jl (π₊P_j+ − π₋P_j−).

    The paper's (E.4), (E.5) are twice that at equal priors; they hold as printed.

    **Arguments:** `positions`, (K,); `normals`, (K,), each 1 or −1; `mixture`, by default the
    paper's: means 1 and −1, variances 1, equal priors.

    **Raises:** `ValueError` if `normals` is not K signs.

    Source: LIU, eqs. E.4, E.5, E.9, E.10.

    ```python
    >>> import jax.numpy as jnp
    >>> F, f = mixture_system(jnp.array([0.0, 0.0]), (1, -1))
    >>> [f"{entry:.4f}" for entry in [*F.ravel().tolist(), *f.tolist()]]
    ['0.5000', '0.0000', '0.0000', '0.5000', '0.2420', '-0.2420']

    ```
    """
    return _system(positions, read_normals(positions, normals), as_arrays(mixture, positions.dtype))


@eqx.filter_jit
def _system(positions: Array, n: Array, mixture: Mixture) -> tuple[Array, Array]:
    found = regions(positions, n)
    log_mass, mean = _of_regions(found, mixture)
    mass, on = jnp.exp(log_mass), found.active.astype(positions.dtype)
    F = jnp.einsum("jl,jk,jc->lk", on, on, mass)
    label = mass[:, 0] - mass[:, 1]
    f = jnp.einsum("jl,jk,jc->l", on, on, mass * mean) - jnp.einsum("jl,j->l", on, label)
    return F, f


@explained
def mixture_minimum(
    positions: Float[Array, " weights"], normals: Normals, mixture: Mixture | None = None
) -> Float[Array, " weights"]:
    """Compute h* with F h* = f, in closed form.

    In region j the network is m_j x − c_j, and E(m_j x − c_j − y)² over the region is least at
    t_j = E[m_j x − y | region j].  The c_j are free except for one relation Σ aⱼ cⱼ = 0, so

    c_j = t_j − aⱼ/P_j · Σ aᵢtᵢ / Σ (aᵢ²/Pᵢ),    n_k h*_k = c_j − c_{j−1},

    where weight k is between regions j − 1 and j.  No matrix is inverted: F is ill-conditioned if
    regions are far out or narrow.  In logarithms this is accurate for positions tens of standard
    deviations from the means, in float32 as well.

    For two weights, n = (1, −1), this is (24) where h₁ ≥ h₂.  Where h₁ < h₂ both are active
    between them and (24) does not hold, which (23) leaves out.

    That F has full rank for Gaussian data (section 7.2) holds at distinct positions, by the jumps
    of the activations; it fails where two equal normals, or two pairs of opposite ones, meet.
    There h* is the limit of separated positions, in the given order, as equal gaps tend to 0.

    **Arguments:** as for `mixture_system`.

    **Returns:** h*, (K,), differentiable in the positions; NaN where a position is.

    **Raises:** `ValueError` if `normals` is not K signs.

    Source: LIU, eqs. 21, 24 and E.1.

    ```python
    >>> import jax.numpy as jnp
    >>> apart = mixture_minimum(jnp.array([0.0, 0.0]), (1, -1))
    >>> far = mixture_minimum(jnp.array([40.0, 0.0]), (1, -1))
    >>> [f"{h:.6f}" for h in (*apart, *far)]
    ['0.483941', '-0.483941', '39.025608', '-0.483941']

    ```
    """
    return minimum(positions, read_normals(positions, normals), as_arrays(mixture, positions.dtype))


def as_arrays(mixture: Mixture | None, dtype: np.dtype) -> Mixture:
    """Return the mixture, by default the paper's, as arrays: new numbers need no compilation."""
    return jax.tree.map(lambda number: jnp.asarray(number, dtype), mixture or Mixture())


@eqx.filter_jit
def minimum(positions: Array, n: Array, mixture: Mixture) -> Array:
    """Compute h* of arguments that have been checked, see `mixture_minimum`."""
    found = regions(positions, n)
    log_mass, mean = _of_regions(found, mixture)
    log_region = logsumexp(log_mass, axis=1)
    share = jnp.exp(log_mass - log_region[:, None])
    target = found.active.sum(axis=1) * (share * mean).sum(axis=1) - (share[:, 0] - share[:, 1])
    a = found.relation
    # aᵢ²/Pᵢ over their sum.
    share_of_relation = jax.nn.softmax(jnp.where(a != 0, -log_region, -jnp.inf))
    c = target - a * share_of_relation * jnp.sum(a * target)
    return n * (c[found.rank + 1] - c[found.rank])


def log_masses(
    low: Float[Array, " intervals"], high: Float[Array, " intervals"], mixture: Mixture
) -> tuple[Float[Array, "intervals classes"], Float[Array, "intervals classes"]]:
    """Compute log(π± P±) and x̄± of intervals low ≤ high, for each class.

    For an empty interval the logarithm is about −1e4, and the mean is its position.

    Source: LIU, eqs. E.9, E.10.
    """
    means = jnp.asarray(mixture.means, low.dtype)
    widths = jnp.sqrt(jnp.asarray(mixture.variances, low.dtype))
    prior = jnp.asarray(mixture.prior, low.dtype)
    ends = [(end[:, None] - means) / widths for end in (low, high)]
    log_mass, mean = _standard(*ends)
    return log_mass + jnp.log(jnp.stack([prior, 1 - prior])), means + widths * mean


def outermost(
    ends: Float[Array, " ends"], mixture: Mixture
) -> tuple[Float[Array, " 1"], Float[Array, " 1"]]:
    """Return finite ends of the line, beyond all probability: infinite ones have no derivatives."""
    means = jnp.asarray(mixture.means, ends.dtype)
    margin = _BEYOND * jnp.sqrt(jnp.max(jnp.asarray(mixture.variances, ends.dtype)))
    low = jnp.minimum(jnp.min(ends), jnp.min(means)) - margin
    high = jnp.maximum(jnp.max(ends), jnp.max(means)) + margin
    return low[None], high[None]


def _of_regions(found: Regions, mixture: Mixture) -> tuple[Array, Array]:
    low, high = outermost(found.ends, mixture)
    return log_masses(
        jnp.concatenate([low, found.ends]), jnp.concatenate([found.ends, high]), mixture
    )


def _standard(low: Array, high: Array) -> tuple[Array, Array]:
    """Compute log P(low < z < high) and E[z | low < z < high] of z ~ N(0, 1).

    By quadrature outwards from the densest point p: with z = p + d, the density's logarithm is
    −p²/2 − d(p + d/2) + const.  Differences of Φ, and the ratio in (E.10), are 0/0 far out and
    lose all digits on narrow intervals; a sum of positive terms loses none.
    """
    peak = jnp.clip(0.0, low, high)
    reach = 2 * _FALL / (jnp.abs(peak) + jnp.sqrt(peak**2 + 2 * _FALL))
    spans = jnp.stack([jnp.minimum(high - peak, reach), jnp.maximum(low - peak, -reach)], axis=-1)
    empty = high <= low
    widths = jnp.where(empty[..., None], 1.0, jnp.abs(spans))
    d = spans[..., None] * jnp.asarray((1 + _NODES) / 2, low.dtype)
    weights = widths[..., None] * jnp.asarray(_WEIGHTS / 2, low.dtype)
    terms = weights * jnp.exp(-d * (peak[..., None, None] + d / 2))
    total = terms.sum((-1, -2))
    log_mass = jnp.log(total) - (peak**2 + math.log(2 * math.pi)) / 2
    return jnp.where(empty, _NOTHING, 0.0) + log_mass, peak + (terms * d).sum((-1, -2)) / total
