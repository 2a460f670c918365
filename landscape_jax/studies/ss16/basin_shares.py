"""Drawing of F_n, the probability of a good initial basin, beside the bounds of the theorems."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from landscape_jax.mistakes import explained
from landscape_jax.plots.palette import COLOURS, DASHES, series_colour
from landscape_jax.plots.panels import panels

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_BLUE, _RED, _GREEN = COLOURS[1:4]
_TITLES = {
    2: r"theorem 2: singletons, $d = {dim}$, $F_n(\alpha)$",
    5: r"theorem 5: $d = {dim}$, teacher of {teacher_width}, $F_n({level:g})$",
    7: "theorem 7: $m = {samples}$ samples, $d = {dim}$, $F_n(0)$",
    8: r"theorem 8: {clusters} clusters, $d = {dim}$, $F_n(\epsilon_n)$",
}
_LINES = (
    ("exact", "the proof's event, exactly", _BLUE, "-"),
    ("power_bound", "lower bound in the proof", _GREEN, DASHES[2]),
    ("event_bound", "bound of the corrected proof", _GREEN, DASHES[2]),
    ("union_bound", "bound of the corrected proof", _GREEN, DASHES[2]),
    ("bound", "the theorem's lower bound", _RED, DASHES[1]),
)


@explained
def basin_shares(data: "Sequence[xr.Dataset]", axes: "Axes") -> "Axes":
    """Plot estimates of F_n against n, with intervals and lower bounds, a panel for each theorem.

    Bounds below 0 are vacuous and not plotted.

    **Arguments:** `data`, datasets of `studies.ss16.theorem_2`, `theorem_5`, `theorem_7` or
    `theorem_8`; `axes`, of a grid of a figure.

    **Returns:** the axes, hidden.

    **Raises:** `ValueError` if the axes belong to no grid.

    Source: SS16, theorems 2, 5, 7 and 8.
    """
    from matplotlib.ticker import PercentFormatter

    parts = panels(axes, len(data))
    for part, found in zip(parts, data, strict=True):
        n = found["width"].values
        for name, label, colour, dash in _LINES:
            if name in found:
                bound = np.where(found[name] > 0, found[name], np.nan)
                part.plot(n, bound, color=colour, linestyle=dash, linewidth=1.6, label=label)
        if "event" in found:
            _points(found, "event", part, _BLUE, "s", "the proof's event, Monte Carlo")
        _points(found, "share", part, series_colour(0), "o", "$F_n$, Monte Carlo")
        part.set(xlabel="$n$, neurons", ylim=(-0.02, 1.04))
        part.set_title(_TITLES[found.attrs["theorem"]].format(**found.attrs), fontsize="medium")
        part.yaxis.set_major_formatter(PercentFormatter(1.0, symbol="\N{THIN SPACE}%"))
        part.grid(color="0.9", linewidth=0.6)
        part.set_axisbelow(True)
        part.spines[["top", "right"]].set_visible(False)
        part.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.13))
    parts[0].set_ylabel("share of initializations")
    return axes


def _points(
    found: "xr.Dataset", name: str, part: "Axes", colour: str, marker: str, label: str
) -> None:
    share = found[name].values
    down, up = share - found[f"{name}_low"].values, found[f"{name}_high"].values - share
    confidence = f"{found.attrs['confidence']:.0%}".replace("%", " %")
    part.errorbar(
        found["width"].values, share, np.stack([down, up]), color=colour, fmt=marker, markersize=4,
        capsize=2, linewidth=1, label=f"{label} ({confidence})",
    )  # fmt: skip
