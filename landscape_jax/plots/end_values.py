"""Empirical distribution functions of the values at which descents ended."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from landscape_jax.arrays import positive
from landscape_jax.mistakes import shown
from landscape_jax.plots.frames import framed, on_axes
from landscape_jax.plots.palette import COLOURS, DASHES, MARKERS, series_colour
from landscape_jax.search.runs import Runs

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def value_distribution(
    values: "xr.DataArray | Runs | Mapping[str, Runs]",
    axes: "Axes | None" = None,
    *,
    threshold: float = 1e-3,
) -> "Axes":
    """Plot the empirical distribution function of the values at which descents ended.

    One line for each (k, n), or each `Runs`, in the order given.  Runs that were stopped before
    they reached 0 are plotted at 0: of an array those below `threshold`, of `Runs` those with the
    status below_value.

    **Arguments:** `values`, `Runs`, or several by their labels, or an array of dims (size, restart)
    with coordinates k and n; a value that is not finite adds to no step; `axes`, to plot on, new
    ones where left out; `threshold`.

    **Returns:** the axes.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, dimensions or range;
    the message names it.

    Source: SS18, figure 1.
    """
    from matplotlib.ticker import PercentFormatter

    lines = _lines(values)
    axes = on_axes(axes)
    threshold = float(positive("threshold", threshold))
    # Dashes tell sizes with n ≠ k apart, so colours come first there; else each line its own.
    sizes = not isinstance(values, Runs | Mapping)
    turn = len(COLOURS) if sizes else 1
    finite = np.concatenate([line.ends[np.isfinite(line.ends)] for line in lines])
    low = min(0.0, float(finite.min(initial=0)))
    high = float(finite.max(initial=10 * threshold if sizes else low))
    reach = high + 0.08 * ((high - low) or 1.0)
    for i, (label, ends, dashed) in enumerate(lines):
        # `Runs` say themselves which of them were stopped; their values may be of any size.
        stopped = sizes & (np.abs(ends) < threshold)
        steps = np.sort(np.where(stopped, 0.0, ends)[np.isfinite(ends)])
        share = np.arange(1, len(steps) + 1) / len(ends)
        axes.step(
            np.concatenate([[low], steps, [reach]]),
            np.concatenate([[0.0], share, [len(steps) / len(ends)]]),
            where="post",
            label=label,
            color=series_colour(i),
            linestyle=DASHES[1] if dashed else DASHES[i // turn % len(DASHES)],
            linewidth=1.6,
            marker=MARKERS[i % len(MARKERS)],
            markersize=4,
            markevery=(0.02 * (1 + i % len(MARKERS)), 0.2),
        )
    axes.set_xlim(low - 0.01 * (reach - low), reach)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol="\N{THIN SPACE}%"))
    axes.set_xlabel("objective at the end of descent")
    axes.set_ylabel("share of runs that end at or below")
    runs = len(lines[0].ends)
    open_ = 0 if sizes else _unended(values)
    rest = " for each $(k, n)$" if sizes else f", {open_} came to no end" if open_ else ""
    axes.set_title(f"{runs} runs{rest}", fontsize="medium")
    if sizes or len(lines) > 1:
        title, place = ("$(k, n)$", "lower right") if sizes else (None, "best")
        axes.legend(title=title, frameon=False, loc=place)
    return framed(axes)


class _Line(NamedTuple):
    """The values of one line, and whether it is dashed, as those of n ≠ k are."""

    label: str
    ends: Float[np.ndarray, " runs"]
    dashed: bool


def _unended(values: Any) -> int:
    """Count the runs that were stopped at the largest number of steps."""
    several = values.values() if isinstance(values, Mapping) else [values]
    return sum(int(np.sum(runs.status_names == "max_steps")) for runs in several)


def _lines(values: Any) -> list[_Line]:
    """Return the lines.

    **Raises:** `TypeError` or `ValueError` if `values` is something else, or empty.
    """
    if isinstance(values, Runs):
        values = {"": values}
    if isinstance(values, Mapping):
        for label, runs in values.items():
            if not isinstance(runs, Runs) or not len(runs):
                raise TypeError(f"values[{label!r}] is {shown(runs)}; give Runs, at least one")
        return [
            _Line(str(label), np.where(runs.is_below_value, 0.0, np.asarray(runs.value)), False)
            for label, runs in values.items()
        ]
    import xarray as xr

    if not isinstance(values, xr.DataArray) or values.dtype.kind != "f":
        raise TypeError(f"values is {shown(values)}; give Runs or an xarray.DataArray of floats")
    coordinates = {name: values.coords[name].dims for name in ("k", "n") if name in values.coords}
    if set(values.dims) != {"size", "restart"} or coordinates != {"k": ("size",), "n": ("size",)}:
        raise ValueError(
            f"values has dimensions {values.dims} and coordinates {tuple(values.coords)}; it must "
            "have the dimensions size and restart, and the coordinates k and n of size"
        )
    if not values.size:
        raise ValueError(f"values has shape {values.shape}; give at least one size and one run")
    table = values.transpose("size", "restart").values
    sizes = zip(values["k"].values, values["n"].values, table, strict=True)
    return [_Line(f"({k}, {n})", ends, bool(k != n)) for k, n, ends in sizes]
