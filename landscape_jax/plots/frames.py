"""The axes of a plot: given ones, or new ones, with the style that all plots share."""

from typing import TYPE_CHECKING, Any

from landscape_jax.mistakes import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def on_axes(axes: "Axes | None", *, width: float = 6.0, height: float = 4.0) -> "Axes":
    """Return the given axes, or those of a new figure of pyplot, which notebooks show.

    **Raises:** `TypeError` if these are no axes.
    """
    from matplotlib.axes import Axes

    if axes is None:
        from matplotlib import pyplot

        return pyplot.figure(figsize=(width, height), layout="constrained").add_subplot()
    if not isinstance(axes, Axes):
        raise TypeError(f"axes is {shown(axes)}; give matplotlib axes, as figure.add_subplot()")
    return axes


def framed(axes: "Axes", *, grid: bool = True) -> "Axes":
    """Draw a light grid behind the data, and no frame above and to the right."""
    if grid:
        axes.grid(color="0.5", alpha=0.25, linewidth=0.6)
        axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def colour_bar(axes: "Axes", mapped: Any, label: str, ticks: Any = None) -> None:
    """Add a scale of colours beside the axes, with ticks at these numbers."""
    written = None if ticks is None else "%.3g"
    axes.figure.colorbar(
        mapped, ax=axes, label=label, fraction=0.05, pad=0.03, ticks=ticks, format=written
    )
