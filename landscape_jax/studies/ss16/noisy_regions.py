"""Drawing of figure 2: regions of two samples, and noisy regions of clusters around them."""

import math
from typing import TYPE_CHECKING

from landscape_jax.mistakes import explained
from landscape_jax.plots.panels import panels
from landscape_jax.plots.weight_plane import (
    cell_partition,
    halfplane_line,
    line_style,
    set_weight_plane,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


@explained
def region_partition(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot the lines w·x_t = 0, each with an arrow to its active side, and the neurons.

    The regions that contain neurons, together the activation pattern, are shaded.

    **Arguments:** `data` of `studies.ss16.figure_1`; `axes`, to plot on.

    **Returns:** the axes.

    Source: SS16, figure 1.
    """
    return cell_partition(data["x"].values, axes, neurons=data["W"].values)


@explained
def noisy_regions(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot the regions of the centres, and beside them those of the clusters' samples.

    The wedges are the noisy regions, where the hyperplane of a neuron meets the ball of a cluster.

    **Arguments:** `data` of `studies.ss16.figure_2`; `axes`, of a grid of a figure.

    **Returns:** the axes, hidden.

    **Raises:** `ValueError` if the axes belong to no grid.

    Source: SS16, figure 2.
    """
    from matplotlib.patches import Wedge

    left, right = panels(axes, 2)
    for j, centre in enumerate(data["centre"].values):
        name = f"({centre[0]:g}, {centre[1]:g})".replace("-", "\N{MINUS SIGN}")
        halfplane_line(centre, left, j, rf"$w \cdot c_{j + 1} = 0$, $c_{j + 1} =$ {name}")
        normal = math.degrees(math.atan2(centre[1], centre[0]))
        half = math.degrees(float(data["angle"][j]))
        for side in (90, 270):
            wedge = Wedge(
                (0, 0), 5, normal + side - half, normal + side + half, color=line_style(j)[0],
                alpha=0.22, linewidth=0, label=f"noisy at $c_{j + 1}$" if side == 90 else None,
            )  # fmt: skip
            right.add_patch(wedge)
        for sample in data["x"].values[j]:
            halfplane_line(sample, right, j, None, arrow=False)
    for part, title in ((left, "(a) the centres alone"), (right, "(b) clusters around them")):
        set_weight_plane(part)
        part.set_title(title, fontsize="medium")
        part.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), frameon=False)
    right.set_ylabel("")
    right.tick_params(labelleft=False)
    return axes
