"""Pickles of functions and classes that are not in an importable module, such as a notebook's."""

import dataclasses
import io
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
import equinox as eqx


def dumps(thing: Any) -> bytes:
    """Pickle by value what no module holds; Modules of Equinox keep their fields.

    `cloudpickle.loads` and `pickle.loads` read it where this package is installed.

    cloudpickle rebuilds a class from an empty one, to which its attributes are added; but Equinox
    takes the fields of a pytree from the class that it is first given.
    """
    with io.BytesIO() as stream:
        _Pickler(stream, protocol=pickle.DEFAULT_PROTOCOL).dump(thing)
        return stream.getvalue()


class _Pickler(cloudpickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        found = super().reducer_override(obj)
        by_name = not isinstance(found, tuple) or len(found) < 3
        if by_name or not (isinstance(obj, type) and issubclass(obj, eqx.Module)):
            return found
        reduced: Any = found
        make, args, (attributes, slots), *rest = reduced
        kind, name, bases, namespace, *more = args
        own = [f for f in dataclasses.fields(obj) if f.name in obj.__annotations__]
        fields = {f.name: _settings(f) for f in own}
        added = namespace | {"__annotations__": {f.name: f.type for f in own}}
        kept = {key: each for key, each in attributes.items() if key != "__dataclass_fields__"}
        return _skeleton, (make, kind, name, bases, added, fields, *more), (kept, slots), *rest


def _settings(field: dataclasses.Field) -> dict[str, Any]:
    """Return the arguments that make a field."""
    names = ("default", "default_factory", "init", "repr", "hash", "compare", "kw_only")
    given = {name: getattr(field, name) for name in names}
    given = {name: value for name, value in given.items() if value is not dataclasses.MISSING}
    return given | {"metadata": dict(field.metadata)}


def _skeleton(
    make: Callable[..., type],
    kind: type,
    name: str,
    bases: tuple[type, ...],
    namespace: dict[str, Any],
    fields: dict[str, dict[str, Any]],
    *more: Any,
) -> type:
    """Make a class with its fields alone."""
    made = {key: dataclasses.field(**settings) for key, settings in fields.items()}
    return make(kind, name, bases, namespace | made, *more)
