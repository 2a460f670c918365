"""Static parts of networks and objectives: the same, with one hash, after copying and pickling."""

import dataclasses
import importlib
from collections.abc import Callable
from types import FunctionType
from typing import Any


class StaticPart:
    """A base of frozen dataclasses that hold functions and are compared by them.

    What JAX has transformed (`jnp.tanh`, a function under `jax.jit`) would be copied, and then be
    another function; here it is pickled by its name, as Python's own functions are.
    """

    def __post_init__(self) -> None:
        try:
            hash(self)
        except TypeError as error:
            raise TypeError(
                f"{type(self).__name__.lower()} has a part that cannot be hashed ({error}): it is "
                "static and holds no arrays; to train some, write a network of your own"
            ) from error

    def __copy__(self) -> "StaticPart":
        return self

    def __deepcopy__(self, memo: dict) -> "StaticPart":
        del memo
        return self

    def __reduce__(self) -> tuple[Callable, tuple]:
        fields = dataclasses.fields(self)  # pyright: ignore[reportArgumentType]
        return type(self), tuple(_named(getattr(self, field.name)) for field in fields)


class _Named:
    """A function that is pickled by the name of its module and its own."""

    def __init__(self, function: Callable):
        self.names = (function.__module__, function.__qualname__)

    def __reduce__(self) -> tuple[Callable, tuple[str, str]]:
        return _imported, self.names


def _named(part: Any) -> Any:
    """Return a function that JAX has transformed in a form pickled by name, if that leads to it.

    Functions of Python are left to the pickler; so are those of a script, which other processes
    cannot import.
    """
    if isinstance(part, FunctionType) or getattr(part, "__module__", "__main__") == "__main__":
        return part
    names = part.__module__, getattr(part, "__qualname__", "")
    return _Named(part) if _imported(*names) is part else part


def _imported(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name, None)
