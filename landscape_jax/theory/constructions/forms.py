"""Exact formulas of activations from their JAX programs: pieces of terms c·tᵖ·e^{κt}."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq
from jax.extend.core import ClosedJaxpr

from landscape_jax.exact.rationals import nearest, rational
from landscape_jax.theory.constructions.traces import Operations, evaluate

# c of each term c·tᵖ·e^{κt}, by (p, κ); none of them 0.
_Terms = dict[tuple[int, fmpq], fmpq]


class Form(NamedTuple):
    """A piecewise formula of a function of t, exact except at the points where it changes.

    - `ends`: these points, increasing.
    - `pieces`: the terms between them, from −∞ to ∞, one more than ends; bools for a condition.
    """

    ends: tuple[fmpq, ...]
    pieces: tuple[Any, ...]

    @property
    def is_zero(self) -> bool:
        """Whether the function is 0 everywhere."""
        return not any(self.pieces)

    @property
    def is_constant(self) -> bool:
        """Whether the function is constant between its ends."""
        return all(set(piece) <= {_ONE} for piece in self.pieces)

    @property
    def is_piecewise_linear(self) -> bool:
        """Whether the function is affine between its ends."""
        return all(set(piece) <= {_ONE, _T} for piece in self.pieces)

    @property
    def is_leaky(self) -> bool:
        """Whether the function is s₊t for t > 0 and s₋t for t < 0, s₊ ≠ s₋."""
        return self.ends == (0,) and all(set(piece) <= {_T} for piece in self.pieces)

    @property
    def is_multiplicative(self) -> bool:
        """Whether the function is c·tᵖ, p odd, or c·e^{κt}, κ ≠ 0, everywhere."""
        if self.ends or len(self.pieces[0]) != 1:
            return False
        ((power, rate),) = self.pieces[0]
        return (rate == 0 and power % 2 == 1) or (power == 0 and rate != 0)

    def slopes_at(self, kink: fmpq) -> tuple[fmpq, fmpq] | None:
        """Return (s₊, s₋) at an end of a piecewise linear function; `None` if it jumps there."""
        place = self.ends.index(kink)
        below, above = self.pieces[place], self.pieces[place + 1]
        if _affine_at(above, kink) != _affine_at(below, kink):
            return None
        return above.get(_T, fmpq(0)), below.get(_T, fmpq(0))

    def __str__(self) -> str:
        """List the kinks."""
        if not self.ends:
            return "without a kink"
        kinks = ", ".join(f"{nearest(end):g}" for end in self.ends)
        return f"with {'a kink' if len(self.ends) == 1 else 'kinks'} at {kinks}"


_ONE, _T = (0, fmpq(0)), (1, fmpq(0))


def form(program: ClosedJaxpr) -> Form | None:
    """Return the formula of an activation; `None` if its program has other operations.

    These are sums, products, integer powers, comparisons of affine pieces, and exponentials of κt.

    ```python
    >>> import jax.numpy as jnp
    >>> from landscape_jax.networks import activations
    >>> from landscape_jax.theory.constructions.traces import trace
    >>> found = form(trace(activations.named(lambda t: jnp.clip(t, -1, 2))))
    >>> found.ends, found.is_piecewise_linear, str(found)
    ((-1, 2), True, 'with kinks at -1, 2')
    >>> form(trace(activations.named("tanh"))) is None
    True

    ```
    """
    return evaluate(program, [Form((), ({_T: fmpq(1)},))], _FORMS, _constant)[0]


def _constant(value: Any) -> Form | None:
    scalar = np.asarray(value)[()]
    if isinstance(scalar, np.bool_):
        return Form((), (bool(scalar),))
    number = float(scalar)
    return Form((), (_terms({_ONE: rational(number)}),)) if np.isfinite(number) else None


def _terms(terms: _Terms) -> _Terms:
    return {key: c for key, c in terms.items() if c != 0}


def _affine_at(terms: _Terms, t: fmpq) -> fmpq:
    return terms.get(_ONE, fmpq(0)) + t * terms.get(_T, fmpq(0))


def _merged(function: Callable[..., Any], *forms: Form) -> Form | None:
    """Apply a function to the pieces of forms on the intervals between all their ends."""
    ends = sorted({end for one in forms for end in one.ends})
    places = [0] * len(forms)
    pieces: list[Any] = []
    kept: list[fmpq] = []
    for end in [None, *ends]:
        for i, one in enumerate(forms):
            places[i] += end is not None and end in one.ends
        here = function(*(one.pieces[place] for one, place in zip(forms, places, strict=True)))
        if here is None:
            return None
        if end is not None and here == pieces[-1]:
            continue
        if end is not None:
            kept.append(end)
        pieces.append(here)
    return Form(tuple(kept), tuple(pieces))


def _sum(a: _Terms, b: _Terms) -> _Terms:
    return _terms({key: a.get(key, fmpq(0)) + b.get(key, fmpq(0)) for key in (*a, *b)})


def _times(a: _Terms, b: _Terms) -> _Terms:
    total: _Terms = {}
    for (p, k), c in a.items():
        for (q, j), d in b.items():
            total[p + q, k + j] = total.get((p + q, k + j), fmpq(0)) + c * d
    return _terms(total)


def _minus(a: _Terms) -> _Terms:
    return {key: -c for key, c in a.items()}


def _over(a: _Terms, b: _Terms) -> _Terms | None:
    """Divide by a single term c·e^{κt}; `None` for other divisors."""
    if len(b) != 1:
        return None
    (((power, rate), c),) = b.items()
    return _times(a, {(0, -rate): 1 / c}) if power == 0 else None


def _power(a: _Terms, exponent: int) -> _Terms | None:
    result: _Terms = {_ONE: fmpq(1)}
    for _ in range(abs(exponent)):
        result = _times(result, a)
    return result if exponent >= 0 else _over({_ONE: fmpq(1)}, result)


def _constant_power(_: Any, a: Form, b: Form) -> Form | None:
    exponent = b.pieces[0].get(_ONE, fmpq(0)) if b.is_constant and not b.ends else None
    if exponent is None or exponent.q != 1:
        return None
    return _merged(lambda x: _power(x, int(exponent)), a)


def _exponential(a: _Terms) -> _Terms | None:
    return {(0, a.get(_T, fmpq(0))): fmpq(1)} if set(a) <= {_T} else None


def _add(_: Any, a: Form, b: Form) -> Form | None:
    return _merged(_sum, a, b)


def _subtract(_: Any, a: Form, b: Form) -> Form | None:
    return _merged(lambda x, y: _sum(x, _minus(y)), a, b)


def _above(a: Form, b: Form) -> Form | None:
    """Return the condition a > b for affine pieces, except at points where both are equal."""
    difference = _subtract(None, a, b)
    if difference is None or not difference.is_piecewise_linear:
        return None
    ends: list[fmpq] = []
    pieces: list[bool] = []
    limits = [None, *difference.ends, None]
    for terms, (low, high) in zip(difference.pieces, pairwise(limits), strict=True):
        slope, start = terms.get(_T, fmpq(0)), terms.get(_ONE, fmpq(0))
        inside = []
        if slope != 0:
            root = -start / slope
            if (low is None or low < root) and (high is None or root < high):
                inside = [root]
        marks = [low, *inside, high]
        for left, right in pairwise(marks):
            if left is not None:
                ends.append(left)
            at = (
                fmpq(0) if left is None and right is None
                else right - 1 if left is None
                else left + 1 if right is None
                else (left + right) / 2
            )  # fmt: skip
            pieces.append(bool(_affine_at(terms, at) > 0))
    return Form(tuple(ends), tuple(pieces))


def _select(_: Any, which: Form | None, *cases: Form | None) -> Form | None:
    if which is None or len(cases) != 2 or cases[0] is None or cases[1] is None:
        return None
    if not all(isinstance(piece, bool) for piece in which.pieces):
        return None
    return _merged(lambda w, x, y: y if w else x, which, cases[0], cases[1])


def _larger(_: Any, a: Form, b: Form) -> Form | None:
    return _select(None, _above(a, b), b, a)


def _smaller(_: Any, a: Form, b: Form) -> Form | None:
    return _select(None, _above(a, b), a, b)


def _sign(_: Any, a: Form) -> Form | None:
    zero, one = Form((), ({},)), Form((), ({_ONE: fmpq(1)},))
    minus = Form((), ({_ONE: fmpq(-1)},))
    below = _select(None, _above(zero, a), zero, minus)
    return _select(None, _above(a, zero), below, one)


def _absolute(_: Any, a: Form) -> Form | None:
    minus = _merged(_minus, a)
    return None if minus is None else _larger(None, a, minus)


def _clamp(_: Any, low: Form, x: Form, high: Form) -> Form | None:
    above = _larger(None, low, x)
    return None if above is None else _smaller(None, above, high)


def _convert(params: Any, a: Form) -> Form | None:
    dtype = params["new_dtype"]
    is_truth = all(isinstance(piece, bool) for piece in a.pieces)
    if is_truth and dtype != np.bool_:
        return _merged(lambda w: {_ONE: fmpq(1)} if w else {}, a)
    return a if is_truth or dtype == np.float64 else None


def _negated(a: Form | None) -> Form | None:
    return None if a is None else _merged(lambda w: not w, a)


_FORMS: Operations = {
    "add": _add,
    "add_any": _add,
    "sub": _subtract,
    "mul": lambda _, a, b: _merged(_times, a, b),
    "div": lambda _, a, b: _merged(_over, a, b),
    "neg": lambda _, a: _merged(_minus, a),
    "square": lambda _, a: _merged(lambda x: _times(x, x), a),
    "integer_pow": lambda params, a: _merged(lambda x: _power(x, params["y"]), a),
    "pow": _constant_power,
    "exp": lambda _, a: _merged(_exponential, a),
    "abs": _absolute,
    "sign": _sign,
    "max": _larger,
    "min": _smaller,
    "clamp": _clamp,
    "gt": lambda _, a, b: _above(a, b),
    "ge": lambda _, a, b: _negated(_above(b, a)),
    "lt": lambda _, a, b: _above(b, a),
    "le": lambda _, a, b: _negated(_above(a, b)),
    "and": lambda _, a, b: _merged(lambda x, y: x and y, a, b),
    "or": lambda _, a, b: _merged(lambda x, y: x or y, a, b),
    "not": lambda _, a: _negated(a),
    "select_n": _select,
    "convert_element_type": _convert,
    "copy": lambda _, a: a,
    "stop_gradient": lambda _, a: a,
}
