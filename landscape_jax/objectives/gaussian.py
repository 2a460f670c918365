"""The angle kernel E[relu(w·x) relu(u·x)], x ~ N(0, I), for all pairs of rows, and its gradients.

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

from landscape_jax.precision import times

# θ/sin θ as a polynomial of y = 1 − cos θ on [0, 1], interpolated at Chebyshev nodes; with these
# coefficients the relative error is at most 2e-16 and 8e-8 (a test proves it in ball arithmetic),
# before rounding.
_ANGLE_DOUBLE = (
    1.0,
    0.33333333333330945,
    0.13333333333682526,
    0.05714285694042784,
    0.025396831596651948,
    0.011543895604776996,
    0.00532944828305169,
    0.0024737607111697374,
    0.001251083869870826,
    0.00016421047913476515,
    0.0017011133906985544,
    -0.003976427223224787,
    0.009195329684833449,
    -0.01586170544127971,
    0.02153400343586953,
    -0.022454256450108755,
    0.01773831596916336,
    -0.01025927464062151,
    0.004114940516850556,
    -0.001025639660813829,
    0.00012117305831116537,
)
_ANGLE_SINGLE = (
    1.0,
    0.3333333730697632,
    0.13332843780517578,
    0.05727148428559303,
    0.024114098399877548,
    0.017840921878814697,
    -0.01161207351833582,
    0.02821458876132965,
    -0.019945956766605377,
    0.008251406252384186,
)
# Below this many units in the last place of 1, y is only the rounding of a cosine of ±1: parallel
# rows then have sin θ = 0 exactly, and the gradient changes by less than y.
_PARALLEL_ULPS = 8


def angle_coefficients(dtype) -> tuple[float, ...]:
    """Return the coefficients of θ/sin θ for a precision, the constant first."""
    return _ANGLE_SINGLE if dtype.itemsize <= 4 else _ANGLE_DOUBLE


def _angle_over_sine(y: Array) -> Array:
    coefficients = angle_coefficients(y.dtype)
    total = jnp.full_like(y, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * y + jnp.asarray(c, y.dtype)
    return total


def polar(
    w: Float[Array, "neurons dim"],
) -> tuple[Float[Array, " neurons"], Float[Array, "neurons dim"]]:
    """Split rows into norms and unit vectors; a zero row has unit vector 0 and gradient 0."""
    # Both `where` are needed: the gradient of √ at 0 would be NaN, also where it is masked after.
    square = jnp.sum(w * w, axis=-1)
    positive = square > 0
    norm = jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)
    return norm, w / jnp.where(positive, norm, 1)[..., None]


@jax.custom_jvp
def sine_and_supplement(
    w: Float[Array, "neurons dim"], u: Float[Array, "others dim"]
) -> tuple[Float[Array, "neurons others"], Float[Array, "neurons others"]]:
    """Compute sin θ and π − θ for the angles θ between unit rows (or zero rows) of `w` and `u`.

    Their derivative is d(π − θ) = dc / sin θ with c = w·u, and d sin θ = −c d(π − θ).  Where
    sin θ = 0 it is set to 0: there every term in which it occurs is multiplied by a vector of
    length sin θ, so second derivatives of f are exact, and finite, at parallel and opposite rows.
    """
    cosine = _dot(w, u)
    y = 1 - jnp.abs(cosine)
    y = jnp.where(y > _PARALLEL_ULPS * jnp.finfo(y.dtype).eps, y, 0)
    sine = jnp.sqrt(y * (2 - y))
    acute = sine * _angle_over_sine(y)
    return sine, jnp.where(cosine < 0, acute, jnp.pi - acute)


@sine_and_supplement.defjvp
def _(primals, tangents):
    (w, u), (dw, du) = primals, tangents
    sine, supplement = sine_and_supplement(w, u)
    parallel = sine == 0
    dsupplement = jnp.where(parallel, 0, (_dot(dw, u) + _dot(w, du)) / jnp.where(parallel, 1, sine))
    return (sine, supplement), (-_dot(w, u) * dsupplement, dsupplement)


def _dot(w: Array, u: Array) -> Array:
    return times(w, u.T)


@partial(jax.jit, static_argnames="rows")
def relu_expectation(
    u: Float[Array, "neurons dim"], rows: int | None = None
) -> Float[Array, "rows neurons"]:
    """Compute E[relu(uᵢ·x) relu(uⱼ·x)] over x ~ N(0, I) for the first `rows` neurons i and all j.

    Formula: (1/2π) ‖uᵢ‖ ‖uⱼ‖ (sin θ + (π − θ) cos θ).  0 where a row is zero.

    Source: SS18, eq. 7 (Cho & Saul 2009).
    """
    norm, unit = polar(u)
    sine, supplement = sine_and_supplement(unit[:rows], unit)
    return (norm[:rows, None] * norm[None] * sine + supplement * _dot(u[:rows], u)) / (2 * np.pi)


@partial(jax.jit, static_argnames="rows")
def relu_pull(
    u: Float[Array, "neurons dim"], weights: Float[Array, " neurons"], rows: int | None = None
) -> Float[Array, "rows dim"]:
    """Compute Σⱼ cⱼ ∂f(uᵢ, uⱼ)/∂uᵢ for the first `rows` neurons i, where c are the `weights`.

    Formula: (1/2π) (Σⱼ cⱼ ‖uⱼ‖ sin θᵢⱼ ūᵢ + Σⱼ cⱼ (π − θᵢⱼ) uⱼ).  At uᵢ = 0, where f has a kink,
    this is Σⱼ cⱼ uⱼ/4, the mean of the one-sided derivatives in opposite directions.

    Source: SS18, eq. 8.
    """
    norm, unit = polar(u)
    sine, supplement = sine_and_supplement(unit[:rows], unit)
    along = _dot(sine, (weights * norm)[None, :])
    across = times(supplement, weights[:, None] * u)
    return (along * unit[:rows] + across) / (2 * np.pi)
