"""Extreme eigenvalues of a Hessian by Lanczos' method with full reorthogonalization."""

from collections.abc import Callable
from typing import NamedTuple, SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree, Scalar

from landscape_jax.arrays import count as counted
from landscape_jax.critical.checks import fitting, one_point
from landscape_jax.mistakes import explained, shown
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.objectives.protocols import hessian_products, smooth_radius
from landscape_jax.precision import times
from landscape_jax.search.initial_points import checked_key

Product = Callable[[Array], Array]
_STEPS = 64


class Eigenvalues(NamedTuple):
    """Estimates of eigenvalues of ∇²F, in increasing order, each with an error bound.

    - `values`: the estimates θ.
    - `error_bounds`: there is an eigenvalue within this distance of θ; see `extreme_eigenvalues`.
    - `vectors`: estimates of unit eigenvectors, params with a leading axis, e.g. for `slices`.
    """

    values: Float[Array, " count"]
    error_bounds: Float[Array, " count"]
    vectors: PyTree


class Tridiagonal(NamedTuple):
    """T = Q H Qᵀ on the orthonormal rows of Q; T is symmetric with one off-diagonal.

    `off[j]` couples rows j and j + 1, the last entry row `steps` − 1 with the complement of Q.
    """

    diagonal: Float[Array, " steps"]
    off: Float[Array, " steps"]
    basis: Float[Array, "steps parameters"]

    def eigh(self) -> tuple[Float[Array, " steps"], Float[Array, "steps steps"]]:
        """Compute T's eigenvalues in increasing order, and eigenvectors as columns; NaN for NaN."""
        # Masked before `eigh`, which need not return NaN for NaN.
        inner = self.off[:-1]
        T = jnp.diag(self.diagonal) + jnp.diag(inner, 1) + jnp.diag(inner, -1)
        finite = jnp.isfinite(T).all()
        values, vectors = jnp.linalg.eigh(jnp.where(finite, T, 0))
        nan = jnp.asarray(jnp.nan, T.dtype)
        return jnp.where(finite, values, nan), jnp.where(finite, vectors, nan)


@explained
def extreme_eigenvalues(
    objective: AbstractObjective,
    params: PyTree,
    count: SupportsIndex = 5,
    *,
    which: str = "largest",
    steps: SupportsIndex | None = None,
    key: Key[Array, ""],
) -> Eigenvalues:
    """Estimate the extreme eigenvalues of ∇²F at `params`, with error bounds.

    Lanczos' method from a random vector, every new direction made orthogonal to all before it: one
    loop on the device that needs Hessian-vector products and `steps` vectors of P numbers alone.

    The bound is |λ − θ| ≤ ‖∇²F y − θy‖ for some eigenvalue λ of ∇²F, y being the unit vector that
    belongs to θ.  That residual is |β_m s_m| of Lanczos' recurrence; here it is computed from y
    itself, and √P · eps · ‖∇²F‖ is added for the rounding of the products.  The bound does not
    state that θ approximates the i-th eigenvalue.  An eigenvalue whose eigenvectors are orthogonal
    to the random vector is missed (probability zero); a multiple one is found once, unless the
    directions found before span an invariant subspace: then the method continues from a new random
    direction.  So P steps return the whole spectrum.  To tighten the bounds, raise `steps`.

    It works under `jit`, and under `vmap` over params for many points at once.

    **Arguments:**

    - `params`, P numbers in any pytree.
    - `count`: the number of eigenvalues at each end that is asked for.
    - `which`: "largest", "smallest" (the most negative), or "both": the smallest, then the largest.
    - `steps`: the number of products, at most P; 64, or four times the count, where left out.
    - `key`: of the random vector.

    **Returns:** `Eigenvalues`, `count` of them (twice as many for "both"); all NaN where the
    Hessian is not finite.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range, as if
    `count`, `which` or `steps` is out of range; the message names it.

    Source: Parlett, The Symmetric Eigenvalue Problem, sections 4.5 (the bound) and 13.

    ```python
    >>> import jax, jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> risk = lj.PopulationRisk(jnp.eye(10))
    >>> top = extreme_eigenvalues(risk, jnp.eye(10), 1, key=jax.random.key(0))
    >>> f"{top.values[0]:.4f}", bool(top.error_bounds[0] < 1e-5)
    ('3.1292', True)

    ```
    """
    objective, params = one_point(objective, params)
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    if which not in ("largest", "smallest", "both"):
        raise ValueError(f'which is {shown(which)}; it must be "largest", "smallest" or "both"')
    number = counted("count", count, -(2**31))
    wanted = 2 * number if which == "both" else number
    if not number >= 1 or wanted > size:
        raise ValueError(
            f"count is {number}; give at least 1, and ask for at most {size} eigenvalues in all"
        )
    few = max(_STEPS, 4 * wanted) if steps is None else counted("steps", steps, -(2**31))
    if few < wanted:
        raise ValueError(f"steps is {few}; {wanted} eigenvalues need at least as many")
    with fitting(objective, params):
        return _extremes(objective, params, number, which, min(few, size), checked_key(key))


@eqx.filter_jit
def _extremes(
    objective: AbstractObjective,
    params: PyTree,
    count: int,
    which: str,
    steps: int,
    key: Key[Array, ""],
) -> Eigenvalues:
    product, flat, unravel = flat_product(objective, params)
    fitted = lanczos(product, jax.random.normal(key, flat.shape, flat.dtype), steps, key=key)
    ritz, combinations = fitted.eigh()
    low = jnp.arange(0 if which == "largest" else count)
    high = jnp.arange(steps - (0 if which == "smallest" else count), steps)
    chosen = jnp.concatenate([low, high])
    values = ritz[chosen]
    vectors = times(combinations[:, chosen].T, fitted.basis)
    vectors = vectors / jnp.linalg.norm(vectors, axis=1, keepdims=True)

    def residual(pair: tuple[Array, Array]) -> Array:
        value, vector = pair
        return jnp.linalg.norm(product(vector) - value * vector)

    # One at a time: memory is for `steps` vectors, not for several products.
    residuals = jax.lax.map(residual, (values, vectors))
    bounds = residuals + rounding(flat, jnp.abs(ritz).max())
    return Eigenvalues(values, bounds, jax.vmap(unravel)(vectors))


def flat_product(
    objective: AbstractObjective, params: PyTree
) -> tuple[Product, Float[Array, " parameters"], Callable[[Array], PyTree]]:
    """Return v ↦ ∇²F v over the raveled parameters, these, and the inverse of the raveling.

    The products are NaN where F has no Hessian.
    """
    flat, unravel = ravel_pytree(params)
    *_, product = hessian_products(objective, params)
    smooth = jnp.asarray(smooth_radius(objective, params), flat.dtype) > 0
    factor = jnp.where(smooth, 1, jnp.asarray(jnp.nan, flat.dtype))
    return lambda v: factor * ravel_pytree(product(unravel(v)))[0], flat, unravel


def rounding(flat: Float[Array, " parameters"], norm: Scalar) -> Scalar:
    """Estimate the rounding of a product with a matrix of this norm, √P · eps · norm."""
    return flat.size**0.5 * jnp.finfo(flat.dtype).eps * norm


def lanczos(
    product: Product, start: Float[Array, " parameters"], steps: int, *, key: Key[Array, ""]
) -> Tridiagonal:
    """Run Lanczos' recurrence from `start`, which need not be a unit vector.

    Where the directions found so far span an invariant subspace (β = 0 up to rounding), the next
    one is random: T decomposes into blocks, and the eigenvalues of each are H's.
    """
    begin = (
        jnp.zeros((steps, start.size), start.dtype),
        jnp.zeros(steps, start.dtype),
        jnp.zeros(steps, start.dtype),
        start / jnp.linalg.norm(start),
    )

    def step(j: Array, state: tuple) -> tuple:
        basis, diagonal, off, v = state
        basis = basis.at[j].set(v)
        Hv = product(v)
        diagonal = diagonal.at[j].set(times(v, Hv))
        # Against the whole basis, not only the last two: rounding would bring converged directions
        # back, and with them copies of their eigenvalues.
        rest = _orthogonal(Hv, basis)
        beta = jnp.linalg.norm(rest)
        norm = jnp.maximum(jnp.abs(diagonal).max(), off.max())
        ended = beta <= rounding(start, norm)

        def fresh() -> Array:
            direction = jax.random.normal(jax.random.fold_in(key, j), start.shape, start.dtype)
            return _orthogonal(direction, basis)

        v = jax.lax.cond(ended, fresh, lambda: rest)
        length = jnp.linalg.norm(v)
        # A complete basis leaves the vector 0.
        v = v / jnp.where(length > 0, length, 1)
        return basis, diagonal, off.at[j].set(jnp.where(ended, 0, beta)), v

    basis, diagonal, off, _ = jax.lax.fori_loop(0, steps, step, begin)
    return Tridiagonal(diagonal, off, basis)


def _orthogonal(vector: Array, basis: Array) -> Array:
    """Orthogonalize a vector against the basis, twice: once leaves rounding errors in its span."""
    for _ in range(2):
        vector = vector - times(times(basis, vector), basis)
    return vector
