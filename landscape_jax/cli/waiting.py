"""Long work: what is said where it ends early."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from landscape_jax.cli import inputs
from landscape_jax.interrupts import set_kept

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
