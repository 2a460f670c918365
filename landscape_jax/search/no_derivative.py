"""Refuse derivatives where there are none, or none that a kernel computes."""

from functools import partial
from typing import NoReturn

import equinox as eqx
import jax
from jax.typing import ArrayLike
from jaxtyping import PyTree


def without_derivative(tree: PyTree, reason: str) -> PyTree:
    """Return a pytree as it is; differentiation by its arrays raises `TypeError` with the reason.

    ```python
    >>> import jax
    >>> try:
    ...     jax.grad(lambda x: without_derivative(x, "x has none") ** 2)(1.0)
    ... except TypeError as error:
    ...     print(error)
    x has none

    ```
    """
    floating, rest = eqx.partition(tree, eqx.is_inexact_array)
    return eqx.combine(jax.tree.map(partial(_same, reason), floating), rest)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _same(reason: str, x: ArrayLike) -> ArrayLike:
    return x


@_same.defjvp
def _(reason: str, primals: tuple[ArrayLike], tangents: tuple[ArrayLike]) -> NoReturn:
    raise TypeError(reason)
