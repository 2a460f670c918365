"""Floating-point precision: a check for float64, conversion to floats, full-precision products."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array


def require_float64(what: str) -> None:
    """Check that JAX has float64 enabled.

    **Arguments:** `what`, the subject of the error message.

    **Raises:** `ValueError` if float64 is off.

    ```python
    >>> require_float64("this")
    >>> import jax
    >>> with jax.enable_x64(False):
    ...     require_float64("this")
    Traceback (most recent call last):
    ...
    ValueError: this needs float64; put jax.config.update("jax_enable_x64", True) first

    ```
    """
    if not jax.config.read("jax_enable_x64"):
        raise ValueError(
            f'{what} needs float64; put jax.config.update("jax_enable_x64", True) first'
        )


def floats(table: Any) -> Array:
    """Return numbers as floats: integers in the default precision, floats unchanged.

    ```python
    >>> import jax.numpy as jnp
    >>> floats([1, 2]).dtype == jnp.zeros(()).dtype, floats(jnp.zeros(1, jnp.float32)).dtype
    (True, dtype('float32'))

    ```
    """
    numbers = jnp.asarray(table)
    return numbers if jnp.issubdtype(numbers.dtype, jnp.floating) else numbers.astype(float)


def times(a: Array, b: Array) -> Array:
    """Multiply matrices in full precision on every device.

    By default some devices round the factors of a product to fewer digits.

    **Arguments:** `a` and `b`, as of `jax.numpy.matmul`.

    ```python
    >>> import jax.numpy as jnp
    >>> times(jnp.ones((1, 2)), jnp.ones((2, 1))).tolist()
    [[2.0]]

    ```
    """
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
