"""Fingerprints of objectives and starts: the same in every process, different where they differ."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from functools import partial
from types import CodeType
from typing import Any

import jax
import numpy as np

# Functions of these libraries are identified by their names.
_LIBRARIES = ("builtins.", "jax.", "jaxlib.", "numpy.")


def fingerprint(tree: Any) -> str:
    """Return a digest of all arrays, numbers, names and functions that a tree holds.

    A function is identified by its name, its code and the values that it encloses, so an edited
    function has another digest; so has the same one in another version of Python.

    ```python
    >>> __name__ = "example"  # functions of landscape_jax itself count by their names
    >>> scaled = lambda a: lambda t: a * t
    >>> fingerprint(scaled(2.0)) == fingerprint(scaled(2.0))
    True
    >>> fingerprint(scaled(2.0)) == fingerprint(scaled(3.0))
    False

    ```
    """
    text = json.dumps(_described(tree), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _described(tree: Any, inside: frozenset[int] = frozenset()) -> Any:
    """Describe a tree by JSON values; `inside` holds the functions that it is a part of."""
    deeper = partial(_described, inside=inside)
    if isinstance(tree, jax.Array) and jax.numpy.issubdtype(tree.dtype, jax.dtypes.prng_key):
        return ["key", str(jax.random.key_impl(tree)), deeper(jax.random.key_data(tree))]
    if isinstance(tree, jax.Array | np.ndarray | np.generic):
        array = np.ascontiguousarray(tree)
        return [str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
    if tree is None or isinstance(tree, bool | int | str):
        return [type(tree).__name__, tree]
    if isinstance(tree, float | complex | bytes | np.dtype):
        return [type(tree).__name__, repr(tree)]
    if isinstance(tree, type):
        return ["type", _name(tree)]
    if dataclasses.is_dataclass(tree):
        fields = {field.name: getattr(tree, field.name, None) for field in dataclasses.fields(tree)}
        return [_name(type(tree)), {name: deeper(part) for name, part in fields.items()}]
    if isinstance(tree, dict):
        return ["dict", [[deeper(key), deeper(part)] for key, part in tree.items()]]
    if isinstance(tree, list | tuple):
        return [_name(type(tree)), [deeper(part) for part in tree]]
    if callable(tree):
        return _function(tree, inside)
    return [_name(type(tree)), deeper(getattr(tree, "__dict__", None))]


def _function(function: Callable, inside: frozenset[int]) -> Any:
    """Describe a function, or a callable that holds one."""
    name = _name(function)
    library = name.startswith(_LIBRARIES) and not isinstance(function, partial)
    if id(function) in inside or library:
        return ["function", name]
    deeper = partial(_described, inside=inside | {id(function)})
    code = getattr(function, "__code__", None)
    if code is None:
        names = ("func", "__wrapped__", "args", "keywords", "__self__")
        return ["callable", name, *(deeper(getattr(function, x, None)) for x in names)]
    cells = getattr(function, "__closure__", None) or ()
    enclosed = [deeper(cell.cell_contents) for cell in cells]
    defaults = [getattr(function, x, None) for x in ("__defaults__", "__kwdefaults__")]
    return ["function", name, _code(code), enclosed, *map(deeper, defaults)]


def _code(code: CodeType) -> Any:
    """Describe what a function does: its instructions, constants and names."""
    constants = [
        _code(part) if isinstance(part, CodeType) else repr(part) for part in code.co_consts
    ]
    return [code.co_code.hex(), constants, list(code.co_names)]


def _name(thing: Any) -> str:
    module = getattr(thing, "__module__", None) or "builtins"
    return f"{module}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"
