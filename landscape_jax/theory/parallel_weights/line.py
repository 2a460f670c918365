"""The regions into which parallel weights cut the line, and the active weights of each."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from landscape_jax.mistakes import explained
from landscape_jax.networks import TwoLayer

Normals = Sequence[int] | np.ndarray


class Regions(NamedTuple):
    """The K + 1 regions between K positions, from left to right.

    - `ends`: the positions, sorted.
    - `rank`: the index of each weight among them.
    - `active`: whether weight k is active in region j.
    - `relation`: a with Σⱼ aⱼ cⱼ = 0 for c = active · h with any h; entries −1, 0 and 1.
    """

    ends: Float[Array, " weights"]
    rank: Int[Array, " weights"]
    active: Bool[Array, "regions weights"]
    relation: Float[Array, " regions"]


@explained
def parallel_network(positions: Float[Array, " weights"], normals: Normals) -> TwoLayer:
    """Return the network Σ_k z_k [w_k·x]₊ on one input, w_k·x = n_k (x − h_k) and z_k = n_k.

    Where weight k is active, at n_k x > n_k h_k, it adds R_k·x = n_k² (x − h_k) = x − h_k, for
    either normal.

    **Arguments:** `positions`, h, (K,); `normals`, n, (K,), each 1 or −1.

    **Raises:** `ValueError` if `normals` is not K signs.

    Source: LIU, section 7.1.

    ```python
    >>> import jax.numpy as jnp
    >>> net = parallel_network(jnp.array([1.0, -1.0]), (1, -1))
    >>> net(jnp.array([[3.0], [0.0], [-4.0]])).ravel().tolist()
    [2.0, 0.0, -3.0]

    ```
    """
    n = read_normals(positions, normals)
    return TwoLayer(n[:, None], n[None], -n * positions)


def read_normals(positions: Float[Array, " weights"], normals: Normals) -> Float[Array, " weights"]:
    """Convert one sign for each position to an array like the positions.

    **Raises:** `ValueError` if `normals` is not K signs.
    """
    found = tuple(np.asarray(normals).tolist())
    if len(found) != len(positions) or not found or not set(found) <= {1, -1}:
        raise ValueError(
            f"normals is {found} for {len(positions)} positions; give 1 or -1 for each of at "
            "least one weight"
        )
    return jnp.asarray(found, positions.dtype)


def regions(positions: Float[Array, " weights"], n: Float[Array, " weights"]) -> Regions:
    """Compute the regions between the positions; equal ones are cut in the given order.

    With c = active · h the network is m_j x − c_j in region j, m_j the number of active weights.
    From a region to the next c changes by n_k h_k, k the weight between them, and in the leftmost
    region it is Σ h_k over n_k = −1.  That is the relation.
    """
    order = jnp.argsort(positions)
    rank = jnp.argsort(order)
    right = jnp.arange(len(n) + 1)[:, None] > rank
    leftward = (n[order] < 0).astype(positions.dtype)
    first = jnp.zeros(len(n) + 1, positions.dtype).at[0].set(1)
    relation = first + jnp.pad(leftward, (1, 0)) - jnp.pad(leftward, (0, 1))
    return Regions(positions[order], rank, right == (n > 0), relation)
