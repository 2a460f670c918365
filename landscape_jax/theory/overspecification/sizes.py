"""Check of the integer arguments of the bounds."""

import numpy as np
from jaxtyping import Int

Sizes = int | np.integer | np.ndarray


def whole_numbers(name: str, given: Sizes, least: int = 1) -> Int[np.ndarray, "..."]:
    """Return integers of at least `least` as an array.

    **Raises:** `ValueError` if one is less than `least` or not an integer; the message has `name`.

    ```python
    >>> whole_numbers("dims", 3).tolist()
    3

    ```
    """
    sizes = np.asarray(given)
    if not np.issubdtype(sizes.dtype, np.integer) or not np.all(sizes >= least):
        raise ValueError(f"{name} is {given}; give whole numbers of at least {least}")
    return sizes
