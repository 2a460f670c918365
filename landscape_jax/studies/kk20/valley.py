"""KK20, figure 1: a spurious minimum, and the valley that an added neuron leaves in its place."""

from typing import TYPE_CHECKING, cast

import jax
import jax.numpy as jnp
import numpy as np

from landscape_jax.arrays import count
from landscape_jax.mistakes import explained
from landscape_jax.plots import PaperFigure
from landscape_jax.plots.palette import COLOURS, DASHES, series_colour
from landscape_jax.plots.panels import hide_axes
from landscape_jax.plots.paper_figure import MOST_POINTS
from landscape_jax.theory.added_neurons.examples import Bumps, best_in_example_1, example_1

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_GLOBAL, _SPURIOUS = COLOURS[1:3]


@explained
def figure_1(
    *,
    penalty: float | int = 1,
    points: int = 241,
    arrows: int = 19,
    b: tuple[float, float] = (-3.0, 4.0),
) -> "xr.Dataset":
    """Compute L(θ), M(θ, b) = min over (a, W) of L̃, and −∇M/‖∇M‖, in example 1.

    The paper states neither λ nor the range of b; here λ = 1, and e^b from e⁻³, where the neuron
    has hardly any effect, to where the valley at θ = 0.2 is below 0.03.

    **Arguments:** `penalty`, λ; `points`, of θ ∈ [0, 1] and of b; `arrows`, on each axis; `b`, the
    range of b.

    **Returns:** `risk` (theta), L; `least` (theta, b), M; `theta_step` and `b_step` (arrow_theta,
    arrow_b), −∇M/‖∇M‖, 0 where ∇M = 0.

    **Raises:** `ValueError` if the penalty is not positive (from `NeuronAugmented`).

    Source: KK20, figure 1 and example 1.

    ```python
    >>> float(figure_1(points=11, arrows=3).risk[8])
    0.0

    ```
    """
    import xarray as xr

    count("points", points, 1, MOST_POINTS)
    count("arrows", arrows, 1, MOST_POINTS)
    objective = example_1(penalty)
    theta, heights = jnp.linspace(0.0, 1.0, points), jnp.linspace(float(b[0]), float(b[1]), points)
    coarse = [_inside(axis, arrows) for axis in (theta, heights)]

    def least(theta: jax.Array, b: jax.Array) -> jax.Array:
        return best_in_example_1(theta, b, objective.penalty)

    def over(function, theta: jax.Array, b: jax.Array):
        return jax.vmap(jax.vmap(function, (None, 0)), (0, None))(theta, b)

    gradient = np.stack(over(jax.grad(least, (0, 1)), *coarse))
    length = np.linalg.norm(gradient, axis=0)
    step = -gradient / np.where(length > 0, length, 1)
    return xr.Dataset(
        {
            "risk": ("theta", np.asarray(jax.vmap(lambda t: objective.risk(Bumps(t)))(theta))),
            "least": (("theta", "b"), np.asarray(over(least, theta, heights))),
            "theta_step": (("arrow_theta", "arrow_b"), step[0]),
            "b_step": (("arrow_theta", "arrow_b"), step[1]),
        },
        coords={
            "theta": np.asarray(theta),
            "b": np.asarray(heights),
            "arrow_theta": np.asarray(coarse[0]),
            "arrow_b": np.asarray(coarse[1]),
        },
    )


def _inside(axis: jax.Array, number: int) -> jax.Array:
    """Return equally spaced points inside a range."""
    margin = (axis[-1] - axis[0]) / (2 * number)
    return jnp.linspace(axis[0] + margin, axis[-1] - margin, number)


@explained
def augmented_valley(data: "xr.Dataset", axes: "Axes") -> "Axes":
    """Plot a loss with a spurious minimum, and its valley where a neuron is added, in three parts.

    (a) L(θ); (b) the level lines of min over (a, W) of L̃, at logarithmic levels; (c) the direction
    of descent on it.  In (b) and (c) the two basins are marked: near θ = 0.2, where L has its
    spurious minimum, descent diverges to b → ∞; near 0.8 it converges.

    **Arguments:** `data` of `figure_1`; `axes`, of a figure of ratio 3 : 2.

    **Returns:** the axes, hidden.

    **Raises:** `ValueError` if the axes belong to no grid.

    Source: KK20, figure 1.
    """
    figure, place = hide_axes(axes)
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
    axes.plot(data["theta"], data["risk"], color=series_colour(0), linewidth=1.6)
    spurious = _spurious_minimum(data)
    axes.plot(*spurious, "o", color=_SPURIOUS)
    axes.annotate(
        "spurious minimum", spurious, xytext=(0, -16), textcoords="offset points", ha="center"
    )
    flat = np.asarray(data["theta"])[np.asarray(data["risk"]) <= 1e-6]
    axes.plot(flat.mean(), 0, "s", color=_GLOBAL, clip_on=False)
    axes.annotate(
        "global minima, $L = 0$", (float(flat.mean()), 0), xytext=(0, 9),
        textcoords="offset points", ha="center",
    )  # fmt: skip
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
    # The decades are labelled at θ = 0.42, between the basins, where the lines are apart.
    labels, column = [0.1, 1.0, 10.0], int(np.argmin(np.abs(np.asarray(data["theta"]) - 0.42)))
    decreasing = values[::-1, column]
    heights = np.interp(labels, decreasing, np.asarray(data["b"])[::-1])
    places = [(0.42, height) for height in heights]
    axes.clabel(lines, labels, fmt=lambda v: f"{v:g}", fontsize="small", manual=cast(list, places))
    _label(data, axes, r"(b) the least $\tilde L$ over $(a, W)$")
    axes.set_ylabel("$b$")


def _draw_arrows(data: "xr.Dataset", axes: "Axes") -> None:
    steps = [np.asarray(data[name]).T for name in ("theta_step", "b_step")]
    moving = np.hypot(*steps) > 0
    theta, b = np.meshgrid(data["arrow_theta"], data["arrow_b"])
    axes.quiver(
        theta[moving], b[moving], *(s[moving] for s in steps), angles="uv", pivot="mid",
        color=series_colour(0), width=0.004, scale=26,
    )  # fmt: skip
    _label(data, axes, r"(c) its negative normalised gradient")
    axes.tick_params(labelleft=False)


def _label(data: "xr.Dataset", axes: "Axes", title: str) -> None:
    """Mark the valley of the spurious minimum and the global minima, and set title and label."""
    axes.axvline(_spurious_minimum(data)[0], color=_SPURIOUS, linewidth=1.2, linestyle=DASHES[1])
    flat = np.asarray(data["theta"])[np.asarray(data["risk"]) <= 1e-6]
    axes.axvspan(flat.min(), flat.max(), color=_GLOBAL, alpha=0.25, linewidth=0)
    axes.set_xlim(0, 1)
    axes.set_xlabel(r"$\theta$")
    axes.set_title(title, fontsize="medium")


def _spurious_minimum(data: "xr.Dataset") -> tuple[float, float]:
    """Return the place and value of the local minimum of L at θ < ½."""
    theta, risk = np.asarray(data["theta"]), np.asarray(data["risk"])
    low = np.argmin(np.where(theta < 0.5, risk, np.inf))
    return float(theta[low]), float(risk[low])


FIGURES = {"kk20-1": PaperFigure(
    "KK20, figure 1: a spurious minimum, and the valley that an added neuron leaves",
    figure_1, augmented_valley, "example 1 with λ = 1", width=9.0,
)}  # fmt: skip
