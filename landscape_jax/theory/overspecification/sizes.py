"""Sizes that the bounds take: whole numbers, one or an array of them."""

import numpy as np
from jaxtyping import Int

Sizes = int | np.integer | np.ndarray


def whole_numbers(name: str, given: Sizes, least: int = 1) -> Int[np.ndarray, "..."]:
    """Give whole numbers as an array.

    **Raises:** `ValueError` where one is less than `least`, or not whole.

    ```python
    >>> whole_numbers("dims", 3).tolist()
    3

    ```
    """
    sizes = np.asarray(given)
    if not np.issubdtype(sizes.dtype, np.integer) or not np.all(sizes >= least):
        raise ValueError(f"{name} is {given}; give whole numbers of at least {least}")
    return sizes
