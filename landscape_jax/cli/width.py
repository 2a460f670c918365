"""The command that measures what additional neurons buy."""

from typing import Annotated

import typer

from landscape_jax.cli import inputs
from landscape_jax.cli.options import Dask, Json, Mixed, Out, Restarts, Seed, Workers
from landscape_jax.cli.outputs import write_json
from landscape_jax.cli.setting import prepare_jax
from landscape_jax.cli.waiting import interruptible, resumable
from landscape_jax.cli.workers import executor_of


def width(
    teachers: Annotated[
        list[str] | None,
        typer.Argument(metavar="K", help="Number of teachers."),
    ] = None,
    extra: Annotated[
        str, typer.Option(metavar="H,H,...", help="Students more than teachers.")
    ] = "0,1,2,3",
    restarts: Restarts = 1000,
    seed: Seed = 0,
    activation: Annotated[
        str, typer.Option(metavar="NAME", help="Of students and teachers: relu, erf, tanh, ...")
    ] = "relu",
    both: Annotated[
        bool, typer.Option("--both", help="Train the second layer too (relu).")
    ] = False,
    scales: Annotated[
        str,
        typer.Option(metavar="S,S,...", help="Initial weights are N(0, S^2 / K)."),
    ] = "1",
    float32: Annotated[
        bool,
        typer.Option("--float32", help="Descend in float32; finish in float64 on the CPU."),
    ] = False,
    out: Out = None,
    json: Json = None,
    workers: Workers = None,
    dask: Dask = None,
    mixed: Mixed = False,
) -> None:
    """Measure what additional neurons buy: how often descent succeeds, how fast, and what is left.

    N = K + H students learn K orthonormal teachers.  The default K are 6 8 10.  A run is global
    where it is shown to lead to a point of value 0.  The others are grouped into families, and
    proven spurious where a verified certificate says so.  To each spurious minimum of N = K a
    neuron is added, to see where descent then leads.

    Example: landscape-jax width 7 --extra 0,1 --restarts 100 --json width.json
    """
    given = [inputs.teachers(text) for text in teachers or []]
    hs = inputs.numbers("--extra", extra, int, 0, "whole numbers of at least 0, such as 0,1,2")
    sizes = inputs.numbers("--scales", scales, float, 0, "positive numbers, such as 0.5,1,2")
    if max(hs) > inputs.MOST_NEURONS:
        inputs.refuse(f"--extra is {extra!r}; give numbers of at most {inputs.MOST_NEURONS}")
    if 0 in sizes:
        inputs.refuse(f"--scales is {scales!r}; give positive numbers, such as 0.5,1,2")
    inputs.check_target(json)
    if mixed and out is None:
        inputs.refuse("--mixed needs --out, the directory that is to hold runs of several kinds")
    prepare_jax()
    from landscape_jax.cli.grids import print_grids
    from landscape_jax.networks.activations import NAMES
    from landscape_jax.studies import width as study
    from landscape_jax.studies.width import width_report

    if activation not in NAMES:
        inputs.refuse(f"--activation is {activation!r}; give one of {', '.join(NAMES)}")
    if both and activation != "relu":
        inputs.refuse(f"--both needs --activation relu, not {activation}")
    ks = list(dict.fromkeys(given or study.TEACHERS))
    with executor_of(workers, dask) as executor:
        found = interruptible(
            lambda: study.table(
                ks,
                hs,
                restarts,
                seed,
                activation=activation,
                trained="both" if both else "first",
                scales=sizes,
                precision="float32" if float32 else "float64",
                out=out,
                progress=True,
                executor=executor,
                mixed=mixed,
            ),
            resumable(out),
        )
    write_json(json, found.to_json())
    print_grids(width_report.GROUPS, map(width_report.cells, found.rows))
    for line in width_report.lines(found):
        typer.echo(line)
