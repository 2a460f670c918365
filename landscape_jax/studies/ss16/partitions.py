"""Data of figures 1 and 2: regions into which samples cut the plane of a neuron's weights."""

import math
from typing import TYPE_CHECKING

import jax
import numpy as np

from landscape_jax.machine import require_memory
from landscape_jax.mistakes import explained
from landscape_jax.theory.basins import region_patterns

if TYPE_CHECKING:
    import xarray as xr

_SAMPLES = ((1.5, 0.5), (-1.0, 2.0), (-1.0, -1.0))
# The paper states only the sides of x₂ that its neurons are on; these are in three regions.
_NEURONS = ((0.6, 1.5), (-1.3, 0.7), (1.1, -1.3))
_CENTRES = ((1.0, 1.0), (-2.0, 0.5))


@explained
def figure_1() -> "xr.Dataset":
    """Return three samples, whose lines w·x_t = 0 cut the plane into 6 regions, and three neurons.

    **Returns:** `x` (sample, axis); `W` (neuron, axis); `active` (sample, neuron), the activation
    pattern: x₂ activates w₁ and w₂, not w₃.

    Source: SS16, figure 1.

    ```python
    >>> figure_1().active.values.astype(int).tolist()
    [[1, 0, 1], [1, 1, 0], [0, 1, 1]]

    ```
    """
    import xarray as xr

    x, W = np.array(_SAMPLES), np.array(_NEURONS)
    return xr.Dataset(
        {
            "x": (("sample", "axis"), x),
            "W": (("neuron", "axis"), W),
            "active": (("sample", "neuron"), np.asarray(region_patterns(x, W))),
        }
    )


@explained
def figure_2(*, ratio: float = 0.25, per_cluster: int = 6, seed: int = 0) -> "xr.Dataset":
    """Return two samples, and clusters of samples around them with their noisy regions.

    A weight vector is noisy if its hyperplane meets the ball of a cluster:
    |w·cⱼ| ≤ δⱼ‖w‖, a double wedge of half angle arcsin(δⱼ/‖cⱼ‖) around the line w·cⱼ = 0.

    **Arguments:** `ratio`, δⱼ/‖cⱼ‖, which the paper does not state; `per_cluster`, samples in each,
    on the boundary of the ball, where they best fill the wedge; `seed`, of their positions.

    **Returns:** `centre` (cluster, axis); `x` (cluster, sample, axis); `angle` (cluster), the half
    angle in radians.

    **Raises:** `ValueError` unless 0 < ratio < 1 and `per_cluster` ≥ 1.

    Source: SS16, figure 2 and section 6.2.

    ```python
    >>> found = figure_2()
    >>> found.x.shape, [round(float(angle), 3) for angle in found.angle]
    ((2, 6, 2), [0.253, 0.253])

    ```
    """
    import xarray as xr

    if not 0 < ratio < 1 or per_cluster < 1:
        raise ValueError(
            f"ratio and per_cluster are {ratio} and {per_cluster}; give a ratio between 0 and 1 "
            "and at least 1 sample"
        )
    needed = 160.0 * per_cluster
    require_memory(needed, f"per_cluster = {per_cluster}", "give fewer samples in each cluster")
    centres = np.array(_CENTRES)
    shape = (len(centres), per_cluster, 1)
    turn = 2 * math.pi * np.asarray(jax.random.uniform(jax.random.key(seed), shape))
    away = ratio * np.linalg.norm(centres, axis=1)[:, None, None]
    offset = away * np.concatenate([np.cos(turn), np.sin(turn)], axis=-1)
    return xr.Dataset(
        {
            "centre": (("cluster", "axis"), centres),
            "x": (("cluster", "sample", "axis"), centres[:, None, :] + offset),
            "angle": ("cluster", np.full(len(centres), math.asin(ratio))),
        },
        attrs={"ratio": ratio, "seed": seed},
    )
