"""The public names of the package, and the one path under which each is described."""

import importlib
import inspect
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

from landscape_jax.public_names import exported, imported


def public_names(module: ModuleType) -> list[str]:
    """Return the public names of a package, or of a module that defines its `__dir__`."""
    if "__dir__" not in vars(module):
        return []
    names = sorted(exported(module.__name__)) if hasattr(module, "__path__") else dir(module)
    return [name for name in names if not name.startswith("_")]


@cache
def pages() -> dict[str, ModuleType]:
    """Return all documented modules by their shortest public paths, packages before their parts."""
    found: dict[str, ModuleType] = {"landscape_jax": importlib.import_module("landscape_jax")}
    for path in (waiting := ["landscape_jax"]):
        for name in public_names(found[path]):
            thing = getattr(found[path], name)
            if isinstance(thing, ModuleType) and thing not in found.values():
                found[f"{path}.{name}"] = thing
                waiting.append(f"{path}.{name}")
    return found


@cache
def described() -> dict[str, str]:
    """Return for each public path the one path under which its object is described."""
    paths: dict[str, str] = {}
    first: dict[int, str] = {id(module): path for path, module in pages().items()}
    for path, module in pages().items():
        for name in public_names(module):
            thing = getattr(module, name)
            shared = isinstance(thing, ModuleType) or hasattr(thing, "__module__")
            own = f"{path}.{name}"
            paths[own] = first.setdefault(id(thing), own) if shared else own
    return paths


@cache
def class_paths() -> dict[str, str]:
    """Return the paths of the documented classes by name; no two classes bear one name."""
    return {path.rsplit(".", 1)[1]: path for path in described().values() if _is_class(path)}


def class_path(name: str, module: str) -> str | None:
    """Return the path of the documented class that a name stands for in a module, if it is one."""
    path = class_paths().get(name)
    if path is None:
        return None
    known = vars(importlib.import_module(module))
    if name in known:
        return path if known[name] is _class_at(path) else None
    # Imported for type checkers alone, or a class that its own methods name.
    return path if imported(module).get(name, "landscape_jax").startswith("landscape_jax") else None


def _class_at(path: str) -> Any:
    module, name = path.rsplit(".", 1)
    return getattr(pages()[module], name)


def _is_class(path: str) -> bool:
    return inspect.isclass(_class_at(path))


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties that a class defines itself, with their names."""
    for name, raw in vars(kind).items():
        member = raw if isinstance(raw, property) else getattr(kind, name, None)
        known = isinstance(member, property) or inspect.isroutine(member)
        if known and inspect.getdoc(member) and (name == "__call__" or not name.startswith("_")):
            yield name, member


@cache
def targets() -> dict[str, str]:
    """Return where each public path, and each path of a member of a class, is described."""
    found = described()
    for path, home in described().items():
        module, name = home.rsplit(".", 1)
        if home in class_paths().values():
            kind = getattr(pages()[module], name)
            found = found | {f"{path}.{member}": f"{home}.{member}" for member, _ in members(kind)}
    return found
