"""The runs of one search in chunks: read from a store where they are there, else run and stored."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Int, Key, PyTree

from landscape_jax.files import DamagedError, StorageError
from landscape_jax.mistakes import shown
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.progress import Progress
from landscape_jax.search.default_lanes import default_lanes
from landscape_jax.search.finish_on_host import finish_on_host
from landscape_jax.search.initial_points import restart_indices
from landscape_jax.search.labelled import from_xarray, to_xarray
from landscape_jax.search.parameters import first_entry, split, whole
from landscape_jax.search.restarts import restart
from landscape_jax.search.runs import Runs, Status
from landscape_jax.sweeps.executors import SweepError, results
from landscape_jax.sweeps.made_by import made_by, shaped
from landscape_jax.sweeps.store import Store, difference

if TYPE_CHECKING:
    import xarray as xr

# Runs of one call: with fewer, more calls wait for their slowest run; a hundredth of all where they
# are many, so that the files stay few, but at most this many, which bounds memory.
CHUNK = 500
_LONGEST_CHUNK = 10_000
_REMEDY = "remove it, and its runs are run again"
Chosen = Callable[[Runs], Bool[np.ndarray, " runs"]]


@dataclass(frozen=True, eq=False)
class Search:
    """The arguments of `restart` other than the restarts.

    - `objective`, `start`, `key`, and `settings`: its other arguments.
    - `folder`: the directory of its chunks in a store.
    - `on_host`: the settings with which its runs, of float32, are finished in float64 on the CPU,
      see `finish_on_host`; `None` if they are not.
    """

    objective: AbstractObjective
    start: Callable[[Key[Array, ""]], PyTree] | PyTree
    key: Key[Array, ""] | None
    settings: dict[str, Any] = field(default_factory=dict)
    folder: str = "runs"
    on_host: dict[str, Any] | None = None

    def run(self, index: Int[np.ndarray, " restarts"], length: int) -> Runs:
        """Run some restarts in a call compiled for `length` of them, so that chunks share it."""
        found = restart(
            self.objective, self.start, index, key=self.key, room=length, **self.settings
        )
        if self.on_host is not None:
            found = finish_on_host(self.objective, found, room=length, **self.on_host)
        return found.map(np.asarray)

    def like(self) -> PyTree:
        """Return the shapes of the params of one run."""
        if callable(self.start) and self.key is not None:
            return eqx.filter_eval_shape(self.start, self.key)
        arrays, fixed = split(self.start)
        return whole(jax.eval_shape(first_entry, arrays), fixed)

    def made_by(self) -> dict[str, Any]:
        """Return what the last digits of its runs depend on, in this process."""
        lanes, like = self.settings.get("lanes"), self.like()
        if lanes is None:
            arrays = split(jax.tree.map(shaped, like))[0]
            lanes = default_lanes(sum(leaf.size for leaf in jax.tree.leaves(arrays)))
        return made_by(self.objective, like, lanes)


def chunks(
    restarts: int | np.integer | np.ndarray, most: int | None = None
) -> list[Int[np.ndarray, " chunk"]]:
    """Divide the restarts, a count or indices, into chunks of equal length but for the last."""
    index = np.asarray(restart_indices(restarts))
    if most is None:
        most = min(max(CHUNK, len(index) // 100), _LONGEST_CHUNK)
    count = -(-len(index) // most)
    length = -(-len(index) // count)
    return [index[i : i + length] for i in range(0, len(index), length)]


def run_chunks(
    search: Search,
    restarts: int | np.integer | np.ndarray,
    store: Store | None,
    *,
    chunk: int | None = None,
    only: Chosen | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Runs:
    """Return the runs of these restarts; those in the store are read, not run again.

    `only` selects runs of a chunk by a mask; the memory of the others is freed chunk by chunk.
    """
    parts, ended, asked = [], 0, chunks(restarts, chunk)
    every, done = np.concatenate(asked), np.empty(0, np.int32)

    def keep(part: Runs) -> None:
        nonlocal done, ended
        index = np.asarray(part.restart_index)
        done = np.concatenate([done, index])
        wanted = part[np.isin(index, every)]
        ended += len(wanted)
        if progress is not None:
            progress(ended, len(every))
        parts.append(wanted if only is None or not len(wanted) else wanted[_chosen(only, wanted)])

    if progress is not None:
        progress(0, len(every))
    lanes = None if store is None else store.made_by.get("lanes")
    for part in kept(search, store):
        lanes = part.lanes if lanes is None else lanes
        keep(part)
    if lanes is not None:
        # What a sweep began with, it goes on with, on whatever machine.
        search = replace(search, settings={"lanes": lanes} | search.settings)
    missing = [np.setdiff1d(part, done) for part in asked]
    missing = [part for part in missing if len(part)]
    # To be marked by, or to hold workers against.
    made_here = search.made_by() if (store is None) != (executor is None) else {}
    for found, made in _computed(search, missing, len(asked[0]), executor, made_here):
        if store is not None:
            name = _name(search, np.asarray(found.restart_index))
            store.write_arrays(name, to_xarray(found), made)
        elif differs := difference(made_here, made):
            raise SweepError(
                f"this process has {differs} as a worker, whose runs may differ in their last "
                "digits; use workers like it, or out= with mixed=True"
            )
        keep(found)
    return Runs.concatenate(parts)


def _chosen(only: Chosen, part: Runs) -> Bool[np.ndarray, " runs"]:
    """Return the mask of the runs to be returned."""
    mask = np.asarray(only(part))
    if mask.dtype != bool or mask.shape != (len(part),):
        raise ValueError(
            f"only returns {shown(mask)}; it must return a mask, a bool for each of the "
            f"{len(part)} runs"
        )
    return mask


def _computed(
    search: Search,
    parts: list[np.ndarray],
    length: int,
    executor: Executor | None,
    made_here: dict[str, Any],
) -> Iterator[tuple[Runs, dict[str, Any]]]:
    """Yield the runs of chunks, and by what they are made, as they come.

    They are run here, or on the workers of an executor.
    """
    if executor is None:
        yield from ((search.run(part, length), made_here) for part in parts)
        return
    work, like = _Remote(search, length), search.like()
    for _, (found, made) in results(
        executor, work, parts, lambda part: f"restarts {part[0]} to {part[-1]}"
    ):
        yield from_xarray(found, like).map(np.asarray), made


@dataclass(frozen=True, eq=False)
class _Remote:
    """Run a chunk of a search on a worker.

    Labelled runs are arrays alone, and travel where a network's functions do not.
    """

    search: Search
    length: int

    def __call__(self, index: Int[np.ndarray, " chunk"]) -> tuple["xr.Dataset", dict[str, Any]]:
        return to_xarray(self.search.run(index, self.length)), self.made_by

    @cached_property
    def made_by(self) -> dict[str, Any]:
        return self.search.made_by()


def _name(search: Search, index: np.ndarray) -> str:
    return f"{search.folder}/{index[0]:06d}-{index[-1]:06d}.zarr"


def kept(search: Search, store: Store | None) -> Iterator[Runs]:
    """Read the chunks of a search that are in the store, one after another.

    **Raises:** `DamagedError` if one is damaged, renamed or of another sweep, or holds a run that
    another one holds too.
    """
    if store is None:
        return
    like, seen = search.like(), np.empty(0, np.int32)
    for name in store.names(f"{search.folder}/*"):
        try:
            runs = from_xarray(store.read_arrays(name), like).map(np.asarray)
            index = np.asarray(runs.restart_index)
            if name != _name(search, index) or np.any(np.diff(index) < 1):
                raise ValueError("its restarts are not those of its name")
            if len(twice := np.intersect1d(index, seen)):
                raise ValueError(f"it holds restart {twice[0]}, as another chunk does")
            if np.any(np.asarray(runs.status == Status.running)):
                raise ValueError("it holds a run that has not ended")
        except DamagedError as error:
            raise DamagedError(f"{error}; {_REMEDY}") from error
        except StorageError:
            raise
        except (KeyError, IndexError, TypeError, ValueError) as error:
            place = store.root / name
            raise DamagedError(f"{place} is no chunk of this sweep: {error}; {_REMEDY}") from error
        seen = np.concatenate([seen, index])
        yield runs
