"""The figures of the study of width: shares, times, and what becomes of spurious minima."""

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from landscape_jax.mistakes import explained
from landscape_jax.plots import PaperFigure
from landscape_jax.plots.palette import COLOURS, DASHES, MARKERS, series_colour
from landscape_jax.progress import StudyProgress
from landscape_jax.studies.ss18.protocol import Size
from landscape_jax.studies.width.width_study import of_sizes

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

SHARE_SIZES: tuple[Size, ...] = tuple((k, k + h) for h in (0, 1, 2) for k in range(6, 16))
SURVIVAL_SIZES: tuple[Size, ...] = tuple((k, k) for k in range(6, 14))


@explained
def shares(
    sizes: Iterable[Size] = SHARE_SIZES,
    restarts: int = 1000,
    seed: int = 0,
    *,
    out: str | PathLike[str] | None = None,
    progress: StudyProgress | bool | None = None,
) -> "xr.Dataset":
    """Compute the shares of global runs, and their steps, of relu students.

    **Returns:** for each size, with coordinates k and n: `share`, `low`, `high`, the share of
    global runs with its 95 % interval; `published`, that of SS18, NaN where there is none;
    `steps_median`, `steps_99`; `restarts_needed`, NaN where no run was global.
    """
    import xarray as xr

    rows = of_sizes(sizes, restarts, seed, out=out, progress=progress).rows
    steps = np.array([row.steps or (np.nan, np.nan) for row in rows])
    numbers = {
        "share": [row.share_global for row in rows],
        "low": [row.interval[0] for row in rows],
        "high": [row.interval[1] for row in rows],
        "published": [
            np.nan if row.published is None else 1 - row.published.spurious / 1000 for row in rows
        ],
        "steps_median": steps[:, 0],
        "steps_99": steps[:, 1],
        "restarts_needed": [float(row.restarts_needed or np.nan) for row in rows],
    }
    return xr.Dataset(
        {name: ("size", np.asarray(values, float)) for name, values in numbers.items()},
        {"k": ("size", [row.k for row in rows]), "n": ("size", [row.n for row in rows])},
        {"restarts": restarts},
    )


def share_of_width(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot the shares of global runs against k, one line for each n − k."""
    from matplotlib.ticker import PercentFormatter

    for place, (extra, part) in enumerate(_by_extra(data)):
        colour = series_colour(place)
        reach = [part.share - part.low, part.high - part.share]
        axes.errorbar(
            part.k.values,
            part.share.values,
            yerr=np.maximum(np.stack(reach), 0),
            color=colour,
            marker=MARKERS[place % len(MARKERS)],
            markersize=4,
            linewidth=1.4,
            capsize=2,
            label=_label(extra),
        )
        axes.plot(
            part.k.values, part.published.values, linestyle="none", marker="o", markersize=9,
            markerfacecolor="none", markeredgecolor=colour, markeredgewidth=0.8,
        )  # fmt: skip
    known = np.isfinite(data.published.values).any()
    axes.plot(
        [], [], linestyle="none", marker="o", markersize=9, markerfacecolor="none",
        markeredgecolor="0.3", markeredgewidth=0.8, label="SS18, tables 1 and 2" if known else None,
    )  # fmt: skip
    axes.set_ylim(-0.02, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol="\N{THIN SPACE}%"))
    axes.set_ylabel("share of global runs, 95\N{THIN SPACE}% intervals")
    axes.set_title(f"{data.attrs['restarts']} runs for each $(k, n)$", fontsize="medium")
    return _finished(axes, inside=True)


def time_of_width(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot the steps of the global runs against k: medians, and 99 % quantiles."""
    for place, (extra, part) in enumerate(_by_extra(data)):
        style = {
            "color": series_colour(place),
            "marker": MARKERS[place % len(MARKERS)],
            "markersize": 4,
        }
        axes.plot(part.k, part.steps_median, linewidth=1.6, label=_label(extra), **style)
        axes.plot(part.k, part.steps_99, linewidth=0.9, linestyle=DASHES[1], **style)
    axes.plot([], [], color="0.3", linewidth=0.9, linestyle=DASHES[1], label="99 % quantiles")
    axes.set_yscale("log")
    axes.set_ylabel("steps of descent to the value $10^{-3}$")
    axes.set_title("global runs: medians, and 99 % quantiles", fontsize="medium")
    return _finished(axes)


@explained
def survivals(
    sizes: Iterable[Size] = SURVIVAL_SIZES,
    restarts: int = 1000,
    seed: int = 0,
    *,
    out: str | PathLike[str] | None = None,
    progress: StudyProgress | bool | None = None,
) -> "xr.DataArray":
    """Compute the ends of descents from spurious minima of n = k to which a neuron is added.

    **Returns:** for each descent its end's value, with coordinates k, `before`, the value of the
    minimum, and `neuron`, the one that was split.
    """
    import xarray as xr

    rows = of_sizes(sizes, restarts, seed, out=out, progress=progress).rows
    found = [
        (row.k, fate.value, split.neuron, value)
        for row in rows
        for fate in row.survival
        for split in fate.splits
        for value in split.ends
    ]
    table = np.array(found, float).reshape(-1, 4)
    return xr.DataArray(
        table[:, 3],
        dims="descent",
        coords={
            "k": ("descent", table[:, 0].astype(int)),
            "before": ("descent", table[:, 1]),
            "neuron": ("descent", table[:, 2].astype(int)),
        },
        name="value",
        attrs={"restarts": restarts, "sizes": len(rows)},
    )


def fates(data: "xr.DataArray", axes: "Axes") -> "Axes":
    """Plot each minimum of n = k, joined to the values that descents reach with one more neuron."""
    seen: set[tuple[float, ...]] = set()
    for k, before, end in zip(data.k.values, data.before.values, data.values, strict=True):
        after = end if end >= 1e-3 else 0.0
        pair = (int(k), round(float(before), 5), round(float(after), 5))
        if pair in seen:
            continue
        seen.add(pair)
        axes.plot([k - 0.14, k + 0.14], [before, after], color="0.75", linewidth=0.7, zorder=1)
        axes.plot(k - 0.14, before, marker="o", markersize=4.5, color=COLOURS[2], zorder=2)
        axes.plot(
            k + 0.14, after, marker="s", markersize=4.5, zorder=3,
            color=COLOURS[1] if after == 0 else COLOURS[2],
            markerfacecolor=COLOURS[1] if after == 0 else "white",
        )  # fmt: skip
    labels = (
        ("o", COLOURS[2], COLOURS[2], "spurious minimum, $n = k$"),
        ("s", COLOURS[2], "white", "descent ends, $n = k + 1$"),
        ("s", COLOURS[1], COLOURS[1], "descent falls below $10^{-3}$"),
    )
    for marker, edge, face, label in labels:
        axes.plot(
            [], [], linestyle="none", marker=marker, color=edge, markerfacecolor=face, label=label
        )
    axes.set_ylabel("value")
    axes.set_title("each neuron of a spurious minimum split in two", fontsize="medium")
    return _finished(axes)


def _by_extra(data: "xr.Dataset") -> "list[tuple[int, xr.Dataset]]":
    """Return the sizes of each n − k, in the order of k."""
    extra = data.n.values - data.k.values
    found = [(int(h), data.isel(size=np.flatnonzero(extra == h))) for h in np.unique(extra)]
    return [(h, part.isel(size=np.argsort(part.k.values))) for h, part in found]


def _label(extra: int) -> str:
    return "$n = k$" if extra == 0 else f"$n = k {extra:+d}$".replace("+", "+ ").replace("-", "- ")


def _finished(axes: "Axes", *, inside: bool = False) -> "Axes":
    """Name the axis of k; place the legend inside, low on the left, or below the axes."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("number $k$ of teachers")
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if inside:
        axes.legend(frameon=False, loc="lower left")
    else:
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    return axes


_OPTIONS = {"size": "sizes", "restarts": "restarts", "seed": "seed", "runs": "out"}
_NOTE = "{size} sizes, {restarts} runs each"
FIGURES = {
    "width-share": PaperFigure(
        "width: the share of global runs against k, for n = k, k + 1, k + 2",
        shares, share_of_width, _NOTE, _OPTIONS,
    ),
    "width-time": PaperFigure(
        "width: the steps to a global minimum against k, for n = k, k + 1, k + 2",
        shares, time_of_width, _NOTE, _OPTIONS,
    ),
    "width-survival": PaperFigure(
        "width: where descent leads from a spurious minimum with one more neuron",
        survivals, fates, _NOTE, _OPTIONS,
    ),
}  # fmt: skip
