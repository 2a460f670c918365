"""Colours and line styles of the plots, for all kinds of colour vision and in grey."""

from typing import Any

# Okabe & Ito's palette, without its yellow, which is too pale.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# Diverging colours around zero, and colours of one direction: lighter means larger in grey too.
DIVERGING, SEQUENTIAL = "PuOr_r", "cividis"


def series_colour(place: int) -> str:
    """Return the colour of a series; the first is that of the text: black, or white on black."""
    import matplotlib as mpl

    number = place % len(COLOURS)
    return str(mpl.rcParams["text.color"]) if number == 0 else COLOURS[number]


def style(place: int) -> dict[str, Any]:
    """Return colour, marker and line of a series: those of two differ in grey too."""
    return {
        "color": series_colour(place),
        "marker": MARKERS[place % len(MARKERS)],
        "linestyle": DASHES[place // len(COLOURS) % len(DASHES)],
    }
