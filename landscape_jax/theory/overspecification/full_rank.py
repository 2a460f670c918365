"""Theorem 7 of SS16: zero-error weights in basins of wide networks, for independent samples."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Bool, Float
from scipy.stats import binom

from landscape_jax.mistakes import explained
from landscape_jax.precision import times
from landscape_jax.theory.overspecification.sizes import Sizes, whole_numbers


class ZeroErrorWeights(NamedTuple):
    """Weights in the closed regions of initializations, of error 0 if covered.

    - `W`: (…, n, d), in the span of the samples.
    - `heights`: the prescribed wᵢ·x_t, (…, n, m): 0 or positive, for at most one neuron a sample.
    - `covered`: whether each sample with a label ≠ 0 has a neuron that is active and has its sign.
    - `loss`: (1/m) Σ (q(x) − y)² of `W`; 0 to within rounding if covered.
    - `violation`: the largest −sign(w·x)(w′·x)/(‖w′‖‖x‖) over initial neurons w, w′ of `W` and
      samples x, at least 0: rounding only.
    """

    W: Float[Array, "*starts width inputs"]
    heights: Float[Array, "*starts width samples"]
    covered: Bool[Array, "*starts"]
    loss: Float[Array, "*starts"]
    violation: Float[Array, "*starts"]


@explained
@jax.jit
def zero_error_weights(
    x: Float[Array | np.ndarray, "samples inputs"],
    y: Float[Array | np.ndarray, " labels"],
    W: Float[Array | np.ndarray, "*starts width inputs"],
    v: Float[Array | np.ndarray, "*starts width"],
) -> ZeroErrorWeights:
    """Construct the weights of theorem 7's proof for many initializations in one jitted call.

    Sample t is assigned to the first neuron i with wᵢ·x_t > 0 and vᵢy_t > 0: its new height is
    |y_t|/|vᵢ|, that of all other neurons 0.  As the samples are independent, there is a unique w′ᵢ
    in their span with these heights.  All heights are 0 or have the sign of wᵢ·x_t: W′ is in the
    closed region of the initialization (usually on its boundary: in the open region the least error
    need not be attained), and its output is y_t at each sample that has such a neuron.

    The paper's condition on the earlier neurons j, (w_j·x_t ≤ 0) ∧ (v_jy_t < 0), should be ∨: no
    earlier neuron satisfies both conditions.  As printed, a sample is missed if an earlier neuron
    has the right sign and is inactive (n = 2, v = (1, 1), w·x = (−1, 1), y = 1: output 0).

    **Arguments:** `x`, (m, d), independent rows; `y`, (m,); `W`, (…, n, d), and `v`, (…, n), v ≠ 0,
    the initializations.

    **Returns:** `ZeroErrorWeights`; not finite if the rows are not independent.

    **Raises:** `ValueError` if shapes do not match, or there are more samples than inputs.

    Source: SS16, theorem 7.

    ```python
    >>> import jax.numpy as jnp
    >>> W = jnp.array([[1.0, 2.0], [3.0, -1.0]])
    >>> found = zero_error_weights(jnp.eye(2), jnp.array([1.0, -2.0]), W, jnp.array([-1.0, 1.0]))
    >>> found.W.tolist(), bool(found.covered), float(found.loss)
    ([[0.0, 2.0], [1.0, 0.0]], True, 0.0)

    ```
    """
    inputs, labels = jnp.asarray(x), jnp.asarray(y)
    weights, outer = jnp.asarray(W), jnp.asarray(v)
    if labels.shape != inputs.shape[:1] or not 0 < len(inputs) <= inputs.shape[1]:
        raise ValueError(
            f"x and y have shapes {inputs.shape} and {labels.shape}; give (samples, inputs) and "
            "(samples,), with at most as many samples as inputs"
        )
    before = products(weights, inputs)
    heights, covered = first_heights(before > 0, outer, labels)
    new = weights_of_heights(inputs, heights)
    after = products(new, inputs)
    errors = jnp.sum(outer[..., None] * jax.nn.relu(after), axis=-2) - labels
    size = jnp.linalg.norm(new, axis=-1)[..., None] * jnp.linalg.norm(inputs, axis=1)
    wrong = -jnp.sign(before) * after / jnp.where(size > 0, size, 1)
    return ZeroErrorWeights(
        W=new,
        heights=heights,
        covered=covered,
        loss=jnp.mean(errors**2, axis=-1),
        violation=jnp.maximum(jnp.max(wrong, axis=(-2, -1)), 0),
    )


def first_heights(
    active: Bool[Array, "*starts width points"],
    v: Float[Array, "*starts width"],
    y: Float[Array, " points"],
) -> tuple[Float[Array, "*starts width points"], Bool[Array, "*starts"]]:
    """Assign each point to the first neuron that is active there and has the sign of its label.

    **Arguments:** `active`, (…, n, m); `v`, (…, n); `y`, (m,).

    **Returns:** the heights, |y_t|/|vᵢ| or 0, and whether all points with labels ≠ 0 have such a
    neuron.
    """
    able = active & (v[..., None] * y > 0)
    first = able & (jnp.cumsum(able, axis=-2) == 1)
    heights = jnp.where(first, jnp.abs(y / v[..., None]), jnp.zeros((), y.dtype))
    return heights, jnp.all(jnp.any(able, axis=-2) | (y == 0), axis=-1)


def weights_of_heights(
    points: Float[Array, "points inputs"], heights: Float[Array, "*starts width points"]
) -> Float[Array, "*starts width inputs"]:
    """Compute the weights in the span of independent points with given heights wᵢ·x there."""
    Q, R = jnp.linalg.qr(points.T)
    flat = heights.reshape(-1, len(points)).T
    return (Q @ solve_triangular(R, flat, trans=1)).T.reshape(*heights.shape[:-1], -1)


def products(
    W: Float[Array, "*starts width inputs"], points: Float[Array, "points inputs"]
) -> Float[Array, "*starts width points"]:
    """Compute wᵢ·x for all neurons and points."""
    return times(W, points.T)


@explained
def theorem_7_bound(widths: Sizes, samples: int) -> Float[np.ndarray, "..."]:
    """Compute 1 − m(¾)^n, the lower bound on F_n(0); vacuous where negative.

    It also holds with m the number of labels ≠ 0.

    **Arguments:** `widths`, n ≥ 1, integers of any shape; `samples`, m ≥ 1.

    **Raises:** `ValueError` if one is less than 1.

    Source: SS16, theorem 7.

    ```python
    >>> round(float(theorem_7_bound(20, 10)), 6)
    0.968288

    ```
    """
    whole_numbers("samples", samples)
    return np.asarray(1 - samples * 0.75 ** whole_numbers("widths", widths))


@explained
def orthogonal_event_probability(
    widths: Sizes, positive: int, negative: int
) -> Float[np.ndarray, "..."]:
    """Compute the exact probability that `covered` is true, for orthogonal samples.

    Σ_k C(n, k) 2^{−n} (1 − 2^{−k})^{m₊} (1 − 2^{k−n})^{m₋}:

    for orthogonal samples the signs of w·x_t are independent and uniform, and k neurons have v > 0.
    For other samples the probability depends on their angles.

    **Arguments:** `widths`, n ≥ 1, integers of any shape; `positive` and `negative`, m₊ and
    m₋ ≥ 0, the numbers of labels of each sign.

    **Raises:** `ValueError` if one is out of range.

    Source: SS16, the event of theorem 7's proof.

    ```python
    >>> float(orthogonal_event_probability(2, 1, 0)), 1 - 0.75**2
    (0.4375, 0.4375)

    ```
    """
    sizes = whole_numbers("widths", widths)
    m = whole_numbers("positive", positive, 0), whole_numbers("negative", negative, 0)
    k = np.arange(sizes.max() + 1)
    n = sizes[..., None]
    rest = np.maximum(n - k, 0)
    terms = binom.pmf(k, n, 0.5) * (1 - 0.5**k) ** m[0] * (1 - 0.5**rest) ** m[1]
    return np.asarray(terms.sum(axis=-1))
