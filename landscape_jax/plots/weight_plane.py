"""The plane of a neuron's weights, and the cells into which samples cut it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jax import Array

from landscape_jax.arrays import is_numeric, is_traced
from landscape_jax.mistakes import explained, shown
from landscape_jax.plots.frames import on_axes
from landscape_jax.plots.palette import COLOURS, DASHES, MARKERS, series_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REACH = 2.2


@explained
def cell_partition(
    x: "np.ndarray | Array",
    axes: "Axes | None" = None,
    *,
    neurons: "np.ndarray | Array | None" = None,
) -> "Axes":
    """Plot the cells into which samples of two inputs cut the plane of a neuron's weights.

    For each sample the line w·x_t = 0, with an arrow to the side where the neuron is active.  The
    cells that contain neurons, together the activation pattern, are shaded.

    **Arguments:** `x`, (N, 2), a bias as a column of ones; `axes`, to plot on, new ones where left
    out; `neurons`, (K, 2), weights.

    **Returns:** the axes.

    **Raises:** `TypeError` or `ValueError` if samples or neurons are no finite points of the plane,
    or a sample is 0.

    Source: SS16, figure 1; LIU, section 3.

    ```python
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> axes = cell_partition(np.array([[1.0, 0.0], [1.0, 1.0]]), Figure().add_subplot())
    >>> axes.get_title()
    '2 samples, 4 cells'

    ```
    """
    samples = _points("x", x)
    if not samples.any(axis=1).all():
        raise ValueError("x has a sample that is 0, on whose line all weights lie; leave it out")
    W = np.zeros((0, 2)) if neurons is None else _points("neurons", neurons)
    axes = on_axes(axes, height=5.0)
    axis = np.linspace(-_REACH, _REACH, 601)
    plane = np.stack(np.meshgrid(axis, axis), axis=-1)
    signs = plane @ samples.T > 0
    for pattern in (W @ samples.T > 0).tolist():
        inside = (signs == pattern).all(axis=-1)
        axes.contourf(axis, axis, inside, levels=[0.5, 1.5], colors=[COLOURS[6]], alpha=0.16)
    for t, sample in enumerate(samples):
        name = f"({sample[0]:g}, {sample[1]:g})".replace("-", "\N{MINUS SIGN}")
        label = rf"$w \cdot x_{{{t + 1}}} = 0$, $x_{{{t + 1}}} =$ {name}"
        halfplane_line(sample, axes, t, label)
    for i, (first, second) in enumerate(W):
        active = ", ".join(f"$x_{{{t + 1}}}$" for t in np.flatnonzero(samples @ W[i] > 0))
        axes.plot(
            first, second, marker=MARKERS[i % len(MARKERS)], color=series_colour(0),
            linestyle="none", label=f"$w_{{{i + 1}}}$, active on {active or 'none'}",
        )  # fmt: skip
        axes.annotate(
            f"$w_{{{i + 1}}}$", (first, second), xytext=(-6, 3), textcoords="offset points",
            ha="right",
        )  # fmt: skip
    set_weight_plane(axes)
    directions = samples / np.linalg.norm(samples, axis=1, keepdims=True)
    # Samples of one direction, or opposite ones, share a line.
    areas = np.multiply.outer(*directions.T)
    same = np.abs(areas - areas.T) < 1e-12
    lines = int(np.sum(~np.tril(same, -1).any(axis=1)))
    axes.set_title(f"{len(samples)} samples, {2 * lines} cells", fontsize="medium")
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    return axes


def _points(name: str, given: Any) -> np.ndarray:
    """Return points of the plane."""
    if not isinstance(given, np.ndarray | Array) or not is_numeric(given):
        raise TypeError(f"{name} is {shown(given)}; give an array of two columns")
    if is_traced(given) or given.ndim != 2 or given.shape[1] != 2 or not len(given):
        raise ValueError(f"{name} is {shown(given)}; give two columns, and at least one row")
    points = np.asarray(given, np.float64)
    if not np.isfinite(points).all():
        raise ValueError(f"{name} has entries that are not finite")
    return points


def halfplane_line(
    sample: np.ndarray, axes: "Axes", place: int, label: str | None, *, arrow: bool = True
) -> None:
    """Plot w·x = 0 in the style of a place in the palette, and an arrow to where w·x > 0."""
    colour, dash = line_style(place)
    normal = sample / np.linalg.norm(sample)
    along = np.array([-normal[1], normal[0]])
    ends = np.stack([-4 * along, 4 * along])
    axes.plot(*ends.T, color=colour, linestyle=dash, linewidth=1.6 if arrow else 0.6, label=label)
    if arrow:
        foot = 1.75 * along if along[1] > 0 else -1.75 * along
        (x, y), (across, up) = foot.tolist(), (foot + 0.35 * normal).tolist()
        axes.annotate("", (across, up), (x, y), arrowprops={"arrowstyle": "->", "color": colour})


def line_style(place: int) -> tuple[str, Any]:
    """Return the colour, which is not black, and the dashes of a sample's line."""
    return COLOURS[1 + place % (len(COLOURS) - 1)], DASHES[place % len(DASHES)]


def set_weight_plane(axes: "Axes") -> None:
    """Set range, scale and labels of the axes of a weight plane."""
    axes.set(
        xlim=(-_REACH, _REACH), ylim=(-_REACH, _REACH), aspect="equal",
        xlabel="weight of the first input", ylabel="weight of the second input",
    )  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
