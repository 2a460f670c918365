"""Activations in ball arithmetic: where they are analytic, and bounds of their derivatives.

A piece's `function` is made of ring operations and of exp, log, sin, cos, atan and erf, so that it
takes an `arb`, an `acb` and an `arb_series` alike.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from flint import acb, arb, arb_series

Formula = Callable[[Any], Any]

# As in JAX: the float64 nearest to the published constants.
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


class Piece(NamedTuple):
    """A formula of an activation near a point, analytic within `reach` of it.

    `statement`: the domain, and why it is analytic there.
    """

    function: Formula
    reach: float
    statement: str


def _sigmoid(t: Any) -> Any:
    return 1 / (1 + (-t).exp())


# By name: the formula, how far the singularities are from the real line, and which they are.
_ON_THE_LINE: dict[str, tuple[Formula, float, str]] = {
    "sigmoid": (_sigmoid, 3.0, "its poles are (2k + 1)πi"),
    "tanh": (lambda t: 1 - 2 / (1 + (2 * t).exp()), 1.5, "its poles are (k + ½)πi"),
    "arctan": (lambda t: t.atan(), 1.0, "its singularities are ±i"),
    "softplus": (lambda t: (1 + t.exp()).log(), 3.0, "its singularities are (2k + 1)πi"),
    "erf": (lambda t: t.erf(), math.inf, "it is entire"),
    "sine": (lambda t: t.sin(), math.inf, "it is entire"),
    "cosine": (lambda t: t.cos(), math.inf, "it is entire"),
}
# By name: the formulas for t < 0 and t > 0, both entire.
_IN_HALVES: dict[str, tuple[Formula, Formula]] = {
    "elu": (lambda t: t.exp() - 1, lambda t: t),
    "selu": (
        lambda t: arb(_SELU_SCALE) * arb(_SELU_ALPHA) * (t.exp() - 1),
        lambda t: arb(_SELU_SCALE) * t,
    ),
}
NAMES = (*_ON_THE_LINE, *_IN_HALVES)


def piece(name: str, at: arb) -> Piece | None:
    """Return the formula of a named activation near a point; `None` if it is not analytic there.

    ```python
    >>> piece("elu", arb(-2)).reach, piece("elu", arb(0))
    (2.0, None)

    ```
    """
    if name in _ON_THE_LINE:
        function, reach, why = _ON_THE_LINE[name]
        return Piece(function, reach, f"{name} is analytic on the real line: {why}")
    if not (at > 0 or at < 0):
        return None
    function = _IN_HALVES[name][bool(at > 0)]
    reach = math.nextafter(float(at.abs_lower()), 0)
    return Piece(function, reach, f"{name} is analytic but at 0: both of its formulas are entire")


def power(exponent: int) -> Piece:
    """Return t ↦ t^p as a piece."""

    def function(t: Any) -> Any:
        # A product: balls compute powers by the logarithm, which a ball around 0 does not have.
        return math.prod([t] * exponent)

    return Piece(function, math.inf, f"t^{exponent} is a polynomial")


def derivatives(near: Piece, at: arb) -> tuple[arb, arb, arb]:
    """Enclose h, h′ and h″ at a point.

    ```python
    >>> [float(x) for x in derivatives(power(3), arb(2))]
    [8.0, 12.0, 12.0]

    ```
    """
    series = arb_series(near.function(arb_series([at, arb(1)], prec=3)), prec=3)
    return series[0], series[1], 2 * series[2]


def growth(near: Piece, at: arb) -> arb:
    """Return a c with |h⁽ⁿ⁾| ≤ cⁿn! at a point, for all n ≥ 1; not finite if none is found.

    Cauchy's estimate on the disc of radius r, an eighth of the reach and at most 1:
    |h⁽ⁿ⁾| ≤ n! M/rⁿ with M = max |h| there, so c = max(1, M)/r.
    """
    r = arb(min(near.reach / 8, 1.0))
    disc = acb(at + r.union(-r), r.union(-r))
    return acb(near.function(disc)).abs_upper().max(arb(1)) / r
