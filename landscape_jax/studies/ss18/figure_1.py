"""Figure 1: the values at which descent ends."""

from collections.abc import Iterable
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from landscape_jax.mistakes import explained
from landscape_jax.plots import PaperFigure, value_distribution
from landscape_jax.progress import StudyProgress, reporting_parts
from landscape_jax.studies.ss18.protocol import Size, checked, search, store
from landscape_jax.sweeps.chunks import run_chunks

if TYPE_CHECKING:
    import xarray as xr

FIGURE_1_SIZES: tuple[Size, ...] = ((6, 6), (8, 8), (10, 10), (14, 14), (20, 20), (19, 20))


@explained
def figure_1(
    sizes: Iterable[Size] = FIGURE_1_SIZES,
    restarts: int = 1000,
    seed: int = 0,
    *,
    out: str | PathLike[str] | None = None,
    progress: StudyProgress | bool | None = None,
) -> "xr.DataArray":
    """Compute the values at the ends of the runs of `table`, with the same arguments.

    **Returns:** values of dims (size, restart), with the coordinates k and n of each size.

    Source: SS18, figure 1.
    """
    import xarray as xr

    pairs = checked(sizes, restarts, seed)
    with (
        store(out, pairs[0], seed) as place,
        reporting_parts(progress, pairs, restarts) as report,
    ):
        runs = [
            run_chunks(
                search(size, seed), restarts, place, progress=partial(report, size, "descending")
            )
            for size in pairs
        ]
    return xr.DataArray(
        np.stack([np.asarray(ends.value) for ends in runs]),
        dims=("size", "restart"),
        coords={
            "k": ("size", [k for k, _ in pairs]),
            "n": ("size", [n for _, n in pairs]),
            "restart": np.arange(restarts),
        },
        name="objective",
    )


FIGURES = {"ss18-1": PaperFigure(
    "SS18, figure 1: at which values descent ends, for several sizes",
    figure_1, value_distribution, "{size} sizes, {restarts} runs each",
    {"size": "sizes", "restarts": "restarts", "seed": "seed", "runs": "out"},
)}  # fmt: skip
