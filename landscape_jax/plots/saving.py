"""Saving a figure to a file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from landscape_jax.files import appearing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def save(path: Path, draw: "Callable[[Axes], Axes]", *, width: float = 6.0) -> None:
    """Draw on new axes and save the figure atomically.

    **Arguments:** `path`, whose suffix gives the format; `draw`, called with the axes; `width` in
    inches.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, width / 1.5), layout="constrained")
    draw(figure.add_subplot())
    with appearing(path) as place:
        figure.savefig(place, dpi=200, format=path.suffix[1:])
