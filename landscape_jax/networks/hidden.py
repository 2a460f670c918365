"""A network of one hidden layer, written neuron by neuron."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from landscape_jax.networks.models import Mlp, TwoLayer


def is_shallow(network: PyTree) -> bool:
    """Say whether it is a network with one hidden layer and an activation."""
    return isinstance(network, TwoLayer) or (isinstance(network, Mlp) and len(network.weights) == 2)


def neuron_rows(network: PyTree) -> Float[Array, "rows entries"]:
    """Give all parameters of a network with one hidden layer, a row for each hidden neuron.

    Row j is (w_j, b_j, v_j): what goes in, its bias, what goes out; the last row is that of the
    outputs' biases.  What is not there is 0, so that the norm is that of the parameters.

    ```python
    >>> import jax.numpy as jnp
    >>> from landscape_jax.networks import TwoLayer
    >>> neuron_rows(TwoLayer(jnp.eye(2), jnp.ones((1, 2)), b2=jnp.array([3.0]))).tolist()
    [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 3.0]]

    ```
    """
    if isinstance(network, TwoLayer):
        (W1, W2), (b1, b2) = (network.W1, network.W2), (network.b1, network.b2)
    else:
        (W1, W2), (b1, b2) = network.weights, network.biases
    width, inputs = W1.shape
    outputs = len(W2)
    into = jnp.zeros(width, W1.dtype) if b1 is None else b1
    last = jnp.zeros(outputs, W2.dtype) if b2 is None else b2
    hidden = jnp.concatenate([W1, into[:, None], W2.T], axis=1)
    return jnp.vstack([hidden, jnp.concatenate([jnp.zeros(inputs + 1, W1.dtype), last])])
