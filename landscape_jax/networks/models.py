"""Networks: Modules whose array leaves are the parameters, functions of samples as rows."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from landscape_jax.arrays import floating
from landscape_jax.mistakes import explained, shown
from landscape_jax.networks.activations import Activation, Function, named
from landscape_jax.precision import times

Weights: TypeAlias = Float[Array, "outputs inputs"]
Bias: TypeAlias = Float[Array, " outputs"] | None


class TwoLayer(eqx.Module):
    """One hidden layer: q = W₂ φ(W₁x + b₁) + b₂.

    **Arguments:** `W1`, (width, inputs), one neuron a row; `W2`, (outputs, width); `b1`, (width,),
    and `b2`, (outputs,), no bias where left out; `activation`, a name or a function.

    **Raises:** `ValueError` if shapes do not fit.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> net = lj.TwoLayer(jnp.eye(2), jnp.ones((1, 2)), activation="relu")
    >>> net(jnp.array([[1.0, 2.0], [-1.0, 3.0]])).tolist()
    [[3.0], [3.0]]

    ```
    """

    W1: Float[Array, "width inputs"]
    b1: Float[Array, " width"] | None
    W2: Float[Array, "outputs width"]
    b2: Float[Array, " outputs"] | None
    activation: Activation = eqx.field(static=True)

    def __init__(
        self, W1, W2, b1=None, b2=None, *, activation: str | Function | Activation = "relu"
    ):
        weights, biases = _layers({"W1": W1, "W2": W2}, {"b1": b1, "b2": b2})
        (self.W1, self.W2), (self.b1, self.b2) = weights, biases
        self.activation = named(activation)

    def __call__(self, x: Float[Array, "*samples inputs"]) -> Float[Array, "*samples outputs"]:
        """Return the predictions of samples, one a row."""
        return _affine(self.W2, self.b2, self.activation(_affine(self.W1, self.b1, x)))


class DeepLinear(eqx.Module):
    """A product of matrices: q = W_L ⋯ W₂ W₁ x.

    **Arguments:** `weights`, W₁, …, W_L, of shapes that fit.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> lj.DeepLinear([2 * jnp.eye(2), 3 * jnp.eye(2)])(jnp.ones((1, 2))).tolist()
    [[6.0, 6.0]]

    ```
    """

    weights: tuple[Weights, ...]

    def __init__(self, weights: Sequence):
        given = _numbered("weights", weights)
        self.weights = _layers(given, dict.fromkeys(given))[0]

    def __call__(self, x: Float[Array, "*samples inputs"]) -> Float[Array, "*samples outputs"]:
        """Return the predictions of samples, one a row."""
        for weight in self.weights:
            x = _affine(weight, None, x)
        return x


class Mlp(eqx.Module):
    """Any number of layers: xₗ₊₁ = φ(Wₗxₗ + bₗ), the last one without φ.

    **Arguments:** `weights`, W₁, …, W_L; `biases`, b₁, …, b_L, none where left out; `activation`,
    a name or a function.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> lj.Mlp([jnp.eye(2), jnp.eye(2), jnp.ones((1, 2))])(jnp.array([[1.0, -1.0]])).tolist()
    [[1.0]]

    ```
    """

    weights: tuple[Weights, ...]
    biases: tuple[Bias, ...]
    activation: Activation = eqx.field(static=True)

    def __init__(
        self,
        weights: Sequence,
        biases: Sequence | None = None,
        *,
        activation: str | Function | Activation = "relu",
    ):
        given = _numbered("weights", weights)
        rows = dict.fromkeys(given) if biases is None else _numbered("biases", biases)
        self.weights, self.biases = _layers(given, rows)
        self.activation = named(activation)

    def __call__(self, x: Float[Array, "*samples inputs"]) -> Float[Array, "*samples outputs"]:
        """Return the predictions of samples, one a row."""
        *hidden, last = zip(self.weights, self.biases, strict=True)
        for weight, bias in hidden:
            x = self.activation(_affine(weight, bias, x))
        return _affine(*last, x)


Network = TwoLayer | DeepLinear | Mlp


@explained
def random_network(
    kind: type[TwoLayer] | type[DeepLinear] | type[Mlp],
    sizes: Sequence[int],
    *,
    key: Key[Array, ""],
    bias: bool = True,
    scale: float | Array = 1.0,
    activation: str | Function | Activation = "relu",
    dtype=None,
) -> Network:
    """Draw a network with weights N(0, scale²/inputs of the layer) and biases 0.

    **Arguments:** `kind`; `sizes`, (inputs, width, …, outputs); `bias`, whether there are biases
    (a `DeepLinear` has none); `dtype`, JAX's default float where left out.
    """
    pairs = list(itertools.pairwise(sizes))
    keys = jax.random.split(key, len(pairs))
    weights = []
    for k, (inputs, outputs) in zip(keys, pairs, strict=True):
        weight = jax.random.normal(k, (outputs, inputs), dtype)
        weights.append(jnp.asarray(scale / math.sqrt(inputs), weight.dtype) * weight)
    if kind is DeepLinear:
        return DeepLinear(weights)
    biases = [jnp.zeros(len(w), w.dtype) if bias else None for w in weights]
    if kind is TwoLayer:
        return TwoLayer(*weights, *biases, activation=activation)
    return Mlp(weights, biases, activation=activation)


def _affine(weight: Array, bias: Array | None, x: Array) -> Array:
    product = times(x, weight.T)
    return product if bias is None else product + jnp.broadcast_to(bias, product.shape)


def _layers(weights: dict[str, Any], biases: dict[str, Any]) -> tuple[tuple, tuple]:
    """Return the layers as arrays, given by their names and checked to fit."""
    if not weights:
        raise ValueError("weights is empty; a network has at least one layer")
    if len(biases) != len(weights):
        raise ValueError(f"biases has {len(biases)} entries; there are {len(weights)} layers")
    arrays = tuple(floating(name, w) for name, w in weights.items())
    for i, (name, w) in enumerate(zip(weights, arrays, strict=True)):
        if w.ndim != 2:
            raise ValueError(f"{name} has shape {w.shape}; give a matrix")
        if i and w.shape[1] != len(arrays[i - 1]):
            raise ValueError(
                f"{name} has shape {w.shape}; the layer before has {len(arrays[i - 1])} outputs"
            )
    rows = tuple(None if b is None else floating(name, b) for name, b in biases.items())
    for name, w, b in zip(biases, arrays, rows, strict=True):
        if b is not None and b.shape != w.shape[:1]:
            raise ValueError(f"{name} has shape {b.shape}; it must be ({len(w)},)")
    return arrays, rows


def _numbered(name: str, given: Any) -> dict[str, Any]:
    """Return the entries of a sequence of arrays by their names."""
    try:
        return {f"{name}[{i}]": part for i, part in enumerate(given)}
    except TypeError:
        raise TypeError(f"{name} is {shown(given)}; give a sequence of arrays") from None
