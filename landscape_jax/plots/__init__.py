"""Plots of labelled data on matplotlib axes.

- `end_values`: empirical distribution functions of the values at which descents ended.
- `panels`: several axes in the place of one.
- `paper_figure`: what a study lists of a figure that it computes and draws.
- `palette`: colours, line styles and markers.
- `saving`: a figure as a file.
"""

from landscape_jax.plots.end_values import value_distribution as value_distribution
from landscape_jax.plots.paper_figure import PaperFigure as PaperFigure
from landscape_jax.plots.saving import save as save
from landscape_jax.public_names import listing

__dir__ = listing(__name__)
