"""The commands.  They read, call, print and write; what they import is imported when they run."""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperGroup

from landscape_jax.cli import figures, inputs
from landscape_jax.cli.basins import basins
from landscape_jax.cli.cells import cells
from landscape_jax.cli.construct import construct
from landscape_jax.cli.setting import prepare_jax
from landscape_jax.cli.waiting import interruptible, progress_bar

if TYPE_CHECKING:
    import numpy as np

    from landscape_jax.studies.ss18 import Table
    from landscape_jax.studies.ss18.runs import Progress, Size
    from landscape_jax.sweeps.processes import Processes

_SUFFIXES = (".png", ".pdf", ".svg")
# What `prove --json` says of each point, before the certificate's path.
_PROOF = "proven kind reason moved value_lower value_upper min_eigenvalue_lower radius "
_PROOF += "gradient_norm_upper seconds"


class _Commands(TyperGroup):
    """Says every mistake in the arguments in one line, and exits with 2."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        del standalone_mode
        try:
            code = super().main(*args, standalone_mode=False, **extra)
        except typer.TyperException as mistake:
            message = " ".join(mistake.format_message().split())
            typer.echo(f"landscape-jax: {message.rstrip('.')}. See --help.", err=True)
            sys.exit(2)
        except (typer.Abort, KeyboardInterrupt):
            typer.echo("interrupted", err=True)
            sys.exit(130)
        sys.exit(code if isinstance(code, int) else 0)


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Restarts = Annotated[int, typer.Option(min=1, help="Random starts of each size.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="The seed of all starts.")]
Json = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result as JSON.")]


@app.callback()
def _describe() -> None:
    """Critical points of shallow networks' losses: how often descent ends in each, with proof."""


@app.command()
def table(
    sizes: Annotated[
        list[str] | None, typer.Argument(metavar="K:N", help="Teachers and students.")
    ] = None,
    restarts: Restarts = 1000,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep runs and certificates here; resume what is there."),
    ] = None,
    json: Json = None,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="Share the work with the launcher's processes.")
    ] = False,
    coordinator: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Of process 0, without a launcher.")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="How many there are.")] = None,
    process: Annotated[int | None, typer.Option(min=0, help="Which one this is, from 0.")] = None,
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
    with _progress(pairs, restarts) as report:
        found = interruptible(
            lambda: ss18.table(pairs, restarts, seed, out=out, progress=report, processes=place),
            "with --out DIR it could be resumed" if out is None else "repeat the command to resume",
        )
    if place.index > 0:
        return
    if json is not None:
        from landscape_jax.files import write_json

        write_json(json, found.to_json())
    _print_table(found)


@app.command()
def prove(
    points: Annotated[Path, typer.Argument(metavar="POINTS.npy", help="(n, d) or (m, n, d).")],
    teacher: Annotated[
        Path | None, typer.Option(metavar="T.npy", help="(k, d); the identity where left out.")
    ] = None,
    teacher_weights: Annotated[
        Path | None, typer.Option(metavar="B.npy", help="(k,); ones where left out.")
    ] = None,
    student_weights: Annotated[
        Path | None, typer.Option(metavar="A.npy", help="(n,); ones where left out.")
    ] = None,
    max_move: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="How far the proof may polish a point, relative to the length of its shortest "
            "neuron; 0 certifies the point as it is.",
        ),
    ] = 1e-3,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write certificates: point-0000.json, ...")
    ] = None,
    json: Json = None,
) -> None:
    """Prove that the population risk has a strict local minimum near each point, or say why not.

    A row is a neuron.  Points that are not proven are no error: the exit code is 0.

    Example: landscape-jax prove points.npy --teacher teacher.npy --out certificates
    """
    if not math.isfinite(max_move):
        inputs.refuse(f"--max-move is {max_move}; give a finite number")
    weights = {"teacher_weights": teacher_weights, "student_weights": student_weights}
    stack, problem = inputs.read_problem(points, teacher, weights)
    inputs.check_target(json)
    inputs.check_certificates(out)
    entries = _prove_all(stack, problem, max_move, out)
    if json is not None:
        from landscape_jax.files import write_json

        write_json(json, entries)


@app.command()
def verify(
    certificates: Annotated[list[Path], typer.Argument(metavar="CERTIFICATE.json")],
    teacher: Annotated[
        Path | None, typer.Option(metavar="T.npy", help="(k, d); what they are to be about.")
    ] = None,
    teacher_weights: Annotated[
        Path | None, typer.Option(metavar="B.npy", help="(k,); ones where left out.")
    ] = None,
    student_weights: Annotated[
        Path | None, typer.Option(metavar="A.npy", help="(n,); ones where left out.")
    ] = None,
) -> None:
    """Check certificates from their files alone, believing no number in them.

    With --teacher, certificates of another teacher or other second layers do not hold.  The exit
    code is 0 where all hold, 1 where one does not, 2 where a file is no certificate.

    Example: landscape-jax verify certificates/*.json --teacher teacher.npy
    """
    weights = {"teacher_weights": teacher_weights, "student_weights": student_weights}
    risk = inputs.read_risk(teacher, weights)
    from landscape_jax.proofs import Certificate, CertificateError
    from landscape_jax.proofs import verify as check

    worst = 0
    for path in certificates:
        try:
            result = check(path, risk)
            kind = Certificate.load(path).kind
        except CertificateError as error:
            code, line = 2, f"unusable: {error}"
        except OSError as error:
            code, line = 2, f"unusable: {path}: {error.strerror}"
        else:
            code = 0 if result.holds else 1
            line = f"holds: {path}: a {kind} minimum" if result.holds else ""
            line = line or f"does not hold: {path}: {result.reason}"
        typer.echo(line)
        worst = max(worst, code)
    raise typer.Exit(worst)


@app.command()
def figure(
    name: Annotated[str | None, typer.Argument(help="Which figure; see --list.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Or .pdf, .svg.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the figures.")] = False,
    restarts: Restarts = 1000,
    seed: Seed = 0,
    size: Annotated[
        list[str] | None, typer.Option(metavar="K:N", help="Sizes other than the figure's own.")
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep runs here: a table's --out, or new.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Of the figures of LIU.")] = 100,
    normals: Annotated[
        str, typer.Option(metavar="SIGNS", help="Of the four weights of figure A4 of LIU.")
    ] = "++++",
) -> None:
    """Draw one of the papers' figures anew.

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
    with _progress(pairs, restarts) as report:
        values = interruptible(
            lambda: ss18.figure_1(pairs, restarts, seed, out=runs, progress=report),
            "with --runs DIR it could be resumed" if runs is None else "repeat it to resume",
        )
    from landscape_jax.plots import save, value_distribution

    save(out, lambda axes: value_distribution(values, axes))
    typer.echo(f"{out}: {len(pairs)} sizes, {restarts} runs each")


app.command()(construct)
app.command()(cells)
app.command()(basins)


def _join(distributed: bool, out: Path | None, given: tuple) -> "Processes":
    """Join the other processes, where there are some."""
    from landscape_jax.sweeps.processes import ALONE, join

    if not distributed:
        if given != (None, None, None):
            inputs.refuse("--coordinator, --processes and --process need --distributed")
        return ALONE
    if out is None:
        inputs.refuse("--distributed needs --out, a directory that all processes see")
    if any(value is None for value in given) and given != (None, None, None):
        inputs.refuse("give all of --coordinator, --processes and --process, or none of them")
    if None not in given and given[2] >= given[1]:
        inputs.refuse(
            f"--process is {given[2]}; of {given[1]} processes the last is {given[1] - 1}"
        )
    try:
        return join(*given)
    except ValueError as error:
        inputs.refuse(str(error))


@contextmanager
def _progress(sizes: list["Size"], restarts: int) -> "Iterator[Progress]":
    """Show how many runs of all sizes are done."""
    ended = dict.fromkeys(sizes, 0)
    with progress_bar(len(ended) * restarts) as show:

        def report(size: "Size", what: str, done: int, total: int) -> None:
            ended[size] = done if what == "descending" else restarts
            count = f" {done + 1} of {total}" if what == "proving" else ""
            show(f"{size[0]}:{size[1]} {what}{count}", sum(ended.values()))

        yield report


def _print_table(found: "Table") -> None:
    """Print the rows, the reasons of what is unproven, and a summary."""
    from rich.console import Console

    from landscape_jax.studies.ss18 import report

    terminal = Console().is_terminal
    console = Console(width=None if terminal else 200)
    console.print(report.grid(found, width=console.width, ascii_only=not terminal))
    for line in (*report.unproven(found), report.summary(found)):
        typer.echo(line)


def _prove_all(
    points: "np.ndarray", problem: "dict[str, np.ndarray]", max_move: float, out: Path | None
) -> list[dict[str, Any]]:
    """Prove each point, print a line for each, and save the certificates."""
    prepare_jax()
    from landscape_jax.objectives import PopulationRisk
    from landscape_jax.proofs import NotProven, prove_minimum

    risk = PopulationRisk(problem.pop("teacher"), **cast(Any, problem))
    entries = []
    for i, point in enumerate(points):
        proof = prove_minimum(risk, point, max_move=max_move)
        entry = {name: getattr(proof, name) for name in _PROOF.split()} | {"certificate": None}
        if isinstance(proof, NotProven):
            line = f"not proven: {proof.reason}"
        else:
            line = (
                f"{proof.kind} minimum within {proof.radius:.3g}, value {proof.value_upper:.6g}, "
                f"eigenvalues at least {proof.min_eigenvalue_lower:.3g}"
            )
            if out is not None:
                entry["certificate"] = str(proof.save(out / f"point-{i:04d}.json"))
        entries.append(entry)
        typer.echo(f"point {i}: {line}")
    return entries
