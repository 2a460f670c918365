"""Shares of runs against a number, such as the width."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape_jax.mistakes import explained, shown
from landscape_jax.plots.frames import framed, on_axes
from landscape_jax.plots.palette import style
from landscape_jax.theory.overspecification.intervals import clopper_pearson

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@explained
def shares(
    counts: "Mapping[Any, Any]", axes: "Axes | None" = None, *, label: str | None = None
) -> "Axes":
    """Plot shares of runs, with exact 95 % intervals, against the number they belong to.

    **Arguments:** `counts`, for each number, such as a width, how many runs of how many:
    `{4: (35, 100), 8: (92, 100)}`, or a mask of the runs; `axes`, to plot on, new ones where left
    out: each call on the same axes adds a series; `label`, of the series.

    **Returns:** the axes.

    **Raises:** `TypeError` or `ValueError` if `counts` is something else.

    ```python
    >>> from matplotlib.figure import Figure
    >>> axes = shares({4: (35, 100), 8: (92, 100)}, Figure().add_subplot())
    >>> axes.get_ylabel()
    'share of runs, 95 % intervals'

    ```
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    if not isinstance(counts, Mapping) or not counts:
        raise TypeError(f"counts is {shown(counts)}; give a dict of numbers to (how many, of all)")
    places = sorted(counts)
    pairs = [_pair(place, counts[place]) for place in places]
    found = clopper_pearson(*(np.array(column) for column in zip(*pairs, strict=True)))
    axes = on_axes(axes)
    reach = np.stack([found.estimate - found.low, found.high - found.estimate])
    look: dict[str, Any] = style(len(axes.containers)) | {"markersize": 4.5, "capsize": 2.5}
    axes.errorbar(places, found.estimate, yerr=np.maximum(reach, 0), label=label, **look)
    axes.set_ylim(-0.02, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol="\N{THIN SPACE}%"))
    if all(float(place).is_integer() for place in places):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("width")
    axes.set_ylabel("share of runs, 95 % intervals")
    if label is not None:
        axes.legend(frameon=False)
    return framed(axes)


def _pair(place: Any, given: Any) -> tuple[int, int]:
    """Return how many of how many, from a pair or a mask."""
    mask = np.asarray(given)
    if mask.dtype == bool and mask.ndim == 1 and len(mask):
        return int(mask.sum()), len(mask)
    if mask.shape != (2,) or mask.dtype.kind not in "iu" or not 0 <= mask[0] <= mask[1] != 0:
        raise ValueError(
            f"counts[{place!r}] is {shown(given)}; give a mask of the runs, or how many of how many"
        )
    return int(mask[0]), int(mask[1])
