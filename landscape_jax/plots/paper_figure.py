"""What a study lists of a figure that it computes and draws."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The most points of an axis that a figure shows.
MOST_POINTS = 4096


class PaperFigure(NamedTuple):
    """A figure of a paper: its title, the functions that compute and draw it, and its options.

    **Arguments:** `title`, which names the paper and the figure; `compute`, which returns the
    labelled data; `draw`, which plots them on axes; `note`, the line that the command `figure`
    prints in the end, a format string whose fields are options; `options`, those of the command
    that the figure takes, each with the argument of `compute` that it sets and whose default it
    has (one that takes `sizes`, of runs, takes a callback `progress` too); `width`, in inches.

    ```python
    >>> from landscape_jax.studies import ss16
    >>> figure = ss16.FIGURES["ss16-6"]
    >>> figure.compute(points=11).attrs["epsilon"], figure.note
    (0.025, 'section 8.2, ε = 0.025')

    ```
    """

    title: str
    compute: Callable[..., Any]
    draw: "Callable[[Any, Axes], Axes]"
    note: str
    options: Mapping[str, str] = MappingProxyType({})
    width: float = 6.0
