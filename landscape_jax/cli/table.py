"""The command that counts and proves spurious minima, beside the published table."""

from typing import TYPE_CHECKING, Annotated

import typer

from landscape_jax.cli import inputs
from landscape_jax.cli.options import Dask, Json, Mixed, Out, Restarts, Seed, Workers
from landscape_jax.cli.outputs import write_json
from landscape_jax.cli.setting import prepare_jax
from landscape_jax.cli.waiting import interruptible, resumable
from landscape_jax.cli.workers import executor_of

if TYPE_CHECKING:
    from landscape_jax.studies.ss18 import Table


def table(
    sizes: Annotated[
        list[str] | None, typer.Argument(metavar="K:N", help="K teachers and N students.")
    ] = None,
    restarts: Restarts = 1000,
    seed: Seed = 0,
    out: Out = None,
    json: Json = None,
    workers: Workers = None,
    dask: Dask = None,
    mixed: Mixed = False,
) -> None:
    """Count and prove the spurious minima that descent ends in, beside the published table.

    The default sizes are 6:6 7:7 8:8 9:9 10:10.  Counted are the runs that end at or above the
    value 1e-3; they are proven spurious where a verified certificate says that their end is a
    minimum and another point lower.  The paper's tables have N >= K; with N < K no point may be
    below 1e-3, and nothing is called spurious.
    With --workers or --dask other processes run the restarts; the table is the same to the bit.

    Example: landscape-jax table 7:7 8:8 --restarts 100 --out sweep --json table.json
    """
    pairs = [inputs.size(text) for text in sizes or []]
    inputs.check_target(json)
    if mixed and out is None:
        inputs.refuse("--mixed needs --out, the directory that is to hold runs of several kinds")
    prepare_jax()
    from landscape_jax.studies import ss18

    pairs = pairs or list(ss18.SIZES)
    with executor_of(workers, dask) as executor:
        found = interruptible(
            lambda: ss18.table(
                pairs, restarts, seed, out=out, progress=True, executor=executor, mixed=mixed
            ),
            resumable(out),
        )
    write_json(json, found.to_json())
    _print_table(found)


def _print_table(found: "Table") -> None:
    """Print the rows, why some families are unproven, and a summary."""
    from landscape_jax.cli.grids import print_grids
    from landscape_jax.native import kernels
    from landscape_jax.studies.ss18 import report

    print_grids(report.GROUPS, map(report.cells, found.rows))
    for line in (*report.unproven(found), report.summary(found)):
        typer.echo(line)
    typer.echo(f"CPU kernel relu_risk: {kernels()['relu_risk']}")
