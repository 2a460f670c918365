"""Refuse derivatives where there are none, or none that a kernel computes."""

from functools import partial
from typing import NoReturn

import equinox as eqx
import jax
from jaxtyping import Array, PyTree


def without_derivative(tree: PyTree, reason: str) -> PyTree:
    """Return a pytree as it is; differentiation by its arrays raises `TypeError` with the reason.

    ```python
    >>> import jax, jax.numpy as jnp
    >>> jax.grad(lambda x: without_derivative(x, "x has none") ** 2)(1.0)
    Traceback (most recent call last):
    ...
    TypeError: x has none

    ```
    """
    floating, rest = eqx.partition(tree, eqx.is_inexact_array)
    return eqx.combine(jax.tree.map(partial(_same, reason), floating), rest)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _same(reason: str, x: Array) -> Array:
    return x


@_same.defjvp
def _(reason: str, primals: tuple[Array], tangents: tuple[Array]) -> NoReturn:
    raise TypeError(reason)
