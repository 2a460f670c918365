"""Saving a figure to a file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from landscape_jax.arrays import positive
from landscape_jax.files import appearing
from landscape_jax.mistakes import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def save(
    path: str | os.PathLike[str], draw: "Callable[[Axes], Axes]", *, width: float | int = 6.0
) -> None:
    """Draw on new axes and save the figure atomically.

    **Arguments:** `path`, whose suffix is the format, such as .png or .pdf; `draw`, called with the
    axes; `width` in inches, of which empty margins are cut off.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type or range, as if there
    is no such format; the message names it; `OSError` if the file cannot be written.
    """
    from matplotlib.figure import Figure

    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path is {shown(path)}; give the path of a file")
    if not callable(draw):
        raise TypeError(f"draw is {shown(draw)}; give a function that plots on the axes it takes")
    place, inches = Path(path), float(positive("width", width))
    figure = Figure(figsize=(inches, inches / 1.5), layout="constrained")
    formats = figure.canvas.get_supported_filetypes()
    if place.suffix[1:].lower() not in formats:
        raise ValueError(f"path is {str(path)!r}; its suffix must be one of {', '.join(formats)}")
    draw(figure.add_subplot())
    with appearing(place) as temporary:
        figure.savefig(
            temporary,
            dpi=200,
            format=place.suffix[1:].lower(),
            bbox_inches="tight",
            pad_inches=0.05,
        )
