"""Modules that are functions, with a function's hash and equality."""

from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any

import equinox as eqx


class FunctionModule(eqx.Module):
    """A Module that is a function: as such, equal to itself alone, with the hash of its identity.

    `jax.jit`, `jax.checkpoint` and `jax.export` ask that of a function, and of its bound methods.
    It is a pytree all the same; `eqx.tree_equal` compares values.
    """

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    if not TYPE_CHECKING:

        def __getattribute__(self, name: str) -> Any:
            found = object.__getattribute__(self, name)
            if isinstance(found, MethodType) and found.__self__ is self and name[:2] != "__":
                return BoundMethod(found.__func__, self)
            return found


class BoundMethod(eqx.Module):
    """A method of a `FunctionModule`: a pytree, as Equinox's own, compared as Python's are."""

    __func__: Callable = eqx.field(static=True)
    __self__: FunctionModule

    def __post_init__(self) -> None:
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(self, name, getattr(self.__func__, name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method."""
        return self.__func__(self.__self__, *args, **kwargs)

    @property
    def __wrapped__(self) -> Callable:
        return MethodType(self.__func__, self.__self__)

    def __hash__(self) -> int:
        return hash((self.__func__, self.__self__))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundMethod):
            return False
        return self.__self__ is other.__self__ and self.__func__ is other.__func__
