"""The figure of an atlas: value, share and smallest eigenvalue of each class against k."""

from collections.abc import Iterable, Iterator
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape_jax.mistakes import explained
from landscape_jax.plots import PaperFigure
from landscape_jax.plots.palette import MARKERS, series_colour
from landscape_jax.progress import StudyProgress
from landscape_jax.studies.atlas.atlas_rows import Atlas
from landscape_jax.studies.atlas.atlas_study import of_sizes
from landscape_jax.studies.ss18.protocol import Size

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

ATLAS_SIZES: tuple[Size, ...] = tuple((k, k) for k in range(6, 21))
# Kinds of symmetry with a name of their own in the legend; the others are drawn alike.
_NAMED = 5


@explained
def families_in_k(
    sizes: Iterable[Size] = ATLAS_SIZES,
    restarts: int = 500,
    seed: int = 0,
    *,
    out: str | PathLike[str] | None = None,
    progress: StudyProgress | bool | None = None,
) -> "xr.Dataset":
    """Compute the classes of critical points that descents end in, see `of_sizes`.

    **Returns:** for each class, with coordinates k and n: `value`, `share` of the runs and
    `min_eigenvalue`, a proven lower bound, NaN where nothing is proven; `fixed`, the sizes of the
    blocks but for the largest.
    """
    return labelled(of_sizes(sizes, restarts, seed, out=out, progress=progress), restarts)


def labelled(atlas: Atlas, restarts: int) -> "xr.Dataset":
    """Return an atlas as labelled data; its global minima, of value 0, are left out."""
    import xarray as xr

    rows = [row for row in atlas if row.kind not in (None, "global")]
    numbers = {
        "value": [row.value_upper for row in rows],
        "share": [row.count / restarts for row in rows],
        "min_eigenvalue": [row.min_eigenvalue_lower for row in rows],
    }
    fixed = [" + ".join(map(str, _without_largest(row.blocks))) or "none" for row in rows]
    return xr.Dataset(
        {name: ("class", np.array(values, float)) for name, values in numbers.items()},
        {
            "k": ("class", [row.k for row in rows]),
            "n": ("class", [row.n for row in rows]),
            "fixed": ("class", np.array(fixed, str)),
        },
        {"restarts": restarts},
    )


def _without_largest(blocks: tuple[int, ...]) -> list[int]:
    """Return the blocks that do not grow with k, as far as sizes tell."""
    return sorted(blocks)[:-1]


def draw_atlas(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot the values of proven minima and saddles against k; the areas of circles are shares.

    Classes with the same blocks but for the largest have one colour.  `data` of `families_in_k`.
    """
    for part, style in _by_symmetry(data):
        where = part.k.values, part.value.values
        area = 6 + 900 * part.share.values
        axes.scatter(*where, s=area, facecolor="none", edgecolor=style["color"], linewidth=1.1)
        axes.plot(*where, linestyle="none", markersize=4, **style)
    axes.set_ylabel("value of the spurious minimum")
    axes.set_title(
        f"{data.attrs['restarts']} runs for each size; circles: their shares", fontsize="medium"
    )
    return _finished(axes)


def draw_eigenvalues(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot the proven lower bounds of the smallest eigenvalues against k.

    Bounds of saddles, which are negative, are not on the logarithmic axis.  `data` of
    `families_in_k`.
    """
    for part, style in _by_symmetry(data):
        axes.plot(
            part.k.values, part.min_eigenvalue.values, linestyle="none", markersize=5, **style
        )
    axes.set_yscale("log")
    axes.set_ylabel("smallest eigenvalue, proven at least")
    return _finished(axes)


def _by_symmetry(data: "xr.Dataset") -> "Iterator[tuple[xr.Dataset, dict[str, Any]]]":
    """Split classes by their blocks but for the largest, the most frequent first, with a style."""
    names, counts = np.unique(data.fixed.values, return_counts=True)
    for place, name in enumerate(names[np.argsort(-counts, kind="stable")].tolist()):
        part = data.isel({"class": np.flatnonzero(data.fixed.values == name)}).sortby("k")
        style: dict[str, Any] = {"color": "0.6", "marker": "."}
        if place < _NAMED:
            style = {"color": series_colour(place), "marker": MARKERS[place]}
            style["label"] = f"blocks {name} + rest"
        yield part, style


def _finished(axes: "Axes") -> "Axes":
    """Name the axis of k, and show the legend."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("$k$ teachers")
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            frameon=False,
            fontsize="small",
            loc="upper center",
            bbox_to_anchor=(0.5, -0.14),
            ncols=3,
        )
    return axes


_OPTIONS = {"size": "sizes", "restarts": "restarts", "seed": "seed", "runs": "out"}
_NOTE = "{size} sizes, {restarts} runs each"
FIGURES = {
    "atlas-values": PaperFigure(
        "atlas: values and shares of proven spurious minima against k",
        families_in_k, draw_atlas, _NOTE, _OPTIONS,
    ),
    "atlas-eigenvalues": PaperFigure(
        "atlas: smallest eigenvalues of proven spurious minima against k",
        families_in_k, draw_eigenvalues, _NOTE, _OPTIONS,
    ),
}  # fmt: skip
