"""Drawing of figures 3 and 6: the loss of one neuron of one input, with its two minima."""

from typing import TYPE_CHECKING

from landscape_jax.mistakes import explained
from landscape_jax.plots.palette import COLOURS, MARKERS, series_colour

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


@explained
def neuron_minima(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot E(w) with both minima marked.

    **Arguments:** `data` of `studies.ss16.figure_3` or `figure_6`; `axes`, to plot on.

    **Returns:** the axes.

    Source: SS16, figures 3 and 6.
    """
    axes.plot(data["w"], data["loss"], color=series_colour(0), linewidth=1.6)
    found = zip(("good", "bad"), data["place"].values, data["value"].values, strict=True)
    for style, (name, w, value) in enumerate(found):
        colour = COLOURS[1 + style]
        axes.plot(w, value, MARKERS[style], color=colour)
        axes.annotate(
            rf"{name}: $w \approx {w:.3g}$, $E = {_digits(value)}$", (w, value), xytext=(0, -16),
            textcoords="offset points", ha="center", color=colour,
        )  # fmt: skip
    low, high = float(data["loss"].min()), float(data["loss"].max())
    axes.set_ylim(low - 0.12 * (high - low), high)
    axes.set(xlabel="$w$", ylabel="$E_S(w)$", xlim=(float(data["w"][0]), float(data["w"][-1])))
    kind = {"relu": "ReLU"}.get(data.attrs["activation"], data.attrs["activation"])
    axes.set_title(rf"one {kind} neuron, $\epsilon = {data.attrs['epsilon']:g}$", fontsize="medium")
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _digits(value: float) -> str:
    """Format a value, near ⅛ as the difference from ⅛, with which SS16 compares it."""
    off = 0.125 - value
    if not 0 < abs(off) < 1e-5:
        return f"{value:.4g}"
    figure, power = f"{abs(off):.1e}".split("e")
    return rf"1/8 {'-' if off > 0 else '+'} {figure} \times 10^{{{int(power)}}}"
