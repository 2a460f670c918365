"""PRNG keys as plain arrays, which can be serialised where typed keys cannot."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key, UInt32

from landscape_jax.mistakes import shown


class Seed(eqx.Module):
    """The data of a PRNG key, an array that `eqx.tree_serialise_leaves` writes, and its algorithm.

    ```python
    >>> import jax
    >>> bool(Seed.of(jax.random.key(3)).key == jax.random.key(3))
    True

    ```
    """

    data: UInt32[Array, "... words"]
    algorithm: str = eqx.field(static=True)

    @classmethod
    def of(cls, key: Any) -> "Seed":
        """Return the seed of a key.

        **Raises:** `TypeError` if it is not a PRNG key.
        """
        dtype = getattr(key, "dtype", None)
        if dtype is None or not (jnp.issubdtype(dtype, jax.dtypes.prng_key) or dtype == jnp.uint32):
            raise TypeError(f"key is {shown(key)}; give a PRNG key, e.g. jax.random.key(0)")
        return cls(jax.random.key_data(key), str(jax.random.key_impl(key)))

    @property
    def key(self) -> Key[Array, "..."]:
        """The key."""
        return jax.random.wrap_key_data(self.data, impl=self.algorithm)
