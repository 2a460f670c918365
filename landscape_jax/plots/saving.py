"""A figure as a file."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def save(path: Path, draw: Callable[[Axes], Axes], *, width: float = 6.0) -> None:
    """Draw on new axes and write the figure to a file, whole or not at all.

    **Arguments:** `path`, whose suffix says the format; `draw`, called with the axes; `width` in
    inches.
    """
    figure = Figure(figsize=(width, width / 1.5), layout="constrained")
    draw(figure.add_subplot())
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        figure.savefig(temporary, dpi=200)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
