"""Long work: what is said where it ends early, and a progress bar."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from landscape_jax.cli import inputs
from landscape_jax.interrupts import set_kept

if TYPE_CHECKING:
    from landscape_jax.studies.ss18.protocol import Progress, Size

Result = TypeVar("Result")


def interruptible(work: Callable[[], Result], hint: str) -> Result:
    """Do the work; where Ctrl-C ends it, `hint` tells what is kept, or how to go on.

    Directories of another sweep and damaged files are refused in one line.
    """
    from landscape_jax.files import StorageError
    from landscape_jax.proofs import CertificateError
    from landscape_jax.sweeps import SweepError

    set_kept(hint)
    try:
        return work()
    except (StorageError, CertificateError, SweepError) as error:
        inputs.refuse(str(error))


def resumable(out: Path | None) -> str:
    """Return the hint for a command that keeps its work in a directory, if one is given."""
    return "with --out DIR it could be resumed" if out is None else "repeat the command to resume"


@contextmanager
def progress_bar(total: int | None = None) -> Iterator[Callable[..., None]]:
    """Show a bar on a terminal, none in a pipe; yield the function that updates it."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(
        *columns,
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("starting", total=total)

        def show(what: str, done: int, total: int | None = None) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield show


@contextmanager
def runs_progress(sizes: list["Size"], restarts: int) -> "Iterator[Progress]":
    """Show how many runs of all sizes have ended."""
    ended = dict.fromkeys(sizes, 0)
    with progress_bar(len(ended) * restarts) as show:

        def report(size: "Size", what: str, done: int, total: int) -> None:
            ended[size] = done if what == "descending" else restarts
            count = f" {done + 1} of {total}" if what == "proving" else ""
            show(f"{size[0]}:{size[1]} {what}{count}", sum(ended.values()))

        yield report
