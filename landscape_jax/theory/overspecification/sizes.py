"""Checks of the arguments of the bounds, which broadcast."""

import numpy as np
from jaxtyping import Float, Int

from landscape_jax.mistakes import shown

Sizes = int | np.integer | np.ndarray


def whole_numbers(
    name: str, given: Sizes, least: int = 1, most: int | None = None
) -> Int[np.ndarray, "..."]:
    """Return integers from `least` to `most` as an array.

    **Raises:** `ValueError` if one is out of range or not an integer; the message has `name`.

    ```python
    >>> whole_numbers("dims", 3).tolist()
    3

    ```
    """
    sizes = np.asarray(given)
    if not np.issubdtype(sizes.dtype, np.integer) or not np.all(sizes >= least):
        raise ValueError(f"{name} is {shown(given)}; give whole numbers of at least {least}")
    if most is not None and not np.all(sizes <= most):
        raise ValueError(f"{name} is {shown(given)}; give whole numbers of at most {most}")
    return sizes


def real_numbers(name: str, given: float | int | np.ndarray) -> Float[np.ndarray, "..."]:
    """Return real numbers as an array of float64.

    **Raises:** `TypeError` if they are not real numbers; the message has `name`.

    ```python
    >>> real_numbers("distance", 1).tolist()
    1.0

    ```
    """
    numbers = np.asarray(given)
    if numbers.dtype.kind not in "iuf":
        raise TypeError(f"{name} is {shown(given)}; give real numbers")
    return numbers.astype(np.float64)
