"""The barrier on the straight line between two points, after alignment by the symmetry."""

from typing import TYPE_CHECKING, SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from landscape_jax.arrays import is_traced
from landscape_jax.critical import slices
from landscape_jax.critical.checks import like_point, one_point, parts
from landscape_jax.critical.nearest_image import nearest_image
from landscape_jax.mistakes import explained, shown
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.summary import Summarised, Summary

if TYPE_CHECKING:
    import xarray as xr


class Barrier(Summarised, eqx.Module):
    """Values on the straight line from one point to an image of another.

    - `height`: the largest of the values, minus the one at the first point: 0 where F never rises.
    - `t`, `value`: F(one + t (image − one)) for t from 0 to 1.
    - `image`: the image of the other point that the line leads to, of the same value.
    """

    height: Float[Array, ""]
    t: Float[Array, " points"]
    value: Float[Array, " points"]
    image: PyTree

    def summarise(self) -> Summary:
        """Return the height, and the values at both ends, in a line."""
        if is_traced(self):
            return Summary("Barrier(traced)")
        first, last = float(self.value[0]), float(self.value[-1])
        return Summary(f"Barrier(height={float(self.height):.6g}, from {first:.6g} to {last:.6g})")

    def to_xarray(self) -> "xr.DataArray":
        """Return the values with the coordinate t."""
        return slices.Slice((self.t,), self.value).to_xarray()


@explained
def barrier(
    objective: AbstractObjective,
    one: PyTree,
    other: PyTree,
    *,
    align: bool = True,
    points: SupportsIndex = 201,
) -> Barrier:
    """Compute the barrier on the straight line between two points, modulo the symmetry.

    The other point is first replaced by its image under the group of `objective.known(…).symmetry`
    that is nearest to `one`: its hidden neurons are matched to those of `one` by linear assignment
    (with their signs and scales where the group has these), and so are the teacher's directions
    where the group permutes them.  The barrier of another image, or along a curve, may be lower.

    **Arguments:** `objective`; `one` and `other`, params, known outside `jit` where `align` holds;
    `align`, `False` for the line as given; `points`, how many values on the line.

    **Returns:** a `Barrier`: `value.max()` is the highest value on the line, and `height` the same
    minus the value at `one`, the climb from there.  Swap the points for the climb from `other`.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range, or is
    traced where it is to be aligned; the message names it.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> risk, W = lj.PopulationRisk(jnp.eye(2)), jnp.eye(2)
    >>> swapped = barrier(risk, W, W[::-1], align=False)
    >>> f"{swapped.height:.4f}", f"{barrier(risk, W, W[::-1]).height:.4f}"
    ('0.0908', '0.0000')

    ```
    """
    if not isinstance(align, bool):
        raise TypeError(f"align is {shown(align)}; it must be True or False")
    checked, first = one_point(objective, one, "one")
    like_point("other", other, first)
    arrays, fixed = parts("other", other)
    if align:
        if is_traced(first, arrays):
            raise ValueError("one and other are traced; give align=False, or call outside jit")
        for name, point in (("one", first), ("other", arrays)):
            if not all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(point)):
                raise ValueError(f"{name} has entries that are not finite; nothing matches them")
        symmetry = objective.known(one).symmetry
        arrays = jax.tree.map(jnp.asarray, nearest_image(symmetry, first, arrays))
    line = slices.line(checked, first, arrays, points=points)
    image = arrays if fixed is None else eqx.combine(arrays, fixed)
    return Barrier(jnp.max(line.value) - line.value[0], line.coordinates[0], line.value, image)
