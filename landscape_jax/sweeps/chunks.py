"""The runs of one search in chunks: read from a store where they are there, else run and stored."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Int, Key, PyTree

from landscape_jax.files import StorageError
from landscape_jax.mistakes import shown
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.search.initial_points import restart_indices
from landscape_jax.search.labelled import from_xarray, to_xarray
from landscape_jax.search.parameters import first_entry, split, whole
from landscape_jax.search.restarts import restart
from landscape_jax.search.runs import Runs
from landscape_jax.sweeps.store import Store

# Runs of one call: with fewer, more calls wait for their slowest run; a hundredth of all where they
# are many, so that the files stay few, but at most this many, which bounds memory.
CHUNK = 500
_LONGEST_CHUNK = 10_000
# Called with how many runs are done, and of how many.
Progress = Callable[[int, int], None]
Chosen = Callable[[Runs], Bool[np.ndarray, " runs"]]


@dataclass(frozen=True, eq=False)
class Search:
    """The arguments of `restart` other than the restarts.

    - `objective`, `start`, `key`, and `settings`: its other arguments.
    - `folder`: the directory of its chunks in a store.
    """

    objective: AbstractObjective
    start: Callable[[Key[Array, ""]], PyTree] | PyTree
    key: Key[Array, ""] | None
    settings: dict[str, Any] = field(default_factory=dict)
    folder: str = "runs"

    def run(self, index: Int[np.ndarray, " restarts"], length: int) -> Runs:
        """Run some restarts in a call compiled for `length` of them, so that chunks share it."""
        found = restart(
            self.objective, self.start, index, key=self.key, room=length, **self.settings
        )
        return found.map(np.asarray)

    def like(self) -> PyTree:
        """Return the shapes of the params of one run."""
        if callable(self.start) and self.key is not None:
            return eqx.filter_eval_shape(self.start, self.key)
        arrays, fixed = split(self.start)
        return whole(jax.eval_shape(first_entry, arrays), fixed)


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
) -> Runs:
    """Return the runs of these restarts; those in the store are read, not run again.

    `only` selects runs of a chunk by a mask; the memory of the others is freed chunk by chunk.
    """
    parts, done, wanted = [], [], chunks(restarts, chunk)
    every, ended = np.concatenate(wanted), 0

    def keep(part: Runs) -> None:
        nonlocal ended
        done.append(np.asarray(part.restart_index))
        mask = np.isin(done[-1], every)
        chosen = mask if only is None else mask & _chosen(only, part)
        ended += int(mask.sum())
        if progress is not None:
            progress(ended, len(every))
        parts.append(part[chosen])

    if progress is not None:
        progress(0, len(every))
    for part in kept(search, store):
        keep(part)
    already = np.concatenate([np.empty(0, np.int32), *done])
    for part in wanted:
        found = run_chunk(search, part, len(wanted[0]), already, store)
        if found is not None:
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


def run_chunk(
    search: Search,
    chunk: Int[np.ndarray, " chunk"],
    length: int,
    done: Int[np.ndarray, " done"],
    store: Store | None,
) -> Runs | None:
    """Run the restarts of a chunk that are not done, and store them; `None` if all are done."""
    missing = np.setdiff1d(chunk, done)
    if not len(missing):
        return None
    found = search.run(missing, length)
    if store is not None:
        name = f"{search.folder}/{missing[0]:06d}-{missing[-1]:06d}.zarr"
        store.write_arrays(name, to_xarray(found))
    return found


def kept(search: Search, store: Store | None) -> Iterator[Runs]:
    """Read the chunks of a search that are in the store, one after another."""
    if store is not None:
        like = search.like()
        for name in store.names(f"{search.folder}/*.zarr"):
            try:
                runs = from_xarray(store.read_arrays(name), like)
            except (KeyError, OSError, TypeError, ValueError) as error:
                raise StorageError(
                    f"{store.root / name} cannot be read as runs; remove it and its runs are run "
                    f"again ({error})"
                ) from error
            yield runs.map(np.asarray)


def kept_indices(search: Search, store: Store | None) -> Int[np.ndarray, " done"]:
    """Return which restarts of a search are in the store."""
    parts = [np.asarray(part.restart_index) for part in kept(search, store)]
    return np.concatenate([np.empty(0, np.int32), *parts])
