"""Tables 1 and 2: the share of runs that end in a spurious minimum, each family of them proven."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from os import PathLike
from typing import TypeVar

import jax.numpy as jnp
import numpy as np

from landscape_jax.critical.families import Family, families
from landscape_jax.objectives.population import PopulationRisk
from landscape_jax.proofs import Certificate, CertificateError, NotProven, prove_minimum, verify
from landscape_jax.search.runs import Runs
from landscape_jax.studies.ss18.rows import Outcome, Row, Table, Trap
from landscape_jax.studies.ss18.runs import (
    Progress,
    Size,
    check,
    descend,
    not_global,
    search_share,
    sweep,
    tag,
)
from landscape_jax.sweeps.processes import ALONE, Processes
from landscape_jax.sweeps.storage import Sweep

Result = TypeVar("Result")
# Sizes that are searched at a time.
_AT_A_TIME = 2
SIZES: tuple[Size, ...] = ((6, 6), (7, 7), (8, 8), (9, 9), (10, 10))


def table(
    sizes: Iterable[Size] = SIZES,
    restarts: int = 1000,
    seed: int = 0,
    *,
    out: str | PathLike[str] | None = None,
    progress: Progress | None = None,
    processes: Processes = ALONE,
) -> Table:
    """Count how often descent ends at or above 1e-3, and prove what is there.

    For each (k, n), n student neurons learn k orthonormal teachers from `restarts` starts
    w ~ N(0, I/k).  Counted are the runs that end at or above the value 1e-3.  For n ≥ k these are
    the paper's spurious ones; with n < k, outside its tables, they may be all.  The distinct points
    among their ends are proven to be minima, spurious where a point of lower value is known, and
    each proof is verified.

    **Arguments:**

    - `sizes`: pairs (k, n), any k, n ≥ 1.
    - `restarts`: of each size.
    - `seed`: of all; size (k, n) uses its key folded with k and with n.
    - `out`: a directory for runs, certificates and rows.  What is finished there is used, and the
      rest computed: an interrupted call is resumed by repeating it, and other sizes or more
      restarts of the same seed extend it.
    - `progress`: called with (k, n), what is being done, and how much of how much of it is done.
    - `processes`: those that make the table together in `out`, see `processes.join`; each runs its
      part of all restarts, then proves its part of the sizes.

    **Returns:** a `Table`, with the published values beside ours.

    **Raises:** `ValueError` on sizes and counts that are not so and where float64 is off;
    `StorageError` where `out` holds something else.

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
    pairs = list(dict.fromkeys((int(k), int(n)) for k, n in sizes))
    check(pairs, restarts, seed)
    with sweep(out, seed, processes) as kept:
        if kept is not None and processes.count > 1:
            search_share(pairs, restarts, seed, kept, processes, progress)
            processes.wait("all restarts have ended")
            list(_rows(processes.share(pairs), restarts, seed, kept, progress))
            processes.wait("all rows are proven")
        return Table(tuple(_rows(pairs, restarts, seed, kept, progress)), seed)


def _rows(
    sizes: list[Size], restarts: int, seed: int, kept: Sweep | None, progress: Progress | None
) -> Iterator[Row]:
    """Give the rows of some sizes; what is finished is read."""

    def search(size: Size) -> Row | tuple[Runs, float]:
        start = time.perf_counter()
        row = _finished(size, restarts, kept, progress)
        if row is not None:
            return row
        runs = descend(size, restarts, seed, kept, progress, only=not_global)
        return runs, time.perf_counter() - start

    for size, found in zip(sizes, _ahead(search, sizes), strict=True):
        if isinstance(found, Row):
            yield found
        else:
            yield _row(size, restarts, *found, kept, progress)


def _ahead(work: Callable[[Size], Result], sizes: list[Size]) -> Iterator[Result]:
    """Give the work of each size in order, the next one being done while this one is looked at.

    Compiling, descending and proving leave a core idle now and then; two sizes at a time do not.
    """
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        waiting: deque[Future[Result]] = deque()
        for size in sizes:
            if len(waiting) == _AT_A_TIME:
                yield waiting.popleft().result()
            waiting.append(pool.submit(work, size))
        while waiting:
            yield waiting.popleft().result()


def _name(size: Size, restarts: int) -> str:
    return f"rows/{tag(size)}-{restarts}.json"


def _finished(
    size: Size, restarts: int, sweep: Sweep | None, progress: Progress | None
) -> Row | None:
    """Read the row of one size, where it is there."""
    known = None if sweep is None else sweep.read_json(_name(size, restarts))
    if known is None:
        return None
    try:
        row = Row(**(known | {"traps": tuple(Trap(**trap) for trap in known["traps"])}))
    except TypeError:  # It has the fields of another version, and is made again from the runs.
        return None
    if progress is not None:
        progress(size, "descending", restarts, restarts)
    return row


def _row(
    size: Size,
    restarts: int,
    runs: Runs,
    seconds: float,
    sweep: Sweep | None,
    progress: Progress | None,
) -> Row:
    """Give the row of one size from its runs, which took so many seconds."""
    start = time.perf_counter()
    traps = _traps(size, runs, sweep, progress)
    row = Row(*size, restarts, traps, seconds + time.perf_counter() - start)
    if sweep is not None:
        sweep.write_json(_name(size, restarts), asdict(row))
    return row


def _traps(
    size: Size, runs: Runs, sweep: Sweep | None, progress: Progress | None
) -> tuple[Trap, ...]:
    """Give the families of the runs that ended at or above the threshold, each with its proof."""
    k, n = size
    risk = PopulationRisk(jnp.eye(k))
    if progress is not None:
        progress(size, "comparing", 0, 1)
    if not len(runs):
        return ()
    found = families(risk, runs)
    # With fewer students than teachers 0 is not attained: the best end is the only witness.
    witness = found[0].representative if found and n < k else None
    traps = []
    for i, family in enumerate(found):
        if progress is not None:
            progress(size, "proving", i, len(found))
        traps.append(_trap(size, risk, family, witness, sweep))
    return (*traps, *_unfinished(found.unconverged))


def _trap(
    size: Size,
    risk: PopulationRisk,
    family: Family,
    witness: np.ndarray | None,
    sweep: Sweep | None,
) -> Trap:
    """Prove one family, and verify the proof."""
    restart = int(family.restart_index[0])
    name = None if sweep is None else f"certificates/{tag(size)}/restart-{restart:06d}.json"
    proof = _proof(risk, family.representative, witness, sweep, name)
    outcome, reason = _outcome(proof, lower_is_known=size[1] >= size[0])
    return Trap(
        count=family.count,
        restart=restart,
        kind=family.kind,
        value=_finite(family.value),
        gradient_norm=_finite(family.gradient_norm),
        min_eigenvalue=_finite(family.min_eigenvalue),
        outcome=outcome,
        reason=reason,
        radius=proof.radius,
        certificate=name if proof else None,
    )


def _proof(
    risk: PopulationRisk,
    point: np.ndarray,
    witness: np.ndarray | None,
    sweep: Sweep | None,
    name: str | None,
) -> Certificate | NotProven:
    """Give the certificate in the sweep, or make it."""
    path = None if sweep is None or name is None else sweep.path(name)
    if path is not None and path.exists():
        with suppress(CertificateError):  # It is of another version, or damaged, and made again.
            kept = Certificate.load(path)
            if np.array_equal(kept.given, point):
                return kept
    proof = prove_minimum(risk, point, witness=witness)
    if path is not None and isinstance(proof, Certificate):
        proof.save(path)
    return proof


def _outcome(proof: Certificate | NotProven, *, lower_is_known: bool) -> tuple[Outcome, str | None]:
    """Return what is proven, and why not more; `None` where it is all that can be."""
    if isinstance(proof, NotProven):
        descends = proof.min_eigenvalue_upper is not None and proof.min_eigenvalue_upper < 0
        return ("saddle" if descends else "undecided"), proof.reason
    check = verify(proof)
    if not check.holds:
        return "undecided", f"the certificate is not confirmed: {check.reason}"
    if proof.kind == "spurious":
        return "spurious", None
    reason = "a strict local minimum is proven, but no point of lower value is known."
    return "minimum", reason if lower_is_known else None


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _unfinished(runs: Runs) -> Iterator[Trap]:
    """Describe the runs that came to no end, one entry a status."""
    names = runs.status_names if len(runs) else np.empty(0, str)
    for status in dict.fromkeys(names.tolist()):
        places = np.flatnonzero(names == status)
        first = int(runs.restart_index[places[0]])
        reason = f"these runs came to no end, their status is {status!r}."
        yield Trap(len(places), first, status, None, None, None, "undecided", reason)
