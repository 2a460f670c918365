"""Drawings of figures 4 and A4: the probability of local minima at moved parallel weights."""

from typing import TYPE_CHECKING

import numpy as np

from landscape_jax.mistakes import explained
from landscape_jax.plots.palette import COLOURS, DASHES, series_colour

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_BLUE, _RED = COLOURS[1:3]
_W1, _W2 = "x_{w_1}", "x_{w_2}"
# Smaller probabilities are clipped at the lower edge of the logarithmic axis.
_DECADES = 40


@explained
def moved_loss(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot the empirical loss against one moved weight.

    **Arguments:** `data` of `studies.liu20.figure_4a`; `axes`, to plot on.

    **Returns:** the axes.

    Source: LIU, figure 4(a).
    """
    w, loss = data["w_1"].values, data["loss"].values
    low = int(np.argmin(loss))
    axes.plot(w, loss, color=series_colour(0), linewidth=1.6)
    axes.plot(
        w[low], loss[low], "o", color=_RED,
        label=f"its global minimum, ${_W1} = {w[low]:.2f}$",
    )  # fmt: skip
    for place in stationary_positions(data):
        axes.axvline(
            place, color=_BLUE, linewidth=1.2, linestyle=DASHES[1],
            label=f"that of the expected loss, ${_W1} = {place:.2f}$",
        )  # fmt: skip
    _label(axes, f"${_W1}$, with ${_W2} = 0$", "empirical loss", data)
    axes.legend(frameon=False)
    return axes


@explained
def moved_probability(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot P_t against one moved weight: by its own gap, and by both.

    **Arguments:** `data` of `studies.liu20.figure_4b`; `axes`, to plot on.

    **Returns:** the axes.

    Source: LIU, figure 4(b).
    """
    figure, power = f"{float(data['of_both'].max()):.0e}".split("e")
    axes.plot(
        data["w_1"], data["probability"], color=series_colour(0), linewidth=1.6,
        label="the gap of $w_1$ alone",
    )  # fmt: skip
    axes.plot(
        data["w_1"], data["of_both"], color=_RED, linewidth=1.6, linestyle=DASHES[1],
        label=rf"both gaps: at most ${figure} \times 10^{{{int(power)}}}$",
    )  # fmt: skip
    for place in stationary_positions(data):
        axes.axvline(
            place, color=_BLUE, linewidth=1.2, linestyle=DASHES[2], zorder=0,
            label=f"${_W1} = {_W1}^* = {place:.2f}$",
        )  # fmt: skip
    axes.set_ylim(-0.02, 1.02)
    _label(axes, f"${_W1}$, with ${_W2} = 0$", "$P_t$, the gaps are empty", data)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0.19, 1.0))
    return axes


@explained
def both_moved_probability(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot P_t against both moved weights, as a map.

    **Arguments:** `data` of `studies.liu20.figure_4c`; `axes`, to plot on.

    **Returns:** the axes.

    Source: LIU, figure 4(c).
    """
    found = axes.pcolormesh(
        data["w_1"], data["w_2"], data["probability"].T, cmap="cividis", vmin=0, vmax=1,
        shading="gouraud", rasterized=True,
    )  # fmt: skip
    axes.figure.colorbar(found, ax=axes, label="$P_t$, both gaps are empty")
    at = data["distance"].stack(at=("w_1", "w_2"))
    w_1, w_2 = at[int(np.argmin(at.values))]["at"].item()
    axes.plot(
        w_1, w_2, "o", markersize=14, markerfacecolor="none", markeredgecolor="white",
    )  # fmt: skip
    axes.annotate(
        "global minimum", (w_1, w_2), xytext=(-8, -24),
        textcoords="offset points", color="white",
    )  # fmt: skip
    _label(axes, f"${_W1}$", f"${_W2}$", data)
    axes.grid(visible=False)
    axes.set_aspect("equal")
    return axes


@explained
def shifted_probability(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot P_t of four weights against the shift of some of them, on a logarithmic axis.

    **Arguments:** `data` of `studies.liu20.figure_a4a` or `figure_a4b`; `axes`, to plot on.

    **Returns:** the axes.

    Source: LIU, figure A4.
    """
    lines = [
        ("log_probability", "all gaps, (26)", series_colour(0), "-"),
        ("largest", "the largest gap alone, (E.8)", _BLUE, DASHES[1]),
    ]
    if len(data.attrs["moved"]) < len(data.attrs["normals"]):
        lines.append(("moved", "the gap of the shifted weight", _RED, DASHES[2]))
    for name, label, colour, dash in lines:
        values = np.maximum(data[name].values / np.log(10), -_DECADES - 1)
        axes.plot(data["shift"], values, color=colour, linestyle=dash, linewidth=1.6, label=label)
    axes.set_ylim(-_DECADES, 2)
    moved = "all weights" if len(data.attrs["moved"]) > 1 else "the uppermost weight"
    signs = "".join("+" if n > 0 else "\N{MINUS SIGN}" for n in data.attrs["normals"])
    _label(axes, f"shift of {moved}", r"$\log_{10} P_t$", data, f"normals {signs}, ")
    axes.legend(frameon=False)
    return axes


def stationary_positions(data: "xr.Dataset") -> list[float]:
    """List the positions where h₁* = h₁, interpolated between grid points."""
    w, gap = data["w_1"].values, data["optimum"].values - data["w_1"].values
    before = np.flatnonzero((gap[:-1] > 0) & (gap[1:] <= 0))
    return [float(w[i] + (w[i + 1] - w[i]) * gap[i] / (gap[i] - gap[i + 1])) for i in before]


def _label(axes: "Axes", across: str, up: str, data: "xr.Dataset", first: str = "") -> None:
    attrs = data.attrs
    numbers = [", ".join(f"{v:g}" for v in attrs[name]) for name in ("means", "variances")]
    title = f"{first}$N = {attrs['samples']}$, means {numbers[0]}, variances {numbers[1]}"
    if "seed" in attrs:
        title += f", seed {attrs['seed']}"
    axes.set(xlabel=across, ylabel=up)
    axes.set_title(title.replace("-", "\N{MINUS SIGN}"), fontsize="medium")
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
