"""The density of a Hessian's eigenvalues, by stochastic Lanczos quadrature."""

import math
from collections.abc import Sequence
from typing import NamedTuple, SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree, Scalar

from landscape_jax.arrays import count, floats, is_traced, positive
from landscape_jax.critical.checks import fitting, one_point
from landscape_jax.critical.lanczos import flat_product, lanczos
from landscape_jax.mistakes import explained
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.search.initial_points import checked_key

# The default width is this fraction of the spectrum's range; the default grid extends this many
# widths beyond its ends, outside of which a normal distribution has 6e-7 of its mass.
_WIDTHS, _BEYOND = 50, 5


class Density(NamedTuple):
    """The density of eigenvalues, a function of unit integral, each smoothed to a normal one.

    - `grid`: the points at which it is evaluated.
    - `density`: the estimate there.
    - `standard_error`: of the estimate, from the scatter of the probes.
    - `width`: the standard deviation σ of the smoothing.
    - `quadrature_error`: a bound, for the whole grid, of the error that more probes do not reduce
      and more steps do.
    """

    grid: Float[Array, " points"]
    density: Float[Array, " points"]
    standard_error: Float[Array, " points"]
    width: Scalar
    quadrature_error: Scalar

    def __repr__(self) -> str:
        """Return how many points the grid has, from where to where, and the width."""
        if is_traced(*self):
            return "Density(traced)"
        ends = f"{float(self.grid[0]):.3g} to {float(self.grid[-1]):.3g}"
        return f"Density({len(self.grid)} points from {ends}, width={float(self.width):.3g})"


@explained
def spectral_density(
    objective: AbstractObjective,
    params: PyTree,
    *,
    grid: Array | np.ndarray | Sequence[float] | None = None,
    points: SupportsIndex = 256,
    width: float | int | Scalar | None = None,
    steps: SupportsIndex = 64,
    probes: SupportsIndex = 16,
    key: Key[Array, ""],
) -> Density:
    """Estimate the density of the P eigenvalues λ of ∇²F at `params` by Hessian-vector products.

    ρ(t) = (1/P) Σᵢ N(t − λᵢ; σ²) = E[vᵀ N(t − ∇²F; σ²) v], the mean over unit vectors v.  Each of
    the `probes` random v gives one estimate: m Lanczos steps from it give nodes θₖ and weights τₖ²
    of a Gaussian quadrature, Σₖ τₖ² N(t − θₖ; σ²).  It is exact for polynomials of degree 2m − 1,
    so its error is at most 4 M(r) r^{1−2m}/(r − 1) for every r > 1, M(r) the largest |N| on the
    ellipse with foci at the spectrum's ends and half axes' sum r (half the range being 1); the
    best r is taken, the ends as Lanczos finds them.

    **Arguments:**

    - `params`, P numbers in any pytree.
    - `grid`: where to evaluate it; `points` of them over the whole spectrum where left out.
    - `width`: σ; a fiftieth of the spectrum's range where left out.
    - `steps`: m, at most P are taken.  It holds m vectors of P numbers.
    - `probes`: how many v; the standard error falls as 1/√probes.
    - `key`: of the probes.

    **Returns:** a `Density`; all NaN where the Hessian is not finite.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range, as if
    `points`, `width`, `steps` or `probes` is too small, or `grid` not one-dimensional; the message
    names it.

    Source: Golub and Meurant, Matrices, Moments and Quadrature, sections 6 and 11; for Hessians of
    networks Ghorbani, Krishnan, Xiao (2019).  The bound: Trefethen, Approximation Theory and
    Approximation Practice, theorem 8.2, taken twice (once for the mean, once for the sum).

    ```python
    >>> import jax, jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> risk = lj.PopulationRisk(jnp.eye(5))
    >>> found = spectral_density(risk, jnp.eye(5), key=jax.random.key(0))
    >>> f"{jnp.trapezoid(found.density, found.grid):.4f}"
    '1.0000'

    ```
    """
    objective, params = one_point(objective, params)
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    if grid is not None:
        grid = floats("grid", grid)
        if grid.ndim != 1 or not grid.size:
            raise ValueError(f"grid has shape {grid.shape}; give a one-dimensional array")
        if not is_traced(grid) and not np.isfinite(np.asarray(grid)).all():
            raise ValueError("grid has NaN or infinite entries; give finite numbers")
    settings = (
        count("points", points, 2),
        None if width is None else positive("width", width),
        min(count("steps", steps), size),
        count("probes", probes, 2),
    )
    with fitting(objective, params):
        return _density(objective, params, grid, *settings, checked_key(key))


@eqx.filter_jit
def _density(
    objective: AbstractObjective,
    params: PyTree,
    grid: Array | None,
    points: int,
    width: float | Array | None,
    steps: int,
    probes: int,
    key: Key[Array, ""],
) -> Density:
    product, flat, _ = flat_product(objective, params)

    def probe(key: Array) -> tuple[Array, Array, Array]:
        fitted = lanczos(product, jax.random.normal(key, flat.shape, flat.dtype), steps, key=key)
        nodes, vectors = fitted.eigh()
        return nodes, vectors[0] ** 2, jnp.abs(fitted.off[-1] * vectors[-1])

    # One probe at a time: memory is for `steps` vectors.
    nodes, weights, residuals = jax.lax.map(probe, jax.random.split(key, probes))
    low, high = (nodes - residuals).min(), (nodes + residuals).max()
    if width is None:
        width = jnp.where(high > low, (high - low) / _WIDTHS, 1)
    width = jnp.asarray(width, flat.dtype)
    if grid is None:
        grid = jnp.linspace(low - _BEYOND * width, high + _BEYOND * width, points)
    grid = jnp.asarray(grid, flat.dtype)

    def estimate(nodes: Array, weights: Array) -> Array:
        return jax.scipy.stats.norm.pdf(grid[:, None], nodes[None], width) @ weights

    estimates = jax.lax.map(lambda pair: estimate(*pair), (nodes, weights))
    scatter = jnp.std(estimates, axis=0, ddof=1) / math.sqrt(probes)
    # P steps find the whole spectrum, so nothing is missed.
    missed = 0 * width if steps == flat.size else _quadrature_error((high - low) / 2, width, steps)
    return Density(grid, estimates.mean(axis=0), scatter, width, missed)


def _quadrature_error(half: Scalar, width: Scalar, steps: int) -> Scalar:
    """Bound the error of Gauss quadrature of a normal density on an interval of length 2 · half."""
    r = 1 + jnp.logspace(-4, 1, 200, dtype=width.dtype)
    # At height y above the real line |N| is exp(y²/2σ²)/(σ√(2π)) at most.
    height = half * (r - 1 / r) / 2
    largest = (height / width) ** 2 / 2 - jnp.log(width * math.sqrt(2 * math.pi))
    return jnp.exp(jnp.min(math.log(4) + largest + (1 - 2 * steps) * jnp.log(r) - jnp.log(r - 1)))
