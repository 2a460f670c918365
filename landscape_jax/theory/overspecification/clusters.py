"""Theorem 8 of SS16: on clustered data a wide network is initialized in a good basin."""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from landscape_jax.machine import require_memory
from landscape_jax.mistakes import explained
from landscape_jax.theory.overspecification.caps import band_probability
from landscape_jax.theory.overspecification.full_rank import (
    first_heights,
    products,
    weights_of_heights,
)
from landscape_jax.theory.overspecification.sizes import Sizes, whole_numbers


class ClusteredData(NamedTuple):
    """Samples in balls around independent centres, with labels that are Lipschitz in each ball.

    - `x`, (m, d), and `y`, (m,); `cluster`, (m,): the index of each sample's centre.
    - `centres`: (k, d), k ≤ d; `radius`: δ, of all balls (the largest if they differ).
    - `lipschitz`: L, |y(x) − y(x′)| ≤ L‖x − x′‖ in each cluster.
    """

    x: Float[Array, "samples inputs"]
    y: Float[Array, " samples"]
    cluster: Int[Array, " samples"]
    centres: Float[Array, "clusters inputs"]
    radius: Float[Array, ""]
    lipschitz: Float[Array, ""]


class ClusteredWeights(NamedTuple):
    """Weights in the closed regions of initializations on clustered data.

    - `W`: (…, n, d).
    - `covered`: whether each centre has a neuron that is active, has its sign, and is not noisy.
    - `loss`: (1/m) Σ (q(x) − y)² of `W`; at most `theorem_8_level` if covered.
    - `depth`: the least sign(w·x)(w′·x)/(‖w′‖‖x‖) over initial neurons w, with w′ ≠ 0 in `W`, and
      samples x: nonnegative to within rounding.
    """

    W: Float[Array, "*starts width inputs"]
    covered: Bool[Array, "*starts"]
    loss: Float[Array, "*starts"]
    depth: Float[Array, "*starts"]


@explained
def largest_ratio(dim: int, *, printed: bool = False) -> float:
    """Compute the largest δⱼ/‖cⱼ‖ for which theorem 8 bounds Pr[noisy at cluster j] by 1/(4d).

    It is sin(√(2π)/(8d√d)).  The paper has 2 sin(√(2π)/(16d√d)), slightly more: lemma 6 takes the
    ball's projection to be a cap of radius 2 arcsin(δ/2‖c‖), but it is arcsin(δ/‖c‖), which is
    larger.  (δ/‖c‖ = 0.8: 53.1°, not 47.2°; a weight 40° from c is noisy.)  `band_probability` of
    either is below 1/(4d), as the estimates are not sharp.

    **Arguments:** `dim`, d ≥ 2; `printed`: return the paper's.

    **Raises:** `ValueError` if d < 2.

    Source: SS16, theorem 8 and lemma 6.

    ```python
    >>> round(largest_ratio(2), 5), round(largest_ratio(2, printed=True), 5)
    (0.11055, 0.11072)

    ```
    """
    whole_numbers("dim", dim, 2)
    angle = math.sqrt(2 * math.pi) / (8 * dim**1.5)
    return 2 * math.sin(angle / 2) if printed else math.sin(angle)


@explained
@partial(jax.jit, static_argnames=("clusters", "inputs", "per_cluster", "dtype"))
def clustered_data(
    key: Key[Array, ""],
    clusters: int,
    inputs: int,
    per_cluster: int,
    *,
    ratio: float | int | Float[Array, ""] | None = None,
    lipschitz: float | int | Float[Array, ""] = 1.0,
    dtype=None,
) -> ClusteredData:
    """Draw centres on the unit sphere, samples uniform in balls around them, and their labels.

    The labels are y(x) = tⱼ + L uⱼ·(x − cⱼ), tⱼ ~ N(0, 1) of either sign and uⱼ uniform on the unit
    sphere.

    **Arguments:** `key`; `clusters`, k ≤ d; `inputs`, d ≥ 2; `per_cluster`, samples in each;
    `ratio`, δ/‖c‖, `largest_ratio(d)` if omitted; `lipschitz`, L; `dtype`, JAX's default float
    if omitted.

    **Returns:** a `ClusteredData`.

    **Raises:** `ValueError` if a size is out of range.

    Source: SS16, theorem 8.

    ```python
    >>> import jax
    >>> data = clustered_data(jax.random.key(1), 3, 5, 20)
    >>> data.x.shape, data.y.shape, data.centres.shape
    ((60, 5), (60,), (3, 5))

    ```
    """
    if min(clusters, per_cluster) < 1 or inputs < max(clusters, 2):
        raise ValueError(
            f"clusters, inputs, per_cluster are {clusters}, {inputs}, {per_cluster}; give at least "
            "one cluster and sample, and at least as many inputs as clusters, and two"
        )
    require_memory(
        16 * clusters * per_cluster * inputs, "clusters × per_cluster × inputs", "give smaller ones"
    )
    kind = jnp.dtype(jax.dtypes.canonicalize_dtype(float if dtype is None else dtype))
    k, d = clusters, inputs
    many = k * per_cluster
    first, second = jax.random.split(key)
    normal = jax.random.normal(first, ((2 * k + many) * d + k,), kind)
    rows, labels = normal[:-k].reshape(-1, d), normal[-k:]
    rows /= jnp.linalg.norm(rows, axis=1, keepdims=True)
    centres, rates, sides = jnp.split(rows, [k, 2 * k])
    cluster = jnp.repeat(jnp.arange(k), per_cluster)
    delta = jnp.asarray(largest_ratio(d) if ratio is None else ratio, kind)
    offset = delta * jax.random.uniform(second, (many, 1), kind) ** (1 / d) * sides
    rise = jnp.asarray(lipschitz, kind)
    y = labels[cluster] + rise * jnp.sum(rates[cluster] * offset, axis=1)
    return ClusteredData(centres[cluster] + offset, y, cluster, centres, delta, rise)


@explained
@jax.jit
def centre_labels(data: ClusteredData) -> Float[Array, " clusters"]:
    """Compute the midrange ½(min y + max y) of the labels of each cluster.

    In a ball of radius δ labels differ by at most 2Lδ, so they are within Lδ of the midrange, as
    the theorem's L requires.  The paper's label min|y| + 2Lδⱼ is positive even if all labels are
    negative; with their sign it is within 2Lδ, which gives 2L in the theorem.

    Source: SS16, theorem 8, ŷ.
    """
    k = len(data.centres)
    low = jax.ops.segment_min(data.y, data.cluster, k)
    return (low + jax.ops.segment_max(data.y, data.cluster, k)) / 2


@explained
@jax.jit
def clustered_weights(
    data: ClusteredData,
    W: Float[Array | np.ndarray, "*starts width inputs"],
    v: Float[Array | np.ndarray, "*starts width"],
) -> ClusteredWeights:
    """Construct weights of small error in the basins of many initializations in one jitted call.

    A neuron is noisy if |w·cⱼ| ≤ δ‖w‖ for some j; it is set to 0, which is in every closed region.
    Each centre is assigned to the first other neuron i with wᵢ·cⱼ > 0 and vᵢŷⱼ > 0, with height
    y′ᵢⱼ = |ŷⱼ|.  With σ = σ_min(C) > δ√k and rᵢ = ‖y′ᵢ‖/(σ − δ√k) the new neuron's
    heights are

    w′ᵢ·cⱼ = sign(wᵢ·cⱼ) max(y′ᵢⱼ, δrᵢ),  hence ‖w′ᵢ‖ ≤ (‖y′ᵢ‖ + δrᵢ√k)/σ = rᵢ,

    so each ball lies on one side of its hyperplane, the same as for wᵢ: this avoids all noisy
    regions at once.  (The paper's construction avoids one of them.)  Heights have an error of at
    most δrᵢ, samples are within δ of their centres, and the neurons are linear on each ball:
    outputs differ from ŷ by at most 2δ Σ rᵢ, and ŷ from the labels by Lδ.

    **Arguments:** `data`; `W`, (…, n, d), and `v`, (…, n), −1 or 1, the
    initializations.

    **Returns:** `ClusteredWeights`, meaningful only if σ > δ√k, see `theorem_8_level`.

    Source: SS16, theorem 8, with the proof corrected.
    """
    weights, outer = jnp.asarray(W), jnp.asarray(v)
    C, labels = data.centres, centre_labels(data)
    before = products(weights, C)
    reach = data.radius * jnp.linalg.norm(weights, axis=-1, keepdims=True)
    noisy = jnp.any(jnp.abs(before) <= reach, axis=-1, keepdims=True)
    heights, covered = first_heights((before > 0) & ~noisy, outer, labels)
    room = jnp.linalg.svd(C, compute_uv=False)[-1] - data.radius * math.sqrt(len(C))
    r = jnp.linalg.norm(heights, axis=-1, keepdims=True) / room
    new = weights_of_heights(C, jnp.sign(before) * jnp.maximum(heights, data.radius * r))
    after = products(new, data.x)
    errors = jnp.sum(outer[..., None] * jax.nn.relu(after), axis=-2) - data.y
    size = jnp.linalg.norm(new, axis=-1)[..., None] * jnp.linalg.norm(data.x, axis=1)
    sides = jnp.sign(products(weights, data.x)) * after / jnp.where(size > 0, size, 1)
    return ClusteredWeights(
        W=new,
        covered=covered,
        loss=jnp.mean(errors**2, axis=-1),
        depth=jnp.min(jnp.where(size > 0, sides, 1), axis=(-2, -1)),
    )


@explained
def theorem_8_level(
    data: ClusteredData, widths: Sizes, *, printed: bool = False
) -> Float[np.ndarray, "..."]:
    """Compute the error bound of theorem 8, corrected or as printed.

    Corrected, with σ = σ_min(C), k clusters and `centre_labels` ŷ, it is

    δ² (2 √min(n, k) ‖ŷ‖ / (σ − δ√k) + L)²,

    from `clustered_weights`: the ‖y′ᵢ‖² of at most min(n, k) neurons sum to ‖ŷ‖², so
    Σ ‖y′ᵢ‖ ≤ √min(n, k) ‖ŷ‖.  It requires δ√k < σ.  As printed it is

    δ² ((1 + B/c) n κ(C)/σ ‖ŷ‖ + L)²,  ŷⱼ = min |y_t| + 2Lδ, B = max ‖x‖, c = min ‖cⱼ‖,

    which holds where it is larger; for n ≥ 2 this is the case if δ√k ≤ σ/4, as κ ≥ 1 and, with
    ratios as in `largest_ratio`, 1 + B/c ≥ 1.889.  (The pseudo-inverse has norm 1/σ, not κ/σ.)

    **Arguments:** `data`; `widths`, n ≥ 1, integers of any shape; `printed`: return the paper's.

    **Raises:** `ValueError` if an n is less than 1, or δ√k ≥ σ (corrected).

    Source: SS16, theorem 8.

    ```python
    >>> import jax
    >>> data = clustered_data(jax.random.key(1), 3, 5, 20)
    >>> bool(theorem_8_level(data, 5) < theorem_8_level(data, 5, printed=True))
    True

    ```
    """
    sizes = whole_numbers("widths", widths)
    C, delta, L = np.asarray(data.centres), float(data.radius), float(data.lipschitz)
    singular = np.linalg.svd(C, compute_uv=False)
    sigma, k = float(singular[-1]), len(C)
    if printed:
        least = jax.ops.segment_min(jnp.abs(data.y), data.cluster, k)
        label = float(np.linalg.norm(np.asarray(least) + 2 * L * delta))
        far = float(np.linalg.norm(np.asarray(data.x), axis=1).max())
        ratio = far / float(np.linalg.norm(C, axis=1).min())
        rise = (1 + ratio) * sizes * float(singular[0]) / sigma**2 * label
        return np.asarray((delta * (rise + L)) ** 2)
    room = sigma - delta * math.sqrt(k)
    if not room > 0:
        raise ValueError(
            f"the centres' least singular value is {sigma:.6g}; it must be above the radius times "
            f"√clusters, {delta * math.sqrt(k):.6g}: the clusters are too wide"
        )
    label = float(jnp.linalg.norm(centre_labels(data)))
    return np.asarray((delta * (2 * np.sqrt(np.minimum(sizes, k)) * label / room + L)) ** 2)


@explained
def theorem_8_bound(widths: Sizes, dim: int) -> Float[np.ndarray, "..."]:
    """Compute 1 − d(⅞)^n, the lower bound of theorem 8; vacuous where negative.

    `theorem_8_event_bound` is larger under the same assumptions.

    **Arguments:** `widths`, n ≥ 1, integers of any shape; `dim`, d ≥ 2.

    **Raises:** `ValueError` if one is out of range.

    Source: SS16, theorem 8.

    ```python
    >>> round(float(theorem_8_bound(50, 10)), 6)
    0.987399

    ```
    """
    whole_numbers("dim", dim, 2)
    return np.asarray(1 - dim * 0.875 ** whole_numbers("widths", widths))


@explained
def theorem_8_event_bound(
    widths: Sizes,
    dim: int,
    ratios: Float[np.ndarray, " clusters"] | None = None,
    *,
    clusters: int = 1,
) -> Float[np.ndarray, "..."]:
    """Compute 1 − k(1 − s)^n, a lower bound on the probability that `covered` is true.

    s = ¼(1 − Σⱼ Pr[|w·cⱼ| ≤ δⱼ‖w‖]): a neuron is not noisy with probability at least 1 − Σ, then
    active at a given centre with probability ½, as −w is as likely, and has its sign with
    probability ½.  If the ratios are at most `largest_ratio`, s ≥ 3/16.  The paper has ⅛: it
    subtracts the noisy weights, ¼ of all, from the active ones only.

    **Arguments:** `widths`, n ≥ 1, integers of any shape; `dim`, d ≥ 2; `ratios`, δⱼ/‖cⱼ‖, one
    a cluster, or, if omitted, `clusters`, k, with the largest ratio allowed, s = 3/16.

    **Raises:** `ValueError` if one is out of range.

    Source: SS16, theorem 8, with the proof corrected.

    ```python
    >>> import numpy as np
    >>> at = theorem_8_event_bound(30, 10, clusters=5), theorem_8_event_bound(30, 10, np.zeros(5))
    >>> [round(float(t), 6) for t in at]
    [0.990145, 0.999107]

    ```
    """
    sizes = whole_numbers("widths", widths)
    whole_numbers("dim", dim, 2)
    whole_numbers("clusters", clusters)
    if ratios is None:
        return np.asarray(1 - clusters * (13 / 16) ** sizes)
    share = max(1 - float(np.sum(band_probability(ratios, dim))), 0.0) / 4
    return np.asarray(1 - len(ratios) * (1 - share) ** sizes)
