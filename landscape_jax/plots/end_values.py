"""Empirical distribution functions of the values at which descents ended."""

from typing import TYPE_CHECKING, Any

import numpy as np

from landscape_jax.arrays import positive
from landscape_jax.mistakes import shown
from landscape_jax.plots.palette import COLOURS, DASHES

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def value_distribution(values: "xr.DataArray", axes: "Axes", *, threshold: float = 1e-3) -> "Axes":
    """Plot the empirical distribution function of the values at which descents ended.

    One line for each (k, n), in the order given.  Runs below `threshold`, which were stopped before
    they reached 0, are plotted at 0, so the height at the left end is the share of global runs.

    **Arguments:** `values` of dims (size, restart) with coordinates k and n, finite or NaN (a NaN
    run adds to no step); `axes`, to plot on; `threshold`.

    **Returns:** the axes.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, dimensions or range;
    the message names it.

    Source: SS18, figure 1.
    """
    from matplotlib.ticker import PercentFormatter

    _check(values, axes)
    threshold = float(positive("threshold", threshold))
    table = values.transpose("size", "restart").values
    reach = 1.08 * float(np.max(table, initial=10 * threshold, where=np.isfinite(table)))
    for i, (k, n) in enumerate(zip(values["k"].values, values["n"].values, strict=True)):
        ends = table[i]
        steps = np.sort(np.where(ends < threshold, 0.0, ends)[np.isfinite(ends)])
        share = np.arange(1, len(steps) + 1) / values.sizes["restart"]
        axes.step(
            np.concatenate([[0.0], steps, [reach]]),
            np.concatenate([[0.0], share, [len(steps) / values.sizes["restart"]]]),
            where="post",
            label=f"({k}, {n})",
            color=COLOURS[i % len(COLOURS)],
            linestyle=DASHES[i // len(COLOURS) % len(DASHES)] if k == n else DASHES[1],
            linewidth=1.6,
        )
    axes.set_xlim(-0.01 * reach, reach)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol="\N{THIN SPACE}%"))
    axes.set_xlabel("objective at the end of descent")
    axes.set_ylabel("share of runs that end at or below")
    axes.set_title(f"{values.sizes['restart']} runs for each $(k, n)$", fontsize="medium")
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(title="$(k, n)$", frameon=False, loc="lower right")
    return axes


def _check(values: Any, axes: Any) -> None:
    import xarray as xr
    from matplotlib.axes import Axes

    if not isinstance(values, xr.DataArray) or values.dtype.kind != "f":
        raise TypeError(f"values is {shown(values)}; give an xarray.DataArray of floats")
    coordinates = {name: values.coords[name].dims for name in ("k", "n") if name in values.coords}
    if set(values.dims) != {"size", "restart"} or coordinates != {"k": ("size",), "n": ("size",)}:
        raise ValueError(
            f"values has dimensions {values.dims} and coordinates {tuple(values.coords)}; it must "
            "have the dimensions size and restart, and the coordinates k and n of size"
        )
    if not values.size:
        raise ValueError(f"values has shape {values.shape}; give at least one size and one run")
    if not isinstance(axes, Axes):
        raise TypeError(f"axes is {shown(axes)}; give matplotlib axes, as figure.add_subplot()")
