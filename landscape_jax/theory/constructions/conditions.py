"""The conditions of YSJ19's theorem 2 on an activation, proven in ball arithmetic or in floats."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flint import arb
from jaxtyping import Float

from landscape_jax.exact.working_precision import working_precision
from landscape_jax.mistakes import explained
from landscape_jax.networks import activations
from landscape_jax.networks.activations import Activation, Monomial
from landscape_jax.precision import require_float64
from landscape_jax.proofs import analytic
from landscape_jax.proofs.balls import lower, upper
from landscape_jax.theory.constructions.traces import (
    BALLS,
    jet_in_balls,
    supports,
    trace,
    value_in_balls,
)

_Formulas = Callable[[arb], analytic.Piece | None]
_Jet = tuple[arb, arb, arb]

BITS = 128
# The solution v₄ of (C2.1) is sought within this distance of a float, relative to the largest v.
_SOLVED = 1e-13
# In floats a margin must exceed this many times its rounding error: eps times the sum of its terms
# plus its variation over the floats nearest to v.
_ROUNDINGS = 16
_NEIGHBOURS = 8
_ASSUMED = "assumed without proof: the function is analytic near v"


class ConditionError(ValueError):
    """A condition of theorem 2 that fails, or could not be proven.

    - `condition`: its name.
    - `violated`: whether it is proven to fail, for the numbers given, or, from `three_points`, for
      all numbers; otherwise it is undecided, or a search found no numbers.
    """

    def __init__(self, condition: str, message: str, verdict: str = "is violated"):
        super().__init__(f"{condition} {verdict}: {message}")
        self.condition = condition
        self.violated = verdict == "is violated"


class Margins(NamedTuple):
    """The margins by which the conditions hold.

    - `values`: by condition, the margin of an inequality, rounded down if computed in balls, and
      under "C2.5" a c, rounded up.
    - `proven`: whether everything was proven, as for named activations; otherwise `smoothness` is
      an assumption on the user's function, and the inequalities were checked in balls if all its
      operations are supported, in floats if not.
    - `smoothness`: the statement on which (C2.4) and (C2.5) rest.
    """

    values: dict[str, float]
    proven: bool
    smoothness: str


class InBalls(NamedTuple):
    """An activation in ball arithmetic.

    - `value`: encloses h on a ball; `jet`: h, h′ and h″; `None` where no formula is known.
    - `growth`: the c of (C2.5); `None` where smoothness is assumed.
    - `smoothness`: see `Margins`.
    """

    value: Callable[[arb], arb | None]
    jet: Callable[[arb], _Jet | None]
    growth: Callable[[arb], arb] | None
    smoothness: str


class Curvatures(NamedTuple):
    """a₁ of (C2.6) and the margin a₁a₂ − p²q² of (C2.7), each with the sum of |terms|.

    With p = u₁h′(v₁), q = u₂h′(v₂) and kⱼ = uⱼh″(vⱼ)/3: a₁ = p² + k₁, and
    a₁a₂ − p²q² = p²k₂ + q²k₁ + k₁k₂, without the p²q² that cancels.
    """

    first: Any
    first_size: Any
    definite: Any
    definite_size: Any


def _analytic_pieces(activation: Activation) -> _Formulas | None:
    """Return the ball formulas of a named activation; `None` for others."""
    function, name = activation.function, activation.name
    if isinstance(function, Monomial):
        return lambda at: analytic.power(function.power)
    if name in analytic.NAMES and activation == activations.named(name):
        return lambda at: analytic.piece(name, at)
    return None


def in_balls(activation: Activation) -> InBalls | None:
    """Return an activation in ball arithmetic; `None` if it has unsupported operations.

    **Raises:** as of `trace`; `ValueError` if it is not a named one and float64 is off.
    """
    near = _analytic_pieces(activation)
    if near is not None:
        return _named_in_balls(near)
    require_float64("a check in floats")
    program = trace(activation)
    if not supports(BALLS, program):
        return None
    return InBalls(
        lambda at: value_in_balls(program, at), lambda at: jet_in_balls(program, at), None, _ASSUMED
    )


def _named_in_balls(near: _Formulas) -> InBalls:
    def value(at: arb) -> arb | None:
        piece = near(at)
        return None if piece is None else arb(piece.function(at))

    def jet(at: arb) -> _Jet | None:
        piece = near(at)
        return None if piece is None else analytic.derivatives(piece, at)

    def growth(at: arb) -> arb:
        piece = near(at)
        return arb.nan() if piece is None else analytic.growth(piece, at)

    some = near(arb(1))
    return InBalls(value, jet, growth, _ASSUMED if some is None else some.statement)


@explained
def check_fit(
    activation: str | Callable | Activation, v: tuple[float, float, float, float]
) -> Margins:
    """Check (C2.1), h(v₁)h(v₄) = h(v₂)h(v₃), and (C2.2), h(v₁)h((v₃+v₄)/2) ≠ h(v₃)h((v₁+v₂)/2).

    That is, that (C2.1) has a solution within 1e-13 max |vᵢ| of v₄, by a change of sign or because
    both sides are equal, and that (C2.2) holds for all v₄ in this range.

    **Arguments:** `activation`, as of `three_points`; `v`, (v₁, v₂, v₃, v₄).

    **Returns:** `Margins`.

    **Raises:** `ConditionError` with the name of the condition that fails; `ValueError` if floats
    are needed and float64 is off; `TypeError` if JAX cannot trace the function.

    Source: YSJ19, theorem 2.

    ```python
    >>> check_fit("quadratic", (1.0, 0.5, 0.5, -0.25)).values
    {'C2.2': 0.125}

    ```
    """
    known = activations.named(activation)
    balls = in_balls(known)
    if balls is None:
        return _fit_in_floats(known, v)
    with working_precision(BITS):
        return _fit_in_balls(balls, v)


@explained
def check_minimum(
    activation: str | Callable | Activation, v: tuple[float, float], u: float
) -> Margins:
    """Check (C2.4)–(C2.7) for v₁, v₂ and u₁, with u₂ from (C2.3).

    (C2.6) a₁ > 0, aⱼ = (uⱼh′(vⱼ))² + uⱼh″(vⱼ)/3; (C2.7) (u₁h′(v₁)u₂h′(v₂))² < a₁a₂, compared
    without the terms that cancel, see `Curvatures`.

    **Arguments:** `activation`, as of `three_points`; `v`, (v₁, v₂); `u`, u₁.

    **Returns:** `Margins`.

    **Raises:** `ConditionError` with the name of the condition that fails; `ValueError` if floats
    are needed and float64 is off; `TypeError` if JAX cannot trace the function.

    Source: YSJ19, theorem 2.

    ```python
    >>> import math
    >>> v = math.atanh(0.5), math.atanh(0.25)
    >>> check_minimum("tanh", v, 1.0)
    Traceback (most recent call last):
    ...
    landscape_jax.theory.constructions.conditions.ConditionError: C2.7 is violated: ...
    >>> check_minimum("tanh", (v[0], math.atanh(0.75)), 1.0).proven
    True

    ```
    """
    known = activations.named(activation)
    balls = in_balls(known)
    if balls is None:
        return _minimum_in_floats(known, v, u)
    with working_precision(BITS):
        return _minimum_in_balls(balls, v, u)


def second_weight(h: tuple[Any, Any], u: Any, third: Any) -> Any:
    """Return the u₂ of (C2.3), u₁h(v₁) + u₂h(v₂) = 1/3."""
    return (third - u * h[0]) / h[1]


def curvatures(first: tuple, second: tuple, u: tuple, third: Any) -> Curvatures:
    """Return the margins of (C2.6) and (C2.7) from h′(vⱼ), h″(vⱼ), uⱼ: numbers, arrays or balls.

    The risk's second derivatives in wⱼ·(1, −1), j = 1, 2, are half of [[a₁, pq], [pq, a₂]].
    """
    p, q = (u[0] * first[0]) ** 2, (u[1] * first[1]) ** 2
    k, m = u[0] * second[0] * third, u[1] * second[1] * third
    return Curvatures(
        p + k, p + abs(k), p * m + q * k + k * m, p * abs(m) + q * abs(k) + abs(k * m)
    )


def _bound(margin: arb) -> float:
    """Return the margin rounded down to a float, or exactly if it is one."""
    middle = float(margin.mid())
    return middle if margin.is_exact() and arb(middle) == margin else lower(margin)


def _require_positive(name: str, margin: arb, what: str, where: str) -> None:
    """Raise a `ConditionError` unless a margin is proven positive."""
    if not margin > 0:
        verdict = "is violated" if margin <= 0 else "is not decided"
        raise ConditionError(name, f"{what} is {margin} {where}", verdict)


def _require_analytic(name: str, found: Any, where: str) -> Any:
    if found is None:
        raise ConditionError(
            name, f"the activation is not known to be analytic {where}", "is not decided"
        )
    return found


def _fit_in_balls(h: InBalls, v: tuple[float, float, float, float]) -> Margins:
    v1, v2, v3, v4 = map(arb, v)
    value = lambda at: _require_analytic("C2.1", h.value(at), f"at {at}")
    h1, h3, where = value(v1), value(v3), f"at v = {v}"
    wanted = value(v2) * h3
    near = v4
    if not (h1 * value(v4) - wanted).is_zero():
        ends = [v4 + side * _SOLVED * max(map(abs, v)) for side in (-1, 1)]
        near = ends[0].union(ends[1])
        _require_analytic("C2.1", h.jet(near), f"near {v4}")
        left, right = (h1 * value(end) - wanted for end in ends)
        if not left * right < 0:
            raise ConditionError(
                "C2.1",
                f"h(v1)h(v4) - h(v2)h(v3) changes no sign within {_SOLVED:g} max|v| of v4 {where}",
                "is violated" if left * right > 0 else "is not decided",
            )
    off = h1 * value((v3 + near) / 2) - h3 * value((v1 + v2) / 2)
    if not off.abs_lower() > 0:
        verdict = "is violated" if off.is_zero() else "is not decided"
        raise ConditionError(
            "C2.2", f"h(v1)h((v3+v4)/2) - h(v3)h((v1+v2)/2) is {off} {where}", verdict
        )
    return Margins({"C2.2": _bound(abs(off))}, h.growth is not None, h.smoothness)


def _minimum_in_balls(h: InBalls, v: tuple[float, float], u: float) -> Margins:
    points, first, third = list(map(arb, v)), arb(u), arb(1) / 3
    where = f"at v = {v}, u1 = {u}"
    zero = h.value(points[1])
    if zero is not None and zero.is_zero():
        raise ConditionError("C2.3", f"h(v2) is 0 {where}")
    (h1, d1, e1), (h2, d2, e2) = (_require_analytic("C2.4", h.jet(at), f"at {at}") for at in points)
    c = [] if h.growth is None else [h.growth(at) for at in points]
    if not all(x.is_finite() for x in c):
        raise ConditionError("C2.5", f"no c was found {where}", "is not decided")
    second = second_weight((h1, h2), first, third)
    if not second.is_finite():
        raise ConditionError("C2.3", f"h(v2) is {h2} {where}", "is not decided")
    found = curvatures((d1, d2), (e1, e2), (first, second), third)
    margins = {"C2.6": found.first, "C2.7": found.definite}
    for name, margin in margins.items():
        _require_positive(name, margin, "the margin, which must be positive,", where)
    bounds = {name: _bound(margin) for name, margin in margins.items()}
    growth = {"C2.5": max(map(upper, c))} if c else {}
    return Margins(bounds | growth, h.growth is not None, h.smoothness)


def _neighbours(v: float) -> Float[np.ndarray, " floats"]:
    """Return the floats nearest to v, v among them."""
    return v * (1 + np.arange(-_NEIGHBOURS, _NEIGHBOURS + 1) * np.finfo(np.float64).eps)


def _require_clear(name: str, margin: np.ndarray, size: np.ndarray, where: str) -> None:
    """Raise a `ConditionError` unless a margin exceeds its rounding error at floats near v."""
    error = np.finfo(np.float64).eps * size.max() + margin.max() - margin.min()
    if not margin.min() > _ROUNDINGS * error:
        surely = margin.max() < -_ROUNDINGS * error or not size.any()
        middle = margin[len(margin) // 2]
        raise ConditionError(
            name,
            f"the margin, which must be positive, is {middle:.3g} {where}, with a rounding error "
            f"of {error:.1g}",
            "is violated" if surely else "is not decided",
        )


def _fit_in_floats(h: Activation, v: tuple[float, float, float, float]) -> Margins:
    v1, v2, v3, v4 = v
    value = lambda t: np.asarray(h(jnp.asarray(t)), np.float64)
    h1, h2, h3, other = (value(t) for t in (v1, v2, v3, (v1 + v2) / 2))
    left, middle, right = (
        h1 * value(v4 + side * _SOLVED * max(map(abs, v))) - h2 * h3 for side in (-1, 0, 1)
    )
    if not (left * right < 0 or middle == 0):
        raise ConditionError(
            "C2.1",
            f"h(v1)h(v4) - h(v2)h(v3) changes no sign within {_SOLVED:g} max|v| of v4 at v = {v}",
        )
    fourth = _neighbours(v4)
    one, two = h1 * value((v3 + fourth) / 2), np.broadcast_to(h3 * other, fourth.shape)
    off = (one - two) * np.sign((one - two)[_NEIGHBOURS])
    _require_clear("C2.2", off, abs(one) + abs(two), f"at v = {v}")
    return Margins({"C2.2": float(off[_NEIGHBOURS])}, False, _ASSUMED)


def _minimum_in_floats(h: Activation, v: tuple[float, float], u: float) -> Margins:
    at = jnp.asarray(np.stack([_neighbours(t) for t in v]))
    (h1, h2), first, second = (
        tuple(np.asarray(f(at), np.float64)) for f in (h, h.derivative(1), h.derivative(2))
    )
    if not h2.all():
        raise ConditionError("C2.3", f"h(v2) is 0 at v = {v}")
    found = curvatures(first, second, (u, second_weight((h1, h2), u, 1 / 3)), 1 / 3)
    where = f"at v = {v}, u1 = {u}"
    _require_clear("C2.6", found.first, found.first_size, where)
    _require_clear("C2.7", found.definite, found.definite_size, where)
    middle = {"C2.6": found.first[_NEIGHBOURS], "C2.7": found.definite[_NEIGHBOURS]}
    return Margins({name: float(margin) for name, margin in middle.items()}, False, _ASSUMED)
