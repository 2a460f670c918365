"""Arguments as arrays and numbers: checks on values where they are known, and on types everywhere.

Inside a transformation (`jit`, `vmap`, `grad`, `scan`, …) the values of traced arrays are not
known, and `jax.numpy` traces its results even where its arguments are known.  So values are looked
at with NumPy, and only where nothing is traced; what is known stays known inside a transformation.
"""

import operator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer, eval_context
from jaxtyping import Array

from landscape_jax.mistakes import shown

# What a count, and what a number, may be given as.
Count: TypeAlias = int | np.integer | np.ndarray | Array
Number: TypeAlias = float | int | np.number | np.ndarray | Array


def is_traced(*values: Any) -> bool:
    """Check whether an array among these, or in these pytrees, is traced: its values not known.

    ```python
    >>> import jax, jax.numpy as jnp
    >>> known = jnp.ones(2)
    >>> bool(jax.jit(lambda x: jnp.array(is_traced(x)))(known)), is_traced(known)
    (True, False)

    ```
    """
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def concretely(*values: Any) -> AbstractContextManager:
    """Return a context in which what is computed of these stays known, unless one is traced."""
    return nullcontext() if is_traced(*values) else eval_context()


def values(*candidates: Any) -> np.ndarray | None:
    """Return the first of these that is not traced as a NumPy array, `None` if all are."""
    return next((np.asarray(given) for given in candidates if not is_traced(given)), None)


def numbers(name: str, value: Any) -> Array:
    """Return real numbers as an array of their own type, known where `value` is.

    **Raises:** `TypeError` if it is not an array of real numbers, `ValueError` if it is ragged.
    """
    plain = jnp if is_traced(value) or isinstance(value, jax.Array) else np
    try:
        given = plain.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: its rows differ in length") from error
    except TypeError as error:
        raise TypeError(f"{name} is {shown(value)}; give an array of real numbers") from error
    kinds = (jnp.floating, jnp.integer, jnp.bool_)
    if not any(jnp.issubdtype(given.dtype, kind) for kind in kinds) or given.dtype.itemsize > 8:
        raise TypeError(f"{name} has dtype {given.dtype}; give real numbers, e.g. float64")
    with concretely(value), np.errstate(over="ignore"):
        return jnp.asarray(given)


def floats(name: str, value: Any) -> Array:
    """Return data as a floating array: integers and booleans in JAX's default precision.

    Known values stay known inside a transformation, whatever they are given as.

    **Arguments:** `name`, of the argument; `value`, anything that NumPy or JAX takes for an array.

    **Raises:** `TypeError` if it is not an array of real numbers, `ValueError` if it is ragged.

    ```python
    >>> import jax.numpy as jnp
    >>> floats("x", [1, 2]).dtype == jnp.zeros(()).dtype
    True
    >>> floats("x", jnp.zeros(1, jnp.float32)).dtype
    dtype('float32')

    ```
    """
    with concretely(value):
        array = numbers(name, value)
        return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float)


def floating(name: str, value: Any) -> Array:
    """Return parameters as the floating array that they are.

    **Raises:** as `floats`, and `TypeError` if they are integers or booleans: those have no
    derivatives.

    ```python
    >>> floating("W", [1, 2])
    Traceback (most recent call last):
    ...
    TypeError: W has dtype int64; give a floating array, e.g. float64

    ```
    """
    array = numbers(name, value)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} has dtype {array.dtype}; give a floating array, e.g. float64")
    return array


def checked(name: str, value: Any, ndim: int, shape: str, *, more: bool = False) -> Array:
    """Return `value` as a finite floating array of `ndim` axes, or of more, none of length 0.

    **Arguments:** `name` and `value`, as of `floats`; `ndim`; `shape`, as errors name it; `more`,
    whether further axes may follow.

    **Raises:** as `floats`; `ValueError` if it has another shape, or entries that are not finite.
    """
    array = floats(name, value)
    if not (array.ndim == ndim or (more and array.ndim > ndim)) or 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}; it must be {shape}, none of them 0")
    known = values(array, value)
    if known is not None and not np.isfinite(known).all():
        raise ValueError(f"{name} has NaN or infinite entries; give finite numbers")
    return array


def count(name: str, value: Any, least: int = 1, most: int = 2**31 - 1) -> int:
    """Return an integer of any type as an `int`.

    **Raises:** `TypeError` if it is not an integer, or traced; `ValueError` if it is below `least`
    or above `most`, by default the largest that int32 holds.

    ```python
    >>> import numpy as np
    >>> count("size", np.int64(3))
    3

    ```
    """
    if is_traced(value):
        raise TypeError(f"{name} is traced; give an integer that is known")
    try:
        number = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"{name} is {shown(value)}; give an integer of at least {least}")
    if number < least:
        raise ValueError(f"{name} is {number}; it must be at least {least}")
    if number > most:
        raise ValueError(f"{name} is {number}; it must be at most {most}")
    return number


def positive(name: str, value: Any) -> float | Array:
    """Return a positive number as a `float`, or as it is where it is traced.

    **Raises:** `TypeError` if it is not a real number, `ValueError` if it is not positive, not
    finite, or an array.

    ```python
    >>> positive("scale", 2)
    2.0

    ```
    """
    number = _number(value)
    if number is None:
        raise TypeError(f"{name} is {shown(value)}; it must be a positive number")
    if number.ndim or not (is_traced(value) or 0 < float(np.asarray(number)) < np.inf):
        raise ValueError(f"{name} is {shown(value)}; it must be a positive number")
    return value if is_traced(value) else float(np.asarray(number))


def real(name: str, value: Any) -> Any:
    """Return a real number, finite or infinite, as it is given.

    **Raises:** `TypeError` if it is not a real number, `ValueError` if it is NaN or an array.

    ```python
    >>> real("escape_limit", 2)
    2

    ```
    """
    number = _number(value)
    if number is None:
        raise TypeError(f"{name} is {shown(value)}; it must be a number")
    if number.ndim:
        raise ValueError(f"{name} has shape {number.shape}; it must be one number")
    if not is_traced(value) and np.isnan(np.asarray(number)):
        raise ValueError(f"{name} is {value}; it must be a number")
    return value


def _number(value: Any) -> Array | np.ndarray | None:
    """Return a value as an array of floats or integers, `None` where it is none."""
    try:
        number = value if isinstance(value, jax.Array) else np.asarray(value)
    except ValueError:  # Sequences of several lengths.
        return None
    return number if is_numeric(number) else None


def is_numeric(array: Array | np.ndarray) -> bool:
    """Check whether an array, which may be one of keys, is of floats or integers.

    ```python
    >>> is_numeric(np.ones(2)), is_numeric(jax.random.key(0))
    (True, False)

    ```
    """
    return any(jnp.issubdtype(array.dtype, kind) for kind in (jnp.floating, jnp.integer))
