"""The working precision of flint's balls, which belongs to the whole process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flint import ctx

# Held by whoever relies on a setting of the process; a thread may take it again.
process_settings = threading.RLock()


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Compute with balls of so many bits, in one thread at a time.

    ```python
    >>> from flint import arb
    >>> with working_precision(100):
    ...     arb(2).sqrt().rad() < 1e-29
    True
    >>> ctx.prec
    53

    ```
    """
    with process_settings, ctx.workprec(bits):
        yield
