"""The runs of one (k, n), in chunks that are kept on disk."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from os import PathLike

import jax
import jax.numpy as jnp
import numpy as np
from equinox import tree_at
from jaxtyping import Array, Key

from landscape_jax.objectives.population import PopulationRisk
from landscape_jax.precision import require_float64
from landscape_jax.search import starts
from landscape_jax.search.restarts import restart
from landscape_jax.search.runs import Runs
from landscape_jax.search.status import Status
from landscape_jax.sweeps.processes import ALONE, Processes
from landscape_jax.sweeps.storage import Sweep, open_sweep

Size = tuple[int, int]
Arrays = dict[str, np.ndarray]
# Called with the size, what is being done, and how much of how much of it is done.
Progress = Callable[[Size, str, int, int], None]

# The protocol of SS18, section 3.
STEP = 0.1
GRADIENT_TOLERANCE = 1e-9
BELOW_VALUE = 1e-3
# Runs of one call: with fewer, the slowest run of each is waited for more often; a hundredth of all
# where they are many, so that the files stay few, but no more than stay small in memory.
CHUNK = 500
_LONGEST_CHUNK = 10_000
_DIMS = {"params": ("restart", "neuron", "coordinate")}


def tag(size: Size) -> str:
    """Name a size in the directory of a sweep."""
    return f"k{size[0]:02d}-n{size[1]:02d}"


def check(sizes: list[Size], restarts: int, seed: int) -> None:
    """Refuse what cannot be run.

    **Raises:** `ValueError`, also where float64 is off: the protocol's 1e-9 is below float32.
    """
    if not sizes:
        raise ValueError("sizes is empty; give at least one (k, n)")
    for size in sizes:
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f"the size {size} is not a (k, n) with k >= 1 and n >= 1")
    if restarts < 1:
        raise ValueError(f"restarts is {restarts}; give at least 1")
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed is {seed}; give one from 0 to 2**63 - 1")
    require_float64("the study")


def sweep(
    out: str | PathLike[str] | None, seed: int, processes: Processes = ALONE
) -> AbstractContextManager[Sweep] | nullcontext[None]:
    """Open the directory of the study's runs; no directory, no sweep.

    The sizes and the number of restarts are no part of its settings: restart i of a size is the
    same whatever is asked for beside it, so both may be extended.
    """
    if out is None:
        if processes.count > 1:
            raise ValueError("out is missing; processes meet in a directory that all can see")
        return nullcontext()
    settings = {
        "seed": seed,
        "step": STEP,
        "gradient_tolerance": GRADIENT_TOLERANCE,
        "below_value": BELOW_VALUE,
    }
    return open_sweep(out, what="SS18, tables 1 and 2", settings=settings, processes=processes)


def descend(
    size: Size,
    restarts: int,
    seed: int,
    sweep: Sweep | None,
    progress: Progress | None = None,
    *,
    only: Callable[[Arrays], np.ndarray] | None = None,
) -> Runs:
    """Give restarts 0, …, `restarts` − 1 of one size; those in the sweep are read, not run again.

    `only` chooses among the runs of a chunk, a mask; the memory of the others is let go chunk by
    chunk.

    Source: SS18, section 3.
    """
    parts, done = [], []

    def take(part: Arrays) -> None:
        done.append(part["restart"])
        mask = part["restart"] < restarts
        if only is not None:
            mask &= only(part)
        parts.append({name: array[mask] for name, array in part.items()})

    for part in _kept(size, sweep):
        take(part)
    already = np.concatenate([np.empty(0, np.int32), *done])
    for chunk in chunks(restarts):
        if progress is not None:
            progress(size, "descending", int(chunk[0]), restarts)
        found = search_chunk(size, chunk, restarts, seed, already, sweep)
        if found is not None:
            take(found)
    if progress is not None:
        progress(size, "descending", restarts, restarts)
    return _runs({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def not_global(part: Arrays) -> np.ndarray:
    """Choose the runs that did not end below the value threshold."""
    below = [*Status._name_to_item].index("below_value")
    return part["status"] != below


def search_share(
    sizes: list[Size],
    restarts: int,
    seed: int,
    sweep: Sweep,
    processes: Processes,
    progress: Progress | None = None,
) -> None:
    """Run this process's part of all chunks of all sizes; those in the sweep are not run again."""
    done = {
        size: np.concatenate([np.empty(0, np.int32), *(p["restart"] for p in _kept(size, sweep))])
        for size in sizes
    }
    for size, chunk in processes.share([(s, c) for s in sizes for c in chunks(restarts)]):
        if progress is not None:
            progress(size, "descending", int(chunk[0]), restarts)
        search_chunk(size, chunk, restarts, seed, done[size], sweep)


def chunks(restarts: int) -> list[np.ndarray]:
    """Divide the restarts into chunks of one length, so that the search compiles once."""
    length = _length(restarts)
    return [
        np.arange(first, min(first + length, restarts), dtype=np.int32)
        for first in range(0, restarts, length)
    ]


def search_chunk(
    size: Size,
    chunk: np.ndarray,
    restarts: int,
    seed: int,
    done: np.ndarray,
    sweep: Sweep | None,
) -> Arrays | None:
    """Run what is not done of a chunk, and keep it; `None`, where nothing is left."""
    missing = np.setdiff1d(chunk, done)
    if not len(missing):
        return None
    found = _search(size, missing, _length(restarts), seed)
    if sweep is not None:
        _write(sweep, f"{_folder(size)}/{missing[0]:06d}-{missing[-1]:06d}.zarr", found)
    return found


def _length(restarts: int) -> int:
    most = min(max(CHUNK, restarts // 100), _LONGEST_CHUNK)
    return -(-restarts // -(-restarts // most))


def _folder(size: Size) -> str:
    return f"runs/{tag(size)}"


def _kept(size: Size, sweep: Sweep | None) -> Iterator[Arrays]:
    """Read the chunks of one size that are in the sweep, one after another."""
    if sweep is not None:
        for name in sweep.names(f"{_folder(size)}/*.zarr"):
            yield _read(sweep, name)


def key(size: Size, seed: int) -> Key[Array, ""]:
    """Give the key of a size: the seed's, folded with k and with n."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), size[0]), size[1])


def _search(size: Size, index: np.ndarray, length: int, seed: int) -> Arrays:
    """Run some restarts in a call of the given length, padded by copies that are dropped."""
    k, n = size
    runs = restart(
        PopulationRisk(jnp.eye(k)),
        starts.gaussian((n, k)),
        np.pad(index, (0, length - len(index)), mode="edge"),
        key=key(size, seed),
        gradient_tolerance=GRADIENT_TOLERANCE,
        below_value=BELOW_VALUE,
    )
    arrays = {
        "restart": runs.restart_index,
        "params": runs.params,
        "value": runs.value,
        "gradient_norm": runs.gradient_norm,
        "steps": runs.steps,
        "status": runs.status._value,
    }
    return {name: np.asarray(array)[: len(index)] for name, array in arrays.items()}


def _runs(arrays: Arrays) -> Runs:
    """Put the chunks in order."""
    order = np.argsort(arrays["restart"], kind="stable")
    ordered = {name: jnp.asarray(array[order]) for name, array in arrays.items()}
    return Runs(
        params=ordered["params"],
        value=ordered["value"],
        gradient_norm=ordered["gradient_norm"],
        steps=ordered["steps"],
        status=tree_at(lambda status: status._value, Status.running, ordered["status"]),
        restart_index=ordered["restart"],
    )


def _write(sweep: Sweep, name: str, arrays: Arrays) -> None:
    import xarray as xr

    data = {x: (_DIMS.get(x, ("restart",)), a) for x, a in arrays.items()}
    labelled = xr.Dataset(data).set_coords("restart")
    labelled["status"].attrs["meanings"] = list(Status._name_to_item)
    sweep.write_arrays(name, labelled)


def _read(sweep: Sweep, name: str) -> Arrays:
    labelled = sweep.read_arrays(name)
    return {str(x): array.values for x, array in labelled.variables.items()}
