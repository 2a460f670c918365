"""Functions of the user called by a compiled search: what they raise surfaces as itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import jax

from landscape_jax.mistakes import shown


class Guarded:
    """A function whose exception is kept: XLA, which ends the program, replaces it by its text."""

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self.raised: BaseException | None = None

    def __call__(self, *args: Any) -> None:
        """Call the function, and keep what it raises."""
        try:
            self.function(*args)
        except BaseException as error:
            self.raised = error
            raise


def guarded(name: str, function: Callable[..., Any] | None) -> Guarded | None:
    """Return a function guarded; the same one for the same function, for which a program is kept.

    **Raises:** `TypeError` if it is not a function.
    """
    if function is None:
        return None
    checked_function(name, function)
    try:
        return _guarded(function)
    except TypeError:  # Without a hash, so no program is kept for it.
        return Guarded(function)


@lru_cache(maxsize=16)
def _guarded(function: Callable[..., Any]) -> Guarded:
    return Guarded(function)


@contextmanager
def surfacing(*functions: Guarded | None) -> Iterator[None]:
    """Raise what one of the functions raised, Ctrl-C included, in place of XLA's error."""
    given = [function for function in functions if function is not None]
    for function in given:
        function.raised = None
    try:
        yield
    except jax.errors.JaxRuntimeError:
        for function in given:
            if function.raised is not None:
                raise function.raised from None
        raise


def checked_function(name: str, function: Any) -> None:
    """Check that an argument is a function.

    **Raises:** `TypeError` if it is not.
    """
    if not callable(function):
        raise TypeError(f"{name} is {shown(function)}; give a function")
