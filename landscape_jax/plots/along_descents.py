"""Recorded descents: values, or gradient norms, against steps."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from landscape_jax.mistakes import explained, shown
from landscape_jax.plots.frames import framed, on_axes
from landscape_jax.plots.palette import style
from landscape_jax.search.trajectories import Trajectories

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# With more descents than these, all have one colour and none is in the legend.
_NAMED = 7
_LABELS = {"value": "F", "gradient_norm": "gradient norm"}


@explained
def trajectories(
    found: Trajectories,
    axes: "Axes | None" = None,
    *,
    quantity: Literal["value", "gradient_norm"] = "value",
) -> "Axes":
    """Plot the values of recorded descents against the steps, both on logarithmic scales.

    **Arguments:** `found`, from `trajectories`; `axes`, to plot on, new ones where left out;
    `quantity`, "value" or "gradient_norm".

    **Returns:** the axes.

    **Raises:** `TypeError` or `ValueError` if an argument is something else.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> from matplotlib.figure import Figure
    >>> risk, start = lj.PopulationRisk(jnp.eye(2)), lj.starts.gaussian((2, 2))
    >>> found = lj.trajectories(risk, start, 3, key=jax.random.key(0), steps=10)
    >>> len(trajectories(found, Figure().add_subplot()).lines)
    3

    ```
    """
    if not isinstance(found, Trajectories):
        raise TypeError(f"found is {shown(found)}; give what trajectories returns")
    if quantity not in _LABELS:
        raise ValueError(f"quantity is {quantity!r}; give 'value' or 'gradient_norm'")
    axes = on_axes(axes)
    restarts, steps = np.asarray(found.restart_index), np.asarray(found.step)
    few = len(restarts) <= _NAMED
    for place, (restart, step, values) in enumerate(
        zip(restarts, steps, np.asarray(getattr(found, quantity)), strict=True)
    ):
        look: dict[str, Any] = style(place if few else 1) | {"markersize": 4, "markevery": 0.12}
        look |= {} if few else {"marker": "", "alpha": 0.5}
        label = f"restart {restart}" if few else None
        axes.plot(step, values, linewidth=1.3 if few else 0.8, label=label, **look)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_yscale("log")
    axes.set_xlim(left=0)
    axes.set_xlabel("steps")
    axes.set_ylabel(_LABELS[quantity])
    if few:
        axes.legend(frameon=False)
    return framed(axes)
