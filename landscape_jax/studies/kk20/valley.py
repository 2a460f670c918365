"""A bad local minimum, and the valley that an added neuron leaves."""

from typing import TYPE_CHECKING, cast

import numpy as np

from landscape_jax.plots.panels import emptied

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_DARK, _GLOBAL, _BAD = "#000000", "#0072B2", "#D55E00"


def augmented_valley(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Draw the three parts of KK20's figure 1 in the place of the axes, which are left empty.

    (a) L(θ); (b) the level lines of min over (a, W) of L̃, on a logarithmic scale, for it falls by
    orders; (c) the direction of descent on it.  In (b) and (c) the two basins are marked: near
    θ = 0.2, where L has its bad local minimum, descent goes up to b → ∞; near 0.8 it ends.

    **Arguments:** `data` of `studies.kk20.figure_1`; the axes, of a figure of ratio 3 : 2.

    **Returns:** the axes.

    Source: KK20, figure 1.
    """
    figure, place = emptied(axes)
    top, bottom = place.subgridspec(2, 1, height_ratios=(1, 1.7))
    risk = figure.add_subplot(top)
    left, right = bottom.subgridspec(1, 2)
    levels = figure.add_subplot(left)
    arrows = figure.add_subplot(right, sharex=levels, sharey=levels)
    _draw_risk(data, risk)
    _draw_levels(data, levels)
    _draw_arrows(data, arrows)
    return axes


def _draw_risk(data: "xr.Dataset", axes: "Axes") -> None:
    axes.plot(data["theta"], data["risk"], color=_DARK, linewidth=1.6)
    bad = _bad(data)
    axes.plot(*bad, "o", color=_BAD)
    axes.annotate(
        "bad local minimum", bad, xytext=(0, -16), textcoords="offset points", ha="center"
    )
    flat = np.asarray(data["theta"])[np.asarray(data["risk"]) <= 1e-6]
    axes.plot(flat.mean(), 0, "o", color=_GLOBAL, clip_on=False)
    axes.annotate(
        "global minima, $L = 0$",
        (float(flat.mean()), 0),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
    )
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel=r"$\theta$", ylabel=r"$L(\theta)$")
    axes.set_title("(a) the original objective", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_levels(data: "xr.Dataset", axes: "Axes") -> None:
    values = np.asarray(data["least"]).T
    levels = 10.0 ** np.arange(-2.5, 2.01, 0.25)
    lines = axes.contour(
        data["theta"], data["b"], np.maximum(values, 1e-12), levels=levels, cmap="cividis",
        norm="log", linewidths=1.0,
    )  # fmt: skip
    # The decades are named on a line through the two basins' divide, where they are apart.
    named, aside = [0.1, 1.0, 10.0], int(np.argmin(np.abs(np.asarray(data["theta"]) - 0.42)))
    falling = values[::-1, aside]
    heights = np.interp(named, falling, np.asarray(data["b"])[::-1])
    places = [(0.42, height) for height in heights]
    axes.clabel(lines, named, fmt=lambda v: f"{v:g}", fontsize="small", manual=cast(list, places))
    _label(data, axes, r"(b) the least $\tilde L$ over $(a, W)$")
    axes.set_ylabel("$b$")


def _draw_arrows(data: "xr.Dataset", axes: "Axes") -> None:
    steps = [np.asarray(data[name]).T for name in ("theta_step", "b_step")]
    moving = np.hypot(*steps) > 0
    theta, b = np.meshgrid(data["arrow_theta"], data["arrow_b"])
    axes.quiver(
        theta[moving], b[moving], *(s[moving] for s in steps), angles="uv", pivot="mid",
        color=_DARK, width=0.004, scale=26,
    )  # fmt: skip
    _label(data, axes, r"(c) its negative normalised gradient")
    axes.tick_params(labelleft=False)


def _label(data: "xr.Dataset", axes: "Axes", title: str) -> None:
    """Mark the bad valley and the global minima, and name what is drawn."""
    axes.axvline(_bad(data)[0], color=_BAD, linewidth=1.2, linestyle=(0, (5, 1.5)))
    flat = np.asarray(data["theta"])[np.asarray(data["risk"]) <= 1e-6]
    axes.axvspan(flat.min(), flat.max(), color=_GLOBAL, alpha=0.25, linewidth=0)
    axes.set_xlim(0, 1)
    axes.set_xlabel(r"$\theta$")
    axes.set_title(title, fontsize="medium")


def _bad(data: "xr.Dataset") -> tuple[float, float]:
    """Give the place and value of the local minimum of L at θ < ½."""
    theta, risk = np.asarray(data["theta"]), np.asarray(data["risk"])
    low = np.argmin(np.where(theta < 0.5, risk, np.inf))
    return float(theta[low]), float(risk[low])
