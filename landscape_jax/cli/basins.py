"""The command that measures how good the basins of random initializations are."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landscape_jax.cli import inputs
from landscape_jax.cli.data import DataTable, homogeneous, read_table
from landscape_jax.cli.options import Dask, Data, Json, NoBias, Seed, Starts, Target, Workers
from landscape_jax.cli.outputs import write_json
from landscape_jax.cli.setting import prepare_jax
from landscape_jax.cli.waiting import interruptible
from landscape_jax.cli.workers import executor_of

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr


def basins(
    data: Data,
    target: Target,
    widths: Annotated[str, typer.Option(metavar="N,N,...", help="Numbers of hidden neurons.")],
    starts: Starts = 1000,
    eps: Annotated[
        str | None,
        typer.Option(
            metavar="E,E,...", help="Levels; 0.01, 0.1 and 0.5 of (1/m) sum y^2 where left out."
        ),
    ] = None,
    seed: Seed = 0,
    no_bias: NoBias = False,
    json: Json = None,
    workers: Workers = None,
    dask: Dask = None,
) -> None:
    """Estimate how often a wide ReLU network starts in a good basin of a data set's loss.

    The loss is the mean square of the errors.  At a start each neuron is uniform on the unit
    sphere, and output weights are 1 or -1 and stay so.  While no neuron changes its sign on any
    sample the loss is convex: its least value there is the basin value, and found with a bound of
    the error, which for some starts holds for weights of bounded size only.  Shares come with 95 %
    intervals.  Columns of very different sizes make most neurons alike: scale them first.

    Example: landscape-jax basins data.csv --target price --widths 2,4,8 --json basins.json
    """
    sizes = inputs.numbers("--widths", widths, int, 1, "whole numbers of at least 1, such as 2,4,8")
    levels = (
        None if eps is None else inputs.numbers("--eps", eps, float, 0, "numbers of at least 0")
    )
    inputs.check_target(json, data)
    table = read_table(data, target)
    prepare_jax()
    from landscape_jax.studies import ss16

    x, y = _arrays(data, table, no_bias)

    with executor_of(workers, dask) as executor:
        try:
            found = interruptible(
                lambda: ss16.distribution(
                    x, y, sizes, starts, seed=seed, eps=levels, progress=True, executor=executor
                ),
                "nothing is kept; repeat the command",
            )
        except ValueError as error:
            inputs.refuse(f"{data}: {error}")
    names = (",".join(map(str, found.eps.values.tolist())) if eps is None else eps).split(",")
    names = [name.strip() for name in names]
    write_json(json, ss16.to_json(found, eps_names=names))
    bias = "" if no_bias else " and a bias"
    typer.echo(f"{table}{bias}, {starts} starts of each width, seed {seed}")
    for line in _lines(found, names, default=eps is None):
        typer.echo(line)


def _lines(found: "xr.Dataset", names: list[str], *, default: bool) -> Iterator[str]:
    """Print the values, the shares, and what the bounds leave open."""
    top = found.attrs["at_zero"]
    yield f"no basin value exceeds (1/m) sum y^2 = {top:.6g}, that of all weights 0"
    yield "\nbasin values, at most the worst gap too high"
    heads = ("width", "least", "10 %", "median", "90 %", "largest", "worst gap")
    yield "".join(f"{head:>{6 if head == 'width' else 12}}" for head in heads)
    for width in found.width.values.tolist():
        row = found.sel(width=width)
        values = [*row.quantiles.values.tolist(), float(row.worst_gap)]
        yield f"{width:>6}" + "".join(f"{value:>12.4g}" for value in values)
    yield "\nshare of starts whose basin value is at most eps, with its 95 % interval"
    yield " width" + "".join(f"{'eps ' + name:>27}" for name in names)
    for width in found.width.values.tolist():
        row = found.sel(width=width)
        table = zip(row.share.values, row.share_low.values, row.share_high.values, strict=True)
        shares = (f"{share:.1%} ({low:.1%} to {high:.1%})" for share, low, high in table)
        yield f"{width:>6}" + "".join(f"{share:>27}" for share in shares)
    if default:
        yield "eps: about 0.01, 0.1 and 0.5 of (1/m) sum y^2; choose others by --eps"
    open_, unsolved = int(found.undecided.sum()), int((~(found.solved | found.bounded)).sum())
    above = found.value > found.eps.min()
    if bounded := int((~found.everywhere).sum()):
        yield f"{bounded} starts are bounded from below for weights of bounded size only"
    if limited := int((above & ~found.everywhere).sum()):
        yield f"{limited} starts count as above an eps for bounded weights only"
    if unsolved:
        yield f"{unsolved} starts have a gap above 1e-8 of (1/m) sum y^2"
    if open_:
        yield f"{open_} times a gap leaves a start's side of eps open: see the interval"


def _arrays(path: Path, table: DataTable, no_bias: bool) -> "tuple[np.ndarray, np.ndarray]":
    """Return the samples in float64, with a column of ones for the bias."""
    import numpy as np

    rows = homogeneous(path, table, no_bias)
    try:
        return np.array(rows, np.float64), np.array(table.y, np.float64)
    except OverflowError:
        inputs.refuse(f"{path} has a number beyond float64; scale the column")
