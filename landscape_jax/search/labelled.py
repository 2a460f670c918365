"""Runs as labelled arrays, and as self-describing zarr stores."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from landscape_jax.files import read_arrays, write_arrays
from landscape_jax.mistakes import shown
from landscape_jax.networks import DeepLinear, Mlp, TwoLayer
from landscape_jax.networks.activations import Activation, named
from landscape_jax.objectives.augmented import Augmented
from landscape_jax.objectives.base import as_parameters
from landscape_jax.search.runs import Runs
from landscape_jax.search.status import names, status_of

if TYPE_CHECKING:
    import xarray as xr

FORMAT = "landscape_jax runs"
# Scalars of each run, beside the params.
_NUMBERS = ("value", "gradient_norm", "steps", "descent_steps")
_MODULES = {kind.__name__: kind for kind in (TwoLayer, DeepLinear, Mlp, Augmented)}


def to_xarray(runs: Runs) -> "xr.Dataset":
    """Label runs; see `Runs.to_xarray`."""
    import xarray as xr

    given = {name: getattr(runs, name) for name in _NUMBERS}
    data: dict[str, Any] = {
        name: ("restart", np.asarray(numbers))
        for name, numbers in given.items()
        if numbers is not None
    }
    if runs.steps_to is not None:
        data["steps_to"] = (("restart", "level"), np.asarray(runs.steps_to))
    data["status"] = ("restart", names(runs.status).astype(object))
    for name, leaf in _leaves(runs.params).items():
        data[name] = (("restart", *_axes(name, leaf.ndim - 1)), np.asarray(leaf))
    attributes: dict[str, Any] = {"format": FORMAT, "params": json.dumps(_form(runs.params))}
    if runs.key is not None:
        attributes["key"] = np.asarray(jax.random.key_data(runs.key)).tolist()
        attributes["key_implementation"] = str(jax.random.key_impl(runs.key))
    if runs.lanes is not None:
        attributes["lanes"] = runs.lanes
    return xr.Dataset(data, {"restart": np.asarray(runs.restart_index)}, attributes)


def from_xarray(labelled: "xr.Dataset", like: PyTree = None) -> Runs:
    """Return the runs that were labelled; see `Runs.from_xarray`."""
    if not hasattr(labelled, "attrs"):
        raise TypeError(f"labelled is {shown(labelled)}; give an xarray.Dataset")
    if labelled.attrs.get("format") != FORMAT:
        raise ValueError("the labelled arrays hold no runs; give what Runs.to_xarray returned")
    for name in ("restart", "status", *_NUMBERS[:3]):
        if name not in labelled.variables or labelled[name].dims != ("restart",):
            raise ValueError(f"the labelled arrays have no {name} of dimension restart")
    numbers = {x: _array(x, labelled[x].values) for x in _NUMBERS if x in labelled}
    if "steps_to" in labelled:
        if labelled["steps_to"].dims != ("restart", "level"):
            raise ValueError("the labelled arrays have no steps_to of dimensions restart and level")
        numbers["steps_to"] = _array("steps_to", labelled["steps_to"].values)
    leaves = {str(x): v.values for x, v in labelled.items() if str(x).split(".")[0] == "params"}
    if misshaped := [x for x in leaves if labelled[x].dims[:1] != ("restart",)]:
        raise ValueError(f"{misshaped[0]} has no first dimension restart")
    key = None
    if "key" in labelled.attrs:
        data = jnp.asarray(labelled.attrs["key"], jnp.uint32)
        key = jax.random.wrap_key_data(data, impl=labelled.attrs["key_implementation"])
    lanes = labelled.attrs.get("lanes")
    return Runs(
        params=_params(leaves, labelled.attrs.get("params"), like),
        status=jax.tree.map(jnp.asarray, status_of(labelled["status"].values)),
        restart_index=jnp.asarray(labelled["restart"].values.astype(np.int32)),
        key=key,
        lanes=None if lanes is None else int(lanes),
        **numbers,
    )


def save(runs: Runs, path: str | os.PathLike[str]) -> None:
    """Write runs as a new zarr store; see `Runs.save`."""
    place = Path(path)
    if os.path.lexists(place):
        raise ValueError(f"{place} exists; give a new name")
    if not place.parent.is_dir():
        raise ValueError(f"{place.parent} is no directory; make it first")
    write_arrays(place, to_xarray(runs))


def load(path: str | os.PathLike[str], like: PyTree = None) -> Runs:
    """Read runs from a zarr store; see `Runs.load`."""
    place = Path(path)
    if not place.is_dir():
        raise ValueError(f"{place} is no store of runs: there is no such directory")
    try:
        return from_xarray(read_arrays(place), like)
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise ValueError(f"{place} cannot be read as runs: {error}") from error


def _leaves(params: PyTree) -> dict[str, Any]:
    """Return the arrays of params by name: `params`, and the path of each."""
    found: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if not hasattr(leaf, "dtype"):
            continue
        name = ".".join(["params", *(jax.tree_util.keystr((k,), simple=True) for k in path)])
        if "/" in name or name in found:
            raise ValueError(f"params has a leaf {name}; names must differ and hold no /")
        found[name] = leaf
    return found


def _axes(name: str, count: int) -> tuple[str, ...]:
    """Name the axes of one leaf."""
    if (name, count) == ("params", 2):
        return "neuron", "coordinate"
    return tuple(f"{name}_{i}" for i in range(count))


def _form(params: PyTree) -> Any:
    """Describe a pytree by JSON values from which `_built` rebuilds it; `None` if impossible."""
    match params:
        case None:
            return "none"
        case dict():
            parts = {k: _form(v) for k, v in params.items()}
            known = all(isinstance(k, str) for k in parts) and None not in parts.values()
            return {"dict": parts} if known else None
        case list() | tuple() if type(params) in (list, tuple):
            entries = [_form(part) for part in params]
            return None if None in entries else {type(params).__name__: entries}
        case TwoLayer() | DeepLinear() | Mlp() | Augmented():
            return _module_form(params)
        case _:
            return "array" if hasattr(params, "dtype") else None


def _module_form(module: TwoLayer | DeepLinear | Mlp | Augmented) -> Any:
    fields = {name: _form(part) for name, part in vars(module).items() if name != "activation"}
    if None in fields.values():
        return None
    form: dict[str, Any] = {"fields": fields}
    activation = getattr(module, "activation", None)
    if activation is not None:
        if not _is_named(activation):
            return None
        form["activation"] = activation.name
    return {type(module).__name__: form}


def _is_named(activation: Activation) -> bool:
    """Check whether an activation equals the known one of its name."""
    try:
        return named(activation.name) == activation
    except ValueError:
        return False


def _built(form: Any) -> PyTree:
    """Build the pytree of a description, with an array of one 0 for each array."""
    match form:
        case "none":
            return None
        case "array":
            return np.zeros(())
        case {"dict": parts}:
            return {name: _built(part) for name, part in parts.items()}
        case {"list": parts}:
            return [_built(part) for part in parts]
        case {"tuple": parts}:
            return tuple(_built(part) for part in parts)
    ((kind, inner),) = form.items()
    # Not by `__init__`: it checks shapes, which the placeholders do not have.
    module = object.__new__(_MODULES[kind])
    for name, part in inner["fields"].items():
        object.__setattr__(module, name, _built(part))
    if "activation" in inner:
        object.__setattr__(module, "activation", named(inner["activation"]))
    return module


def _params(leaves: dict[str, np.ndarray], form: str | None, like: PyTree) -> PyTree:
    """Return the described pytree, or one of the structure of `like`, with these arrays."""
    described = None if form is None else json.loads(form)
    if like is None and described is None:
        raise ValueError(
            "params is a pytree that the file cannot describe: give like=, params of one run, such "
            "as start(key)"
        )
    tree = _built(described) if like is None else as_parameters(like)
    wanted = _leaves(tree)
    if wanted.keys() != leaves.keys():
        raise ValueError(f"params has the leaves {sorted(leaves)}; it must have {sorted(wanted)}")
    for name, leaf in wanted.items():
        shape = np.shape(leaf)
        if like is not None and leaves[name].shape[1:] != shape:
            raise ValueError(
                f"{name} has shape {leaves[name].shape[1:]}; like has {shape}, without the leading "
                "axis"
            )
    arrays = iter([_array(name, leaves[name]) for name in wanted])
    return jax.tree.map(lambda leaf: next(arrays) if hasattr(leaf, "dtype") else leaf, tree)


def _array(name: str, values: np.ndarray) -> Array:
    """Return a JAX array of the same precision.

    **Raises:** `ValueError` if the values are float64 and float64 is off.
    """
    if values.dtype == np.float64 and not jax.config.read("jax_enable_x64"):
        raise ValueError(f'{name} is float64; put jax.config.update("jax_enable_x64", True) first')
    return jnp.asarray(values)
