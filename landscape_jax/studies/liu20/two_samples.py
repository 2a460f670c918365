"""The landscape of one neuron on two samples, with the minima of its cells."""

from typing import TYPE_CHECKING, Any

import numpy as np

from landscape_jax.plots.panels import panels

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_MINIMUM = "#D55E00"


def two_landscapes(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Draw the level lines of L(w) for both choices of y₂, in the place of the axes.

    Cells are divided by the two dashed lines, where a sample is on the neuron's edge.  Marked are
    the minima: a point, lines, and a flat plateau, hatched.

    **Arguments:** `data` of `studies.liu20.figure_2`; the axes, of a grid of a figure.

    **Returns:** the axes, left empty.

    **Raises:** `ValueError` on axes that belong to no grid.

    Source: LIU, figure 2.
    """
    parts = panels(axes, 2)
    largest = float(data["loss"].max())
    levels = largest * np.linspace(0, 1, 31) ** 2  # narrow where the minima are
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
    part.axhline(0, color="white", linewidth=1.0, linestyle=(0, (5, 3)))
    part.axvline(0, color="white", linewidth=1.0, linestyle=(0, (5, 3)))
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
            style = {"marker": "o", "linestyle": "none"}
        part.plot(w_1[where], w_2[where], color=_MINIMUM, **style)
        part.annotate(
            f"{name}, $L = {loss[where].mean():g}$",
            (float(w_1[where].mean()), float(w_2[where].mean())),
            xytext=(-10, 0) if turn else (0, 10), textcoords="offset points", color="white",
            ha="center", va="center", rotation=turn,
        )  # fmt: skip
