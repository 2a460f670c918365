"""Predictions of any network: one of samples as rows, or one of a single sample."""

from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float, PyTree

from landscape_jax.mistakes import shown
from landscape_jax.networks.models import Network


def predictions(
    network: PyTree, x: Float[Array, "samples *shape"]
) -> Float[Array, "samples outputs"]:
    """Compute the predictions of all samples, one a row.

    A network is a function of samples, (N, …) to (N, outputs), or of one sample, (…) to (outputs,)
    or a scalar, as the modules of `equinox.nn` are; that is applied to each sample (`jax.vmap`).
    It counts as one of samples where, by shapes, it maps both N and N + 1 of them to as many rows.

    **Raises:** `TypeError` if it is not a function, `ValueError` if it is neither of these.

    ```python
    >>> import equinox as eqx, jax, jax.numpy as jnp
    >>> mlp = eqx.nn.MLP(2, "scalar", 4, 1, key=jax.random.key(0))
    >>> predictions(mlp, jnp.ones((3, 2))).shape
    (3, 1)

    ```
    """
    if not callable(network):
        raise TypeError(f"the network is {shown(network)}; it must be a function of samples")
    single = not isinstance(network, Network) and _is_of_one_sample(network, x)
    q: Any = jax.vmap(network)(x) if single else network(x)
    shape = getattr(q, "shape", type(q).__name__)
    if single and len(shape) == 1:
        return q[:, None]
    if len(shape) != 2 or shape[0] != len(x):
        raise ValueError(
            f"the network gives shape {shape} for samples of shape {x.shape}; it must give "
            "(samples, outputs), or (outputs,) for one sample"
        )
    return q


def _is_of_one_sample(network: Any, x: Array) -> bool:
    """Check by shapes whether a network is a function of one sample and not of several."""

    def shape(*samples: int) -> tuple[int, ...] | None:
        """Return the shape of the output for so many samples, or one; `None` if it is refused."""
        try:
            given = jax.ShapeDtypeStruct((*samples, *x.shape[1:]), x.dtype)
            return eqx.filter_eval_shape(network, given).shape
        except Exception:
            return None

    one = shape()
    if one is None or len(one) > 1:
        return False
    return any((s := shape(n)) is None or len(s) != 2 or s[0] != n for n in (len(x), len(x) + 1))
