"""LIU, figure 2: the landscape of one neuron on two samples, and its minima."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landscape_jax.arrays import count
from landscape_jax.mistakes import explained
from landscape_jax.networks import TwoLayer
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.plots.palette import COLOURS, DASHES
from landscape_jax.plots.panels import panels
from landscape_jax.plots.paper_figure import MOST_POINTS

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


@explained
def figure_2(*, points: int = 201, reach: float = 2.0) -> "xr.Dataset":
    """Compute L(w) = ½ Σᵢ ([w·xᵢ]₊ − yᵢ)² on a grid, and which of its points are minima.

    x₁ = (1, 0), x₂ = (0, 1), y₁ = 1 and y₂ = 1 in (a), −1 in (b); z = 1, no bias.  The paper does
    not state the range of w.

    **Arguments:** `points`, on each axis; `reach`, the largest |w₁| and |w₂|.

    **Returns:** `loss` (y_2, w_1, w_2), and `minimum` (y_2, w_1, w_2), whether the gradient is 0
    inside a cell (the weights of one activation pattern), where L is convex: at a point, on a line
    or on a plateau.  The line w₁ = 1 is found only if `points` puts 1 on the axis.

    **Raises:** `ValueError` if there are fewer than 3 points, or the reach is not positive.

    Source: LIU, section 4.2, figure 2 and appendix B.

    ```python
    >>> both = figure_2(points=5)
    >>> both.loss.sel(w_1=1, w_2=1).values.tolist()
    [0.0, 2.0]
    >>> both.minimum.sum(("w_1", "w_2")).values.tolist()
    [9, 6]

    ```
    """
    import xarray as xr

    points = count("points", points, 3, MOST_POINTS)
    if not 0 < reach < np.inf:
        raise ValueError(f"reach is {reach}; give a positive length")
    axis = jnp.linspace(-reach, reach, points)
    w = jnp.stack(jnp.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    inside = np.asarray((w != 0).all(axis=1))
    loss, minimum = [], []
    for second in (1.0, -1.0):
        value, gradient = _landscape(w, second)
        loss.append(np.asarray(value).reshape(points, points))
        minimum.append((inside & np.asarray((gradient == 0).all(axis=1))).reshape(points, points))
    dims = ("y_2", "w_1", "w_2")
    return xr.Dataset(
        {"loss": (dims, np.stack(loss)), "minimum": (dims, np.stack(minimum))},
        coords={"y_2": [1, -1], "w_1": np.asarray(axis), "w_2": np.asarray(axis)},
    )


@eqx.filter_jit
def _landscape(
    w: Float[Array, "points 2"], second: float
) -> tuple[Float[Array, " points"], Float[Array, "points 2"]]:
    risk = EmpiricalRisk(jnp.eye(2, dtype=w.dtype), jnp.array([[1.0], [second]], w.dtype))

    def loss(w: Array) -> Array:
        return risk(TwoLayer(w[None], jnp.ones((1, 1), w.dtype)))

    return jax.vmap(jax.value_and_grad(loss))(w)


@explained
def two_landscapes(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot the level lines of L(w) for both choices of y₂, with the minima.

    Dashed lines are the boundaries of cells, where w·xᵢ = 0.  The minima are marked: a point,
    lines, and a hatched plateau.

    **Arguments:** `data` of `figure_2`; `axes`, of a grid of a figure.

    **Returns:** the axes, hidden.

    **Raises:** `ValueError` if the axes belong to no grid.

    Source: LIU, figure 2.
    """
    parts = panels(axes, 2)
    largest = float(data["loss"].max())
    levels = largest * np.linspace(0, 1, 31) ** 2  # dense near the minima
    for letter, part, label in zip("ab", parts, data["y_2"].values, strict=True):
        chosen = data.sel(y_2=label)
        part.contourf(data["w_1"], data["w_2"], chosen["loss"].T, levels=levels, cmap="cividis")
        _mark(chosen, part)
        part.set(xlabel="$w_1$", aspect="equal")
        part.set_title(f"({letter}) $y_1 = 1$, $y_2 = {label}$", fontsize="medium")
    parts[0].set_ylabel("$w_2$")
    parts[1].tick_params(labelleft=False)
    parts[0].figure.colorbar(
        parts[0].collections[0], ax=parts, label="$L(w)$", location="bottom", aspect=40, shrink=0.6,
        ticks=[t for t in (0, 0.5, 1, 2, 3, 4, 5) if t <= largest],
    )  # fmt: skip
    return axes


def _mark(chosen: "xr.Dataset", part: "Axes") -> None:
    """Mark the minima of each cell, with their loss."""
    part.axhline(0, color="white", linewidth=1.0, linestyle=DASHES[1])
    part.axvline(0, color="white", linewidth=1.0, linestyle=DASHES[1])
    w_1, w_2 = np.meshgrid(chosen["w_1"], chosen["w_2"], indexing="ij")
    minimum, loss = chosen["minimum"].values, chosen["loss"].values
    plateau = minimum & (w_1 < 0) & (w_2 < 0)
    if plateau.any():
        part.contourf(
            w_1, w_2, np.where((w_1 <= 0) & (w_2 <= 0), 1.0, 0.0), levels=[0.5, 1.5],
            colors="none", hatches=["//"],
        )  # fmt: skip
        part.annotate(
            f"plateau of minima\n$L = {loss[plateau].mean():g}$", (w_1.min() / 2, w_2.min() / 2),
            ha="center", va="center", color="white", backgroundcolor="#00000099",
        )  # fmt: skip
    for where, name, turn in (
        (minimum & (w_1 > 0) & (w_2 < 0), "line", 90),
        (minimum & (w_1 < 0) & (w_2 > 0), "line", 0),
        (minimum & (w_1 > 0) & (w_2 > 0), "point", 0),
    ):
        if not where.any():
            continue
        style: dict[str, Any] = {"linewidth": 2.5}
        if name == "point":
            style = {"marker": "o", "linestyle": "none", "markeredgecolor": "white"}
        part.plot(w_1[where], w_2[where], color=COLOURS[2], **style)
        part.annotate(
            f"{name}, $L = {loss[where].mean():g}$",
            (float(w_1[where].mean()), float(w_2[where].mean())),
            xytext=(-10, 0) if turn else (0, 10), textcoords="offset points", color="white",
            ha="center", va="center", rotation=turn,
        )  # fmt: skip
