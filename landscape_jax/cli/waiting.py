"""Work that takes a while: Ctrl-C ends it at any moment."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import typer

from landscape_jax.cli import inputs

Result = TypeVar("Result")


def interruptible(work: Callable[[], Result], hint: str) -> Result:
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
        inputs.refuse(str(error))
    except OSError as error:
        inputs.refuse(f"{error.filename}: {error.strerror}")
