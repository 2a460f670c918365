"""Theorem 2 and corollary 3 of YSJ19: three points that almost every activation fits, or not."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Array, Float

from landscape_jax.networks import TwoLayer, activations
from landscape_jax.networks.activations import Activation
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.proofs.rationals import nearest, rational
from landscape_jax.theory.conditions import (
    ConditionError,
    check_fit,
    check_minimum,
    curvatures,
    second_weight,
)
from landscape_jax.theory.piecewise_linear import RationalNetwork, check_cell
from landscape_jax.theory.precision import require_float64

# Where v is searched for; not 0, where many activations have their kink.
_GRID = np.arange(-23, 24, 2) / 8
_COARSE = np.arange(-5, 6, 2) / 2
_FINE = np.linspace(-4, 4, 257)
_WEIGHTS = np.concatenate([side * 2.0 ** (np.arange(-8, 7) / 2) for side in (-1, 1)])
_LARGEST_WEIGHT = 16.0
# What the search finds must be above this, relative to the weights: rounding is far below.
_CLEAR = 1e-4


class ThreePoints(NamedTuple):
    """Two networks on the three points: one fits them, one is a local minimum of risk 1/3.

    - `fit`: of risk 0, and `minimum`: of risk ½ Σᵢ (q(xᵢ) − yᵢ)² = 1/3; both rounded to floats.
    - `fit_risk`, `minimum_risk`: those of the two networks, evaluated in float64.
    - `v_fit`: (v₁, v₂, v₃, v₄) of (C2.1), (C2.2); `v`, `u`: (v₁, v₂) and (u₁, u₂) of (C2.3)–(C2.7).
    - `margins`: by how much the conditions hold, see `Margins`; for a piecewise linear activation
      the "radius" of the minimum's cell.
    - `rigorous`: whether they were proven, in ball arithmetic or with rational numbers.
    - `smoothness`: the statement on which (C2.4) and (C2.5) rest.
    """

    fit: TwoLayer
    minimum: TwoLayer
    fit_risk: float
    minimum_risk: float
    v_fit: tuple[float, float, float, float]
    v: tuple[float, float]
    u: tuple[float, float]
    margins: dict[str, float]
    rigorous: bool
    smoothness: str


def three_point_data() -> tuple[Float[Array, "3 2"], Float[Array, " 3"]]:
    """Give the data of theorem 2: x = (1, 0), (0, 1), (½, ½) and y = 0, 0, 1.

    Their least squares is 1/3 everywhere.
    """
    return jnp.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]), jnp.array([0.0, 0.0, 1.0])


def three_points(activation: str | Callable | Activation) -> ThreePoints:
    """Find networks of width 2 on the three points: one of risk 0, and a bad local minimum.

    *The fit.* W₁ = [[v₁, v₂], [v₃, v₄]], b = 0,
    W₂ = [h(v₃), −h(v₁)] / (h(v₃)h((v₁+v₂)/2) − h(v₁)h((v₃+v₄)/2)), under

    - (C2.1) h(v₁)h(v₄) = h(v₂)h(v₃), (C2.2) h(v₁)h((v₃+v₄)/2) ≠ h(v₃)h((v₁+v₂)/2).

    *The minimum.* W₁ = [[v₁, v₁], [v₂, v₂]], W₂ = [u₁, u₂], b = 0, of risk 1/3, under

    - (C2.3) u₁h(v₁) + u₂h(v₂) = 1/3, (C2.4, 5) h is analytic near v₁ and v₂: |h⁽ⁿ⁾| ≤ cⁿn!, n ≥ 1,
    - (C2.6) a₁ > 0, aⱼ = (uⱼh′(vⱼ))² + uⱼh″(vⱼ)/3, (C2.7) (u₁h′(v₁)u₂h′(v₂))² < a₁a₂.

    v and u are searched for on a grid.  For named activations the conditions are then proven:
    (C2.1) has a solution v₄ in a tiny ball, by a change of sign; u₂ solves (C2.3) exactly; the
    inequalities hold for all points of the balls.  The networks are the rounded middles.
    Piecewise linear activations fail (C2.7), with equality on each side of 0, and have networks of
    their own (appendix A6), where all is rational and the minimum is that of its cell.

    Why it is a minimum, and which null directions the Hessian has: with the biases there are 9
    parameters.  The networks near it whose neurons do not tell the samples apart, wⱼ·(1, −1) = 0,
    and whose output is 1/3 are a smooth set of dimension 6, on which the risk is 1/3 and its
    gradient 0.  Across this set, in wⱼ·(1, −1), j = 1, 2, and the common output, the Hessian is
    positive definite by (C2.6) and (C2.7).  So the risk is at least 1/3 nearby.  This uses two
    continuous derivatives alone: (C2.4) and (C2.5) ask for more than is needed.

    What the paper says and does not hold: the values for tanh and arctan as the scan reads,
    h(v) = (½, ¼) and u = (1, −⅔), fail (C2.7), for tanh by 0.2197 against 0.1546; h(v) = (½, ¾)
    with u = (1, −2/9) pass.  That ReLU violates (C2.1) or (C2.2) (section 3) is not so:
    v = (1, −½, 3, −1) has h(v₁)h(v₄) = 0 = h(v₂)h(v₃), h(v₁)h((v₃+v₄)/2) = 1 and
    h(v₃)h((v₁+v₂)/2) = ¾.  For exp and for t^p with p odd (C2.1) makes both sides of (C2.2) equal.

    **Arguments:** `activation`, a name, an `Activation`, or an elementwise function of arrays.

    **Returns:** a `ThreePoints`.

    **Raises:** `ConditionError`, a `ValueError`, with the name of a condition for which the search
    finds no numbers; `ValueError` where float64 is off.

    Source: YSJ19, theorem 2, corollary 3, appendices A3, A5 and A6.

    ```python
    >>> found = three_points("tanh")
    >>> found.rigorous, found.margins["C2.7"] > 0
    (True, True)
    >>> f"{found.minimum_risk:.12f}", found.fit_risk < 1e-24
    ('0.333333333333', True)
    >>> three_points("linear")
    Traceback (most recent call last):
    ...
    landscape_jax.theory.conditions.ConditionError: C2.7 is violated: ...

    ```
    """
    known = activations.named(activation)
    require_float64("the search")
    slopes = known.slopes
    if slopes is not None and slopes[0] > 0 and slopes[0] != slopes[1]:
        return _piecewise_linear(known, rational(slopes[0]), rational(slopes[1]))
    v, u = _search_minimum(known)
    v_fit = _search_fit(known)
    bottom, fit = check_minimum(known, v, u[0]), check_fit(known, v_fit)
    h1, h3, one, two = (
        float(known(jnp.asarray(t)))
        for t in (v_fit[0], v_fit[2], (v_fit[0] + v_fit[1]) / 2, (v_fit[2] + v_fit[3]) / 2)
    )
    scale = h3 * one - h1 * two
    good = _network(known, [v_fit[:2], v_fit[2:]], [h3 / scale, -h1 / scale])
    bad = _network(known, [(v[0], v[0]), (v[1], v[1])], list(u))
    return ThreePoints(
        fit=good,
        minimum=bad,
        fit_risk=_risk(good),
        minimum_risk=_risk(bad),
        v_fit=v_fit,
        v=v,
        u=u,
        margins=fit.values | bottom.values,
        rigorous=fit.rigorous and bottom.rigorous,
        smoothness=bottom.smoothness,
    )


def _network(activation: Activation, W1: list[tuple[float, ...]], W2: list[float]) -> TwoLayer:
    zeros = jnp.zeros(2), jnp.zeros(1)
    return TwoLayer(jnp.array(W1), jnp.array([W2]), *zeros, activation=activation)


def _risk(network: TwoLayer) -> float:
    """Give ½ Σᵢ (q(xᵢ) − yᵢ)², of which `EmpiricalRisk` has the mean of the squares."""
    return 3 / 2 * float(EmpiricalRisk(*three_point_data())(network))


def _search_minimum(h: Activation) -> tuple[tuple[float, float], tuple[float, float]]:
    """Find v and u at which the Hessian across the flat set is largest for the weights' size."""
    at = _GRID[_smooth(h)]
    look = jax.jit(lambda t: (h(t), h.derivative(1)(t), h.derivative(2)(t)))
    value, slope, bend = (np.asarray(f, np.float64) for f in look(jnp.asarray(at)))
    i, j, k = np.ix_(range(len(at)), range(len(at)), range(len(_WEIGHTS)))
    with np.errstate(all="ignore"):
        first = _WEIGHTS[k]
        second = second_weight((value[i], value[j]), first, 1 / 3)
        usable = np.abs(second) <= _LARGEST_WEIGHT
        a1, a2, p = curvatures((slope[i], slope[j]), (bend[i], bend[j]), (first, second), 1 / 3)
        least = (a1 + a2) / 2 - np.hypot((a1 - a2) / 2, p)
        size = 1 + first**2 + second**2
        definite = usable & (least > _CLEAR * size)
    if not usable.any():
        raise ConditionError("C2.3", "h(v2) is 0, or nearly, wherever the search looked")
    if not (usable & (np.minimum(a1, a2) > _CLEAR)).any():
        raise ConditionError("C2.6", "no v and u with a1 > 0 and a2 > 0 are found")
    if not definite.any():
        raise ConditionError("C2.7", "no v and u that satisfy it are found")
    score = np.where(definite, least / size, -np.inf)
    a, b, c = np.unravel_index(np.argmax(score), score.shape)
    weights = float(_WEIGHTS[c]), float(second[a, b, c])
    return (float(at[a]), float(at[b])), weights


def _smooth(h: Activation) -> np.ndarray:
    """Say which points of the grid are away from known kinks."""
    kinks = np.abs(_GRID[:, None] - np.array([*h.kinks, np.inf])).min(axis=1)
    return kinks > 0.1


def _search_fit(h: Activation) -> tuple[float, float, float, float]:
    """Find the v of the fit with the smallest second layer."""
    look = jax.jit(h.function)
    fine, coarse = (np.asarray(look(jnp.asarray(t)), np.float64) for t in (_FINE, _COARSE))
    i, j, k = np.ix_(*[range(len(_COARSE))] * 3)
    off = coarse[i][..., None] * fine - (coarse[j] * coarse[k])[..., None]
    # A change of sign between two points, of which one may be a solution itself.
    i, j, k, cell = np.nonzero((off[..., :-1] * off[..., 1:] <= 0) & (off[..., 1:] != 0))
    v1, v2, v3 = _COARSE[i], _COARSE[j], _COARSE[k]
    left, right = _FINE[cell], _FINE[cell + 1]
    for _ in range(60):
        v4 = (left + right) / 2
        beyond = (coarse[i] * look(jnp.asarray(v4)) - coarse[j] * coarse[k]) * off[
            i, j, k, cell + 1
        ]
        left, right = np.where(beyond > 0, left, v4), np.where(beyond > 0, v4, right)
    one, two = (np.asarray(look(jnp.asarray(t))) for t in ((v1 + v2) / 2, (v3 + right) / 2))
    largest = np.maximum(np.abs(coarse[i]), np.abs(coarse[k]))
    score = np.abs(coarse[k] * one - coarse[i] * two) / np.maximum(largest, 1e-300)
    clear = np.flatnonzero(score > _CLEAR)
    if not len(clear):
        raise ConditionError("C2.2", "both sides agree at all v with h(v1)h(v4) = h(v2)h(v3) found")
    best = clear[np.argmax(score[clear])]
    return float(v1[best]), float(v2[best]), float(v3[best]), float(right[best])


def _piecewise_linear(activation: Activation, plus: fmpq, minus: fmpq) -> ThreePoints:
    """Give the networks of appendix A6, proven with rational numbers.

    For s₋ > 0, v = (1/s₊, −1/s₋, −1/s₋, 1/s₊).  For s₋ = 0, W₁ = [[0, 2], [−2, 1]] and
    W₂ = [1, −2]/s₊.  For s₋ < 0, of which the paper does not speak, v = (1/s₊, 2/s₊, 1/s₊, 2/s₋).
    The minimum: v = 1/(4s₊) twice, u = ⅔ twice; all neurons are active, and its output is the least
    squares'.

    Source: YSJ19, appendix A6.
    """

    def h(t: fmpq) -> fmpq:
        return t * (plus if t > 0 else minus)

    if minus == 0:
        v, outer = [fmpq(0), fmpq(2), fmpq(-2), fmpq(1)], [1 / plus, -2 / plus]
    else:
        one = 1 / plus
        v = [one, -1 / minus, -1 / minus, one] if minus > 0 else [one, 2 * one, one, 2 / minus]
        scale = h(v[2]) * h((v[0] + v[1]) / 2) - h(v[0]) * h((v[2] + v[3]) / 2)
        outer = [h(v[2]) / scale, -h(v[0]) / scale]
    x, y = three_point_data()
    small, u = 1 / (4 * plus), fmpq(2, 3)
    fit = _rational(activation, v, outer)
    minimum = _rational(activation, [small] * 4, [u, u])
    check = check_cell(minimum, x, y)
    good, bad = fit.nearest(), minimum.nearest()
    return ThreePoints(
        fit=good,
        minimum=bad,
        fit_risk=_risk(good),
        minimum_risk=_risk(bad),
        v_fit=(nearest(v[0]), nearest(v[1]), nearest(v[2]), nearest(v[3])),
        v=(nearest(small), nearest(small)),
        u=(nearest(u), nearest(u)),
        margins={"radius": check.radius},
        rigorous=check.is_minimum and check_cell(fit, x, y).risk == 0,
        smoothness="in the cell of the minimum the predictions are linear in x",
    )


def _rational(activation: Activation, v: list[fmpq], u: list[fmpq]) -> RationalNetwork:
    return RationalNetwork(
        fmpq_mat([[v[0], v[1], 0], [v[2], v[3], 0]]), fmpq_mat([[*u, 0]]), activation
    )
