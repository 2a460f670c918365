"""What the last digits of results depend on, beside the settings of their search."""

import re
from importlib.metadata import version
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from landscape_jax.native import instruction_set
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.search.parameters import of_arrays, split

_PACKAGES = ("landscape_jax", "jax", "jaxlib")
# The name of a kernel within a program, before the digest of what it was compiled from.
_KERNEL = re.compile(r"landscape_jax_(\w+)-[0-9a-f]{24}")


def made_by(objective: AbstractObjective, like: PyTree, lanes: SupportsIndex) -> dict[str, Any]:
    """Return the versions, the device, its instructions and kernels, and the lanes.

    Processes that agree in them gave equal bits wherever it was tried, with one thread and two.

    **Arguments:** `objective`; `like`, params of one run, or their shapes; `lanes` of the search.

    **Returns:** JSON values.
    """
    arrays, fixed = split(jax.tree.map(shaped, like))
    function = of_arrays(objective, arrays, fixed)
    program = str(jax.make_jaxpr(jax.value_and_grad(function))(arrays))
    device = jax.devices()[0]
    return {
        **{name: version(name.replace("_", "-")) for name in _PACKAGES},
        "device": device.device_kind,
        "instructions": instruction_set() if device.platform == "cpu" else None,
        "kernels": sorted(set(_KERNEL.findall(program))),
        "lanes": int(lanes),
    }


def shaped(leaf: Any) -> Any:
    """Return an array of the shape of a leaf that is one; any other leaf as it is."""
    return jnp.zeros(leaf.shape, leaf.dtype) if isinstance(leaf, jax.ShapeDtypeStruct) else leaf
