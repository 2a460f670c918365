"""Drawing of figure 1: the regions into which samples cut the plane of a neuron's weights."""

from typing import TYPE_CHECKING, Any

import numpy as np

from landscape_jax.mistakes import explained
from landscape_jax.plots.palette import COLOURS, DASHES, MARKERS

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_REACH = 2.2


@explained
def region_partition(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot the lines w·x_t = 0, each with an arrow to its active side, and the neurons.

    The regions that contain neurons, together the activation pattern, are shaded.

    **Arguments:** `data` of `studies.ss16.figure_1`; `axes`, to plot on.

    **Returns:** the axes.

    Source: SS16, figure 1.
    """
    x, W = data["x"].values, data["W"].values
    axis = np.linspace(-_REACH, _REACH, 601)
    plane = np.stack(np.meshgrid(axis, axis), axis=-1)
    signs = plane @ x.T > 0
    for pattern in (W @ x.T > 0).tolist():
        inside = (signs == pattern).all(axis=-1)
        axes.contourf(axis, axis, inside, levels=[0.5, 1.5], colors=[COLOURS[6]], alpha=0.16)
    for t, sample in enumerate(x):
        name = f"({sample[0]:g}, {sample[1]:g})".replace("-", "\N{MINUS SIGN}")
        label = rf"$w \cdot x_{t + 1} = 0$, $x_{t + 1} =$ {name}"
        halfplane_line(sample, axes, t, label)
    for i, (first, second) in enumerate(W):
        active = ", ".join(f"$x_{t + 1}$" for t in np.flatnonzero(data["active"].values[:, i]))
        axes.plot(
            first, second, marker=MARKERS[i % len(MARKERS)], color="black", linestyle="none",
            label=f"$w_{i + 1}$, active on {active}",
        )  # fmt: skip
        axes.annotate(
            f"$w_{i + 1}$", (first, second), xytext=(-6, 3), textcoords="offset points", ha="right"
        )
    set_weight_plane(axes)
    axes.set_title(f"{len(x)} samples, {2 * len(x)} regions", fontsize="medium")
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    return axes


def halfplane_line(
    sample: np.ndarray, axes: "Axes", place: int, label: str | None, *, arrow: bool = True
) -> None:
    """Plot w·x = 0 in the style of a place in the palette, and an arrow to where w·x > 0."""
    colour, dash = line_style(place)
    normal = sample / np.linalg.norm(sample)
    along = np.array([-normal[1], normal[0]])
    ends = np.stack([-4 * along, 4 * along])
    axes.plot(*ends.T, color=colour, linestyle=dash, linewidth=1.6 if arrow else 0.6, label=label)
    if arrow:
        foot = 1.75 * along if along[1] > 0 else -1.75 * along
        (x, y), (across, up) = foot.tolist(), (foot + 0.35 * normal).tolist()
        axes.annotate("", (across, up), (x, y), arrowprops={"arrowstyle": "->", "color": colour})


def line_style(place: int) -> tuple[str, Any]:
    """Return the colour, which is not black, and the dashes of a sample's line."""
    return COLOURS[1 + place % (len(COLOURS) - 1)], DASHES[place % len(DASHES)]


def set_weight_plane(axes: "Axes") -> None:
    """Set range, scale and labels of the axes of a weight plane."""
    axes.set(
        xlim=(-_REACH, _REACH), ylim=(-_REACH, _REACH), aspect="equal",
        xlabel="weight of the first input", ylabel="weight of the second input",
    )  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
