"""Colours and line styles of the plots, for all kinds of colour vision and in grey."""

from typing import Any

# Okabe & Ito's palette, without its yellow, which is too pale.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
