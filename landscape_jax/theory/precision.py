"""What needs float64 says so, and names the line to add."""

import jax


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
