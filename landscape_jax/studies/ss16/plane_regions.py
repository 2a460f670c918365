"""Drawing of figure 1: the regions into which samples cut the plane of a neuron's weights."""

from typing import TYPE_CHECKING

import numpy as np

from landscape_jax.mistakes import explained

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

# Okabe & Ito's palette for all kinds of colour vision.
LINE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_MARKS = ("o", "s", "^")
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
        axes.contourf(axis, axis, inside, levels=[0.5, 1.5], colors=["#E69F00"], alpha=0.16)
    for t, sample in enumerate(x):
        name = f"({sample[0]:g}, {sample[1]:g})".replace("-", "\N{MINUS SIGN}")
        label = rf"$w \cdot x_{t + 1} = 0$, $x_{t + 1} =$ {name}"
        halfplane_line(sample, axes, LINE_COLOURS[t], label)
    for i, (first, second) in enumerate(W):
        active = ", ".join(f"$x_{t + 1}$" for t in np.flatnonzero(data["active"].values[:, i]))
        axes.plot(
            first, second, marker=_MARKS[i], color="black", linestyle="none",
            label=f"$w_{i + 1}$, active on {active}",
        )  # fmt: skip
        axes.annotate(f"$w_{i + 1}$", (first, second), xytext=(6, 4), textcoords="offset points")
    set_weight_plane(axes)
    axes.set_title(f"{len(x)} samples, {2 * len(x)} regions", fontsize="medium")
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    return axes


def halfplane_line(
    sample: np.ndarray, axes: "Axes", colour: str, label: str | None, *, arrow: bool = True
) -> None:
    """Plot w·x = 0, and an arrow to the side where w·x > 0."""
    normal = sample / np.linalg.norm(sample)
    along = np.array([-normal[1], normal[0]])
    ends = np.stack([-4 * along, 4 * along])
    axes.plot(*ends.T, color=colour, linewidth=1.6 if arrow else 0.6, label=label)
    if arrow:
        foot = 1.75 * along if along[1] > 0 else -1.75 * along
        (x, y), (across, up) = foot.tolist(), (foot + 0.35 * normal).tolist()
        axes.annotate("", (across, up), (x, y), arrowprops={"arrowstyle": "->", "color": colour})


def set_weight_plane(axes: "Axes") -> None:
    """Set range, scale and labels of the axes of a weight plane."""
    axes.set(
        xlim=(-_REACH, _REACH), ylim=(-_REACH, _REACH), aspect="equal",
        xlabel="weight of the first input", ylabel="weight of the second input",
    )  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
