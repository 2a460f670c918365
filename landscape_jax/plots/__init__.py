"""Pictures of any objective: results in, matplotlib axes out, new ones where none are given.

- `along_descents`: values along recorded descents.
- `cuts`: values on a line or a plane in parameter space, and barriers.
- `end_values`: empirical distribution functions of the values at which descents ended.
- `frames`: the axes of a plot, and the style that all share.
- `over_width`: shares of runs against a number, such as the width.
- `panels`: several axes in the place of one.
- `paper_figure`: what a study lists of a figure that it computes and draws.
- `palette`: colours, line styles and markers.
- `saving`: a figure as a file.
- `spectral`: eigenvalues of a Hessian, and their density.
- `weight_plane`: the cells into which samples cut the plane of a neuron's weights.
- `weight_table`: the weights of a point, ordered by its symmetry.
"""

from landscape_jax.plots.along_descents import trajectories as trajectories
from landscape_jax.plots.cuts import cut as cut
from landscape_jax.plots.end_values import value_distribution as value_distribution
from landscape_jax.plots.over_width import shares as shares
from landscape_jax.plots.paper_figure import PaperFigure as PaperFigure
from landscape_jax.plots.saving import save as save
from landscape_jax.plots.spectral import density as density
from landscape_jax.plots.spectral import eigenvalues as eigenvalues
from landscape_jax.plots.weight_plane import cell_partition as cell_partition
from landscape_jax.plots.weight_table import weights as weights
from landscape_jax.public_names import listing

__dir__ = listing(__name__)
