"""The weights of a point as a table of colours, ordered by its symmetry."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jax import Array

from landscape_jax.arrays import is_numeric, is_traced
from landscape_jax.mistakes import explained, shown
from landscape_jax.plots.frames import colour_bar, on_axes
from landscape_jax.plots.palette import DIVERGING
from landscape_jax.proofs.point_symmetry import Isotropy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Numbers are written into tables of at most so many rows and columns.
_WRITTEN = 9
# The most numbers along an axis.
_TICKS = 16


@explained
def weights(W: "np.ndarray | Array", axes: "Axes | None" = None, *, isotropy: Any = None) -> "Axes":
    """Plot a weight array (n, d), one neuron a row; with its symmetry, ordered by blocks.

    With an `Isotropy`, neurons and the coordinates of orthonormal teachers e₁, …, e_d stand in the
    order of their blocks, which lines separate: within a rectangle there are at most two colours.

    **Arguments:** `W`, (n, d); `axes`, to plot on, new ones where left out; `isotropy`, from
    `isotropy(risk, W)` for teachers that are the coordinate vectors.

    **Returns:** the axes.

    **Raises:** `TypeError` or `ValueError` if W is no finite matrix, or the isotropy is none of it.

    ```python
    >>> import jax.numpy as jnp, landscape_jax as lj
    >>> from matplotlib.figure import Figure
    >>> risk, W = lj.PopulationRisk(jnp.eye(3)), jnp.eye(3)[::-1]
    >>> axes = weights(W, Figure().add_subplot(), isotropy=lj.isotropy(risk, W))
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['3', '2', '1']

    ```
    """
    if not isinstance(W, np.ndarray | Array) or W.ndim != 2 or not is_numeric(W):
        raise TypeError(f"W is {shown(W)}; give a matrix of weights, one neuron a row")
    if is_traced(W) or not np.isfinite(np.asarray(W)).all() or not W.size:
        raise ValueError(f"W is {shown(W)}; give finite weights that are known")
    table = np.asarray(W, np.float64)
    rows, columns = np.arange(table.shape[0]), np.arange(table.shape[1])
    cuts: tuple[list[int], list[int]] = [], []
    if isotropy is not None:
        rows, columns, cuts = _order(isotropy, table)
    axes = on_axes(axes, width=5.0)
    reach = float(np.abs(table).max()) or 1.0
    image = axes.imshow(
        table[rows][:, columns], cmap=DIVERGING, vmin=-reach, vmax=reach, aspect="auto"
    )
    colour_bar(axes, image, "weight")
    if max(table.shape) <= _WRITTEN:
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                value = table[row, column]
                # Dark colours are at both ends.
                ink = "white" if abs(value) > 0.6 * reach else "black"
                text = f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
                axes.text(j, i, text, ha="center", va="center", color=ink, fontsize="x-small")
    for places, axis in ((columns, axes.xaxis), (rows, axes.yaxis)):
        named = range(0, len(places), -(-len(places) // _TICKS))
        axis.set_ticks(named, [str(places[place] + 1) for place in named])
    for cut in cuts[0]:
        axes.axhline(cut - 0.5, color="black", linewidth=1.2)
    for cut in cuts[1]:
        axes.axvline(cut - 0.5, color="black", linewidth=1.2)
    axes.set_xlabel("coordinate")
    axes.set_ylabel("neuron")
    return axes


def _order(
    isotropy: Any, table: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[list[int], list[int]]]:
    """Return neurons and coordinates in the order of their blocks, and where these end."""
    if not isinstance(isotropy, Isotropy):
        raise TypeError(f"isotropy is {shown(isotropy)}; give what isotropy(risk, W) returns")
    rows = np.concatenate([np.array(block, int) for block in isotropy.blocks])
    columns = np.concatenate([np.array(block, int) for block in isotropy.teacher_blocks])
    if (len(rows), len(columns)) != table.shape:
        raise ValueError(
            f"isotropy has {len(rows)} students and {len(columns)} teachers, W the shape "
            f"{table.shape}; give that of this point, for the coordinate vectors as teachers"
        )
    ends = [np.cumsum(sizes)[:-1].tolist() for sizes in isotropy.sizes]
    return rows, columns, (ends[0], ends[1])
