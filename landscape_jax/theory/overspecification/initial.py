"""Random initializations of two-layer networks as in SS16."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from landscape_jax.machine import require_memory
from landscape_jax.mistakes import explained


@explained
@partial(jax.jit, static_argnames=("starts", "width", "inputs", "dtype"))
def initial_weights(
    key: Key[Array, ""], starts: int, width: int, inputs: int, *, dtype=None
) -> tuple[Float[Array, "starts width inputs"], Float[Array, "starts width"]]:
    """Draw initializations: neurons uniform on the unit sphere, output weights ±1, all independent.

    Number i is drawn with `fold_in(key, i)`, so it does not depend on `starts`.

    **Arguments:** `key`; `starts`, their number; `width`, n; `inputs`, d; `dtype`, JAX's default
    float if omitted.

    **Returns:** W, (starts, n, d), and v, (starts, n).

    **Raises:** `ValueError` if a size is less than 1.

    Source: SS16, sections 3.2 and 5.

    ```python
    >>> import jax
    >>> W, v = initial_weights(jax.random.key(0), 100, 4, 3)
    >>> W.shape, sorted(set(v.ravel().tolist()))
    ((100, 4, 3), [-1.0, 1.0])

    ```
    """
    if min(starts, width, inputs) < 1:
        raise ValueError(f"starts, width, inputs are {starts}, {width}, {inputs}; give at least 1")
    require_memory(8 * starts * width * inputs, "starts × width × inputs", "give smaller ones")
    kind = jnp.dtype(jax.dtypes.canonicalize_dtype(float if dtype is None else dtype))

    def one(i: Array) -> tuple[Array, Array]:
        normal = jax.random.normal(jax.random.fold_in(key, i), (width, inputs + 1), kind)
        W, last = normal[:, :-1], normal[:, -1]
        return W / jnp.linalg.norm(W, axis=1, keepdims=True), jnp.where(last < 0, -1, 1).astype(
            kind
        )

    return jax.vmap(one)(jnp.arange(starts))
