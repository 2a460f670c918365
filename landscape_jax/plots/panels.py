"""Several axes in the place of one."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import SubplotSpec


def hide_axes(axes: "Axes") -> "tuple[Figure, SubplotSpec]":
    """Hide the axes, which then take no room, and return their figure and their place in its grid.

    **Raises:** `ValueError` if the axes belong to no grid.
    """
    from matplotlib.figure import Figure

    axes.set_visible(False)
    figure, place = axes.figure, axes.get_subplotspec()
    if not isinstance(figure, Figure) or place is None:
        raise ValueError("axes belong to no grid of a figure; make them with figure.add_subplot()")
    return figure, place


def panels(axes: "Axes", count: int) -> "list[Axes]":
    """Hide the axes, and return `count` new axes in their place, side by side.

    **Raises:** `ValueError` if the axes belong to no grid.
    """
    figure, place = hide_axes(axes)
    return [figure.add_subplot(part) for part in place.subgridspec(1, count)]
