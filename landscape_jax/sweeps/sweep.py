"""Thousands of descents of any objective, stored on disk chunk by chunk, and resumable."""

from collections.abc import Callable
from concurrent.futures import Executor
from os import PathLike
from typing import Any, SupportsIndex

import jax
import numpy as np
from jaxtyping import Array, Key, PyTree

from landscape_jax.arrays import count
from landscape_jax.mistakes import explained
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.progress import Progress, checked_progress, reporting
from landscape_jax.search.initial_points import initial_points, restart_indices
from landscape_jax.search.parameters import checked_objective
from landscape_jax.search.runs import Runs
from landscape_jax.search.user_functions import checked_function
from landscape_jax.sweeps.chunks import Chosen, Search, run_chunks
from landscape_jax.sweeps.executors import checked_executor
from landscape_jax.sweeps.fingerprint import fingerprint
from landscape_jax.sweeps.store import open_store

# Settings of `restart` that a sweep sets itself, or that do not change its runs.
_OWN = ("key", "room", "progress", "callback", "mesh")


@explained
def sweep(
    objective: AbstractObjective,
    start: Callable[[Key[Array, ""]], PyTree] | PyTree,
    restarts: SupportsIndex | Array | np.ndarray,
    *,
    key: Key[Array, ""] | None = None,
    out: str | PathLike[str] | None = None,
    chunk: SupportsIndex | None = None,
    only: Chosen | None = None,
    progress: Progress | bool | None = None,
    executor: Executor | None = None,
    mixed: bool = False,
    **settings: Any,
) -> Runs:
    """Run `restart` in chunks, each stored in a directory as soon as it is done.

    An interrupted call is resumed by repeating it: chunks that are in the directory are read, not
    run again.  More restarts of the same key extend it.  Each chunk is a zarr store
    that `xarray.open_zarr` and `Runs.load` read, `out/runs/000000-000499.zarr`.

    **Arguments:**

    - `objective`, `start`, `restarts`, `key`: as of `restart`.
    - `out`: the directory, new or of this sweep; nothing is stored where left out.
    - `chunk`: the largest number of runs in a chunk; if left out, a hundredth of all, but at least
      500 and at most 10,000.  It changes no run.
    - `only`: a function from the `Runs` of a chunk to a mask of those to return, so that millions
      of runs need the memory of few; all are stored in the directory.
    - `progress`: `True` for a bar with the time left, in terminals and notebooks; or a function,
      called with the number of runs that have ended, and that of all.
    - `executor`: any `concurrent.futures.Executor` whose workers run the chunks, on this machine or
      others: a `ProcessPoolExecutor` that spawns, Dask's `Client(...).get_executor()`, mpi4py's.
      Results come back to this process, which alone writes, so that no file system is shared.  They
      have the bits of a sweep without it: workers unlike this machine are refused.  Each worker
      runs a chunk at a time, and has at most one more at hand.  The executor is left open.
    - `mixed`: whether `out` may hold runs made by several versions, kinds of processors or kernels,
      which differ in their last digits; each chunk says by what it was made.
    - `settings`: other arguments of `restart`, such as `optimizer` or `max_steps`.

    **Returns:** `Runs`, in the order of their restarts.

    **Raises:** `StorageError` if `out` holds the sweep of another objective, start, key or setting,
    or something else, is in use, or has a damaged chunk; `ValueError` if a setting is not one of a
    sweep, or the executor forks; `SweepError` if chunks failed on its workers, when all others are
    done, or, without `out`, a worker is unlike this machine; what `restart` raises.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj, tempfile
    >>> risk = lj.PopulationRisk(jnp.eye(3))
    >>> start, key = lj.starts.gaussian((3, 3)), jax.random.key(0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     some = lj.sweep(risk, start, 10, key=key, out=folder, chunk=10)
    ...     more = lj.sweep(risk, start, 20, key=key, out=folder, chunk=10)  # ten of them are run
    >>> bool((more[:10].value == some.value).all())
    True

    ```
    """
    if taken := [name for name in _OWN if name in settings]:
        raise ValueError(f"{taken[0]} is no setting of a sweep, which sets it itself; leave it out")
    checked_objective(objective)
    most = None if chunk is None else count("chunk", chunk)
    if only is not None:
        checked_function("only", only)
    checked_progress(progress)
    if executor is not None:
        checked_executor(executor)
    # Nothing is stored before the arguments have been checked.
    points = initial_points(start, key)
    index = np.asarray(restart_indices(restarts, points.length))
    search = Search(objective, start, key, settings)
    options: Any = {"chunk": most, "only": only, "executor": executor}
    if out is None:
        with reporting(progress, "runs") as report:
            return run_chunks(search, index, None, progress=report, **options)
    known = {
        "objective": fingerprint(objective),
        "start": fingerprint(start),
        "key": None if key is None else np.asarray(jax.random.key_data(key)).tolist(),
        "precision": "float64" if jax.config.read("jax_enable_x64") else "float32",
        "settings": fingerprint(settings),
    }
    made_by = search.made_by()
    with (
        open_store(out, what="runs", settings=known, made_by=made_by, mixed=mixed) as store,
        reporting(progress, "runs") as report,
    ):
        return run_chunks(search, index, store, progress=report, **options)
