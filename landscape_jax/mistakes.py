"""One clear line for an argument of a wrong type: its name, what was given, and what is right."""

import builtins
import functools
import inspect
import re
import traceback
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral, Real
from typing import Any, Literal, ParamSpec, TypeVar, Union

import numpy as np

from landscape_jax.forks import refuse_lost_child

_P = ParamSpec("_P")
_R = TypeVar("_R")
# What is shown of a value.
_LONGEST = 60
# The largest integer that JAX and NumPy hold.
_LARGEST = 2**63 - 1
_WORDS = {
    int: "an integer that int64 holds",
    typing.SupportsIndex: "an integer",
    float: "a number",
    str: "a string without NUL",
    bool: "a bool",
    type(None): "None",
    np.dtype: "a dtype, such as jnp.float32",
}


def explained(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Replace the error of a call that fails on an argument of a wrong type by one that names it.

    A call that returns is left alone, and so is one whose error is a `TypeError` or `ValueError` of
    this package that names a parameter.  Otherwise the arguments are held against their
    annotations.  In a process that was forked after JAX had started nothing is called.

    **Arguments:** `function`, with annotated parameters.

    **Returns:** the function, which raises a `TypeError` for the first argument that mismatches.

    ```python
    >>> @explained
    ... def powers(base: float, count: int) -> list[float]:
    ...     return [base**k for k in range(count)]
    >>> powers(2.0, 3)
    [1.0, 2.0, 4.0]
    >>> powers(2.0, "three")
    Traceback (most recent call last):
    ...
    TypeError: count is 'three'; give an integer that int64 holds

    ```
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        refuse_lost_child()
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if _is_clear(error, signature):
                raise
            wrong = next(_mismatches(function, signature, args, kwargs), None)
            if wrong is None:
                raise
            raise TypeError(wrong) from error

    return call


def shown(value: Any) -> str:
    """Return a value as an error message shows it: in one short line, arrays by their shape.

    ```python
    >>> shown(np.zeros((2, 3))), shown("abc"), shown([1, 2])
    ('an array of float64 of shape (2, 3)', "'abc'", '[1, 2]')

    ```
    """
    if isinstance(value, Real):
        return f"{value}"
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and dtype is not None:
        if not shape and getattr(dtype, "kind", None) in ("b", "i", "u", "f", "c"):
            return f"{value}"
        return f"an array of {dtype} of shape {shape}"
    if inspect.isroutine(value) or isinstance(value, type):
        return f"{'the class' if isinstance(value, type) else 'the function'} {value.__qualname__}"
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"of type {type(value).__name__}"


def _is_clear(error: Exception, signature: inspect.Signature) -> bool:
    """Check whether an error was raised in this package, and names a parameter in one line."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    ours = frame.f_globals.get("__name__", "").startswith(f"{__package__}.")
    named = set(re.findall(r"\w+", str(error))) & set(signature.parameters)
    lines = str(error).count("\n")
    return isinstance(error, TypeError | ValueError) and ours and bool(named) and not lines


def _mismatches(
    function: Callable[..., Any],
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Iterator[str]:
    """Yield a line for each argument that does not match its annotation."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        hint = _evaluated(signature.parameters[name].annotation, function)
        if name == "dtype" and value is not None:
            hint = np.dtype
        if signature.parameters[name].kind not in several and not _matches(value, hint):
            yield _line(name, value, hint)


class _ByName(type):
    """Classes that stand for those that only type checkers import, and have their instances."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return cls.__name__ in {kind.__name__ for kind in type(instance).__mro__}

    def __getattr__(cls, name: str) -> type:
        if not name[0].isupper():
            raise AttributeError(name)
        return _ByName(name, (), {})


class _Names(dict[str, Any]):
    """The names of an annotation that a module's own do not explain."""

    def __init__(self, known: dict[str, Any]):
        super().__init__()
        self.known = known

    def __missing__(self, name: str) -> type:
        if name in self.known or hasattr(builtins, name):
            raise KeyError(name)
        return _ByName(name, (), {})


def _evaluated(annotation: Any, function: Callable[..., Any]) -> Any:
    """Return an annotation, evaluated where it is a string."""
    if annotation is inspect.Parameter.empty:
        return Any
    if not isinstance(annotation, str):
        return annotation
    known = inspect.unwrap(function).__globals__
    return eval(annotation, known, _Names(known))


def require(name: str, value: Any, hint: Any) -> None:
    """Check a value against an annotation.

    **Raises:** `TypeError` with the name, what was given and what is right.
    """
    if not _matches(value, hint):
        raise TypeError(_line(name, value, hint))


def _line(name: str, value: Any, hint: Any) -> str:
    return f"{name} is {shown(value)}; give {_described(hint)}"


def _matches(value: Any, hint: Any) -> bool:
    """Check a value against an annotation."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if origin in (Union, types.UnionType):
        return any(_matches(value, part) for part in parts)
    if origin is Literal:
        return isinstance(value, str) and value in parts
    if hint in (int, float):
        if isinstance(value, int) and abs(value) > _LARGEST:
            return False
        kind = Integral if hint is int else Real
        return isinstance(value, kind) and not isinstance(value, bool | np.bool_)
    if hint is str:
        return isinstance(value, str) and "\0" not in value
    if origin is type:
        return isinstance(value, type)
    if hint is np.dtype:
        return _is_dtype(value)
    if hint is Callable or (origin is not None and issubclass(origin, Callable)):
        return callable(value)
    if origin in (tuple, list, Sequence) or (origin is not None and issubclass(origin, Sequence)):
        if not isinstance(value, origin) or isinstance(value, str | bytes):
            return False
        if origin is tuple and parts[-1:] != (...,):
            return len(value) == len(parts) and all(map(_matches, value, parts))
        return all(_matches(one, parts[0]) for one in value)
    # An array without axes has the method, and nothing to iterate over.
    axes = getattr(value, "ndim", 1) if origin is Iterable else 1
    return isinstance(value, origin or hint) and axes != 0


def _is_dtype(value: Any) -> bool:
    if hasattr(value, "__array__") and not isinstance(value, type):
        return False  # NumPy takes the dtype of an array.
    try:
        return bool(np.dtype(value))
    except TypeError:
        return False


def _described(hint: Any) -> str:
    """Return what an annotation asks for, in words."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_described, parts)))
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if hint in _WORDS:
        return _WORDS[hint]
    axes = getattr(hint, "dim_str", None)
    if axes is not None:
        kind = hint.__name__.split("[")[0].lower()
        kind = {"shaped": "numbers", "real": "real numbers"}.get(kind, f"{kind}s")
        return f"an array of {kind}" + (f" of shape ({', '.join(axes.split())})" if axes else "")
    if origin is type:
        return "a class"
    if hint is Callable or (origin is not None and issubclass(origin, Callable)):
        return "a function"
    if origin is tuple and parts[-1:] != (...,):
        return f"{len(parts)} of: {_described(parts[0])}"
    if origin is not None and issubclass(origin, Sequence):
        return f"a sequence of: {_described(parts[0])}"
    return f"a {getattr(hint, '__name__', hint)}"
