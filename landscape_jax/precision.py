"""Floating-point precision: a check for float64, that of a tree, full-precision products."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree


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


def precision(tree: PyTree, otherwise: Any) -> Any:
    """Return the dtype of the floating arrays of a tree, of several the one JAX promotes them to.

    **Arguments:** `tree`; `otherwise`, the dtype where no array is floating.

    ```python
    >>> import jax.numpy as jnp
    >>> precision({"W": jnp.ones(2, jnp.float32), "name": "a"}, jnp.float16)
    dtype('float32')

    ```
    """
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype")]
    floating = [dtype for dtype in dtypes if jnp.issubdtype(dtype, jnp.floating)]
    return jnp.result_type(*floating) if floating else jnp.dtype(otherwise)


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
