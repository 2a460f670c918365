"""Drawing of figure 5: a loss beside its quadratic surrogate for small ε."""

from typing import TYPE_CHECKING

from landscape_jax.mistakes import explained
from landscape_jax.plots.palette import COLOURS, DASHES
from landscape_jax.plots.panels import panels

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


@explained
def surrogate(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot L₂(w) and 2ε(1 + w)², a panel for each ε.

    **Arguments:** `data` of `studies.ss16.figure_5`; `axes`, of a grid of a figure.

    **Returns:** the axes, hidden.

    **Raises:** `ValueError` if the axes belong to no grid.

    Source: SS16, figure 5.
    """
    from matplotlib.ticker import MultipleLocator

    parts = panels(axes, data.sizes["epsilon"])
    for part, epsilon in zip(parts, data["epsilon"].values, strict=True):
        chosen = data.sel(epsilon=epsilon)
        part.plot(data["w"], chosen["loss"], color=COLOURS[3], linewidth=1.8, label="$L_2(w)$")
        part.plot(
            data["w"], chosen["surrogate"], color=COLOURS[2], linewidth=1.6,
            linestyle=DASHES[1], label=r"$2 \epsilon (1 + w)^2$",
        )  # fmt: skip
        part.axvspan(-1, 0, color="0.93", linewidth=0, zorder=0, label="the range of lemma 8")
        part.xaxis.set_major_locator(MultipleLocator(0.5))
        part.set(xlabel="$w$", xlim=(float(data["w"][0]), float(data["w"][-1])), ylim=(0, None))
        part.set_title(rf"$\epsilon = {epsilon:g}$", fontsize="medium")
        part.spines[["top", "right"]].set_visible(False)
    parts[0].figure.legend(
        handles=parts[0].get_legend_handles_labels()[0], frameon=False, loc="outside lower center",
        ncols=3,
    )  # fmt: skip
    parts[0].set_ylabel("loss on the second sample")
    return axes
