"""F_n(ε) over widths: the probability of an initial basin of value at most ε."""

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from landscape_jax.mistakes import explained
from landscape_jax.progress import StudyProgress, reporting_parts
from landscape_jax.studies.ss16.shares import share_at_most
from landscape_jax.studies.ss16.start_basins import (
    AnyArray,
    Basins,
    basins_of_starts,
    value_at_zero,
)

if TYPE_CHECKING:
    import xarray as xr

_QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)
# Default levels, relative to the value at W = 0.
_SHARES = (0.01, 0.1, 0.5)


@explained
def default_levels(y: Float[AnyArray, " labels"]) -> tuple[float, ...]:
    """Return the default levels ε: 0.01, 0.1 and 0.5 times `value_at_zero`, to four digits.

    ```python
    >>> import numpy as np
    >>> default_levels(np.array([1.0, -1.0]))
    (0.01, 0.1, 0.5)

    ```
    """
    top = value_at_zero(y)
    return tuple(dict.fromkeys(float(f"{share * top:.4g}") for share in _SHARES))


@explained
def distribution(
    x: Float[AnyArray, "samples inputs"],
    y: Float[AnyArray, " labels"],
    widths: Sequence[int],
    starts: int = 1000,
    *,
    seed: int = 0,
    eps: Sequence[float] | None = None,
    tolerance: float | None = None,
    progress: StudyProgress | bool | None = None,
    executor: Executor | None = None,
) -> "xr.Dataset":
    """Estimate F_n(ε), the probability of an initial basin of value at most ε, over widths.

    The network is q(x) = Σᵢ vᵢ [wᵢ·x]₊.  An initialization (start) has each wᵢ uniform on the unit
    sphere and v uniform in {−1, 1}ⁿ, which stays fixed.  Its basin value, the least
    (1/m) Σ_t (q(x_t) − y_t)² in the closed region of its activation pattern, is known between two
    bounds, of which the lower one may hold for bounded weights only (`everywhere`).

    **Arguments:**

    - `x`, (m, d), one sample a row, a bias as a column of ones; `y`, (m,).
    - `widths`: n, different integers; `starts`: the number of initializations of each width, drawn
      as in `basins_of_starts`.
    - `seed`: of all initializations.
    - `eps`: ε, different numbers of at least 0; `default_levels` if omitted.
    - `tolerance`: on the gaps, relative to (1/m) Σ y², see `basin_values`.
    - `progress`: `True` for a bar with the time left, in terminals and notebooks; or a function,
      called with the width, the stage, and the numbers of its starts that are done, and of all.
    - `executor`: whose workers compute the basin values, see `sweep`.

    **Returns:** a dataset over `width`, `start`, `eps` and `quantile`:

    - `value`, `gap`, `solved`, `bounded`, `everywhere` (width, start): see `Basins`.
    - `share`, `share_low`, `share_high`, `undecided` (width, eps): F_n(ε), its 95 % interval, and
      the number of starts that the bounds leave undecided, which widen it: see `share_at_most`.
    - `quantiles` (width, quantile): of `value`, linearly interpolated; those of the basin values
      are lower by at most `worst_gap` (width).

    Where `everywhere` is false, gap and interval refer to the least value over bounded weights,
    with a bound far beyond those found (see `theory.basins.BasinValues.reach`): that no larger
    weights are better is not proven.

    **Raises:** `ValueError` if a width, a level or the number of starts is out of range or
    repeated, the executor forks, or the data are not as described; `SweepError` if pieces failed on
    its workers.

    Source: SS16, definitions 7–9, sections 4.2 and 5, eq. 3.

    ```python
    >>> import jax, numpy as np
    >>> jax.config.update("jax_enable_x64", True)
    >>> x, y = np.eye(2), np.array([1.0, 2.0])
    >>> found = distribution(x, y, [1], 3, eps=[2.4])
    >>> set(found.value.values.ravel().round(6).tolist()) <= {0.0, 0.5, 2.0, 2.5}
    True

    ```
    """
    _check("widths", widths, all(isinstance(n, int | np.integer) and n >= 1 for n in widths))
    levels = default_levels(y) if eps is None else tuple(float(level) for level in eps)
    _check("eps", levels, all(math.isfinite(level) and level >= 0 for level in levels))
    options: Any = {"seed": seed, "tolerance": tolerance, "executor": executor}
    with reporting_parts(progress, map(int, widths), starts) as report:
        found = [
            basins_of_starts(
                x, y, width, starts, progress=partial(report, width, "solving"), **options
            )
            for width in map(int, widths)
        ]
    return _labelled(found, widths, levels, {"seed": seed, "at_zero": value_at_zero(y)})


@explained
def to_json(found: "xr.Dataset", *, eps_names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return a distribution as the JSON value that `landscape-jax basins --json` writes.

    **Arguments:** `found`, from `distribution`; `eps_names`, the names of the ε, by default their
    shortest decimals.

    **Returns:** `{"rows": [{width, starts, share_below: {eps: [estimate, low, high]}, quantiles:
    {0, 0.1, 0.5, 0.9, 1}, worst_gap}]}`.
    """
    names = [str(level) for level in found.eps.values.tolist()] if eps_names is None else eps_names
    rows = []
    for width in found.width.values.tolist():
        row = found.sel(width=width)
        ends = np.stack([row[f"share{end}"] for end in ("", "_low", "_high")], axis=1).tolist()
        quantiles = zip(_QUANTILES, row.quantiles.values.tolist(), strict=True)
        rows.append(
            {
                "width": width,
                "starts": found.sizes["start"],
                "share_below": dict(zip(names, ends, strict=True)),
                "quantiles": {f"{part:g}": value for part, value in quantiles},
                "worst_gap": float(row.worst_gap),
            }
        )
    return {"rows": rows}


def _check(name: str, given: Sequence, good: bool) -> None:
    if not good or not len(given) or len(set(given)) < len(given):
        what = "whole numbers of at least 1" if name == "widths" else "finite numbers of at least 0"
        raise ValueError(f"{name} is {list(given)}; give one or more different {what}")


def _labelled(
    found: list[Basins], widths: Sequence[int], levels: Sequence[float], attrs: dict[str, Any]
) -> "xr.Dataset":
    import xarray as xr

    shares = [[share_at_most(b.value, b.gap, level) for level in levels] for b in found]
    tables: dict[str, Any] = {
        name: (("width", "start"), np.stack([getattr(b, name) for b in found]))
        for name in ("value", "gap", "solved", "bounded", "everywhere")
    }
    for name, end in (("share", "estimate"), ("share_low", "low"), ("share_high", "high")):
        table = [[float(getattr(s.share, end)) for s in row] for row in shares]
        tables[name] = (("width", "eps"), np.array(table))
    undecided = [[s.undecided for s in row] for row in shares]
    quantiles = [np.quantile(b.value, _QUANTILES) for b in found]
    return xr.Dataset(
        tables
        | {
            "undecided": (("width", "eps"), np.array(undecided)),
            "quantiles": (("width", "quantile"), np.stack(quantiles)),
            "worst_gap": ("width", np.array([b.gap.max() for b in found])),
        },
        coords={"width": np.array(widths), "eps": np.array(levels), "quantile": list(_QUANTILES)},
        attrs=attrs,
    )
