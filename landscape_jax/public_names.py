"""The public names of a package: what its `__init__` imports, listed, or imported when asked for.

An `__init__` names what is public by `from module import name as name`.  Where these lines stand
under `if TYPE_CHECKING:`, only type checkers and editors run them; `lazy` finds them there.
"""

import importlib
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ast


@cache
def exported(package: str) -> dict[str, str]:
    """Return the modules that the public names of a package are imported from, by name.

    ```python
    >>> import landscape_jax.native
    >>> exported("landscape_jax.native")["kernels"]
    'landscape_jax.native.loader'

    ```
    """
    return {
        name.name: node.module or ""
        for node in _imports(package)
        for name in node.names
        if name.asname == name.name
    }


def imported(module: str) -> dict[str, str]:
    """Return the names that a module imports from others, with these, also for type checkers."""
    return {
        name.asname or name.name: node.module or ""
        for node in _imports(module)
        for name in node.names
    }


def _imports(module: str) -> "list[ast.ImportFrom]":
    """List the statements `from … import …` of a module."""
    import ast  # What is imported here takes time at the start of each command.

    with open(sys.modules[module].__file__ or "", encoding="utf-8") as source:
        tree = ast.parse(source.read())
    return [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def listing(package: str) -> Callable[[], list[str]]:
    """Return the `__dir__` of a package: its public names alone."""
    return lambda: sorted(exported(package))


def defined(module: str) -> Callable[[], list[str]]:
    """Return the `__dir__` of a module: the public names that it defines itself."""

    def names() -> list[str]:
        found = vars(sys.modules[module]).items()
        public = {n: v for n, v in found if not (n.startswith("_") or isinstance(v, ModuleType))}
        # A constant does not know where it is from.
        others = imported(module)
        return sorted(
            n
            for n, v in public.items()
            if n not in others and getattr(v, "__module__", module) == module
        )

    return names


def lazy(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package that imports names when asked for."""

    def get(name: str) -> Any:
        modules = exported(package)
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        source = modules[name]
        if source == package:
            found = importlib.import_module(f"{package}.{name}")
        else:
            found = getattr(importlib.import_module(source), name)
        setattr(sys.modules[package], name, found)
        return found

    return get, listing(package)
