"""What the system tells of the machine: its memory and processors, and who owns a file.

What only some systems have is called here alone.
"""

import math
import os
import stat
from pathlib import Path


class TooLargeError(ValueError):
    """Work that needs more memory than the machine has."""


def require_memory(needed: float | int, what: str, remedy: str) -> None:
    """Check that the machine has enough memory.

    **Arguments:** `needed`, in bytes; `what` needs it, and the `remedy`, for the error message.

    **Raises:** `TooLargeError` if the machine has less, with what is needed and what there is.

    ```python
    >>> require_memory(1e3, "this", "give less")
    >>> require_memory(2.0**80, "this", "give less")
    Traceback (most recent call last):
    ...
    landscape_jax.machine.TooLargeError: this may need 1.1e+15 GiB of memory, more than ...

    ```
    """
    machine = _memory()
    if needed > machine:
        raise TooLargeError(
            f"{what} may need {_gibibytes(needed)} GiB of memory, more than the "
            f"{_gibibytes(machine)} GiB of this machine; {remedy}"
        )


def _gibibytes(size: float | int) -> str:
    # Counts of combinations may be beyond float64.
    count = min(size, 2**1000) / 2**30
    return f"{count:.1f}" if count < 1e6 else f"{count:.2g}"


def _memory() -> float:
    """Return the memory in bytes that a process may have; infinity if the system does not say."""
    if not hasattr(os, "sysconf"):
        return math.inf
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    machine = float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")
    return machine if limit == resource.RLIM_INFINITY else min(machine, float(limit))


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_trusted(link: Path) -> bool:
    """Whether a link is this user's, or the system's."""
    return not hasattr(os, "geteuid") or os.lstat(link).st_uid in (0, os.geteuid())


def is_anyones(directory: Path) -> bool:
    """Whether anyone may rename what others have in a directory."""
    mode = directory.stat().st_mode
    return os.name == "posix" and bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def is_ours_alone(path: Path) -> bool:
    """Whether this user owns a file or directory, and nobody else may write it.

    Where the system knows no owners, everything is taken to be.
    """
    if not hasattr(os, "geteuid"):
        return True
    status = os.lstat(path)
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
