"""Values on a line or a plane in parameter space."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from landscape_jax.critical.barriers import Barrier
from landscape_jax.critical.slices import Slice
from landscape_jax.mistakes import explained, shown
from landscape_jax.plots.frames import colour_bar, framed, on_axes
from landscape_jax.plots.palette import DASHES, SEQUENTIAL, series_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Contours of a plane, and how far below the largest value a logarithmic scale goes.
_LEVELS, _DECADES = 24, 1e-12


@explained
def cut(
    values: "Slice | Barrier | Mapping[str, Slice | Barrier]",
    axes: "Axes | None" = None,
    *,
    log: bool = False,
) -> "Axes":
    """Plot the values on a line, on several lines, or on a plane as contours.

    **Arguments:** `values`, from `slices.line`, `slices.plane`, `slices.along` or `barrier`, or
    several lines by their labels; `axes`, to plot on, new ones where left out; `log`, for a
    logarithmic scale of the values.

    **Returns:** the axes.

    **Raises:** `TypeError` if an argument is something else; `ValueError` if several have labels,
    and one is a plane.

    ```python
    >>> import jax.numpy as jnp, landscape_jax as lj
    >>> from matplotlib.figure import Figure
    >>> risk, W = lj.PopulationRisk(jnp.eye(2)), jnp.eye(2)
    >>> axes = Figure().add_subplot()
    >>> cut(lj.barrier(risk, W, W[::-1], align=False), axes).get_ylabel()
    'F'

    ```
    """
    lines = values if isinstance(values, Mapping) else {"": values}
    for one in lines.values():
        if not isinstance(one, Slice | Barrier):
            raise TypeError(f"values is {shown(one)}; give what slices or barrier return")
    slices = {
        label: Slice((one.t,), one.value) if isinstance(one, Barrier) else one
        for label, one in lines.items()
    }
    planes = [one for one in slices.values() if len(one.coordinates) == 2]
    if planes and isinstance(values, Mapping):
        raise ValueError("values has labels and a plane; plot a plane by itself")
    axes = on_axes(axes)
    if planes:
        return _plane(planes[0], axes, log=log)
    for place, (label, one) in enumerate(slices.items()):
        axes.plot(
            np.asarray(one.coordinates[0]), np.asarray(one.value), label=label,
            color=series_colour(place), linestyle=DASHES[place % len(DASHES)], linewidth=1.6,
        )  # fmt: skip
    if log:
        axes.set_yscale("log")
    if isinstance(values, Barrier):
        top = int(np.argmax(np.asarray(values.value)))
        place = float(values.t[top]), float(values.value[top])
        axes.margins(y=0.12)
        axes.plot(*place, color=series_colour(2), marker="o")
        axes.annotate(
            f"barrier {float(values.height):.4g}", place, xytext=(6, 6),
            textcoords="offset points",
        )  # fmt: skip
    axes.set_xlabel("t")
    axes.set_ylabel("F")
    if any(slices):
        axes.legend(frameon=False)
    return framed(axes)


def _plane(plane: Slice, axes: "Axes", *, log: bool) -> "Axes":
    from matplotlib.colors import LogNorm

    s, t = map(np.asarray, plane.coordinates)
    heights = np.asarray(plane.value).T
    scale, levels = None, np.linspace(heights.min(), heights.max(), _LEVELS)
    if log:
        low = max(float(heights[heights > 0].min(initial=np.inf)), _DECADES * float(heights.max()))
        heights = np.maximum(heights, low)
        scale, levels = LogNorm(), np.geomspace(low, heights.max(), _LEVELS)
    filled = axes.contourf(s, t, heights, levels=levels, norm=scale, cmap=SEQUENTIAL)
    axes.contour(s, t, heights, levels=levels, norm=scale, colors="white", linewidths=0.3)
    colour_bar(axes, filled, "F", ticks=levels[:: _LEVELS // 6])
    axes.set_xlabel("s")
    axes.set_ylabel("t")
    return axes
