"""The command that draws the papers' figures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landscape_jax.cli import figures, inputs
from landscape_jax.cli.options import Restarts, Seed
from landscape_jax.cli.setting import prepare_jax
from landscape_jax.cli.waiting import interruptible, runs_progress

if TYPE_CHECKING:
    pass


_SUFFIXES = (".png", ".pdf", ".svg")


def figure(
    name: Annotated[str | None, typer.Argument(help="Name of the figure; see --list.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="File to write: .png, .pdf or .svg.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the figures.")] = False,
    restarts: Restarts = 1000,
    seed: Seed = 0,
    size: Annotated[
        list[str] | None, typer.Option(metavar="K:N", help="Sizes other than the figure's own.")
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Directory in which runs are kept and resumed; may be a table's --out.",
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, help="Samples per data set (LIU figures only).")
    ] = 100,
    normals: Annotated[
        str, typer.Option(metavar="SIGNS", help="Signs of the four weights (LIU figure A4 only).")
    ] = "++++",
) -> None:
    """Draw one of the papers' figures from newly computed data.

    Example: landscape-jax figure ss18-1 --out figure1.png
    """
    if list_:
        for known, title in figures.FIGURES.items():
            typer.echo(f"{known}  {title}")
        return
    known = ", ".join(figures.FIGURES)
    if name not in figures.FIGURES:
        inputs.refuse(
            f"name one: {known}" if name is None else f"{name!r} is no figure; there is {known}"
        )
    pairs = [inputs.size(text) for text in size or []]
    if out is None or out.suffix not in _SUFFIXES:
        inputs.refuse(f"give --out a file whose name ends in {', '.join(_SUFFIXES)}")
    inputs.check_target(out)
    prepare_jax()
    if name != "ss18-1":
        figures.draw(name, out, figures.Choices(restarts, samples, seed, normals))
        return
    from landscape_jax.studies import ss18

    pairs = pairs or list(ss18.FIGURE_1_SIZES)
    with runs_progress(pairs, restarts) as report:
        values = interruptible(
            lambda: ss18.figure_1(pairs, restarts, seed, out=runs, progress=report),
            "with --runs DIR it could be resumed" if runs is None else "repeat it to resume",
        )
    from landscape_jax.plots import save, value_distribution

    save(out, lambda axes: value_distribution(values, axes))
    typer.echo(f"{out}: {len(pairs)} sizes, {restarts} runs each")
