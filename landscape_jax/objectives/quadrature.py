"""Pair expectations E[φ(u·x) φ(v·x)] of any activation by deterministic Gaussian quadrature.

With h_n the orthonormal Hermite polynomials of N(0, 1), r = |u|, s = |v| and ρ = cos θ,

    E[φ(u·x) φ(v·x)] = Σ_n c_n(r) c_n(s) ρⁿ,      c_n(r) = E[φ(rz) h_n(z)],  z ~ N(0, 1),

because E[h_n(ū·x) h_m(v̄·x)] = δ_nm ρⁿ (Mehler).  The terms n < `order` are kept; each c_n is from a
one-dimensional rule, exact to rounding, so that the order is the only source of error (for φ
without kinks other than at 0).  On tensor nodes the same sum would be a
two-dimensional quadrature of some 10⁵ points a pair; here a pair costs `order` multiplications,
and a polynomial in ρ has no trouble at parallel rows, where the coordinates along and across u are
not smooth.

The one-dimensional rule is Fejér's first on each side of 0, where the kinks of the usual
activations are, up to |z| = 12.5, beyond which the weight's root is below 1e-17.  (A Gauss–Hermite
rule has most nodes where the weight vanishes, and an error of 1/order at a kink; Gauss–Legendre
weights from NumPy and SciPy are off by 1e-14 to 1e-13.)

Derivatives are pair expectations again (Price 1958): with p = r², q = s², c = u·v,

    d E[φ φ] = ½ E[φ″(u·x) φ(v·x)] dp + ½ E[φ(u·x) φ″(v·x)] dq + E[φ′(u·x) φ′(v·x)] dc,

smooth at zero rows as well.  The coefficients of φ^(k) are E[φ^(k)(rz) h_n(z)]; where a derivative
of φ jumps that misses a point mass, and they are √((n+1)⋯(n+k)) c_{n+k}(r)/r^k instead (Stein).
Which of both holds is tested once per activation, numerically.

How fast it converges: for φ analytic in the strip |Im t| < y, terms fall as e^{−2y√n/r}, and
sigmoid (y = π) and tanh (y = π/2) at norms up to 3 are exact to 1e-12.  A jump of φ″ (elu) leaves
an error of the order N^{−7/2} at parallel rows, a kink (selu) N^{−3/2}, a jump N^{−1/2}; each
derivative costs a factor N^{1/2} more.  `quadrature_error` estimates it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from landscape_jax.arrays import concretely, count
from landscape_jax.networks.activations import Activation, Function, named
from landscape_jax.precision import times

# Orders to choose from; an activation gets the first one that leaves out at most `_LEFT_OUT`
# at norm 3, and the last one where none does.
_ORDERS = (64, 128, 192, 256, 384, 512, 640, 768, 1024)
_LEFT_OUT = {False: 1e-8, True: 5e-13}  # by whether float64 is switched on
# Norms at which an activation is tested, for its order (the last one) and its smoothness.
_RADII = (1.0, 3.0)
_RANGE = 12.5
# Coefficients beyond the order, for the fourth derivatives that a Hessian needs.
_EXTRA = 4
# Below this norm c_{n+k}/r^k is only rounding, and derivatives are computed pointwise.
_SHORT = {8: 1e-4, 4: 1e-2}
# Exact where the error falls as the root of the order, as for a jump; an upper bound otherwise.
_SAFETY = 1 / (1 - 2**-0.5)


@dataclass(frozen=True)
class Expansion:
    """The static part of a quadrature: φ, the number of terms, and whether φ counts as smooth."""

    activation: Activation
    order: int
    smooth: bool


def hermite_pairs(
    activation: str | Function | Activation, order: int | None = None
) -> Callable[
    [Float[Array, "neurons dim"], Float[Array, "others dim"]], Float[Array, "neurons others"]
]:
    """Return the function (U, V) ↦ (E[φ(uᵢ·x) φ(vⱼ·x)])ᵢⱼ by quadrature, for any activation.

    Formula: Σ_n c_n(|u|) c_n(|v|) cosⁿθ over n < `order`; see the module.

    **Arguments:** `activation`, a name, an elementwise function or an `Activation`; `order`, the
    number of terms, that of `default_order` where left out.

    **Raises:** `TypeError` if `order` is not an integer, `ValueError` if it is below 1.

    ```python
    >>> import jax.numpy as jnp
    >>> pairs = hermite_pairs(jnp.tanh)
    >>> pairs(jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 2.0], [2.0, 2.0]])).round(4).tolist()
    [[0.0, 0.343]]

    ```
    """
    activation = named(activation)
    order = default_order(activation) if order is None else count("order", order)
    expansion = Expansion(activation, order, _is_smooth(activation, _is_double()))

    return partial(_of_rows, expansion)


def quadrature_error(
    activation: str | Function | Activation,
    U: Float[Array, "neurons dim"],
    V: Float[Array, "others dim"],
    order: int | None = None,
) -> Float[Array, "neurons others"]:
    """Estimate the error of `hermite_pairs(activation, order)(U, V)`, entry by entry.

    Formula: 3.4 |K_N − K_2N|, with K_N the quadrature of order N.  The factor 1/(1 − 2^{−1/2}) is
    that of a jump of φ, whose error falls as N^{−1/2}; everything smoother has a smaller error.
    Rounding, some eps · √E[φ(u·x)²] √E[φ(v·x)²], is not separated from it.

    ```python
    >>> import jax.numpy as jnp
    >>> U = jnp.array([[1.0, 2.0]])
    >>> float(quadrature_error("sigmoid", U, U)[0, 0]) < 1e-6
    True
    >>> float(quadrature_error("selu", U, U)[0, 0]) > 1e-6
    True

    ```
    """
    order = default_order(activation) if order is None else order
    once, twice = (hermite_pairs(activation, n)(U, V) for n in (order, 2 * order))
    return _SAFETY * jnp.abs(twice - once)


def default_order(activation: str | Function | Activation) -> int:
    """Return the order of the quadrature for an activation where none is given.

    It is the least of 64, 128, …, 1024 at which the terms left out of E[φ(3z)²] sum to at most
    5e-13 (1e-8 where float64 is off), and 1024 where that is not enough.

    ```python
    >>> default_order("selu")
    1024

    ```
    """
    return _chosen_order(named(activation), _is_double())


@lru_cache(maxsize=128)
def _chosen_order(activation: Activation, double: bool) -> int:
    squares = _known_coefficients(activation, 0, 2 * _ORDERS[-1])[0][-1] ** 2
    left_out = np.cumsum(squares[::-1])[::-1]
    return next((n for n in _ORDERS if left_out[n] <= _LEFT_OUT[double]), _ORDERS[-1])


@lru_cache(maxsize=128)
def _is_smooth(activation: Activation, double: bool) -> bool:
    """Test Stein's identity √(n+1) E[φ^(k)(rz) h_{n+1}] = r E[φ^(k+1)(rz) h_n] up to φ⁗.

    It fails where φ^(k) jumps, as JAX's φ^(k+1) has no point mass there; n = 0 … 6 are of both
    parities, so that symmetric jumps do not cancel.
    """
    if activation.kinks:
        return False
    roots, radii = np.sqrt(np.arange(1, 8)), np.array(_RADII)[:, None]
    moments = [m[:, :8] for m in _known_coefficients(activation, _EXTRA, 512)]
    for lower, upper in pairwise(moments):
        gap = np.abs(roots * lower[:, 1:] - radii * upper[:, :-1])
        size = np.maximum(np.abs(lower), radii * np.abs(upper)).max()
        if not gap.max() <= (1e-6 if double else 1e-3) * size:
            return False
    return True


def _known_coefficients(activation: Activation, most: int, order: int) -> list[np.ndarray]:
    """Compute E[φ^(k)(rz) h_n(z)] for k ≤ `most`, r in `_RADII`, as numbers even under a trace."""

    @jax.jit
    def all_of_them(r: Array) -> list[Array]:
        return [_pointwise(activation.derivative(k), r, order) for k in range(most + 1)]

    with concretely():
        return [np.asarray(of_k) for of_k in all_of_them(jnp.asarray(_RADII))]


def _is_double() -> bool:
    return bool(jax.config.read("jax_enable_x64"))


# Jitted, as a loop outside of `jit` is compiled again in every call.
@partial(jax.jit, static_argnums=0, inline=True)
def _of_rows(e: Expansion, U: Array, V: Array) -> Array:
    c = times(U, V.T)
    return _pairs(e, 0, 0, jnp.sum(U * U, axis=1), jnp.sum(V * V, axis=1), c)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _pairs(e: Expansion, k: int, l: int, p: Array, q: Array, c: Array) -> Array:  # noqa: E741
    """Compute E[φ^(k)(u·x) φ^(l)(v·x)] at p = |u|², q = |v|², c = u·v."""
    r, s = jnp.sqrt(p), jnp.sqrt(q)
    lengths = r[:, None] * s[None]
    cosine = jnp.clip(jnp.where(lengths > 0, c / jnp.where(lengths > 0, lengths, 1), 0), -1, 1)
    return _mehler(_coefficients(e, k, r), _coefficients(e, l, s), cosine)


@partial(_pairs.defjvp, symbolic_zeros=True)
def _(e, k, l, primals, tangents):  # noqa: E741
    dp, dq, dc = (None if isinstance(t, SymbolicZero) else t for t in tangents)
    tangent = jnp.zeros_like(primals[2])
    if dp is not None:
        tangent += _pairs(e, k + 2, l, *primals) * dp[:, None] / 2
    if dq is not None:
        tangent += _pairs(e, k, l + 2, *primals) * dq[None] / 2
    if dc is not None:
        tangent += _pairs(e, k + 1, l + 1, *primals) * dc
    return _pairs(e, k, l, *primals), tangent


def _coefficients(e: Expansion, k: int, r: Array) -> Array:
    """Compute the Hermite coefficients of φ^(k)(rz), shape (rows, order)."""
    pointwise = _pointwise(e.activation.derivative(k), r, e.order + _EXTRA)[:, : e.order]
    if k == 0 or e.smooth:
        return pointwise
    long = r >= _SHORT[r.dtype.itemsize]
    plain = _pointwise(e.activation.function, r, e.order + max(k, _EXTRA))[:, k : e.order + k]
    n = np.arange(e.order)
    factor = np.sqrt(np.prod([n + i for i in range(1, k + 1)], axis=0, dtype=float))
    shifted = plain * jnp.asarray(factor, r.dtype)[None] / jnp.where(long, r, 1)[:, None] ** k
    return jnp.where(long[:, None], shifted, pointwise)


def _pointwise(function: Function, r: Array, order: int) -> Array:
    """Compute E[φ(rz) h_n(z)] for n < order by the one-dimensional rule, shape (rows, order)."""
    # h_n is even or odd, so nodes z > 0 suffice: one table for both signs, half of the products.
    nodes, even, odd = (jnp.asarray(part, r.dtype) for part in _rule(order))
    right, left = function(r[:, None] * nodes[None]), function(-r[:, None] * nodes[None])
    product = times
    both = jnp.stack([product(right + left, even), product(right - left, odd)], axis=-1)
    return both.reshape(len(r), -1)[:, :order]


@lru_cache(maxsize=32)
def _rule(order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute nodes z > 0, and weight · density · h_n for even n and for odd n as columns."""
    terms = order + order % 2
    # h_n has wave number √n at most, which needs π/4·_RANGE·√n nodes; φ needs some more.
    count = int(np.pi / 4 * _RANGE * terms**0.5) + 50
    angle = (np.arange(count) + 0.5) * np.pi / count
    z = _RANGE * (1 + np.cos(angle)) / 2
    j = np.arange(1, count // 2 + 1)
    weight = 1 - 2 * np.cos(2 * angle[:, None] * j) @ (1 / (4 * j**2 - 1))
    weight *= _RANGE / count
    # h_n times the root of the density stays of the order of 1.
    root = np.exp(-(z**2) / 4) / (2 * np.pi) ** 0.25
    columns = [root, z * root]
    for n in range(1, terms - 1):
        columns.append((z * columns[n] - n**0.5 * columns[n - 1]) / (n + 1) ** 0.5)
    table = np.stack(columns, axis=1) * (weight * root)[:, None]
    return z, table[:, ::2], table[:, 1::2]


def _mehler(A: Array, B: Array, cosine: Array) -> Array:
    """Compute Σ_n A_in B_jn ρ_ijⁿ, by Horner's rule in ρ² for even and odd n together."""
    odd = A.shape[1] % 2
    A, B = (jnp.pad(x, ((0, 0), (0, odd))).reshape(len(x), -1, 2).T for x in (A, B))
    square = cosine * cosine

    def step(total: Array, terms: tuple[Array, Array]) -> tuple[Array, None]:
        a, b = terms
        return total * square[None] + a[:, :, None] * b[:, None, :], None

    start = jnp.zeros((2, *cosine.shape), cosine.dtype)
    operands = (A.transpose(1, 0, 2), B.transpose(1, 0, 2))
    (even, odds), _ = jax.lax.scan(step, start, operands, reverse=True, unroll=8)
    return even + cosine * odds
