"""Theorems 5 and 6 of SS16: on data of a small teacher a wide student starts in a good basin."""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from landscape_jax.machine import require_memory
from landscape_jax.mistakes import explained, shown
from landscape_jax.theory.overspecification.caps import Distances, cap_probability, lemma_4_bound
from landscape_jax.theory.overspecification.sizes import Sizes, real_numbers, whole_numbers

# Singular values below this times max(m, d) · eps, relative to the largest, count as 0.
_ROUNDING = 10.0


class RealizableData(NamedTuple):
    """Data that a two-layer ReLU network without biases fits.

    - `x`, (m, d), with ‖x‖ ≤ 1; `y`, (m,), the teacher's outputs.
    - `W`, (n, d), and `v`, (n,), the teacher's neurons, ‖wᵢ‖ = B, and output weights −1 or 1.
    """

    x: Float[Array, "samples inputs"]
    y: Float[Array, " samples"]
    W: Float[Array, "width inputs"]
    v: Float[Array, " width"]


@explained
@partial(jax.jit, static_argnames=("samples", "inputs", "width", "rank", "dtype"))
def realizable_data(
    key: Key[Array, ""],
    samples: int,
    inputs: int,
    width: int,
    *,
    rank: int | None = None,
    bound: float | int | Float[Array, ""] = 1.0,
    dtype=None,
) -> RealizableData:
    """Draw a teacher, and samples uniform in the unit ball of the space or of a random subspace.

    **Arguments:** `key`; `samples`, m; `inputs`, d; `width`, n, of the teacher; `rank`, k ≤ d, the
    dimension of the subspace, d if omitted; `bound`, B, the norm of each neuron; `dtype`, JAX's
    default float if omitted.

    **Returns:** a `RealizableData`.

    **Raises:** `ValueError` if a size is less than 1, or the rank more than d.

    Source: SS16, theorems 5 and 6.

    ```python
    >>> import jax
    >>> data = realizable_data(jax.random.key(3), 30, 5, 2, rank=2)
    >>> data.x.shape, intrinsic_dimension(data.x)
    ((30, 5), 2)

    ```
    """
    k = inputs if rank is None else rank
    if min(samples, inputs, width, k) < 1 or k > inputs:
        raise ValueError(
            f"samples, inputs, width, rank are {samples}, {inputs}, {width}, {k}; give sizes of at "
            "least 1, and a rank of at most inputs"
        )
    require_memory(16 * (samples + width) * inputs, "samples × inputs", "give smaller ones")
    kind = jnp.dtype(jax.dtypes.canonicalize_dtype(float if dtype is None else dtype))
    first, second = jax.random.split(key)
    ends = np.cumsum([samples * k, inputs * k, width * inputs])
    normal = jax.random.normal(first, (int(ends[-1]) + width,), kind)
    points, frame, teacher, signs = jnp.split(normal, ends)
    rows = points.reshape(samples, k)
    radius = jax.random.uniform(second, (samples, 1), kind) ** (1 / k)
    rows = radius * rows / jnp.linalg.norm(rows, axis=1, keepdims=True)
    if k < inputs:
        rows = rows @ jnp.linalg.qr(frame.reshape(inputs, k))[0].T
    W = teacher.reshape(width, inputs)
    W = bound * W / jnp.linalg.norm(W, axis=1, keepdims=True)
    v = jnp.where(signs < 0, -1, 1).astype(kind)
    return RealizableData(rows, jax.nn.relu(rows @ W.T) @ v, W, v)


@explained
def intrinsic_dimension(x: Float[Array | np.ndarray, "samples inputs"]) -> int:
    """Compute the rank of the samples, which replaces d in theorem 6.

    Only the projections of neurons on the span of the samples matter, and the projection of a
    uniform point of the sphere, normalized, is uniform on the sphere of the span.  Singular values
    below 10 max(m, d) times the precision, relative to the largest, count as 0.

    **Raises:** `ValueError` if there are no samples, or entries are not finite.

    Source: SS16, theorem 6.

    ```python
    >>> import numpy as np
    >>> intrinsic_dimension(np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]]))
    1

    ```
    """
    table = np.asarray(x)
    if not table.size or not np.isfinite(table).all():
        raise ValueError(f"x has shape {table.shape}; give samples, all entries finite")
    tolerance = _ROUNDING * max(table.shape) * float(np.finfo(table.dtype).eps)
    return int(np.linalg.matrix_rank(table, rtol=tolerance))


@explained
def match_probability(
    epsilon: Distances,
    width: int,
    bound: float | int,
    dim: int,
    *,
    exact: bool = False,
) -> Float[np.ndarray, "..."]:
    """Compute p, a lower bound on the probability that a random neuron matches a teacher neuron.

    A match is ‖w − w*/‖w*‖‖ ≤ δ = √ε/(nB) and v = v*.  By lemma 4
    p_{d−1}(ε) = (δ√(1 − δ²/4))^{d−1} / (2π(d − 1)); with `exact`, half of the cap's probability.

    The proof states that for smaller ‖w*‖ the bound of lemma 4 is larger; beyond δ = √2 it is
    smaller, but the probability itself is larger, so p remains a lower bound.

    **Arguments:** `epsilon`, ε > 0; `width`, n, of the teacher; `bound`, B ≥ ‖w*‖; `dim`, d, or the
    `intrinsic_dimension`, at least 2 (theorem 6 has d − 1 in the factor before the power for
    every k, which is smaller and holds too).

    **Raises:** `ValueError` if one is out of range, or ε > 4n²B², where p_j is undefined.

    Source: SS16, theorem 5, p_j(ε).

    ```python
    >>> round(float(match_probability(0.04, 2, 1.0, 2)), 6)
    0.015896

    ```
    """
    whole_numbers("width", width)
    level = real_numbers("epsilon", epsilon)
    if not (math.isfinite(bound) and bound > 0):
        raise ValueError(f"bound is {shown(bound)}; it must be a positive number")
    if not np.all((level > 0) & (level <= (2 * width * bound) ** 2)):
        raise ValueError(
            f"epsilon is {shown(epsilon)}; it must be above 0 and at most 4 width² bound²"
        )
    distance = np.sqrt(level) / (width * bound)
    return np.asarray((cap_probability if exact else lemma_4_bound)(distance, dim) / 2)


@explained
def theorem_5_width(c: float | int, width: int, p: float | np.ndarray) -> Float[np.ndarray, "..."]:
    """Compute N_c = (1 + c)⌈n/p⌉, rounded up: the width in theorem 5.

    **Arguments:** `c` > 0; `width`, n, of the teacher; `p`, see `match_probability`.

    **Raises:** `ValueError` if c is not positive, or a p not in (0, 1].

    Source: SS16, theorem 5.

    ```python
    >>> float(theorem_5_width(1.0, 2, 0.1))
    40.0

    ```
    """
    whole_numbers("width", width)
    chance = real_numbers("p", p)
    if not (0 < c < math.inf and np.all((chance > 0) & (chance <= 1))):
        raise ValueError(f"c and p are {shown(c)} and {shown(p)}; give c > 0 and 0 < p ≤ 1")
    return np.asarray(np.ceil((1 + c) * np.ceil(width / chance)))


@explained
def theorem_5_bound(c: Distances, widths: Sizes) -> Float[np.ndarray, "..."]:
    """Compute max(½, 1 − exp(−¼c²n/(1 + c))), the lower bound on F_N(ε) of theorem 5's proof.

    n is the teacher's width and N = N_c.  The statement divides the exponent by p, and is
    false.  *Counterexample:* d = 2, n = B = 1, w* = (1, 0), samples (−sin η, cos η), (0, 1),
    (sin η, cos η) with η = 0.2.  The outputs of a neuron with the same sign on all three satisfy
    q₁ + q₃ = 2q₂ cos η, and so do sums of them.  The labels (0, 0, sin η) do not, so the loss
    is at least sin²η/(6 + 12cos²η) = 0.00225 > ε = 0.002.  A neuron's sign differs with
    probability 2η/π, so F_N(ε) ≤ 1 − (1 − 2η/π)^N: with c = 10, N = 1551 1 − F_N(ε) is at
    least e^{−211}, while the statement has e^{−319}.

    The proof has a gap: it waits for n neurons each of which matches *a* given neuron of the
    teacher with probability p, and then takes all n neurons of the teacher to be matched.  The
    bound still holds: see `theorem_5_union_bound`, which is always larger.

    **Arguments:** `c` > 0 and `widths`, n ≥ 1, which broadcast.

    **Raises:** `ValueError` if one is out of range.

    Source: SS16, theorems 5 and 6.

    ```python
    >>> theorem_5_bound(1.0, 2).tolist(), round(float(theorem_5_bound(4.0, 10)), 4)
    (0.5, 0.9997)

    ```
    """
    excess, n = real_numbers("c", c), whole_numbers("widths", widths)
    if not np.all((excess > 0) & np.isfinite(excess)):
        raise ValueError(f"c is {shown(c)}; it must be a positive number")
    return np.asarray(np.maximum(0.5, -np.expm1(-(excess**2) * n / (4 * (1 + excess)))))


@explained
def theorem_5_union_bound(
    students: Sizes, width: int, p: float | np.ndarray
) -> Float[np.ndarray, "..."]:
    """Compute 1 − n(1 − p)^N, a lower bound on F_N(ε) for any width N of the student.

    *Proof.*  Neuron i of the teacher is matched by none of the N with probability at most
    (1 − p)^N.  If each is matched, scale a matching neuron by ‖wᵢ*‖, or by the sum if it matches
    several, and the others by 0: the point is in the closed region, and every output has an error
    of at most Σ ‖wᵢ*‖δ‖x‖ ≤ √ε.

    For N ≥ (1 + c)n/p it is at least 1 − n e^{−(1+c)n}, more than `theorem_5_bound`.

    **Arguments:** `students`, N ≥ 1, and `p`, see `match_probability`, which broadcast; `width`, n,
    of the teacher.

    **Returns:** the bound; vacuous where negative.

    **Raises:** `ValueError` if one is out of range.

    Source: SS16, theorem 5, with the proof corrected.

    ```python
    >>> round(float(theorem_5_union_bound(100, 2, 0.1)), 6)
    0.999947

    ```
    """
    N = whole_numbers("students", students)
    whole_numbers("width", width)
    chance = real_numbers("p", p)
    if not np.all((chance > 0) & (chance <= 1)):
        raise ValueError(f"p is {shown(p)}; it must be above 0 and at most 1")
    with np.errstate(divide="ignore"):
        return np.asarray(1 - width * np.exp(N * np.log1p(-chance)))
