"""The command that counts and proves spurious minima, beside the published table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landscape_jax.cli import inputs
from landscape_jax.cli.options import MOST_RESTARTS, Json, Restarts, Seed
from landscape_jax.cli.outputs import write_json
from landscape_jax.cli.setting import prepare_jax
from landscape_jax.cli.waiting import interruptible, runs_progress

if TYPE_CHECKING:
    from landscape_jax.studies.ss18 import Table
    from landscape_jax.sweeps.processes import Processes


def table(
    sizes: Annotated[
        list[str] | None, typer.Argument(metavar="K:N", help="K teachers and N students.")
    ] = None,
    restarts: Restarts = 1000,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Directory in which runs and certificates are kept, and resumed."
        ),
    ] = None,
    json: Json = None,
    distributed: Annotated[
        bool,
        typer.Option("--distributed", help="Share the work among the processes of a launcher."),
    ] = False,
    coordinator: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Address of process 0; not needed under a launcher."
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=MOST_RESTARTS, help="Total number of processes."),
    ] = None,
    process: Annotated[
        int | None, typer.Option(metavar="I", min=0, help="Index of this process, from 0.")
    ] = None,
) -> None:
    """Count and prove the spurious minima that descent ends in, beside the published table.

    The default sizes are 6:6 7:7 8:8 9:9 10:10.  Counted are the runs that end at or above the
    value 1e-3; they are proven spurious where a verified certificate says that their end is a
    minimum and another point lower.  The paper's tables have N >= K; with N < K no point may be
    below 1e-3, and nothing is called spurious.
    With --distributed the same command is started once for each process, on machines that all
    see --out; process 0 prints the table.

    Example: landscape-jax table 8:8 10:10 --restarts 1000 --out sweep --json table.json
    """
    pairs = [inputs.size(text) for text in sizes or []]
    inputs.check_target(json)
    prepare_jax()
    place = _join(distributed, out, (coordinator, processes, process))
    from landscape_jax.studies import ss18

    pairs = pairs or list(ss18.SIZES)
    with runs_progress(pairs, restarts) as report:
        found = interruptible(
            lambda: ss18.table(pairs, restarts, seed, out=out, progress=report, processes=place),
            "with --out DIR it could be resumed" if out is None else "repeat the command to resume",
        )
    if place.index > 0:
        return
    write_json(json, found.to_json())
    _print_table(found)


def _join(distributed: bool, out: Path | None, given: tuple) -> "Processes":
    """Join the other processes, if there are any."""
    from landscape_jax.sweeps.processes import ALONE, join

    if not distributed:
        if given != (None, None, None):
            inputs.refuse("--coordinator, --processes and --process need --distributed")
        return ALONE
    if out is None:
        inputs.refuse("--distributed needs --out, a directory that all processes see")
    if any(value is None for value in given) and given != (None, None, None):
        inputs.refuse("give all of --coordinator, --processes and --process, or none of them")
    if given[0] is not None:
        inputs.address(given[0])
    if None not in given and given[2] >= given[1]:
        inputs.refuse(
            f"--process is {given[2]}; of {given[1]} processes the last is {given[1] - 1}"
        )
    try:
        return join(*given)
    except ValueError as error:
        inputs.refuse(str(error))


def _print_table(found: "Table") -> None:
    """Print the rows, why some families are unproven, and a summary."""
    from rich.console import Console

    from landscape_jax.studies.ss18 import report

    terminal = Console().is_terminal
    console = Console(width=None if terminal else 200)
    for grid in report.grids(found, width=console.width, ascii_only=not terminal):
        console.print(grid)
    for line in (*report.unproven(found), report.summary(found)):
        typer.echo(line)
