"""The commands.  They read, call, print and write; what they import is imported when they run."""

import math
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar, cast

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    import numpy as np

    from landscape_jax.studies.ss18 import Table
    from landscape_jax.studies.ss18.runs import Progress, Size

Result = TypeVar("Result")
_FIGURES = {"ss18-1": "SS18, figure 1: at which values descent ends, for several sizes"}
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
) -> None:
    """Count and prove the spurious minima that descent ends in, beside the published table.

    The default sizes are 6:6 7:7 8:8 9:9 10:10.  A run is spurious where it ends at or above the
    value 1e-3, proven where a verified certificate says that its end is a spurious minimum.

    Example: landscape-jax table 8:8 10:10 --restarts 1000 --out sweep --json table.json
    """
    pairs = [_size(text) for text in sizes or []]
    _check_target(json)
    _prepare_jax()
    from landscape_jax.studies import ss18

    pairs = pairs or list(ss18.SIZES)
    with _progress(pairs, restarts) as report:
        found = _interruptible(
            lambda: ss18.table(pairs, restarts, seed, out=out, progress=report),
            "with --out DIR it could be resumed" if out is None else "repeat the command to resume",
        )
    if json is not None:
        from landscape_jax.storage import write_json

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
        float, typer.Option(min=0.0, help="How far the proof may polish a point.")
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
        _refuse(f"--max-move is {max_move}; give a finite length")
    weights = {"teacher_weights": teacher_weights, "student_weights": student_weights}
    stack, problem = _read_problem(points, teacher, weights)
    _check_target(json)
    _check_certificates(out)
    entries = _prove_all(stack, problem, max_move, out)
    if json is not None:
        from landscape_jax.storage import write_json

        write_json(json, entries)


@app.command()
def verify(
    certificates: Annotated[list[Path], typer.Argument(metavar="CERTIFICATE.json")],
) -> None:
    """Check certificates from their files alone, believing no number in them.

    The exit code is 0 where all hold, 1 where one does not, 2 where a file is no certificate.

    Example: landscape-jax verify certificates/*.json
    """
    from landscape_jax.proofs import Certificate, CertificateError
    from landscape_jax.proofs import verify as check

    worst = 0
    for path in certificates:
        try:
            result = check(path)
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
) -> None:
    """Draw one of the papers' figures anew.

    Example: landscape-jax figure ss18-1 --out figure1.png
    """
    if list_:
        for known, title in _FIGURES.items():
            typer.echo(f"{known}  {title}")
        return
    known = ", ".join(_FIGURES)
    if name not in _FIGURES:
        _refuse(
            f"name one: {known}" if name is None else f"{name!r} is no figure; there is {known}"
        )
    pairs = [_size(text) for text in size or []]
    if out is None or out.suffix not in _SUFFIXES:
        _refuse(f"give --out a file whose name ends in {', '.join(_SUFFIXES)}")
    _check_target(out)
    _prepare_jax()
    from landscape_jax.studies import ss18

    pairs = pairs or list(ss18.FIGURE_1_SIZES)
    with _progress(pairs, restarts) as report:
        values = _interruptible(
            lambda: ss18.figure_1(pairs, restarts, seed, out=runs, progress=report),
            "with --runs DIR it could be resumed" if runs is None else "repeat it to resume",
        )
    from landscape_jax.plots import save, value_distribution

    save(out, lambda axes: value_distribution(values, axes))
    typer.echo(f"{out}: {len(pairs)} sizes, {restarts} runs each")


def _refuse(message: str) -> NoReturn:
    """Say in one line what is wrong with the input, and exit with 2."""
    typer.echo(f"landscape-jax: {' '.join(message.split())}", err=True)
    raise typer.Exit(2)


def _size(text: str) -> "Size":
    """Read K:N."""
    k, colon, n = text.partition(":")
    if not (colon and all(x.isascii() and x.isdigit() and len(x) < 6 and int(x) for x in (k, n))):
        _refuse(f"{text!r} is not a size; give K:N, two whole numbers of at least 1, such as 6:6")
    return int(k), int(n)


def _load(path: Path) -> "np.ndarray":
    """Read a floating, finite array of a .npy file as float64."""
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        _refuse(f"{path}: {getattr(error, 'strerror', None) or 'not a .npy file of numbers'}")
    if not isinstance(array, np.ndarray):
        _refuse(f"{path}: not one array of real numbers")
    if array.dtype.kind != "f":
        _refuse(f"{path} holds {array.dtype}, not floating numbers; save array.astype(float)")
    if not np.isfinite(array).all():
        _refuse(f"{path} holds a number that is not finite")
    return array.astype(np.float64)


def _check_target(path: Path | None) -> None:
    """Refuse a file that could not be written in the end, before the work is done."""
    if path is None:
        return
    if path.is_dir():
        _refuse(f"{path} is a directory; give a file")
    if not path.parent.is_dir():
        _refuse(f"{path.parent} is no directory; make it first")
    if not os.access(path.parent, os.W_OK):
        _refuse(f"{path.parent} may not be written to")


def _check_certificates(out: Path | None) -> None:
    """Refuse a directory that already holds certificates of points: they would be mixed."""
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError:
        _refuse(f"--out {out} is not a directory")
    if not os.access(out, os.W_OK):
        _refuse(f"--out {out} may not be written to")
    if old := sorted(out.glob("point-*.json")):
        _refuse(f"{old[0]} is there already; give another --out")


def _prepare_jax() -> None:
    """Switch on float64, and keep compiled programs in the user's cache directory."""
    import jax

    jax.config.update("jax_enable_x64", True)
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    from landscape_jax.storage import cache_directory

    cache = cache_directory()
    if cache is not None:
        jax.config.update("jax_compilation_cache_dir", str(cache))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def _interruptible(work: Callable[[], Result], hint: str) -> Result:
    """Do the work in a thread: compiled code does not listen to Ctrl-C, the main thread does.

    What is on disk is whole at any moment, so the process may end at once.
    """
    from landscape_jax.proofs import CertificateError
    from landscape_jax.storage import StorageError

    try:
        return ThreadPoolExecutor(1).submit(work).result()
    except KeyboardInterrupt:
        typer.echo(f"\ninterrupted: {hint}", err=True)
        os._exit(130)
    except (StorageError, CertificateError) as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"{error.filename}: {error.strerror}")


@contextmanager
def _progress(sizes: list["Size"], restarts: int) -> "Iterator[Progress]":
    """Show a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    ended = dict.fromkeys(sizes, 0)
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("starting", total=len(ended) * restarts)

        def report(size: "Size", what: str, done: int, total: int) -> None:
            ended[size] = done if what == "descending" else restarts
            count = f" {done + 1} of {total}" if what == "proving" else ""
            bar.update(
                task,
                description=f"{size[0]}:{size[1]} {what}{count}",
                completed=sum(ended.values()),
            )

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


def _read_problem(
    points: Path, teacher: Path | None, weights: dict[str, Path | None]
) -> "tuple[np.ndarray, dict[str, np.ndarray]]":
    """Read the points, as (m, n, d), and the arrays of the risk; refuse what does not fit."""
    import numpy as np

    stack = _load(points)
    if stack.ndim not in (2, 3) or 0 in stack.shape:
        _refuse(f"{points} has shape {stack.shape}; give (n, d) or (m, n, d), none of them 0")
    n, d = stack.shape[-2:]
    teachers = np.eye(d) if teacher is None else _load(teacher)
    if teachers.ndim != 2 or teachers.shape[1] != d or not len(teachers):
        _refuse(f"{teacher} has shape {teachers.shape}; {points} needs (k, {d}) with k >= 1")
    arrays = {name: _load(path) for name, path in weights.items() if path is not None}
    for name, rows in (("teacher_weights", len(teachers)), ("student_weights", n)):
        if name in arrays and arrays[name].shape != (rows,):
            _refuse(f"{weights[name]} has shape {arrays[name].shape}; it must be ({rows},)")
    return stack.reshape(-1, n, d), {"teacher": teachers} | arrays


def _prove_all(
    points: "np.ndarray", problem: "dict[str, np.ndarray]", max_move: float, out: Path | None
) -> list[dict[str, Any]]:
    """Prove each point, print a line for each, and save the certificates."""
    _prepare_jax()
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
