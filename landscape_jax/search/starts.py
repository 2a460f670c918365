"""Random initial points: functions from a key to parameters."""

import math
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree

from landscape_jax.networks import DeepLinear, Mlp, TwoLayer, activations, random_network
from landscape_jax.objectives.augmented import Augmented
from landscape_jax.public_names import defined

__dir__ = defined(__name__)


class Gaussian(eqx.Module):
    """Draw neurons from N(0, scale² I); see `gaussian`."""

    shape: tuple[int, ...] = eqx.field(static=True)
    scale: float = eqx.field(static=True)
    dtype: jnp.dtype = eqx.field(static=True)

    def __call__(self, key: Key[Array, ""]) -> Float[Array, "neurons dim"]:
        """Draw one initial point."""
        return self.scale * jax.random.normal(key, self.shape, self.dtype)


class Sphere(eqx.Module):
    """Draw neurons uniformly from a sphere; see `sphere`."""

    shape: tuple[int, ...] = eqx.field(static=True)
    radius: float = eqx.field(static=True)
    dtype: jnp.dtype = eqx.field(static=True)

    def __call__(self, key: Key[Array, ""]) -> Float[Array, "neurons dim"]:
        """Draw one initial point."""
        x = jax.random.normal(key, self.shape, self.dtype)
        return self.radius * x / jnp.linalg.norm(x, axis=1, keepdims=True)


def gaussian(shape: tuple[int, ...], *, scale: float | None = None, dtype=None) -> Gaussian:
    """Draw every neuron from N(0, scale² I).

    **Arguments:** `shape`, (neurons, dim); `scale`, the standard deviation of an entry,
    1/√dim where left out (the paper's initialization); `dtype`, JAX's default float where left out.

    **Returns:** a function from a key to an array of this shape.

    **Raises:** `ValueError` if the shape or the scale is not positive.

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

    **Raises:** `ValueError` if the shape or the radius is not positive.

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


class RandomNetwork(eqx.Module):
    """Draw networks; see `network`."""

    kind: type = eqx.field(static=True)
    sizes: tuple[int, ...] = eqx.field(static=True)
    bias: bool = eqx.field(static=True)
    scale: float = eqx.field(static=True)
    activation: activations.Activation = eqx.field(static=True)
    dtype: jnp.dtype = eqx.field(static=True)

    def __call__(self, key: Key[Array, ""]) -> TwoLayer | DeepLinear | Mlp:
        """Draw one network."""
        return random_network(
            self.kind,
            self.sizes,
            key=key,
            bias=self.bias,
            scale=self.scale,
            activation=self.activation,
            dtype=self.dtype,
        )


def network(
    kind: type[TwoLayer] | type[DeepLinear] | type[Mlp],
    sizes: Sequence[int],
    *,
    bias: bool = True,
    scale: float | int = 1.0,
    activation: str | activations.Function | activations.Activation = "relu",
    dtype=None,
) -> RandomNetwork:
    """Draw every weight of a network from N(0, scale²/inputs of its layer), and biases 0.

    **Arguments:** `kind`, `TwoLayer`, `DeepLinear` or `Mlp`; `sizes`, (inputs, width, …, outputs),
    three of them for a `TwoLayer`; `bias`, whether there are biases; `activation`, a name or a
    function (a `DeepLinear` has neither); `dtype`, JAX's default float where left out.

    **Returns:** a function from a key to a network.

    **Raises:** `ValueError` if sizes or scale are not positive, or sizes do not fit the kind.

    ```python
    >>> import jax, landscape_jax as lj
    >>> lj.starts.network(lj.TwoLayer, (3, 5, 1))(jax.random.key(0)).W1.shape
    (5, 3)

    ```
    """
    if len(sizes) < 2 or min(sizes) < 1 or (kind is TwoLayer and len(sizes) != 3):
        raise ValueError(
            f"sizes is {tuple(sizes)}; give (inputs, width, …, outputs), all at least 1, "
            "three of them for a TwoLayer"
        )
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale is {scale}; it must be a positive number")
    chosen = activations.named(activation)
    return RandomNetwork(kind, tuple(sizes), bias, float(scale), chosen, _dtype(dtype))


def _dtype(dtype) -> jnp.dtype:
    return jnp.dtype(jax.dtypes.canonicalize_dtype(float if dtype is None else dtype))


def _check(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape is {shape}; it must be (neurons, dim), both at least 1")


class RandomAugmented(eqx.Module):
    """Draw networks with added neurons; see `augmented`."""

    network: Callable[[Key[Array, ""]], PyTree] | None
    outputs: int = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    scale: float = eqx.field(static=True)
    dtype: jnp.dtype = eqx.field(static=True)

    def __call__(self, key: Key[Array, ""]) -> Augmented:
        """Draw one network and its added neurons."""
        rows = jax.random.fold_in(key, 0), (self.outputs, self.inputs + 2), self.dtype
        a, b, *w = (self.scale * jax.random.normal(*rows)).T
        network = None if self.network is None else self.network(jax.random.fold_in(key, 1))
        return Augmented(network, a, b, jnp.stack(w, axis=1))


def augmented(
    network: Callable[[Key[Array, ""]], PyTree] | None,
    outputs: int,
    inputs: int,
    *,
    scale: float | int = 1.0,
    dtype=None,
) -> RandomAugmented:
    """Draw a network, and a, b, w of its added neurons from N(0, scale²).

    **Arguments:** `network`, a function from a key to a network, or `None` for the added neurons
    alone; `outputs` and `inputs` of the network; `scale`; `dtype`, JAX's default float where left
    out.

    **Returns:** a function from a key to an `Augmented`.

    **Raises:** `ValueError` if outputs, inputs or scale are not positive.

    Source: KK20, section 2.

    ```python
    >>> import jax, landscape_jax as lj
    >>> nets = lj.starts.network(lj.TwoLayer, (3, 5, 2))
    >>> lj.starts.augmented(nets, 2, 3)(jax.random.key(0)).w.shape
    (2, 3)

    ```
    """
    if min(outputs, inputs) < 1:
        raise ValueError(f"outputs and inputs are {outputs}, {inputs}; both must be at least 1")
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale is {scale}; it must be a positive number")
    return RandomAugmented(network, outputs, inputs, float(scale), _dtype(dtype))


class Near(eqx.Module):
    """Draw points near a given one; see `near`."""

    point: PyTree
    distance: float = eqx.field(static=True)

    def __call__(self, key: Key[Array, ""]) -> PyTree:
        """Draw one initial point."""
        flat, unravel = ravel_pytree(self.point)
        step = jax.random.normal(key, flat.shape, flat.dtype)
        return unravel(flat + self.distance / math.sqrt(flat.size) * step)


def near(point: PyTree, *, distance: float | int = 0.1) -> Near:
    """Draw points near a given one by adding N(0, distance²/P) to each of its entries.

    For P parameters the Euclidean distance from `point` is about `distance`.

    **Arguments:** `point`, any pytree of arrays, such as a family's representative; `distance`.

    **Returns:** a function from a key to a pytree like `point`.

    **Raises:** `ValueError` if the distance is not positive; `TypeError` if the point is not
    floating.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> point = lj.starts.near(jnp.zeros((50, 50)), distance=2.0)(jax.random.key(0))
    >>> round(float(jnp.linalg.norm(point)), 1)
    2.0

    ```
    """
    if not (math.isfinite(distance) and distance > 0):
        raise ValueError(f"distance is {distance}; it must be a positive number")
    arrays = jax.tree.map(jnp.asarray, point)
    leaves = jax.tree.leaves(arrays)
    if not leaves or not all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves):
        raise TypeError(
            f"point has dtypes {[str(leaf.dtype) for leaf in leaves]}; give floating arrays"
        )
    return Near(arrays, float(distance))
