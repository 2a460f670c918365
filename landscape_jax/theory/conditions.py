"""The conditions of YSJ19's theorem 2 on an activation, proven in ball arithmetic or in floats."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from flint import arb, ctx

from landscape_jax.networks import activations
from landscape_jax.networks.activations import Activation, Monomial
from landscape_jax.proofs import analytic
from landscape_jax.proofs.balls import lower, upper
from landscape_jax.theory.precision import require_float64

Near = Callable[[arb], analytic.Piece | None]

_BITS = 128
# How far from a float the solution v₄ of (C2.1) may lie.
_SOLVED = 1e-13
# In floats, what is smaller than this, relative to its terms, is taken for rounding.
_ROUNDING = 1e-9
_TAKEN = "that the function is analytic near v is taken from you"


class ConditionError(ValueError):
    """A condition of theorem 2 that an activation violates; `condition` is its name."""

    def __init__(self, condition: str, message: str):
        super().__init__(f"{condition} is violated: {message}")
        self.condition = condition


class Margins(NamedTuple):
    """By how much the conditions hold.

    - `values`: by condition, what is left of an inequality, rounded down where `rigorous`, and
      under "C2.5" a c, rounded up.
    - `rigorous`: whether they were proven in ball arithmetic; else floats were compared.
    - `smoothness`: the statement on which (C2.4) and (C2.5) rest.
    """

    values: dict[str, float]
    rigorous: bool
    smoothness: str


def analytic_pieces(activation: Activation) -> Near | None:
    """Give the formulas of an activation in ball arithmetic; `None` where it is not a named one."""
    function, name = activation.function, activation.name
    if isinstance(function, Monomial):
        return lambda at: analytic.power(function.power)
    if name in analytic.NAMES and activation == activations.named(name):
        return lambda at: analytic.piece(name, at)
    return None


def check_fit(
    activation: str | Callable | Activation, v: tuple[float, float, float, float]
) -> Margins:
    """Check (C2.1), h(v₁)h(v₄) = h(v₂)h(v₃), and (C2.2), h(v₁)h((v₃+v₄)/2) ≠ h(v₃)h((v₁+v₂)/2).

    For a named activation: that (C2.1) has a solution within 1e-13 max(1, |v₄|) of v₄, by a change
    of sign, and that (C2.2) holds for all v₄ there.

    **Arguments:** `activation`, as of `three_points`; `v`, (v₁, v₂, v₃, v₄).

    **Returns:** `Margins`, in balls for a named activation, in floats for any other function.

    **Raises:** `ConditionError` with the name of the condition that fails; `ValueError` where
    floats are needed and float64 is off.

    Source: YSJ19, theorem 2.

    ```python
    >>> check_fit("quadratic", (1.0, 0.5, 0.5, -0.25)).values
    {'C2.2': 0.124...}

    ```
    """
    known = activations.named(activation)
    near = analytic_pieces(known)
    if near is None:
        return _fit_in_floats(known, v)
    with ctx.workprec(_BITS):
        return _fit_in_balls(near, v)


def check_minimum(
    activation: str | Callable | Activation, v: tuple[float, float], u: float
) -> Margins:
    """Check (C2.4)–(C2.7) for v₁, v₂ and u₁, with the u₂ that (C2.3) asks for.

    (C2.6) a₁ > 0, aⱼ = (uⱼh′(vⱼ))² + uⱼh″(vⱼ)/3; (C2.7) (u₁h′(v₁)u₂h′(v₂))² < a₁a₂.

    **Arguments:** `activation`, as of `three_points`; `v`, (v₁, v₂); `u`, u₁.

    **Returns:** `Margins`, in balls for a named activation, in floats for any other function.

    **Raises:** `ConditionError` with the name of the condition that fails; `ValueError` where
    floats are needed and float64 is off.

    Source: YSJ19, theorem 2.

    ```python
    >>> import math
    >>> v = math.atanh(0.5), math.atanh(0.25)
    >>> check_minimum("tanh", v, 1.0)
    Traceback (most recent call last):
    ...
    landscape_jax.theory.conditions.ConditionError: C2.7 is violated: ...
    >>> check_minimum("tanh", (v[0], math.atanh(0.75)), 1.0).rigorous
    True

    ```
    """
    known = activations.named(activation)
    near = analytic_pieces(known)
    if near is None:
        return _minimum_in_floats(known, v, u)
    with ctx.workprec(_BITS):
        return _minimum_in_balls(near, v, u)


def second_weight(h: tuple[Any, Any], u: Any, third: Any) -> Any:
    """Give the u₂ of (C2.3), u₁h(v₁) + u₂h(v₂) = 1/3."""
    return (third - u * h[0]) / h[1]


def curvatures(slopes: tuple, bends: tuple, u: tuple, third: Any) -> tuple[Any, Any, Any]:
    """Give a₁, a₂ and u₁h′(v₁)u₂h′(v₂), of numbers, arrays or balls.

    The risk's second derivatives in wⱼ·(1, −1), j = 1, 2, are half of [[a₁, p], [p, a₂]].
    """
    p, q = u[0] * slopes[0], u[1] * slopes[1]
    return p * p + u[0] * bends[0] * third, q * q + u[1] * bends[1] * third, p * q


def _piece(near: Near, at: arb, condition: str) -> analytic.Piece:
    found = near(at)
    if found is None:
        raise ConditionError(condition, f"the activation is not known to be analytic at {at}")
    return found


def _value(near: Near, at: arb) -> arb:
    return arb(_piece(near, at, "C2.1").function(at))


def _fit_in_balls(near: Near, v: tuple[float, float, float, float]) -> Margins:
    v1, v2, v3 = map(arb, v[:3])
    h1, h3 = _value(near, v1), _value(near, v3)
    wanted = _value(near, v2) * h3
    ends = [arb(v[3]) + side * _SOLVED * max(1, abs(v[3])) for side in (-1, 1)]
    v4 = ends[0].union(ends[1])
    smooth = _piece(near, v4, "C2.1")
    left, right = (h1 * arb(smooth.function(end)) - wanted for end in ends)
    if not left * right < 0:
        raise ConditionError(
            "C2.1", f"h(v1)h(v4) - h(v2)h(v3) changes no sign within {_SOLVED:g} of v4 = {v[3]}"
        )
    off = h1 * _value(near, (v3 + v4) / 2) - h3 * _value(near, (v1 + v2) / 2)
    if not off.abs_lower() > 0:
        raise ConditionError("C2.2", f"h(v1)h((v3+v4)/2) - h(v3)h((v1+v2)/2) is {off} at v = {v}")
    return Margins({"C2.2": lower(off.abs_lower())}, True, smooth.statement)


def _minimum_in_balls(near: Near, v: tuple[float, float], u: float) -> Margins:
    points, first, third = list(map(arb, v)), arb(u), arb(1) / 3
    pieces = [_piece(near, at, "C2.4") for at in points]
    c = [analytic.growth(piece, at) for piece, at in zip(pieces, points, strict=True)]
    if not all(x.is_finite() for x in c):
        raise ConditionError("C2.5", f"no c is found at v = {v}")
    (h1, d1, e1), (h2, d2, e2) = (
        analytic.derivatives(piece, at) for piece, at in zip(pieces, points, strict=True)
    )
    second = second_weight((h1, h2), first, third)
    if not second.is_finite():
        raise ConditionError("C2.3", f"h(v2) is {h2} at v = {v}")
    a1, a2, mixed = curvatures((d1, d2), (e1, e2), (first, second), third)
    values = {"C2.6": a1, "C2.7": a1 * a2 - mixed**2}
    for name, margin in values.items():
        if not margin > 0:
            raise ConditionError(name, f"what should be above 0 is {margin} at v = {v}, u1 = {u}")
    bounds = {name: lower(margin) for name, margin in values.items()}
    return Margins(bounds | {"C2.5": max(map(upper, c))}, True, pieces[0].statement)


def _fit_in_floats(h: Activation, v: tuple[float, float, float, float]) -> Margins:
    require_float64("a check in floats")
    v1, v2, v3, v4 = v
    h1, h2, h3, h4, middle, other = (
        float(h(jnp.asarray(t))) for t in (v1, v2, v3, v4, (v3 + v4) / 2, (v1 + v2) / 2)
    )
    off = h1 * h4 - h2 * h3
    if not abs(off) <= _ROUNDING * (abs(h1 * h4) + abs(h2 * h3)):
        raise ConditionError("C2.1", f"h(v1)h(v4) - h(v2)h(v3) is {off:.3g} at v = {v}")
    margin = abs(h1 * middle - h3 * other)
    if not margin > _ROUNDING * (abs(h1 * middle) + abs(h3 * other)):
        raise ConditionError(
            "C2.2", f"h(v1)h((v3+v4)/2) - h(v3)h((v1+v2)/2) is {margin:.3g} at v = {v}"
        )
    return Margins({"C2.2": margin}, False, _TAKEN)


def _minimum_in_floats(h: Activation, v: tuple[float, float], u: float) -> Margins:
    require_float64("a check in floats")
    at = jnp.array(v)
    (h1, h2), slopes, bends = (
        tuple(map(float, f(at))) for f in (h, h.derivative(1), h.derivative(2))
    )
    if h2 == 0:
        raise ConditionError("C2.3", f"h(v2) is 0 at v = {v}")
    second = second_weight((h1, h2), u, 1 / 3)
    a1, a2, mixed = curvatures(slopes, bends, (u, second), 1 / 3)
    scales = {"C2.6": (u * slopes[0]) ** 2, "C2.7": abs(a1 * a2) + mixed**2}
    values = {"C2.6": a1, "C2.7": a1 * a2 - mixed**2}
    for name, margin in values.items():
        if not margin > _ROUNDING * scales[name]:
            raise ConditionError(
                name, f"what should be above 0 is {margin:.3g} at v = {v}, u1 = {u}"
            )
    return Margins(values, False, _TAKEN)
