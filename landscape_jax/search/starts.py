"""Random starting points: functions from a key to parameters."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


class Gaussian(eqx.Module):
    """Draws neurons from N(0, scale² I); see `gaussian`."""

    shape: tuple[int, ...] = eqx.field(static=True)
    scale: float = eqx.field(static=True)
    dtype: jnp.dtype = eqx.field(static=True)

    def __call__(self, key: Key[Array, ""]) -> Float[Array, "neurons dim"]:
        """Draw one start."""
        return self.scale * jax.random.normal(key, self.shape, self.dtype)


class Sphere(eqx.Module):
    """Draws neurons uniformly from a sphere; see `sphere`."""

    shape: tuple[int, ...] = eqx.field(static=True)
    radius: float = eqx.field(static=True)
    dtype: jnp.dtype = eqx.field(static=True)

    def __call__(self, key: Key[Array, ""]) -> Float[Array, "neurons dim"]:
        """Draw one start."""
        x = jax.random.normal(key, self.shape, self.dtype)
        return self.radius * x / jnp.linalg.norm(x, axis=1, keepdims=True)


def gaussian(shape: tuple[int, ...], *, scale: float | None = None, dtype=None) -> Gaussian:
    """Draw every neuron from N(0, scale² I).

    **Arguments:** `shape`, (neurons, dim); `scale`, the standard deviation of an entry,
    1/√dim where left out (the paper's initialization); `dtype`, JAX's default float where left out.

    **Returns:** a function from a key to an array of this shape.

    **Raises:** `ValueError` on a shape or scale that is not positive.

    Source: SS18, section 3, footnote 1.

    ```python
    >>> import jax, landscape_jax as lj
    >>> lj.starts.gaussian((3, 5))(jax.random.key(0)).shape
    (3, 5)

    ```
    """
    _check(shape)
    if scale is not None and not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale is {scale}; it must be a positive number")
    deviation = 1 / math.sqrt(shape[1]) if scale is None else scale
    return Gaussian(shape, deviation, _dtype(dtype))


def sphere(shape: tuple[int, ...], *, radius: float = 1.0, dtype=None) -> Sphere:
    """Draw every neuron uniformly from the sphere of the given radius.

    **Arguments:** `shape`, (neurons, dim); `radius`; `dtype`, JAX's default float where left out.

    **Returns:** a function from a key to an array of this shape.

    **Raises:** `ValueError` on a shape or radius that is not positive.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> W = lj.starts.sphere((3, 5), radius=2.0)(jax.random.key(0))
    >>> bool(jnp.allclose(jnp.linalg.norm(W, axis=1), 2))
    True

    ```
    """
    _check(shape)
    if not (math.isfinite(radius) and radius > 0):
        raise ValueError(f"radius is {radius}; it must be a positive number")

    return Sphere(shape, radius, _dtype(dtype))


def _dtype(dtype) -> jnp.dtype:
    return jnp.dtype(jax.dtypes.canonicalize_dtype(float if dtype is None else dtype))


def _check(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape is {shape}; it must be (neurons, dim), both at least 1")
