"""Eigenvalues of a Hessian: all of them, those of several points, and densities of many."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jax import Array

from landscape_jax.arrays import is_numeric, is_traced
from landscape_jax.critical.density import Density
from landscape_jax.mistakes import explained, shown
from landscape_jax.plots.frames import framed, on_axes
from landscape_jax.plots.palette import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@explained
def eigenvalues(
    spectra: "Mapping[str, Any] | np.ndarray | Array", axes: "Axes | None" = None
) -> "Axes":
    """Plot eigenvalues in increasing order, one line for each point.

    The scale is linear near 0, up to the smallest positive eigenvalue of all, and logarithmic
    beyond, so that negative ones, zeros and small ones are told apart.

    **Arguments:** `spectra`, the eigenvalues of `spectrum`, or several by their labels; `axes`, to
    plot on, new ones where left out.

    **Returns:** the axes.

    **Raises:** `TypeError` or `ValueError` if one is no finite array of one axis.

    ```python
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> axes = eigenvalues({"saddle": np.array([-0.1, 0.2])}, Figure().add_subplot())
    >>> axes.get_ylabel()
    'eigenvalue of the Hessian'

    ```
    """
    lines = spectra if isinstance(spectra, Mapping) else {"": spectra}
    tables = {label: _checked(label, values) for label, values in lines.items()}
    axes = on_axes(axes)
    for place, (label, values) in enumerate(tables.items()):
        look: dict[str, Any] = style(place) | {"markersize": 3.5, "linewidth": 0.8}
        axes.plot(np.arange(1, len(values) + 1), np.sort(values), label=label, **look)
    sizes = np.abs(np.concatenate([*tables.values()]))
    largest = float(sizes.max(initial=0)) or 1.0
    real = sizes[sizes > 1e-10 * largest]
    axes.set_yscale("symlog", linthresh=float(real.min(initial=largest)))
    axes.axhline(0, color="0.5", linewidth=0.8)
    axes.set_xlabel("number")
    axes.set_ylabel("eigenvalue of the Hessian")
    if any(tables):
        axes.legend(frameon=False)
    return framed(axes)


@explained
def density(found: Density, axes: "Axes | None" = None) -> "Axes":
    """Plot the density of eigenvalues with two standard errors, on a logarithmic scale.

    **Arguments:** `found`, from `spectral_density`; `axes`, to plot on, new ones where left out.

    **Returns:** the axes.

    **Raises:** `TypeError` if `found` is something else.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> from matplotlib.figure import Figure
    >>> risk = lj.PopulationRisk(jnp.eye(3))
    >>> found = lj.spectral_density(risk, jnp.eye(3), key=jax.random.key(0))
    >>> density(found, Figure().add_subplot()).get_xlabel()
    'eigenvalue of the Hessian'

    ```
    """
    if not isinstance(found, Density):
        raise TypeError(f"found is {shown(found)}; give what spectral_density returns")
    axes = on_axes(axes)
    grid, middle, error = map(np.asarray, found[:3])
    look: dict[str, Any] = style(1) | {"marker": ""}
    axes.fill_between(
        grid, np.maximum(middle - 2 * error, 0), middle + 2 * error, alpha=0.25,
        color=look["color"], linewidth=0, label="two standard errors",
    )  # fmt: skip
    axes.plot(grid, middle, linewidth=1.6, **look)
    axes.set_yscale("log")
    # What is far below the largest density is rounding.
    axes.set_ylim(1e-6 * float(middle.max()), 2 * float(middle.max()))
    axes.set_xlabel("eigenvalue of the Hessian")
    axes.set_ylabel(f"density, smoothed by {float(found.width):.2g}")
    axes.legend(frameon=False)
    return framed(axes)


def _checked(label: str, values: Any) -> np.ndarray:
    name = f"spectra[{label!r}]" if label else "spectra"
    if not isinstance(values, np.ndarray | Array) or not is_numeric(values) or values.ndim != 1:
        raise TypeError(f"{name} is {shown(values)}; give eigenvalues, an array with one axis")
    if is_traced(values):
        raise ValueError(f"{name} is traced; plot outside jit")
    table = np.asarray(values, np.float64)
    if not table.size or not np.isfinite(table).all():
        raise ValueError(f"{name} is empty or not finite; F has no Hessian there: leave it out")
    return table
