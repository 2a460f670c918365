"""Theorem 2 and corollary 3 of YSJ19: a spurious minimum on three points for most activations."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from flint import arb, fmpq, fmpq_mat
from jaxtyping import Array, Float

from landscape_jax.exact.rationals import nearest, rational
from landscape_jax.exact.working_precision import working_precision
from landscape_jax.mistakes import explained
from landscape_jax.networks import TwoLayer, activations
from landscape_jax.networks.activations import Activation
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.precision import require_float64
from landscape_jax.proofs.balls import upper
from landscape_jax.theory.constructions.conditions import (
    BITS,
    ConditionError,
    InBalls,
    Margins,
    check_fit,
    check_minimum,
    in_balls,
    second_weight,
)
from landscape_jax.theory.constructions.forms import Form, form
from landscape_jax.theory.constructions.piecewise_linear import (
    RationalNetwork,
    check_cell,
    exact_risk,
)
from landscape_jax.theory.constructions.three_points_search import (
    Four,
    fit_candidates,
    minimum_candidates,
    nothing_found,
)
from landscape_jax.theory.constructions.traces import trace

# Largest risk of `fit` in exact arithmetic, far below the 1/3 of the minimum.
_FITTED = 1e-12


class ThreePoints(NamedTuple):
    """Two networks on x = 0, 1, −1 with y = 0, 0, 1: one fits them, one is a minimum of risk 1/3.

    - `fit`: of risk 0, and `minimum`: of risk ½ Σᵢ (q(xᵢ) − yᵢ)² = 1/3; both rounded to floats.
    - `fit_risk`, `minimum_risk`: the risks of the two networks, evaluated in float64.
    - `v_fit`: (v₁, v₂, v₃, v₄) of (C2.1), (C2.2); `v`, `u`: (v₁, v₂) and (u₁, u₂) of (C2.3)–(C2.7).
    - `margins`: the margins of the conditions, see `Margins`; for a piecewise linear activation the
      "radius" of a ball around the minimum in which its activation pattern holds.
    - `proven`: whether the margins were proven, in ball or rational arithmetic.
    - `smoothness`: the statement on which (C2.4) and (C2.5) rest.
    - `fit_bound`: an upper bound on the risk of `fit` in exact arithmetic, at most 1e-12; `None` if
      the activation has operations without ball arithmetic.  (`fit_risk` has large rounding errors
      where a small nonlinearity makes the weights large.)
    """

    fit: TwoLayer
    minimum: TwoLayer
    fit_risk: float
    minimum_risk: float
    v_fit: tuple[float, float, float, float]
    v: tuple[float, float]
    u: tuple[float, float]
    margins: dict[str, float]
    proven: bool
    smoothness: str
    fit_bound: float | None


@explained
def three_point_data() -> tuple[Float[Array, "3 2"], Float[Array, " 3"]]:
    """Return the data of theorem 2: x = (1, 0), (0, 1), (½, ½) and y = 0, 0, 1.

    The least-squares prediction is 1/3 at all of them.
    """
    return jnp.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]), jnp.array([0.0, 0.0, 1.0])


@explained
def three_points(activation: str | Callable | Activation) -> ThreePoints:
    """Find two networks of width 2 on the three points: one of risk 0, and a spurious minimum.

    *The fit.* W₁ = [[v₁, v₂], [v₃, v₄]], b = 0,
    W₂ = [h(v₃), −h(v₁)] / (h(v₃)h((v₁+v₂)/2) − h(v₁)h((v₃+v₄)/2)), under

    - (C2.1) h(v₁)h(v₄) = h(v₂)h(v₃), (C2.2) h(v₁)h((v₃+v₄)/2) ≠ h(v₃)h((v₁+v₂)/2).

    *The minimum.* W₁ = [[v₁, v₁], [v₂, v₂]], W₂ = [u₁, u₂], b = 0, of risk 1/3, under

    - (C2.3) u₁h(v₁) + u₂h(v₂) = 1/3, (C2.4, 5) h is analytic near v₁ and v₂: |h⁽ⁿ⁾| ≤ cⁿn!, n ≥ 1,
    - (C2.6) a₁ > 0, aⱼ = (uⱼh′(vⱼ))² + uⱼh″(vⱼ)/3, (C2.7) (u₁h′(v₁)u₂h′(v₂))² < a₁a₂.

    v and u are searched for on grids of all scales, as h(t) satisfies them at (v, u) if and only if
    c·h(κt) does at (v/κ, u/c).  Then they are checked in ball arithmetic: (C2.1) has a solution v₄
    in a tiny ball, by a change of sign; u₂ solves (C2.3) exactly; the inequalities hold for all
    points of the balls, (C2.7) without the products that cancel.  This is a proof for named
    activations; for a user's function, whose JAX program is evaluated in balls, only (C2.4) and
    (C2.5) are assumed.  A program with unsupported operations is checked in floats, where a margin
    must exceed 16 rounding errors.  The networks are the midpoints of the balls, rounded, and the
    risk of the fit is bounded in ball arithmetic too.

    For h = t + εg(t) the weights of the fit grow like 1/ε and the margins decrease like ε: down to
    ε = 1e-6 (tested) float64 can represent a fit.

    Activations from `activations.leaky` fail (C2.7), with equality on each side of 0, and have
    networks of their own (appendix A6), which are rational, with the least risk of their activation
    pattern.

    Why it is a minimum, and which null directions the Hessian has: with the biases there are 9
    parameters.  The networks near it with equal pre-activations on all samples, wⱼ·(1, −1) = 0,
    and whose output is 1/3 are a smooth set of dimension 6, on which the risk is 1/3 and its
    gradient 0.  Across this set, in wⱼ·(1, −1), j = 1, 2, and the common output, the Hessian is
    positive definite by (C2.6) and (C2.7).  So the risk is at least 1/3 nearby.  This uses two
    continuous derivatives only: (C2.4) and (C2.5) are stronger than needed.

    Errors in the paper: the printed values for tanh and arctan, h(v) = (½, ¼) and u = (1, −⅔), fail
    (C2.7), for tanh as 0.2197 > 0.1546; h(v) = (½, ¾) with u = (1, −2/9) pass.  ReLU does not
    violate (C2.1) or (C2.2), as section 3 states: v = (1, −½, 3, −1) has h(v₁)h(v₄) = 0 =
    h(v₂)h(v₃), h(v₁)h((v₃+v₄)/2) = 1 and h(v₃)h((v₁+v₂)/2) = ¾. For exp and for t^p with p odd
    (C2.1) makes both sides of (C2.2) equal.

    **Arguments:** `activation`, a name, an `Activation`, or an elementwise function of arrays.

    **Returns:** a `ThreePoints`.

    **Raises:** `ConditionError`, a `ValueError`, with the name of the condition: "is violated" if
    the formula of the activation shows that no numbers satisfy it (its `violated` is true), "is
    undecided, nothing found" if the search found none; `TypeError` if JAX cannot trace the
    function; `ValueError` if float64 is off.

    Source: YSJ19, theorem 2, corollary 3, appendices A3, A5 and A6.

    ```python
    >>> found = three_points("tanh")
    >>> found.proven, found.margins["C2.7"] > 0
    (True, True)
    >>> f"{found.minimum_risk:.12f}", found.fit_risk < 1e-24
    ('0.333333333333', True)
    >>> three_points("linear")
    Traceback (most recent call last):
    ...
    landscape_jax.theory.constructions.conditions.ConditionError: C2.7 is violated: ...

    ```
    """
    known = activations.named(activation)
    require_float64("the search")
    slopes = known.slopes
    if slopes is not None and slopes[0] > 0 and slopes[0] != slopes[1]:
        return _piecewise_linear(known, rational(slopes[0]), rational(slopes[1]))
    _require_satisfiable(known)
    balls = in_balls(known)
    v, u1, margins = _first_minimum(known)
    v_fit, fit_margins, fit, bound = _first_fit(known, balls)
    u = u1, _second_weight(known, balls, v, u1)
    minimum = _network(known, [(v[0], v[0]), (v[1], v[1])], list(u))
    return ThreePoints(
        fit=fit,
        minimum=minimum,
        fit_risk=_risk(fit),
        minimum_risk=_risk(minimum),
        v_fit=v_fit,
        v=v,
        u=u,
        margins=fit_margins.values | margins.values,
        proven=fit_margins.proven and margins.proven,
        smoothness=margins.smoothness,
        fit_bound=bound,
    )


def _require_satisfiable(h: Activation) -> None:
    """Raise a `ConditionError` if the activation's formula shows that one fails for all v and u."""
    found = form(trace(h))
    if found is None:
        return
    if found.is_zero:
        raise ConditionError("C2.3", f"{h.name} is 0 everywhere")
    if found.is_constant:
        raise ConditionError("C2.6", f"{h.name} is constant, {found}, so a1 is 0 for all v and u")
    if found.is_piecewise_linear:
        raise ConditionError(
            "C2.7",
            f"{h.name} is piecewise linear, {found}, so h'' is 0 and both sides are equal for all "
            f"v and u{_alternative(found)}",
        )
    if found.is_multiplicative:
        raise ConditionError(
            "C2.2",
            f"{h.name} is c t^p of odd p, or c e^(kt), so both sides are equal for all v with "
            "h(v1)h(v4) = h(v2)h(v3)",
        )


def _alternative(found: Form) -> str:
    """Name a leaky ReLU that can replace a piecewise linear activation, for the error message."""
    kinks = ((kink, found.slopes_at(kink)) for kink in found.ends)
    kink, slopes = next((pair for pair in kinks if pair[1] is not None), (fmpq(0), None))
    if slopes is None:
        return ""
    plus, minus = slopes
    # One of h(t), −h(t), h(−t) and −h(−t), from the kink on, has s₊ > 0.
    if plus < 0 or (plus == 0 and minus < 0):
        plus, minus = (-plus, -minus) if plus < 0 else (-minus, -plus)
    elif plus == 0:
        plus, minus = minus, plus
    leaky = f"activations.leaky({nearest(plus)}, {nearest(minus)})"
    if found.is_leaky and (plus, minus) == slopes:
        return f"; give {leaky}, for which the networks of appendix A6 are known"
    return (
        f"; near its kink at {nearest(kink):g} it is {leaky} up to shifts and signs, so the "
        "networks of three_points with that, W1 scaled down, W2 up, and biases that move 0 to the "
        "kink, are its own too"
    )


def _first_minimum(h: Activation) -> tuple[tuple[float, float], float, Margins]:
    """Return the first v and u₁ of the search that pass their check, and the margins."""
    refusal = None
    for v, u in minimum_candidates(h):
        try:
            return v, u, check_minimum(h, v, u)
        except ConditionError as error:
            refusal = error
    raise nothing_found("C2.7", h) from refusal


def _first_fit(
    h: Activation, balls: InBalls | None
) -> tuple[Four, Margins, TwoLayer, float | None]:
    """Return the first v of the search that pass their check, the margins, the fit, its bound."""
    refusal = None
    for v in fit_candidates(h):
        try:
            margins = check_fit(h, v)
        except ConditionError as error:
            refusal = error
            continue
        network, bound = _fit(h, balls, v)
        if bound is None or bound < _FITTED:
            return v, margins, network, bound
    raise nothing_found("C2.2", h) from refusal


def _fit(h: Activation, balls: InBalls | None, v: Four) -> tuple[TwoLayer, float | None]:
    """Return the network of (C2.1) and (C2.2), and a bound on its risk in exact arithmetic."""
    at = *v, (v[0] + v[1]) / 2, (v[2] + v[3]) / 2
    layer = [v[:2], v[2:]]
    if balls is None:
        h1, _, h3, _, one, two = (float(h(jnp.asarray(t))) for t in at)
        scale = h3 * one - h1 * two
        return _network(h, layer, [h3 / scale, -h1 / scale]), None
    with working_precision(BITS):
        v1, v2, v3, v4 = map(arb, v)
        points = v1, v2, v3, v4, (v1 + v2) / 2, (v3 + v4) / 2
        h1, h2, h3, h4, one, two = (_known(balls.value(t)) for t in points)
        scale = h3 * one - h1 * two
        W2 = [float(h3 / scale), float(-h1 / scale)]
        left, right = map(arb, W2)
        errors = left * h1 + right * h3, left * h2 + right * h4, left * one + right * two - 1
        risk = sum((error * error for error in errors), arb(0)) / 2
        return _network(h, layer, W2), upper(risk)


def _known(value: arb | None) -> arb:
    return arb.nan() if value is None else value


def _second_weight(h: Activation, balls: InBalls | None, v: tuple[float, float], u: float) -> float:
    """Return the u₂ of (C2.3), rounded."""
    if balls is None:
        h1, h2 = (float(h(jnp.asarray(t))) for t in v)
        return float(second_weight((h1, h2), u, 1 / 3))
    with working_precision(BITS):
        values = _known(balls.value(arb(v[0]))), _known(balls.value(arb(v[1])))
        return float(second_weight(values, arb(u), arb(1) / 3))


def _network(activation: Activation, W1: list[tuple[float, ...]], W2: list[float]) -> TwoLayer:
    zeros = jnp.zeros(2), jnp.zeros(1)
    return TwoLayer(jnp.array(W1), jnp.array([W2]), *zeros, activation=activation)


def _risk(network: TwoLayer) -> float:
    """Return ½ Σᵢ (q(xᵢ) − yᵢ)², 3/2 times `EmpiricalRisk`."""
    return 3 / 2 * float(EmpiricalRisk(*three_point_data())(network))


def _piecewise_linear(activation: Activation, plus: fmpq, minus: fmpq) -> ThreePoints:
    """Return the networks of appendix A6, proven in rational arithmetic.

    For s₋ > 0, v = (1/s₊, −1/s₋, −1/s₋, 1/s₊).  For s₋ = 0, W₁ = [[0, 2], [−2, 1]] and
    W₂ = [1, −2]/s₊.  For s₋ < 0, which the paper does not treat, v = (1/s₊, 2/s₊, 1/s₊, 2/s₋).
    The minimum: v = 1/(4s₊) twice, u = ⅔ twice; all neurons are active, and its outputs are the
    least-squares predictions.

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
        proven=check.proven and check_cell(fit, x, y).risk == 0,
        smoothness="near the minimum the predictions are linear in x",
        fit_bound=nearest(exact_risk(good, x, y)),
    )


def _rational(activation: Activation, v: list[fmpq], u: list[fmpq]) -> RationalNetwork:
    return RationalNetwork(
        fmpq_mat([[v[0], v[1], 0], [v[2], v[3], 0]]), fmpq_mat([[*u, 0]]), activation
    )
