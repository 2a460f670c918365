"""Drawing of figure 4: the loss of one neuron of two inputs with four minima."""

from typing import TYPE_CHECKING, cast

import numpy as np

from landscape_jax.mistakes import explained
from landscape_jax.plots.palette import COLOURS, MARKERS
from landscape_jax.plots.panels import hide_axes

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from mpl_toolkits.mplot3d import Axes3D

# How many of the two weights are at their bad minimum, 0.9: a name, and a place in the palette.
_NAMES = ("global minimum, both weights good", "one weight good, one bad", "both weights bad")
_STYLES = (5, 3, 2)


@explained
def four_minima(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot the loss over the plane, (a) as a surface, (b) by level lines with its four minima.

    **Arguments:** `data` of `studies.ss16.figure_4`; `axes`, of a grid of a figure.

    **Returns:** the axes, hidden.

    **Raises:** `ValueError` if the axes belong to no grid.

    Source: SS16, figure 4.
    """
    figure, place = hide_axes(axes)
    first, second = place.subgridspec(1, 2)
    surface = cast("Axes3D", figure.add_subplot(first, projection="3d"))
    levels = figure.add_subplot(second)
    w_1, w_2 = np.meshgrid(data["w_1"], data["w_2"], indexing="ij")
    loss = data["loss"].values
    surface.plot_surface(w_1, w_2, loss, cmap="cividis", rcount=40, ccount=40, linewidth=0.1)
    surface.view_init(elev=35, azim=-125)
    surface.set(
        xlabel="$w_1$", ylabel="$w_2$", zlabel="$E_S(w)$", xticks=range(-2, 3), yticks=range(-2, 3)
    )
    surface.set_title("(a)", fontsize="medium")
    low = float(data["value"].min())
    heights = low + (float(loss.max()) - low) * np.linspace(0, 1, 31) ** 2
    found = levels.contourf(w_1, w_2, loss, levels=heights, cmap="cividis")
    ticks = [tick for tick in np.arange(0, 1.01, 0.1) if low <= tick <= float(loss.max())]
    figure.colorbar(
        found, ax=levels, label="$E_S(w)$", location="bottom", ticks=ticks, format="%.1f"
    )
    marks = {}
    for (x, y), value in zip(data["place"].values, data["value"].values, strict=True):
        bad = int(x > 0) + int(y > 0)
        (marks[bad],) = levels.plot(
            x, y, MARKERS[bad], color=COLOURS[_STYLES[bad]], markeredgecolor="white", markersize=8,
            linestyle="none", label=_NAMES[bad],
        )  # fmt: skip
        levels.annotate(
            f"{value:.3g}", (x, y), xytext=(0, 8), textcoords="offset points", ha="center",
            color="black" if value > 0.4 else "white",
        )  # fmt: skip
    levels.set(xlabel="$w_1$", ylabel="$w_2$", aspect="equal", xticks=range(-2, 3))
    surface.legend(
        handles=[marks[bad] for bad in sorted(marks)], title="in (b)", frameon=False,
        loc="upper center", bbox_to_anchor=(0.5, -0.06),
    )  # fmt: skip
    levels.set_title(rf"(b) values, $\epsilon = {data.attrs['epsilon']:g}$", fontsize="medium")
    return axes
