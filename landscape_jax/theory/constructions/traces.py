"""JAX programs of activations, evaluated in ball arithmetic or power series."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flint import arb, arb_series
from jax.extend.core import ClosedJaxpr, Literal

from landscape_jax.networks.activations import Activation

# An operation takes the equation's parameters and its operands; an unknown value is `None`.
_Operation = Callable[..., Any]
Operations = Mapping[str, _Operation]

# The parameter that holds the program of a call, by primitive.
_CALLS = {
    "jit": "jaxpr", "pjit": "jaxpr", "checkpoint": "jaxpr", "remat2": "jaxpr",
    "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr",
}  # fmt: skip
# Coefficients of a series: h, h′ and h″/2.
_TERMS = 3
# Integer powers up to this are evaluated as products.
_LARGEST_POWER = 64
_IDENTITIES = ("copy", "copy_p", "stop_gradient")


def trace(activation: Activation) -> ClosedJaxpr:
    """Return the JAX program of an activation of one float64.

    **Raises:** `TypeError` if JAX cannot trace the function, as with NumPy functions; `ValueError`
    if it does not map one float to one float.
    """
    name = activation.name
    try:
        program = jax.make_jaxpr(activation.function)(jax.ShapeDtypeStruct((), jnp.float64))
    except (jax.errors.JAXTypeError, TypeError) as error:
        raise TypeError(
            f"activation {name} is not a function of JAX arrays ({type(error).__name__}): write it "
            "with jax.numpy, jnp.tanh for np.tanh or math.tanh and jnp.where for if"
        ) from error
    found = [out.aval for out in program.jaxpr.outvars]
    shapes = [(out.shape, jnp.issubdtype(out.dtype, jnp.floating)) for out in found]
    if shapes != [((), True)]:
        raise ValueError(f"activation {name} maps one float to {found}; it must return one float")
    return program


def supports(operations: Operations, program: ClosedJaxpr) -> bool:
    """Check whether a program consists of these operations only, on scalars."""
    for equation in program.jaxpr.eqns:
        if any(getattr(x.aval, "shape", None) != () for x in equation.invars + equation.outvars):
            return False
        name = equation.primitive.name
        if name in _CALLS:
            if not supports(operations, _closed(equation.params[_CALLS[name]])):
                return False
        elif name not in operations or (
            name == "convert_element_type" and not _is_exact(equation.params["new_dtype"])
        ):
            return False
    return True


def evaluate(
    program: ClosedJaxpr,
    operands: Sequence[Any],
    operations: Operations,
    constant: Callable[[Any], Any],
) -> list[Any]:
    """Evaluate a program in another arithmetic; an unknown result is `None`.

    **Arguments:** `program`; `operands`, its arguments; `operations`, by name of the JAX primitive;
    `constant`, which converts a NumPy scalar.
    """
    values = dict(zip(program.jaxpr.invars, operands, strict=True))
    values |= {
        variable: constant(value)
        for variable, value in zip(program.jaxpr.constvars, program.consts, strict=True)
    }

    def value_of(x: Any) -> Any:
        return constant(x.val) if isinstance(x, Literal) else values[x]

    for equation in program.jaxpr.eqns:
        name, given = equation.primitive.name, [value_of(x) for x in equation.invars]
        if name in _CALLS:
            inner = _closed(equation.params[_CALLS[name]])
            results = evaluate(inner, given, operations, constant)
        elif name in ("ne", "eq") and equation.invars[0] is equation.invars[1]:
            # x ≠ x is a test for NaN.
            results = [constant(np.bool_(name == "eq"))]
        elif name in operations:
            results = [_applied(equation, given, operations, constant)]
        else:
            results = [None] * len(equation.outvars)
        values |= dict(zip(equation.outvars, results, strict=True))
    return [value_of(out) for out in program.jaxpr.outvars]


def _applied(equation: Any, given: list[Any], operations: Operations, constant: Callable) -> Any:
    name = equation.primitive.name
    if name != "select_n" and any(x is None for x in given):
        return None
    if name == "convert_element_type" and isinstance(given[0], bool):
        given = [constant(equation.params["new_dtype"].type(given[0]))]
    return operations[name](equation.params, *given)


def _closed(program: Any) -> ClosedJaxpr:
    return program if isinstance(program, ClosedJaxpr) else ClosedJaxpr(program, ())


def _is_exact(dtype: Any) -> bool:
    """Check that a conversion from float64 does not round."""
    return dtype in (np.float64, np.bool_) or np.issubdtype(dtype, np.integer)


def _ball(value: Any) -> arb | bool:
    """Return a scalar of a program as an exact ball, or as a bool."""
    scalar = np.asarray(value)[()]
    return bool(scalar) if isinstance(scalar, np.bool_) else arb(float(scalar))


def _series(value: Any) -> arb_series | bool:
    """Return a scalar of a program as a constant series, or as a bool."""
    found = _ball(value)
    return arb_series([found], prec=_TERMS) if isinstance(found, arb) else found


def value_in_balls(program: ClosedJaxpr, at: arb) -> arb | None:
    """Enclose h on a ball; `None` where it is unknown."""
    return evaluate(program, [at], BALLS, _ball)[0]


def jet_in_balls(program: ClosedJaxpr, at: arb) -> tuple[arb, arb, arb] | None:
    """Enclose h, h′ and h″ on a ball; `None` where h may have a kink there.

    ```python
    >>> from landscape_jax.networks import activations
    >>> program = trace(activations.named(lambda t: jnp.where(t > 0, t**2, 3 * t)))
    >>> [float(x) for x in jet_in_balls(program, arb(2))], jet_in_balls(program, arb(0))
    ([4.0, 4.0, 2.0], None)

    ```
    """
    (series,) = evaluate(program, [arb_series([at, arb(1)], prec=_TERMS)], BALLS, _series)
    return None if series is None else (series[0], series[1], 2 * series[2])


def _head(x: Any) -> arb:
    return x if isinstance(x, arb) else x[0]


def _constant(x: Any) -> arb | None:
    """Return the constant that a number equals near the point; `None` if it varies there."""
    return x if isinstance(x, arb) else x[0] if x[1].is_zero() and x[2].is_zero() else None


def _same(a: Any, b: Any) -> bool:
    """Check whether two numbers are provably equal near the point."""
    difference = _constant(a - b)
    return difference is not None and difference.is_zero()


def _above(a: Any, b: Any) -> bool | None:
    """Decide whether a > b near the point; `None` if undecided."""
    difference = _head(a) - _head(b)
    return True if difference > 0 else False if difference < 0 else None


def _below(a: Any, b: Any) -> bool | None:
    return _above(b, a)


def _differ(a: Any, b: Any) -> bool | None:
    if isinstance(a, bool) and isinstance(b, bool):
        return a != b
    return True if _above(a, b) is not None else False if _same(a, b) else None


def _either(a: Any, b: Any) -> Any:
    """Enclose a value that is one of two; `None` for series that differ."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a if a is b else None
    if _same(a, b):
        return a
    return a.union(b) if isinstance(a, arb) and isinstance(b, arb) else None


def _select(_: Any, which: Any, *cases: Any) -> Any:
    if which is None:
        first, second = cases
        return None if first is None or second is None else _either(first, second)
    return cases[int(float(_head(which))) if not isinstance(which, bool) else int(which)]


def _largest(_: Any, a: Any, b: Any) -> Any:
    above = _above(a, b)
    if above is not None:
        return a if above else b
    if isinstance(a, arb) and isinstance(b, arb):
        return a.max(b)
    return a if _same(a, b) else None


def _smallest(params: Any, a: Any, b: Any) -> Any:
    found = _largest(params, -a, -b)
    return None if found is None else -found


def _clamp(params: Any, low: Any, x: Any, high: Any) -> Any:
    above = _largest(params, low, x)
    return None if above is None else _smallest(params, above, high)


def _sign(params: Any, a: Any) -> Any:
    above = _above(a, 0 * a)
    if above is not None:
        return 0 * a + (1 if above else -1)
    if _same(a, 0 * a):
        return a
    return arb(1).union(arb(-1)) if isinstance(a, arb) else None


def _convert(params: Any, a: Any) -> Any:
    dtype = params["new_dtype"]
    if isinstance(a, bool) or np.issubdtype(dtype, np.floating):
        return a
    # Conversions to integers and bools: of constants only.
    constant = _constant(a)
    if constant is None or not constant.is_integer():
        return None
    return bool(float(constant)) if dtype == np.bool_ else a


def _power(params: Any, a: Any, b: Any) -> Any:
    whole = _constant(b)
    if whole is not None and whole.is_integer() and abs(float(whole)) <= _LARGEST_POWER:
        return _whole_power({"y": int(float(whole))}, a)
    return (b * a.log()).exp()


def _whole_power(params: Any, a: Any) -> Any:
    # By products: exp(y log x) fails on a ball around 0.
    power, result = params["y"], 0 * a + 1
    for _ in range(abs(power)):
        result = result * a
    return result if power >= 0 else 1 / result


def _tanh(a: Any) -> Any:
    return 1 - 2 / (1 + (2 * a).exp())


def _sinh(a: Any) -> Any:
    return (a.exp() - (-a).exp()) / 2


def _cosh(a: Any) -> Any:
    return (a.exp() + (-a).exp()) / 2


def _not(_: Any, a: Any) -> Any:
    return not a if isinstance(a, bool) else None


def _opposite(compare: Callable[[Any, Any], bool | None]) -> _Operation:
    def compared(_: Any, a: Any, b: Any) -> bool | None:
        found = compare(a, b)
        return None if found is None else not found

    return compared


BALLS: Operations = {
    "add": lambda _, a, b: a + b,
    "add_any": lambda _, a, b: a + b,
    "sub": lambda _, a, b: a - b,
    "mul": lambda _, a, b: a * b,
    "div": lambda _, a, b: a / b,
    "neg": lambda _, a: -a,
    "square": lambda _, a: a * a,
    "integer_pow": _whole_power,
    "pow": _power,
    "exp": lambda _, a: a.exp(),
    "exp2": lambda _, a: (a * arb(2).log()).exp(),
    "expm1": lambda _, a: a.exp() - 1,
    "log": lambda _, a: a.log(),
    "log1p": lambda _, a: (1 + a).log(),
    "logistic": lambda _, a: 1 / (1 + (-a).exp()),
    "tanh": lambda _, a: _tanh(a),
    "sinh": lambda _, a: _sinh(a),
    "cosh": lambda _, a: _cosh(a),
    "asinh": lambda _, a: (a + (a * a + 1).sqrt()).log(),
    "sin": lambda _, a: a.sin(),
    "cos": lambda _, a: a.cos(),
    "tan": lambda _, a: a.tan(),
    "atan": lambda _, a: a.atan(),
    "erf": lambda _, a: a.erf(),
    "erfc": lambda _, a: a.erfc(),
    "sqrt": lambda _, a: a.sqrt(),
    "rsqrt": lambda _, a: 1 / a.sqrt(),
    "abs": lambda params, a: _largest(params, a, -a),
    "sign": _sign,
    "max": _largest,
    "min": _smallest,
    "clamp": _clamp,
    "gt": lambda _, a, b: _above(a, b),
    "lt": lambda _, a, b: _below(a, b),
    # Where both are equal at the point, the comparison next to it is unknown.
    "ge": _opposite(_below),
    "le": _opposite(_above),
    "ne": lambda _, a, b: _differ(a, b),
    "eq": _opposite(_differ),
    "not": _not,
    "and": lambda _, a, b: a and b if isinstance(a, bool) and isinstance(b, bool) else None,
    "or": lambda _, a, b: a or b if isinstance(a, bool) and isinstance(b, bool) else None,
    "select_n": _select,
    "convert_element_type": _convert,
    **dict.fromkeys(_IDENTITIES, lambda _, a: a),
}
