"""The angle kernel: E[relu(w·x) relu(u·x)] over x ~ N(0, I) for all pairs of rows, and its slopes.

With θ the angle between w and u,

    f(w, u)    = (1/2π) ‖w‖ ‖u‖ (sin θ + (π − θ) cos θ)          SS18, eq. 7
    ∂f/∂w      = (1/2π) (‖u‖ sin θ w̄ + (π − θ) u)                SS18, eq. 8

sin θ and π − θ are both computed from y = 1 − |cos θ|, which is exact once the cosine is rounded.
A rounding error δ of the cosine then moves sin θ w̄ and (π − θ)ū together, and their sum moves by
δ·n with n the unit normal of w in the plane: the gradient keeps an absolute error of a few δ at
every angle, although θ alone loses half its digits near 0 and π.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# arccos(1 − y)/√y on [0, 1], interpolated at Chebyshev nodes; with these coefficients the relative
# error is at most 4e-16 and 3e-8 (a test proves it in ball arithmetic), before rounding.
_ARCCOS_DOUBLE = (
    1.414213562373095,
    0.11785113019782532,
    0.02651650428726522,
    0.007891817060755802,
    0.00268540304058573,
    0.0009888113042502823,
    0.00038262430806552077,
    0.00015937743292100998,
    4.1126150860512944e-05,
    0.00010153174508844963,
    -0.00017136610209234648,
    0.000341818862286027,
    -0.00046132434220270643,
    0.00047186395065566117,
    -0.0003430427736686459,
    0.00017113011380930746,
    -5.225042885568418e-05,
    7.609614252019444e-06,
)
_ARCCOS_SINGLE = (
    1.4142135464083156,
    0.11785316670023775,
    0.026474482500567432,
    0.00821673096263844,
    0.0014788598231931453,
    0.003338417011053371,
    -0.0019906429602384126,
    0.001211737769810765,
)
# Below this many units in the last place of 1, y is rounding of a cosine that may as well be ±1:
# parallel rows then have sin θ = 0 exactly, and the gradient changes by less than y.
_PARALLEL_ULPS = 8


def _arccos_over_root(y: Array) -> Array:
    coefficients = _ARCCOS_SINGLE if y.dtype.itemsize <= 4 else _ARCCOS_DOUBLE
    total = jnp.full_like(y, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * y + jnp.asarray(c, y.dtype)
    return total


def polar(
    w: Float[Array, "neurons dim"],
) -> tuple[Float[Array, " neurons"], Float[Array, "neurons dim"]]:
    """Split rows into norms and unit vectors; a zero row has the unit vector 0, and no slope."""
    square = jnp.sum(w * w, axis=-1)
    positive = square > 0
    norm = jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)
    return norm, w / jnp.where(positive, norm, 1)[..., None]


@jax.custom_jvp
def sine_and_supplement(
    w: Float[Array, "neurons dim"], u: Float[Array, "others dim"]
) -> tuple[Float[Array, "neurons others"], Float[Array, "neurons others"]]:
    """Give sin θ and π − θ for the angles θ between unit rows (or zero rows) of `w` and `u`.

    Their derivative is d(π − θ) = dc / sin θ with c = w·u, and d sin θ = −c d(π − θ).  Where
    sin θ = 0 it is set to 0: there every term in which it occurs is multiplied by a vector of
    length sin θ, so second derivatives of f are exact, and finite, at parallel and opposite rows.
    """
    cosine = _dot(w, u)
    y = 1 - jnp.abs(cosine)
    y = jnp.where(y > _PARALLEL_ULPS * jnp.finfo(y.dtype).eps, y, 0)
    acute = jnp.sqrt(y) * _arccos_over_root(y)
    return jnp.sqrt(y * (2 - y)), jnp.where(cosine < 0, acute, jnp.pi - acute)


@sine_and_supplement.defjvp
def _(primals, tangents):
    (w, u), (dw, du) = primals, tangents
    sine, supplement = sine_and_supplement(w, u)
    parallel = sine == 0
    dsupplement = jnp.where(parallel, 0, (_dot(dw, u) + _dot(w, du)) / jnp.where(parallel, 1, sine))
    return (sine, supplement), (-_dot(w, u) * dsupplement, dsupplement)


def _dot(w: Array, u: Array) -> Array:
    return jnp.matmul(w, u.T, precision=jax.lax.Precision.HIGHEST)


@partial(jax.jit, static_argnames="rows")
def relu_expectation(
    u: Float[Array, "neurons dim"], rows: int | None = None
) -> Float[Array, "rows neurons"]:
    """Give E[relu(uᵢ·x) relu(uⱼ·x)] over x ~ N(0, I) for the first `rows` neurons i and all j.

    Formula: (1/2π) ‖uᵢ‖ ‖uⱼ‖ (sin θ + (π − θ) cos θ).  0 where a row is zero.

    Source: SS18, eq. 7 (Cho & Saul 2009).
    """
    norm, unit = polar(u)
    sine, supplement = sine_and_supplement(unit[:rows], unit)
    return (norm[:rows, None] * norm * sine + supplement * _dot(u[:rows], u)) / (2 * np.pi)


@partial(jax.jit, static_argnames="rows")
def relu_pull(
    u: Float[Array, "neurons dim"], weights: Float[Array, " neurons"], rows: int | None = None
) -> Float[Array, "rows dim"]:
    """Give Σⱼ cⱼ ∂f(uᵢ, uⱼ)/∂uᵢ for the first `rows` neurons i, where c are the `weights`.

    Formula: (1/2π) (Σⱼ cⱼ ‖uⱼ‖ sin θᵢⱼ ūᵢ + Σⱼ cⱼ (π − θᵢⱼ) uⱼ).  At uᵢ = 0, where f has a kink,
    this is Σⱼ cⱼ uⱼ/4, the mean of the one-sided slopes in opposite directions.

    Source: SS18, eq. 8.
    """
    norm, unit = polar(u)
    sine, supplement = sine_and_supplement(unit[:rows], unit)
    along = _dot(sine, (weights * norm)[None, :])
    across = jnp.matmul(supplement, weights[:, None] * u, precision=jax.lax.Precision.HIGHEST)
    return (along * unit[:rows] + across) / (2 * np.pi)
