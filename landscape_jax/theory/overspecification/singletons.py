"""Theorem 2 of SS16: on singleton data a wide network is initialized in a good basin."""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from landscape_jax.machine import require_memory
from landscape_jax.mistakes import explained
from landscape_jax.theory.overspecification.sizes import Sizes, whole_numbers


class SingletonOptimum(NamedTuple):
    """The least losses on singleton data, (1/m) Σ (q(x) − y)².

    - `neuron`: α, of one ReLU neuron, attained at `w`, (d,).
    - `network`: of two-layer ReLU networks without biases, of any width; 4d neurons attain it.
    """

    neuron: float
    w: Float[np.ndarray, " dim"]
    network: float


@explained
@partial(jax.jit, static_argnames=("dim", "per_side", "noise", "dtype"))
def singleton_data(
    key: Key[Array, ""], dim: int, per_side: int, *, noise: float | int = 0.5, dtype=None
) -> tuple[Float[Array, "samples dim"], Float[Array, " samples"]]:
    """Draw singleton data: samples with one nonzero coordinate, equally many on each half-axis.

    That coordinate x is ± uniform on [½, 1]; its label is h|x| + noise · N(0, 1), with an
    h ~ N(0, 1) for each half-axis.

    **Arguments:** `key`; `dim`, d; `per_side`, samples on each of the 2d half-axes; `noise` ≥ 0;
    `dtype`, JAX's default float if omitted.

    **Returns:** x, (2d per_side, d), and y.

    **Raises:** `ValueError` if a size is less than 1 or the noise is negative.

    Source: SS16, section 3.2.

    ```python
    >>> import jax
    >>> x, y = singleton_data(jax.random.key(0), 4, 3)
    >>> x.shape, y.shape
    ((24, 4), (24,))

    ```
    """
    if min(dim, per_side) < 1 or not 0 <= noise < math.inf:
        raise ValueError(
            f"dim, per_side, noise are {dim}, {per_side}, {noise}; give sizes of at least 1 and "
            "a noise of at least 0"
        )
    require_memory(16 * dim**2 * per_side, "dim² × per_side", "give smaller ones")
    kind = jnp.dtype(jax.dtypes.canonicalize_dtype(float if dtype is None else dtype))
    first, second = jax.random.split(key)
    size = jax.random.uniform(first, (dim, 2, per_side), kind, 0.5, 1.0)
    normal = jax.random.normal(second, (dim, 2, per_side + 1), kind)
    y = normal[..., :1] * size + noise * normal[..., 1:]
    side = jnp.array([1.0, -1.0], kind)[None, :, None]
    x = (side * size)[..., None] * jnp.eye(dim, dtype=kind)[:, None, None, :]
    return x.reshape(-1, dim), y.ravel()


@explained
def singleton_optimum(
    x: Float[Array | np.ndarray, "samples dim"], y: Float[Array | np.ndarray, " labels"]
) -> SingletonOptimum:
    """Compute the least loss on singleton data of one ReLU neuron, and of all two-layer networks.

    The loss is a sum over half-axes.  On one of them, with sums over its samples, outputs h|x| have
    the loss Σy² − 2h Σ|x|y + h² Σx², least at h* = Σ|x|y / Σx², which reduces it by g = h*² Σx².  A
    neuron has h ≥ 0 on the half-axis that w_j points to and 0 on the other, so it reduces the loss
    by the larger g among those with h* > 0, or by 0; a network by all g.

    **Arguments:** `x`, (m, d), each row with exactly one entry that is not 0; `y`, (m,).

    **Returns:** a `SingletonOptimum`.

    **Raises:** `ValueError` if x or y is not as described or not finite.

    Source: SS16, theorem 2 and its proof.

    ```python
    >>> import numpy as np
    >>> x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0]])
    >>> found = singleton_optimum(x, np.array([1.0, 3.0, -2.0]))
    >>> round(found.neuron, 6), found.w.tolist(), found.network
    (1.666667, [-3.0, 0.0], 0.0)

    ```
    """
    inputs, labels = np.asarray(x, np.float64), np.asarray(y, np.float64)
    _check_singletons(inputs, labels)
    best, gain = (np.asarray(a) for a in _half_axes(inputs, labels, np))
    one_sided = np.where(best > 0, gain, 0.0)
    side = np.argmax(one_sided, axis=1)
    rows = np.arange(inputs.shape[1])
    total = float(labels @ labels)
    w = np.where(side == 0, 1.0, -1.0) * np.maximum(best[rows, side], 0.0)
    return SingletonOptimum(
        neuron=max(total - float(one_sided.max(axis=1).sum()), 0.0) / len(labels),
        w=w + 0.0,
        network=max(total - float(gain.sum()), 0.0) / len(labels),
    )


def _check_singletons(x: Float[np.ndarray, "samples dim"], y: Float[np.ndarray, " labels"]) -> None:
    """Check that each row has exactly one nonzero entry, shapes match and entries are finite."""
    if not len(x) or y.shape != x.shape[:1]:
        raise ValueError(
            f"x and y have shapes {x.shape} and {y.shape}; give (samples, dim), (samples,)"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("x or y has NaN or infinite entries; give finite numbers")
    entries = np.count_nonzero(x, axis=1)
    if not np.all(entries == 1):
        row = int(np.argmax(entries != 1))
        raise ValueError(
            f"row {row} of x has {entries[row]} nonzero entries; a singleton has exactly one"
        )


@explained
@jax.jit
def is_covering(
    W: Float[Array | np.ndarray, "*starts width dim"], v: Float[Array | np.ndarray, "*starts width"]
) -> Bool[Array, "*starts"]:
    """Check whether initializations have the property whose probability theorem 2 bounds.

    On each coordinate, among the neurons with v > 0 there are positive and negative weights, and
    among those with v < 0 too.  Then the closed region of the initialization contains a global
    minimum over all two-layer networks on singleton data, of loss at most the theorem's α.

    **Arguments:** `W`, (…, n, d), one neuron a row; `v`, (…, n), nonzero output weights.

    **Raises:** `ValueError` if the shapes do not match.

    Source: SS16, proof of theorem 2.

    ```python
    >>> import jax.numpy as jnp
    >>> W = jnp.array([[1.0], [-1.0], [2.0], [-2.0]])
    >>> bool(is_covering(W, jnp.array([1.0, 1, -1, -1]))), bool(is_covering(W, jnp.ones(4)))
    (True, False)

    ```
    """
    if W.shape[:-1] != v.shape:
        raise ValueError(f"W and v have shapes {W.shape} and {v.shape}; give (…, n, d) and (…, n)")
    return jnp.all(_sides(W, v), axis=(-3, -2, -1))


@explained
@jax.jit
def singleton_basin_values(
    x: Float[Array | np.ndarray, "samples dim"],
    y: Float[Array | np.ndarray, " samples"],
    W: Float[Array | np.ndarray, "*starts width dim"],
    v: Float[Array | np.ndarray, "*starts width"],
) -> Float[Array, "*starts"]:
    """Compute the basin values of initializations on singleton data, in closed form.

    On each half-axis the closed region allows outputs h|x| with h ≥ 0 if a neuron with v > 0 is
    active there, h ≤ 0 if one with v < 0 is, all h if both are, and only h = 0 otherwise (see
    `singleton_optimum`); half-axes are independent.

    **Arguments:** `x`, (m, d), one nonzero entry a row; `y`, (m,); `W`, (…, n, d);
    `v`, (…, n), not 0.

    **Returns:** the least loss (1/m) Σ (q(x) − y)² in the closed region of each initialization.

    Source: SS16, proof of theorem 2.

    ```python
    >>> import jax.numpy as jnp
    >>> x, y = jnp.array([[1.0], [-1.0]]), jnp.array([1.0, 2.0])
    >>> float(singleton_basin_values(x, y, jnp.array([[0.5]]), jnp.ones(1)))
    2.0

    ```
    """
    if (x.shape[:1], x.shape[1:], W.shape[:-1]) != (y.shape, W.shape[-1:], v.shape):
        raise ValueError(
            f"x, y, W and v have shapes {x.shape}, {y.shape}, {W.shape} and {v.shape}; give "
            "(samples, dim), (samples,), (…, n, dim) and (…, n)"
        )
    best, gain = _half_axes(jnp.asarray(x), jnp.asarray(y), jnp)
    up, down = _sides(W, v)[..., 0, :, :], _sides(W, v)[..., 1, :, :]
    reached = jnp.where(jnp.where(best.T > 0, up, down), gain.T, jnp.zeros((), gain.dtype))
    left = jnp.sum(jnp.asarray(y) ** 2) - jnp.sum(reached, axis=(-2, -1))
    return jnp.maximum(left, 0) / len(y)


@explained
def singleton_event_probability(widths: Sizes, dim: int) -> Float[np.ndarray, "..."]:
    """Compute the exact probability of `is_covering`.

    Σ_{k=1}^{n−1} C(n, k) 2^{−n} [(1 − 2^{1−k})(1 − 2^{1−n+k})]^d,

    k the number of neurons with v > 0: given k, the signs of the coordinates are independent.
    For d = 1 it is 1 − 4(¾)^n + 6(½)^n − 4(¼)^n.  The sum is computed in integers.

    **Arguments:** `widths`, n ≥ 1, integers of any shape; `dim`, d ≥ 1.

    **Raises:** `ValueError` if one is less than 1.

    Source: SS16, proof of theorem 2.

    ```python
    >>> import numpy as np
    >>> singleton_event_probability(np.array([3, 4]), 1).tolist()
    [0.0, 0.09375]

    ```
    """
    sizes = whole_numbers("widths", widths)
    whole_numbers("dim", dim)
    values = [_event(int(n), int(dim)) for n in sizes.ravel().tolist()]
    return np.array(values).reshape(sizes.shape)


@explained
def theorem_2_bound(widths: Sizes, dim: int) -> Float[np.ndarray, "..."]:
    """Compute 1 − 4d(¾)^n, the lower bound on F_n(α); vacuous where negative.

    Source: SS16, theorem 2.

    ```python
    >>> round(float(theorem_2_bound(20, 3)), 6)
    0.961946

    ```
    """
    sizes = whole_numbers("widths", widths)
    whole_numbers("dim", dim)
    return np.asarray(1 - 4 * dim * 0.75**sizes)


@explained
def theorem_2_power_bound(widths: Sizes, dim: int) -> Float[np.ndarray, "..."]:
    """Compute (1 − 4(¾)^n)^d, 0 if n < 5, the larger lower bound in theorem 2's proof.

    The proof assumes independent coordinates.  They are independent only given the number k of
    neurons with v > 0, but the power is still a lower bound, by Jensen's inequality:
    E[p_k^d] ≥ (E p_k)^d.  For n < 5 the base is negative, and an even power of it is not a bound
    (n = 1, d = 2: 4).

    Source: SS16, proof of theorem 2.

    ```python
    >>> import numpy as np
    >>> theorem_2_power_bound(np.array([1, 20]), 2).round(4).tolist()
    [0.0, 0.9748]

    ```
    """
    sizes = whole_numbers("widths", widths)
    whole_numbers("dim", dim)
    return np.asarray(np.maximum(1 - 4 * 0.75**sizes, 0.0) ** dim)


def _half_axes(x: Any, y: Any, xp: Any) -> tuple[Any, Any]:
    """Compute h* and g (see `singleton_optimum`) of the half-axes, (d, 2), positive ones first."""
    sides = xp.stack([xp.maximum(x, 0), xp.maximum(-x, 0)], axis=-1)
    size, with_labels = (sides**2).sum(axis=0), (sides * y[:, None, None]).sum(axis=0)
    best = with_labels / xp.where(size > 0, size, 1)
    return best, best * with_labels


def _sides(W: Array | np.ndarray, v: Array | np.ndarray) -> Bool[Array, "*starts 2 2 dim"]:
    """Check for v > 0, < 0 and w_j > 0, < 0 on which coordinates j there is such a neuron."""
    weights, outer = jnp.asarray(W), jnp.asarray(v)
    signs = jnp.stack([outer > 0, outer < 0], axis=-2)[..., :, None, :, None]
    sides = jnp.stack([weights > 0, weights < 0], axis=-3)[..., None, :, :, :]
    return jnp.any(signs & sides, axis=-2)


def _event(n: int, d: int) -> float:
    total = sum(math.comb(n, k) * ((2**k - 2) * (2 ** (n - k) - 2)) ** d for k in range(1, n))
    return total / 2 ** (n * (d + 1))
