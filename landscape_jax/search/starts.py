"""Random initial points: functions from a key to parameters."""

import math
from collections.abc import Callable, Sequence
from typing import SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree, Scalar

from landscape_jax.arrays import count, positive
from landscape_jax.mistakes import explained, shown
from landscape_jax.networks import DeepLinear, Mlp, TwoLayer, activations, random_network
from landscape_jax.objectives.augmented import Augmented
from landscape_jax.objectives.base import as_parameters
from landscape_jax.public_names import defined

__dir__ = defined(__name__)


class Gaussian(eqx.Module):
    """Draw neurons from N(0, scale² I); see `gaussian`."""

    shape: tuple[int, ...] = eqx.field(static=True)
    scale: float | Scalar
    dtype: jnp.dtype = eqx.field(static=True)

    def __call__(self, key: Key[Array, ""]) -> Float[Array, "neurons dim"]:
        """Draw one initial point."""
        return jnp.asarray(self.scale, self.dtype) * jax.random.normal(key, self.shape, self.dtype)


class Sphere(eqx.Module):
    """Draw neurons uniformly from a sphere; see `sphere`."""

    shape: tuple[int, ...] = eqx.field(static=True)
    radius: float | Scalar
    dtype: jnp.dtype = eqx.field(static=True)

    def __call__(self, key: Key[Array, ""]) -> Float[Array, "neurons dim"]:
        """Draw one initial point."""
        x = jax.random.normal(key, self.shape, self.dtype)
        return jnp.asarray(self.radius, self.dtype) * x / jnp.linalg.norm(x, axis=1, keepdims=True)


@explained
def gaussian(
    shape: Sequence[SupportsIndex], *, scale: float | Scalar | None = None, dtype=None
) -> Gaussian:
    """Draw every neuron from N(0, scale² I).

    **Arguments:** `shape`, (neurons, dim); `scale`, the standard deviation of an entry,
    1/√dim where left out (the paper's initialization); `dtype`, JAX's default float at the time of
    this call where left out.

    **Returns:** a function from a key to an array of this shape.

    **Raises:** `TypeError` or `ValueError` if the shape is not of positive integers, the scale not
    a positive number, or the dtype not floating.

    Source: SS18, section 3, footnote 1.

    ```python
    >>> import jax, landscape_jax as lj
    >>> lj.starts.gaussian((3, 5))(jax.random.key(0)).shape
    (3, 5)

    ```
    """
    shape = _shape(shape)
    deviation = 1 / math.sqrt(shape[1]) if scale is None else positive("scale", scale)
    return Gaussian(shape, deviation, _dtype(dtype))


@explained
def sphere(shape: Sequence[SupportsIndex], *, radius: float | Scalar = 1.0, dtype=None) -> Sphere:
    """Draw every neuron uniformly from the sphere of the given radius.

    **Arguments:** `shape`, (neurons, dim); `radius`; `dtype`, as of `gaussian`.

    **Returns:** a function from a key to an array of this shape.

    **Raises:** as `gaussian`.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> W = lj.starts.sphere((3, 5), radius=2.0)(jax.random.key(0))
    >>> bool(jnp.allclose(jnp.linalg.norm(W, axis=1), 2))
    True

    ```
    """
    return Sphere(_shape(shape), positive("radius", radius), _dtype(dtype))


class RandomNetwork(eqx.Module):
    """Draw networks; see `network`."""

    kind: type = eqx.field(static=True)
    sizes: tuple[int, ...] = eqx.field(static=True)
    bias: bool = eqx.field(static=True)
    scale: float | Scalar
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


@explained
def network(
    kind: type,
    sizes: Sequence[SupportsIndex],
    *,
    bias: bool = True,
    scale: float | int | Scalar = 1.0,
    activation: str | activations.Function | activations.Activation = "relu",
    dtype=None,
) -> RandomNetwork:
    """Draw every weight of a network from N(0, scale²/inputs of its layer), and biases 0.

    **Arguments:** `kind`, `TwoLayer`, `DeepLinear` or `Mlp`; `sizes`, (inputs, width, …, outputs),
    three of them for a `TwoLayer`; `bias`, whether there are biases; `activation`, a name or a
    function (a `DeepLinear` has neither); `dtype`, as of `gaussian`.

    **Returns:** a function from a key to a network.

    **Raises:** as `gaussian`; `TypeError` if the kind is none of these; `ValueError` if the sizes
    do not fit it.

    ```python
    >>> import jax, landscape_jax as lj
    >>> lj.starts.network(lj.TwoLayer, (3, 5, 1))(jax.random.key(0)).W1.shape
    (5, 3)

    ```
    """
    if kind not in (TwoLayer, DeepLinear, Mlp):
        raise TypeError(f"kind is {shown(kind)}; it must be TwoLayer, DeepLinear or Mlp")
    given = _integers("sizes", sizes)
    if len(given) < 2 or min(given) < 1 or (kind is TwoLayer and len(given) != 3):
        raise ValueError(
            f"sizes is {given}; give (inputs, width, …, outputs), all at least 1, "
            "three of them for a TwoLayer"
        )
    chosen, factor = activations.named(activation), positive("scale", scale)
    return RandomNetwork(kind, given, bool(bias), factor, chosen, _dtype(dtype))


def _dtype(dtype) -> jnp.dtype:
    try:
        chosen = jax.dtypes.canonicalize_dtype(float if dtype is None else dtype)
    except TypeError:
        chosen = None
    if chosen is None or not jnp.issubdtype(chosen, jnp.floating):
        raise TypeError(f"dtype is {shown(dtype)}; give a floating one, e.g. jnp.float64")
    return jnp.dtype(chosen)


def _shape(shape: Sequence[SupportsIndex]) -> tuple[int, ...]:
    given = _integers("shape", shape)
    if len(given) != 2 or min(given) < 1:
        raise ValueError(f"shape is {given}; it must be (neurons, dim), both at least 1")
    return given


def _integers(name: str, sizes: Sequence[SupportsIndex]) -> tuple[int, ...]:
    """Return sizes as a tuple of integers, so that equal ones have one hash."""
    given = np.asarray(sizes)
    if given.ndim != 1 or not (len(given) and np.issubdtype(given.dtype, np.integer)):
        raise TypeError(f"{name} is {shown(sizes)}; give a tuple of integers")
    return tuple(given.tolist())


class RandomAugmented(eqx.Module):
    """Draw networks with added neurons; see `augmented`."""

    network: Callable[[Key[Array, ""]], PyTree] | None
    outputs: int = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    scale: float | Scalar
    dtype: jnp.dtype = eqx.field(static=True)

    def __call__(self, key: Key[Array, ""]) -> Augmented:
        """Draw one network and its added neurons."""
        rows = jax.random.fold_in(key, 0), (self.outputs, self.inputs + 2), self.dtype
        a, b, *w = (jnp.asarray(self.scale, self.dtype) * jax.random.normal(*rows)).T
        network = None if self.network is None else self.network(jax.random.fold_in(key, 1))
        return Augmented(network, a, b, jnp.stack(w, axis=1))


@explained
def augmented(
    network: Callable[[Key[Array, ""]], PyTree] | None,
    outputs: int,
    inputs: int,
    *,
    scale: float | int | Scalar = 1.0,
    dtype=None,
) -> RandomAugmented:
    """Draw a network, and a, b, w of its added neurons from N(0, scale²).

    **Arguments:** `network`, a function from a key to a network, or `None` for the added neurons
    alone; `outputs` and `inputs` of the network; `scale`; `dtype`, as of `gaussian`.

    **Returns:** a function from a key to an `Augmented`.

    **Raises:** as `gaussian`; `TypeError` if the network is not a function of a key.

    Source: KK20, section 2.

    ```python
    >>> import jax, landscape_jax as lj
    >>> nets = lj.starts.network(lj.TwoLayer, (3, 5, 2))
    >>> lj.starts.augmented(nets, 2, 3)(jax.random.key(0)).w.shape
    (2, 3)

    ```
    """
    if network is not None and not callable(network):
        raise TypeError(f"network is {shown(network)}; give a function from a key to a network")
    sizes = count("outputs", outputs), count("inputs", inputs)
    return RandomAugmented(network, *sizes, positive("scale", scale), _dtype(dtype))


class Near(eqx.Module):
    """Draw points near a given one; see `near`."""

    point: PyTree
    distance: float | Scalar

    def __call__(self, key: Key[Array, ""]) -> PyTree:
        """Draw one initial point."""
        arrays, settings = eqx.partition(self.point, eqx.is_array)
        flat, unravel = ravel_pytree(arrays)
        step = jax.random.normal(key, flat.shape, flat.dtype)
        size = jnp.asarray(self.distance / math.sqrt(flat.size), flat.dtype)
        return eqx.combine(unravel(flat + size * step), settings)


@explained
def near(point: PyTree, *, distance: float | int | Scalar = 0.1) -> Near:
    """Draw points near a given one by adding N(0, distance²/P) to each of its entries.

    For P parameters the Euclidean distance from `point` is about `distance`.

    **Arguments:** `point`, any pytree with arrays, such as a family's representative; `distance`.

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
    radius = positive("distance", distance)
    whole = as_parameters(point, "point")
    arrays = [leaf for leaf in jax.tree.leaves(whole) if eqx.is_array(leaf)]
    if not arrays or not all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in arrays):
        raise TypeError(
            f"point has dtypes {[str(leaf.dtype) for leaf in arrays]}; give floating arrays"
        )
    return Near(whole, radius)
