"""Data of figures 3 to 6: losses of one ReLU or sigmoid neuron with two minima."""

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from landscape_jax.arrays import count
from landscape_jax.mistakes import explained
from landscape_jax.plots.paper_figure import MOST_POINTS
from landscape_jax.theory import overspecification as theory

if TYPE_CHECKING:
    import xarray as xr


@explained
def figure_3(*, epsilon: float = 0.1, points: int = 601) -> "xr.Dataset":
    """Compute E(w) of a ReLU neuron on section 8.1's samples, and its two minima.

    **Arguments:** `epsilon`, ε, 0 < ε < ½; `points` of w ∈ [−2, 2].

    **Returns:** `loss` (w); `place` and `value` (minimum), the good one first.

    **Raises:** `ValueError` if ε is out of range (from `relu_pair`), or there are fewer than 3
    points.

    Source: SS16, section 8.1 and figure 3.

    ```python
    >>> figure_3().value.values.tolist()
    [0.1, 0.5]

    ```
    """
    return _along(theory.relu_pair(epsilon), -2.0, 2.0, points)


@explained
def figure_4(*, epsilon: float = 0.1, points: int = 121) -> "xr.Dataset":
    """Compute the loss of a ReLU neuron on two copies of section 8.1's samples, and its minima.

    **Arguments:** as of `figure_3`, with `points` on each axis.

    **Returns:** `loss` (w_1, w_2); `place` (minimum, axis) and `value` (minimum), lowest first.

    **Raises:** `ValueError` as `figure_3`.

    Source: SS16, theorem 1 and figure 4.

    ```python
    >>> figure_4(points=3).value.values.round(6).tolist()
    [0.1, 0.3, 0.3, 0.5]

    ```
    """
    import xarray as xr

    pair, axis = theory.relu_pair(epsilon), _axis(-2.0, 2.0, points)
    places = theory.orthant_minima(pair, 2)
    values = theory.mean_loss(pair, places)
    W = jnp.stack(jnp.meshgrid(axis, axis, indexing="ij"), axis=-1)
    order = np.argsort(np.asarray(values), kind="stable")
    return xr.Dataset(
        {
            "loss": (("w_1", "w_2"), np.asarray(theory.mean_loss(pair, W))),
            "place": (("minimum", "axis"), np.asarray(places)[order]),
            "value": ("minimum", np.asarray(values)[order]),
        },
        coords={"w_1": np.asarray(axis), "w_2": np.asarray(axis)},
        attrs={"epsilon": epsilon},
    )


@explained
def figure_5(*, epsilons: tuple[float, ...] = (0.05, 0.025), points: int = 301) -> "xr.Dataset":
    """Compute L₂(w) of a sigmoid neuron on section 8.2's second sample, and 2ε(1 + w)².

    **Arguments:** `epsilons`, ε; `points` of w ∈ [−1.5, 0.5].

    **Returns:** `loss` and `surrogate` (epsilon, w).

    **Raises:** `ValueError` if ε is out of range (from `sigmoid_pair`), or there are fewer than 3
    points.

    Source: SS16, section 8.2, lemma 8 and figure 5.

    ```python
    >>> found = figure_5(points=5)
    >>> found.surrogate.sel(w=0).values.round(6).tolist()
    [0.1, 0.05]

    ```
    """
    import xarray as xr

    axis = _axis(-1.5, 0.5, points)
    losses = [np.asarray(theory.sample_losses(theory.sigmoid_pair(e), axis)[1]) for e in epsilons]
    surrogates = [theory.surrogate_loss(e, np.asarray(axis)) for e in epsilons]
    return xr.Dataset(
        {
            "loss": (("epsilon", "w"), np.stack(losses)),
            "surrogate": (("epsilon", "w"), np.stack(surrogates)),
        },
        coords={"epsilon": list(epsilons), "w": np.asarray(axis)},
    )


@explained
def figure_6(*, epsilon: float = 0.025, points: int = 601) -> "xr.Dataset":
    """Compute E(w) of a sigmoid neuron on section 8.2's samples, and its two minima.

    The bad minimum is below ⅛, not above as the paper states; see `sigmoid_pair`.

    **Arguments:** `epsilon`, ε, from 1e-6 to 0.12; `points` of w ∈ [−1.5, 0.5].

    **Returns:** `loss` (w); `place` and `value` (minimum), the good one first.

    **Raises:** `ValueError` as `figure_5`.

    Source: SS16, section 8.2 and figure 6.

    ```python
    >>> [f"{value:.5f}" for value in figure_6().value.values]
    ['0.02492', '0.12500']

    ```
    """
    return _along(theory.sigmoid_pair(epsilon), -1.5, 0.5, points)


def _along(pair: theory.NeuronPair, first: float, last: float, points: int) -> "xr.Dataset":
    import xarray as xr

    axis = _axis(first, last, points)
    return xr.Dataset(
        {
            "loss": ("w", np.asarray(theory.neuron_loss(pair, axis))),
            "place": ("minimum", np.array([pair.good, pair.bad])),
            "value": ("minimum", np.array([pair.good_value, pair.bad_value])),
        },
        coords={"w": np.asarray(axis)},
        attrs={"epsilon": pair.epsilon, "activation": pair.activation},
    )


def _axis(first: float, last: float, points: int):
    return jnp.linspace(first, last, count("points", points, 3, MOST_POINTS))
