"""Long work: a progress bar, and Ctrl-C ends it at any moment."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import typer

from landscape_jax.cli import inputs

if TYPE_CHECKING:
    from landscape_jax.studies.ss18.protocol import Progress, Size

Result = TypeVar("Result")


def interruptible(work: Callable[[], Result], hint: str) -> Result:
    """Do the work in a thread: compiled code does not listen to Ctrl-C, the main thread does.

    What is on disk is whole at any moment, so the process may end at once.
    """
    from rich.console import Console

    from landscape_jax.files import StorageError
    from landscape_jax.proofs import CertificateError

    try:
        return ThreadPoolExecutor(1).submit(work).result()
    except KeyboardInterrupt:
        # A bar on a terminal hides the cursor, and is not asked to end.
        Console(stderr=True).show_cursor()
        typer.echo(f"\ninterrupted: {hint}", err=True)
        os._exit(130)
    except (StorageError, CertificateError) as error:
        inputs.refuse(str(error))
    except OSError as error:
        inputs.refuse(f"{error.filename}: {error.strerror}")


@contextmanager
def progress_bar(total: int | None = None) -> Iterator[Callable[..., None]]:
    """Show a bar on a terminal, none in a pipe; yield the function that updates it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(
        *columns,
        TimeElapsedColumn(),
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
