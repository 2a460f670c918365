"""What needs float64 says so, and names the line to add; whole numbers become floats."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array


def require_float64(what: str) -> None:
    """Refuse to go on where JAX has single precision alone.

    **Raises:** `ValueError` where float64 is off.

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
    """Give numbers as floats: whole ones in the default precision, others as they are.

    ```python
    >>> import jax.numpy as jnp
    >>> floats([1, 2]).dtype == jnp.zeros(()).dtype, floats(jnp.zeros(1, jnp.float32)).dtype
    (True, dtype('float32'))

    ```
    """
    numbers = jnp.asarray(table)
    return numbers if jnp.issubdtype(numbers.dtype, jnp.floating) else numbers.astype(float)
