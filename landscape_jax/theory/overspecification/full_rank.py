"""Theorem 7 of SS16: where samples are independent, weights of error 0 in the basin of a start."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Bool, Float
from scipy.stats import binom

from landscape_jax.theory.overspecification.sizes import Sizes, whole_numbers


class ZeroErrorWeights(NamedTuple):
    """Weights in the closed region combinations of starts, of error 0 where a start is covered.

    - `W`: (…, n, d), in the samples' span.
    - `heights`: wᵢ·x_t as they are meant, (…, n, m): 0 or positive, at most one neuron a sample.
    - `covered`: whether each sample with a label ≠ 0 has a neuron that is active and of its sign.
    - `loss`: (1/m) Σ (q(x) − y)² of `W` as it is; 0 but for rounding where covered.
    - `violation`: the largest −sign(w·x)(w′·x)/(‖w′‖‖x‖) over neurons w of the start, w′ of `W` and
      samples x, 0 where none is on the wrong side: rounding.
    """

    W: Float[Array, "*starts width inputs"]
    heights: Float[Array, "*starts width samples"]
    covered: Bool[Array, "*starts"]
    loss: Float[Array, "*starts"]
    violation: Float[Array, "*starts"]


@jax.jit
def zero_error_weights(
    x: Float[Array | np.ndarray, "samples inputs"],
    y: Float[Array | np.ndarray, " labels"],
    W: Float[Array | np.ndarray, "*starts width inputs"],
    v: Float[Array | np.ndarray, "*starts width"],
) -> ZeroErrorWeights:
    """Build the weights of theorem 7's proof, for thousands of starts in one jitted call.

    Sample t is left to the first neuron i with wᵢ·x_t > 0 and vᵢy_t > 0: its new height is
    |y_t|/|vᵢ|, that of all others 0.  The samples are independent, so there is a w′ᵢ with these
    heights; the one in their span is taken.  All heights are 0 or of the sign of wᵢ·x_t: W′ is in
    the closed region combination of the start (on its boundary, as a rule: in the open one the
    least error need not be attained), and its output is y_t at each sample that has such a neuron.

    The paper's condition on the earlier neurons j, (w_j·x_t ≤ 0) ∧ (v_jy_t < 0), is to be
    ∨: no earlier neuron meets both conditions.  As printed a sample is lost where an earlier neuron
    has the right sign and is inactive (n = 2, v = (1, 1), w·x = (−1, 1), y = 1: output 0).

    **Arguments:** `x`, (m, d), independent rows; `y`, (m,); `W`, (…, n, d), and `v`, (…, n), the
    starts, v ≠ 0.

    **Returns:** `ZeroErrorWeights`; not finite where the rows are not independent.

    **Raises:** `ValueError` on shapes that do not fit, or more samples than inputs.

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
    new = with_heights(inputs, heights)
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
    """Leave each point to the first neuron that is active there and of its label's sign.

    **Arguments:** `active`, (…, n, m); `v`, (…, n); `y`, (m,).

    **Returns:** the heights, |y_t|/|vᵢ| or 0, and whether all labels ≠ 0 have such a neuron.
    """
    able = active & (v[..., None] * y > 0)
    first = able & (jnp.cumsum(able, axis=-2) == 1)
    heights = jnp.where(first, jnp.abs(y / v[..., None]), jnp.zeros((), y.dtype))
    return heights, jnp.all(jnp.any(able, axis=-2) | (y == 0), axis=-1)


def with_heights(
    points: Float[Array, "points inputs"], heights: Float[Array, "*starts width points"]
) -> Float[Array, "*starts width inputs"]:
    """Give the weights with given products with independent points, in the points' span."""
    Q, R = jnp.linalg.qr(points.T)
    flat = heights.reshape(-1, len(points)).T
    return (Q @ solve_triangular(R, flat, trans=1)).T.reshape(*heights.shape[:-1], -1)


def products(
    W: Float[Array, "*starts width inputs"], points: Float[Array, "points inputs"]
) -> Float[Array, "*starts width points"]:
    """Give wᵢ·x for all neurons and points."""
    return jnp.einsum("...nd,td->...nt", W, points, precision=jax.lax.Precision.HIGHEST)


def theorem_7_bound(widths: Sizes, samples: int) -> Float[np.ndarray, "..."]:
    """Give 1 − m(¾)^n, the lower bound of F_n(0); negative where it says nothing.

    For m the number of labels ≠ 0 it holds too.

    **Arguments:** `widths`, n ≥ 1, whole numbers of any shape; `samples`, m ≥ 1.

    **Raises:** `ValueError` where one is less than 1.

    Source: SS16, theorem 7.

    ```python
    >>> round(float(theorem_7_bound(20, 10)), 6)
    0.968288

    ```
    """
    whole_numbers("samples", samples)
    return np.asarray(1 - samples * 0.75 ** whole_numbers("widths", widths))


def orthogonal_event_probability(
    widths: Sizes, positive: int, negative: int
) -> Float[np.ndarray, "..."]:
    """Give the probability that a start is `covered`, exactly, for orthogonal samples.

    Σ_k C(n, k) 2^{−n} (1 − 2^{−k})^{m₊} (1 − 2^{k−n})^{m₋}:

    of orthogonal samples the signs of w·x_t are independent coins, and k neurons have v > 0.
    For other samples it depends on their angles.

    **Arguments:** `widths`, n ≥ 1, whole numbers of any shape; `positive` and `negative`, m₊ and
    m₋ ≥ 0, how many labels there are of each sign.

    **Raises:** `ValueError` where one is out of range.

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
