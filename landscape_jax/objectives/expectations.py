"""Pair expectations E[φ(u·x) φ(v·x)] over x ~ N(0, I): closed forms, and quadrature for the rest.

A pair enters through p = |u|², q = |v|², c = u·v and the angle θ between u and v alone.  The closed
forms are exact to rounding; all but that of `step` are differentiable at parallel and opposite rows
as often as the mathematics is, and all are finite at zero rows.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from landscape_jax.networks.activations import (
    Activation,
    Function,
    Monomial,
    PiecewiseLinear,
    named,
)
from landscape_jax.objectives.gaussian import polar, sine_and_supplement
from landscape_jax.objectives.quadrature import hermite_pairs
from landscape_jax.precision import times

Pairs: TypeAlias = Callable[
    [Float[Array, "neurons dim"], Float[Array, "others dim"]], Float[Array, "neurons others"]
]


def is_closed(activation: str | Function | Activation) -> bool:
    """Check whether the pair expectation of this activation has a closed form."""
    return _closed(named(activation)) is not None


def pair_expectation(activation: str | Function | Activation, order: int | None = None) -> Pairs:
    """Return the function (U, V) ↦ (E[φ(uᵢ·x) φ(vⱼ·x)])ᵢⱼ of rows of U and V, over x ~ N(0, I).

    Closed forms: `relu`, `leaky`, `abs`, `linear` and every h_{s₊,s₋} (`piecewise_linear_pairs`),
    `erf`, `sine`, `cosine`, `step`, `quadratic` and every monomial (`monomial_pairs`).  Any other
    function is computed by `landscape_jax.objectives.quadrature`.

    **Arguments:** `activation`, a name, an elementwise function or an `Activation`; `order` of the
    quadrature, chosen by the activation where left out; closed forms do not use it.

    **Returns:** a function of U, (n, d), and V, (k, d), with values of shape (n, k), for use under
    `jit`, `vmap`, `grad` and `hessian`.

    **Raises:** as `landscape_jax.networks.activations.named`; `ValueError` if the order is below 1.

    ```python
    >>> import jax.numpy as jnp
    >>> U = jnp.eye(2)
    >>> pair_expectation("linear")(U, 2 * U).tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    >>> pair_expectation("tanh")(U, U).round(4).tolist()
    [[0.3943, 0.0], [0.0, 0.3943]]

    ```
    """
    activation = named(activation)
    return _closed(activation) or hermite_pairs(activation, order)


def _closed(activation: Activation) -> Pairs | None:
    function = activation.function
    if isinstance(function, PiecewiseLinear):
        plus, minus = float(function.plus), float(function.minus)
        return lambda U, V: piecewise_linear_pairs(U, V, plus, minus)
    if isinstance(function, Monomial):
        power = function.power
        return lambda U, V: monomial_pairs(U, V, power)
    # By the function and not by the name: a user's function may be called `sine` too.
    return next((pairs for other, pairs in _NAMED if other is function), None)


def piecewise_linear_pairs(
    U: Float[Array, "neurons dim"], V: Float[Array, "others dim"], plus: float, minus: float
) -> Float[Array, "neurons others"]:
    """Compute the pair expectation of h(t) = s₊ t for t > 0, s₋ t for t ≤ 0.

    Formula: s₊s₋ u·v + (s₊ − s₋)² f(u, v), with f = |u||v| (sin θ + (π − θ) cos θ)/2π that of relu:
    h(t) = s₋ t + (s₊ − s₋) relu(t), and E[relu(u·x) v·x] = u·v/2.  At a zero row, where there is a
    kink, the gradient is the mean of the one-sided derivatives in opposite directions.

    Source: Cho & Saul (2009), eq. 3 with n = 1, for relu; SS18, eq. 7.

    ```python
    >>> import jax.numpy as jnp
    >>> piecewise_linear_pairs(jnp.eye(1), -jnp.eye(1), 1.0, -1.0).tolist()
    [[1.0]]

    ```
    """
    if plus == minus:
        return plus * minus * _dot(U, V)
    relu = (plus - minus) ** 2 * _relu_pairs(U, V)
    return relu + plus * minus * _dot(U, V) if plus * minus else relu


@jax.custom_jvp
def _relu_pairs(U: Array, V: Array) -> Array:
    (r, units), (s, others) = polar(U), polar(V)
    sine, supplement = sine_and_supplement(units, others)
    return (r[:, None] * s[None] * sine + supplement * _dot(U, V)) / (2 * math.pi)


@_relu_pairs.defjvp
def _(primals, tangents):
    # SS18, eq. 8, in both arguments, so that second derivatives too keep sin θ and π − θ together:
    # their rounding errors cancel only in the sum.
    (U, V), (dU, dV) = primals, tangents
    (r, units), (s, others) = polar(U), polar(V)
    sine, supplement = sine_and_supplement(units, others)
    dr, ds = jnp.sum(units * dU, axis=1), jnp.sum(others * dV, axis=1)
    along = (dr[:, None] * s[None] + r[:, None] * ds[None]) * sine
    across = supplement * (_dot(dU, V) + _dot(U, dV))
    return _relu_pairs(U, V), (along + across) / (2 * math.pi)


def monomial_pairs(
    U: Float[Array, "neurons dim"], V: Float[Array, "others dim"], power: int
) -> Float[Array, "neurons others"]:
    """Compute the pair expectation of φ(t) = t^m, a polynomial.

    Formula: Σ_j m!²/(4^j j!² (m − 2j)!) (pq)^j c^{m−2j}.  In E[(u·x)^m (v·x)^m] pair j times two
    factors u·x, j times two factors v·x and the other m − 2j across; there are
    (m!/(2^j j! (m − 2j)!))² (m − 2j)! such pairings.

    Source: Isserlis (1918).

    ```python
    >>> import jax.numpy as jnp
    >>> monomial_pairs(jnp.eye(2), jnp.eye(2), 2).tolist()
    [[3.0, 1.0], [1.0, 3.0]]

    ```
    """
    p, q, c = _gram(U, V)
    total = jnp.zeros_like(c)
    for j in range(power // 2 + 1):
        pairings = math.factorial(power) ** 2 // (
            4**j * math.factorial(j) ** 2 * math.factorial(power - 2 * j)
        )
        total += float(pairings) * (p[:, None] * q[None]) ** j * c ** (power - 2 * j)
    return total


def erf_pairs(
    U: Float[Array, "neurons dim"], V: Float[Array, "others dim"]
) -> Float[Array, "neurons others"]:
    """Compute the pair expectation of erf(t).

    Formula: (2/π) arcsin(2c/√((1 + 2p)(1 + 2q))) = (2/π) atan2(2c, √(1 + 2p + 2q + 4(pq − c²))).
    The second form keeps its digits where the sine is near 1; at norms r the relative rounding of
    its root is about r² eps.

    Source: Williams (1997), eq. 11, with erf(u·x), x ~ N(0, I).

    ```python
    >>> import jax.numpy as jnp
    >>> erf_pairs(jnp.eye(1), jnp.eye(1)).round(4).tolist()
    [[0.4646]]

    ```
    """
    p, q, c = _gram(U, V)
    p, q = p[:, None], q[None]
    apart = 1 + 2 * p + 2 * q
    square = apart + 4 * (p * q - c * c)
    # At norms near 1/√eps, pq − c² is rounding only, of either sign.
    return 2 / math.pi * jnp.arctan2(2 * c, jnp.sqrt(jnp.where(2 * square > apart, square, apart)))


def sine_pairs(
    U: Float[Array, "neurons dim"], V: Float[Array, "others dim"]
) -> Float[Array, "neurons others"]:
    """Compute the pair expectation of sin(t).

    Formula: e^{−(p+q)/2} sinh c = ½(E cos((u − v)·x) − E cos((u + v)·x)), with
    E cos(w·x) = e^{−|w|²/2}.

    Source: the characteristic function of N(0, I).

    ```python
    >>> import jax.numpy as jnp
    >>> sine_pairs(jnp.eye(1), -jnp.eye(1)).round(4).tolist()
    [[-0.4323]]

    ```
    """
    larger, sign, size = _wave(U, V)
    return -sign * larger * jnp.expm1(-2 * size) / 2


def cosine_pairs(
    U: Float[Array, "neurons dim"], V: Float[Array, "others dim"]
) -> Float[Array, "neurons others"]:
    """Compute the pair expectation of cos(t).

    Formula: e^{−(p+q)/2} cosh c = ½(E cos((u − v)·x) + E cos((u + v)·x)).

    Source: the characteristic function of N(0, I).

    ```python
    >>> import jax.numpy as jnp
    >>> cosine_pairs(jnp.eye(1), -jnp.eye(1)).round(4).tolist()
    [[0.5677]]

    ```
    """
    larger, _, size = _wave(U, V)
    return larger * (1 + jnp.exp(-2 * size)) / 2


def _wave(U: Array, V: Array) -> tuple[Array, Array, Array]:
    """Compute e^{|c| − (p+q)/2}, which is at most 1, the sign of c, and |c|.

    At c = 0 the branch c ≥ 0 is taken for value and derivatives; either is the whole function.
    """
    p, q, c = _gram(U, V)
    size = jnp.where(c >= 0, c, -c)
    larger = jnp.exp(size - (p[:, None] + q[None]) / 2)
    return larger, jnp.where(c >= 0, 1, -1).astype(c.dtype), size


def step_pairs(
    U: Float[Array, "neurons dim"], V: Float[Array, "others dim"]
) -> Float[Array, "neurons others"]:
    """Compute the pair expectation of 1 for t > 0, 0 for t ≤ 0.

    Formula: (π − θ)/2π; 0 where a row is zero.  It has a kink at parallel and opposite rows, where
    its gradient is taken to be 0 (the mean of opposite one-sided ones, and exact for equal rows),
    and a jump at zero rows.  At distance δ from these angles its absolute rounding error is eps/δ.

    Source: Cho & Saul (2009), eq. 3 with n = 0.

    ```python
    >>> import jax.numpy as jnp
    >>> step_pairs(jnp.eye(2), jnp.eye(2)).tolist()
    [[0.5, 0.25], [0.25, 0.5]]

    ```
    """
    (r, units), (s, others) = polar(U), polar(V)
    _, supplement = sine_and_supplement(units, others)
    return jnp.where((r > 0)[:, None] & (s > 0)[None], supplement, 0) / (2 * math.pi)


_NAMED: tuple[tuple[Function, Pairs], ...] = (
    (named("erf").function, erf_pairs),
    (named("sine").function, sine_pairs),
    (named("cosine").function, cosine_pairs),
    (named("step").function, step_pairs),
)


def _gram(U: Array, V: Array) -> tuple[Array, Array, Array]:
    return jnp.sum(U * U, axis=1), jnp.sum(V * V, axis=1), _dot(U, V)


def _dot(U: Array, V: Array) -> Array:
    return times(U, V.T)
