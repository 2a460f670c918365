"""Empirical distribution functions of the values at which descents ended."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

# Okabe & Ito's palette for all kinds of colour vision, without its yellow, which is too pale.
_COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)))


def value_distribution(values: "xr.DataArray", axes: "Axes", *, threshold: float = 1e-3) -> "Axes":
    """Plot the empirical distribution function of the values at which descents ended.

    One line for each (k, n), in the order given.  Runs below `threshold`, which were stopped before
    they reached 0, are plotted at 0, so the height at the left end is the share of global runs.

    **Arguments:** `values` of dims (size, restart) with coordinates k and n, finite or NaN (a NaN
    run adds to no step); `axes`, to plot on; `threshold`.

    **Returns:** the axes.

    Source: SS18, figure 1.
    """
    from matplotlib.ticker import PercentFormatter

    reach = 1.08 * max(float(values.max(skipna=True)), 10 * threshold)
    for i, (k, n) in enumerate(zip(values["k"].values, values["n"].values, strict=True)):
        ends = values.values[i]
        steps = np.sort(np.where(ends < threshold, 0.0, ends)[np.isfinite(ends)])
        share = np.arange(1, len(steps) + 1) / values.sizes["restart"]
        axes.step(
            np.concatenate([[0.0], steps, [reach]]),
            np.concatenate([[0.0], share, share[-1:]]),
            where="post",
            label=f"({k}, {n})",
            color=_COLOURS[i % len(_COLOURS)],
            linestyle=_DASHES[i // len(_COLOURS) % len(_DASHES)] if k == n else _DASHES[1],
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
