"""Charts of benchmark results: lines over logarithmic axes, and stacked bars."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from landscape_jax.plots.palette import COLOURS, DASHES, MARKERS


class Panel(NamedTuple):
    """Lines over one x; a value of `None` leaves a gap."""

    x_label: str
    y_label: str
    x: Sequence[float]
    lines: Mapping[str, Sequence[float | None]]


def draw(path: Path, panels: Sequence[Panel]) -> None:
    """Draw the panels side by side and write them to a file."""
    figure = Figure(figsize=(5.5 * len(panels), 5), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for place, (label, values) in enumerate(panel.lines.items()):
            numbers = [float("nan") if value is None else value for value in values]
            dashed = label.startswith(("limit", "baseline"))
            axes.plot(
                panel.x,
                numbers,
                color=COLOURS[0] if dashed else COLOURS[1 + place % (len(COLOURS) - 1)],
                linestyle=DASHES[1] if dashed else "-",
                marker=None if dashed else MARKERS[place % len(MARKERS)],
                label=label,
            )
        axes.set(xscale="log", yscale="log", xlabel=panel.x_label, ylabel=panel.y_label)
        axes.xaxis.set_major_locator(FixedLocator(list(panel.x)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.grid(color="0.9", linewidth=0.6)
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    figure.savefig(path, dpi=150)


def stack(path: Path, y_label: str, bars: Mapping[str, Mapping[str, float]]) -> None:
    """Draw one bar for each entry, its parts on top of each other, and write them to a file."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    bottom = [0.0] * len(bars)
    for place, label in enumerate(next(iter(bars.values()))):
        heights = [parts[label] for parts in bars.values()]
        axes.bar(list(bars), heights, bottom=bottom, label=label, color=COLOURS[1 + place])
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    axes.set(xlabel="case", ylabel=y_label)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
