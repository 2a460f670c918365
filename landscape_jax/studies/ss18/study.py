"""Tables 1 and 2: the share of runs that end in a spurious minimum, each family of them proven."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial
from os import PathLike
from typing import Any

from landscape_jax.critical.families import families
from landscape_jax.files import StorageError
from landscape_jax.machine import require_memory
from landscape_jax.mistakes import explained
from landscape_jax.progress import StudyProgress, reporting_parts
from landscape_jax.search.runs import Runs
from landscape_jax.studies.ss18.protocol import (
    Size,
    above,
    checked,
    risk,
    search,
    store,
    tag,
)
from landscape_jax.studies.ss18.rows import Row, Table
from landscape_jax.sweeps.chunks import run_chunks
from landscape_jax.sweeps.executors import checked_executor, worker_count
from landscape_jax.sweeps.kept_rows import ahead, read_row, write_row
from landscape_jax.sweeps.proven import Proven, prove_families
from landscape_jax.sweeps.store import Store

# The number of sizes searched at a time.
_AT_A_TIME = 2
SIZES: tuple[Size, ...] = ((6, 6), (7, 7), (8, 8), (9, 9), (10, 10))


@explained
def table(
    sizes: Iterable[Size] = SIZES,
    restarts: int = 1000,
    seed: int = 0,
    *,
    out: str | PathLike[str] | None = None,
    progress: StudyProgress | bool | None = None,
    executor: Executor | None = None,
    mixed: bool = False,
) -> Table:
    """Count how often descent ends at or above 1e-3, and prove the minima there.

    For each (k, n), n student neurons learn k orthonormal teachers from `restarts` initial points
    w ~ N(0, I/k).  The runs that end at or above the value 1e-3 are counted.  For n ≥ k these are
    the paper's spurious ones; with n < k, outside its tables, they may be all.  The distinct points
    among their ends are proven to be minima, spurious where a point of lower value is known, and
    each proof is verified.

    **Arguments:**

    - `sizes`: pairs (k, n), any k, n ≥ 1.
    - `restarts`: of each size.
    - `seed`: of all; size (k, n) uses its key folded with k and with n.
    - `out`: a directory for runs, certificates and rows.  Finished parts are read, and the rest is
      computed: an interrupted call is resumed by repeating it, and other sizes or more restarts of
      the same seed extend it.
    - `progress`: `True` for a bar with the time left, in terminals and notebooks; or a function,
      called with (k, n), the current stage, and how much of it is done, of how much.
    - `executor`: whose workers run the restarts, see `sweep`; families are proven in this process.
    - `mixed`: whether `out` may hold runs of several versions or kinds of processors, see `sweep`.

    **Returns:** a `Table`, with the published values beside ours.

    **Raises:** `ValueError` if a size or a count is out of range, or float64 is off; `StorageError`
    if `out` holds something else, or is damaged; `SweepError` if chunks failed on the workers.

    Source: SS18, section 3, tables 1 and 2.

    ```python
    >>> import jax
    >>> from landscape_jax.studies import ss18
    >>> jax.config.update("jax_enable_x64", True)
    >>> row = ss18.table([(2, 2)], restarts=20).rows[0]
    >>> row.spurious, row.mean_objective
    (0, None)

    ```
    """
    pairs = checked(sizes, restarts, seed)
    for k, n in pairs:
        hessian = 8.0 * (n * k) ** 2
        require_memory(hessian, f"the Hessian at an end of {k}:{n}", "give a smaller size")
    if executor is not None:
        checked_executor(executor)
    with (
        store(out, pairs[0], seed, mixed=mixed) as place,
        reporting_parts(progress, pairs, restarts) as report,
    ):
        study = _Study(int(restarts), int(seed), place, report, executor)
        return Table(tuple(study.rows(pairs)), seed)


@dataclass(frozen=True)
class _Study:
    """The settings that all sizes of a table share."""

    restarts: int
    seed: int
    store: Store | None
    progress: StudyProgress
    executor: Executor | None

    def rows(self, sizes: list[Size]) -> Iterator[Row]:
        """Compute the rows of some sizes; finished rows are read."""
        at_a_time = _AT_A_TIME if self.executor is None else 1 + worker_count(self.executor)
        for size, found in zip(sizes, ahead(self._search, sizes, at_a_time), strict=True):
            yield found if isinstance(found, Row) else self._row(size, *found)

    def _search(self, size: Size) -> Row | tuple[Runs, float]:
        start = time.perf_counter()
        row = self._finished(size)
        if row is not None:
            return row
        report = partial(self.progress, size, "descending")
        chosen = search(size, self.seed)
        runs = run_chunks(
            chosen,
            self.restarts,
            self.store,
            only=above,
            progress=report,
            executor=self.executor,
        )
        return runs, time.perf_counter() - start

    def _row(self, size: Size, runs: Runs, seconds: float) -> Row:
        """Compute the row of one size from its runs, which took so many seconds."""
        start = time.perf_counter()
        proven = tuple(self._prove(size, runs)) if len(runs) else ()
        row = Row(*size, self.restarts, proven, seconds + time.perf_counter() - start)
        if self.store is not None:
            write_row(self.store, self._name(size), asdict(row), row.ends)
        return row

    def _prove(self, size: Size, runs: Runs) -> Iterator[Proven]:
        """Prove the families of the runs that ended at or above the threshold."""
        self.progress(size, "comparing", 0, 1)
        found = families(risk(size), runs)
        proofs = prove_families(risk(size), found, self.store, folder=f"certificates/{tag(size)}")
        for i, proof in enumerate(proofs):
            self.progress(size, "proving", i, len(found))
            yield proof

    def _name(self, size: Size) -> str:
        return f"rows/{tag(size)}-{self.restarts}.json"

    def _finished(self, size: Size) -> Row | None:
        """Read the finished row of one size; `None` if there is none that holds."""

        def build(known: dict[str, Any], ends: tuple[Proven, ...]) -> Row:
            row = Row(**known, ends=ends)
            if (row.k, row.n, row.restarts) != (*size, self.restarts):
                raise StorageError(f"{self._name(size)} holds the row of another size")
            return row

        row = None if self.store is None else read_row(self.store, self._name(size), build)
        if row is not None:
            self.progress(size, "descending", self.restarts, self.restarts)
        return row
