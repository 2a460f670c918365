"""Theorem 4 of SS16: the probability that a random network has a greater loss than the output 0."""

from collections.abc import Sequence
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from landscape_jax.machine import require_memory
from landscape_jax.mistakes import explained, shown
from landscape_jax.networks import Mlp
from landscape_jax.theory.overspecification.sizes import Sizes, whole_numbers

_BATCH = 1024


@explained
@eqx.filter_jit
def sphere_network(
    key: Key[Array, ""],
    sizes: Sequence[int],
    *,
    bias: bool = True,
    whole: bool = False,
    dtype=None,
) -> Mlp:
    """Draw a ReLU network with weights uniform on unit spheres; its output layer has no bias.

    **Arguments:** `key`; `sizes`, (inputs, width, …, 1), at least three; `bias`, whether hidden
    neurons have one; `whole`: if false, the weights and bias of each neuron are uniform on a unit
    sphere, if true, those of all neurons jointly (the paper states both);
    `dtype`, JAX's default float if omitted.

    **Raises:** `ValueError` if there are fewer than three sizes, or one is less than 1.

    Source: SS16, theorem 4.

    ```python
    >>> import jax, jax.numpy as jnp
    >>> net = sphere_network(jax.random.key(0), (3, 5, 1))
    >>> rows = jnp.concatenate([net.weights[0], net.biases[0][:, None]], axis=1)
    >>> bool(jnp.allclose(jnp.linalg.norm(rows, axis=1), 1)), net.biases[1]
    (True, None)

    ```
    """
    if len(sizes) < 3 or min(sizes) < 1:
        raise ValueError(
            f"sizes is {tuple(sizes)}; give (inputs, width, …, 1), three or more, all at least 1"
        )
    try:
        kind = jnp.dtype(jax.dtypes.canonicalize_dtype(float if dtype is None else dtype))
    except TypeError:
        raise TypeError(f"dtype is {shown(dtype)}; give a floating dtype") from None
    most = max(a * b for a, b in pairwise(sizes))
    require_memory(16 * most, "a layer of these sizes", "give smaller ones")
    columns = [inputs + bias for inputs in sizes[:-2]] + [sizes[-2]]
    shapes = list(zip(sizes[1:], columns, strict=True))
    # One draw for all layers: each draw would be compiled separately.
    normal = jax.random.normal(key, (sum(a * b for a, b in shapes),), kind)
    if whole:
        normal /= jnp.linalg.norm(normal)
    ends = np.cumsum([a * b for a, b in shapes])[:-1]
    rows = [
        part.reshape(shape) for part, shape in zip(jnp.split(normal, ends), shapes, strict=True)
    ]
    if not whole:
        rows = [row / jnp.linalg.norm(row, axis=1, keepdims=True) for row in rows]
    weights = [row[:, :inputs] for row, inputs in zip(rows, sizes, strict=False)]
    hidden = [row[:, -1] if bias else None for row in rows[:-1]]
    return Mlp(weights, [*hidden, None])


@explained
@eqx.filter_jit
def count_above_zero(
    key: Key[Array, ""],
    x: Float[Array, "samples inputs"],
    y: Float[Array, " labels"],
    widths: tuple[int, ...],
    draws: int,
    *,
    bias: bool = True,
    whole: bool = False,
) -> Int[Array, ""]:
    """Count the networks with ‖N − y‖² > ‖y‖² among many random ones, in one jitted call.

    The comparison is ‖N‖² > 2N·y, which is accurate for small outputs.

    **Arguments:** `key`; `x`, (m, inputs); `y`, (m,); `widths`, of the hidden layers; `draws`, the
    number of networks; `bias` and `whole`, see `sphere_network`.

    **Returns:** the count; `clopper_pearson(int(count), draws)` is its interval.

    **Raises:** `ValueError` if shapes do not match, or a size is less than 1.

    Source: SS16, theorem 4.

    ```python
    >>> import jax, jax.numpy as jnp
    >>> int(count_above_zero(jax.random.key(0), jnp.ones((1, 1)), jnp.zeros(1), (9,), 64)) > 60
    True

    ```
    """
    if y.shape != x.shape[:1] or draws < 1:
        raise ValueError(
            f"x and y have shapes {x.shape} and {y.shape}, draws is {draws}; give "
            "(samples, inputs), (samples,) and at least one draw"
        )
    sizes = x.shape[1], *widths, 1

    def one(i: Array) -> Array:
        draw = jax.random.fold_in(key, i)
        N = sphere_network(draw, sizes, bias=bias, whole=whole, dtype=x.dtype)(x)[:, 0]
        return (jnp.sum(N**2) > 2 * jnp.sum(N * y)) & (i < draws)

    # Full batches only: a shorter one would be compiled again.
    batch = min(draws, _BATCH)
    return jnp.sum(jax.lax.map(one, jnp.arange(draws + -draws % batch), batch_size=batch))


@explained
def theorem_4_bound(widths: Sizes) -> Float[np.ndarray, "..."]:
    """Compute ¼(1 − 2^{−n}), the lower bound of theorem 4, n the width of the last hidden layer.

    `theorem_4_linear_bound` is twice as large and holds too.

    **Arguments:** `widths`, n ≥ 1, integers of any shape.

    Source: SS16, theorem 4.

    ```python
    >>> theorem_4_bound(2).tolist()
    0.1875

    ```
    """
    return np.asarray(theorem_4_linear_bound(widths) / 2)


@explained
def theorem_4_linear_bound(widths: Sizes) -> Float[np.ndarray, "..."]:
    """Compute ½(1 − 2^{−n}), a lower bound on Pr[‖N − y‖² > ‖y‖²] for a linear output layer.

    *Proof.*  Fix one sample and the layers before the last hidden one.  Changing the sign of the
    weights and bias of one neuron preserves the distribution, so its pre-activation is positive
    with probability ½, independently of the others, and the layer's output z is not 0 with
    probability 1 − 2^{−n}.  Then the output v·z is not 0, almost surely.  Changing the sign of v
    changes that of the outputs N on all samples, and one of N and −N has N·y ≤ 0, hence a greater
    loss than ‖y‖².

    For one sample and |y| larger than any output the bound is attained; for y = 0 and one sample
    the probability is 1 − 2^{−n}.

    The paper's proof has another factor ½, for a nonzero output given z ≠ 0, as of a ReLU neuron;
    but its output neuron is linear.  With a ReLU output N and −N do not both occur, and the theorem
    is false: if all labels exceed half of the largest output the probability is 0.

    Biases are needed from three hidden layers on.  Without them a layer can be dead on the sample,
    and all later layers with it: for one sample and a large |y| the probability is
    ½ Π (1 − 2^{−nₗ}), below the theorem's bound for widths (1, 1, 2), 3/32 against 3/16.

    Pre-activations must also be nonzero: independent random signs, which the paper states to be
    sufficient, do not give the probability ½ (weights and bias ±1, x = 1: ¼).

    **Arguments:** `widths`, n ≥ 1, integers of any shape.

    **Raises:** `ValueError` if one is less than 1.

    Source: SS16, theorem 4 and its proof.

    ```python
    >>> theorem_4_linear_bound(2).tolist()
    0.375

    ```
    """
    return np.asarray((1 - 0.5 ** whole_numbers("widths", widths)) / 2)
