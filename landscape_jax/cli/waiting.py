"""Work that takes a while: a bar says how far it is, and Ctrl-C ends it at any moment."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import typer

from landscape_jax.cli import inputs

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
    """Show a bar on a terminal, none in a pipe; tell it what is done, how much, and of how much."""
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
