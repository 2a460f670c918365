"""Prove what is listed, or what descents end in, one class of critical points a row."""

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from os import PathLike
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np

from landscape_jax.critical.families import Family, families
from landscape_jax.machine import require_memory
from landscape_jax.mistakes import explained
from landscape_jax.objectives.protocols import nearest_minimizer
from landscape_jax.progress import Progress, StudyProgress, reporting, reporting_parts
from landscape_jax.proofs import NotProven, isotropy, prove_critical_point, verify
from landscape_jax.proofs.blocks import dense
from landscape_jax.proofs.critical_point import Proof
from landscape_jax.proofs.symmetric_certificate import (
    MOST_UNKNOWNS,
    SymmetricCertificate,
    exact_blocks,
    to_unknowns,
    to_values,
)
from landscape_jax.proofs.symmetric_proof import prove_symmetric
from landscape_jax.search.runs import Runs
from landscape_jax.studies.atlas.atlas_rows import Atlas, AtlasRow, bounds_of
from landscape_jax.studies.atlas.listed_points import ListedPoint
from landscape_jax.studies.ss18.protocol import Size, checked, risk, search, store, tag
from landscape_jax.sweeps.chunks import run_chunks
from landscape_jax.sweeps.executors import checked_executor
from landscape_jax.sweeps.fingerprint import fingerprint
from landscape_jax.sweeps.store import Store, open_store

# Points of more numbers are proven in their fixed space or not at all.
LARGEST = 2500


@dataclass(frozen=True)
class _EndClass:
    """A class of the ends of descents."""

    k: int
    n: int
    number: int
    count: int
    blocks: tuple[int, ...]
    teacher_blocks: tuple[int, ...]


@explained
def of_points(
    points: Sequence[ListedPoint],
    *,
    max_move: float | int = 1e-3,
    out: str | PathLike[str] | None = None,
    progress: Progress | bool | None = None,
) -> Atlas:
    """Prove listed points, and verify each proof.

    **Arguments:** `points`, from `read_points` or made by hand; `max_move`, how far a point may be
    polished, relative to the length of its shortest neuron; `out`, a directory for certificates;
    `progress`, `True` for a bar, or a function, called with how many points are done, and of how
    many.

    **Returns:** an `Atlas`, a row a point.

    **Raises:** `StorageError` if `out` holds something else, such as the atlas of another list.

    ```python
    >>> values = np.array([[-0.67, 0.17, 0], [0.24, 1.0, -0.04]])
    >>> atlas = of_points([ListedPoint(0, 1, (1, 5), (1, 5), values)], max_move=0.5)
    >>> atlas.rows[0].kind, atlas.rows[0].index
    ('spurious', 0)

    ```
    """
    settings = {"points": fingerprint(list(points)), "max_move": float(max_move)}
    what = {"what": "an atlas of listed points", "settings": settings, "made_by": {}}
    with (
        nullcontext() if out is None else open_store(out, **what, mixed=True) as place,
        reporting(progress, "points") as report,
    ):
        rows = []
        for i, point in enumerate(points):
            if report is not None:
                report(i, len(points))
            rows.append(_listed(point, max_move, place))
    return Atlas(tuple(rows))


def _listed(point: ListedPoint, max_move: float, place: Store | None) -> AtlasRow:
    """Prove one point of a list."""
    start = time.perf_counter()
    proof: Proof | NotProven = NotProven(f"its blocks leave more than {MOST_UNKNOWNS} unknowns.")
    if len(point.blocks) * len(point.teacher_blocks) <= MOST_UNKNOWNS:
        group = exact_blocks(
            point.blocks,
            point.teacher_blocks,
            [1.0] * len(point.blocks),
            [1.0] * len(point.teacher_blocks),
        )
        x = to_unknowns(group, point.values)
        if np.array_equal(to_values(group, x), point.values):
            proof = prove_symmetric(
                point.blocks, point.teacher_blocks, point.values, max_move=max_move
            )
        else:
            proof = NotProven("values has entries other than 0 that belong to no unknown.")
        if not proof and point.n * point.k <= LARGEST:
            whole = prove_critical_point(_orthonormal(point.k), dense(group, x), max_move=max_move)
            proof = whole if whole else proof
    name = f"certificates/{tag((point.k, point.n))}-class{point.number:03d}.json"
    return _row(point, proof, place, name, start)


def _row(
    point: ListedPoint | _EndClass,
    proof: Proof | NotProven,
    place: Store | None,
    name: str,
    start: float,
) -> AtlasRow:
    """Verify a proof, keep it, and describe it."""
    path, reason = None, None
    if proof:
        check = verify(proof, _orthonormal(point.k))
        reason = None if check else f"the certificate is not confirmed: {check.reason}"
        if place is not None:
            path = str(proof.save(place.path(name)))
    return AtlasRow(
        k=point.k,
        n=point.n,
        number=point.number,
        count=point.count,
        blocks=point.blocks,
        teacher_blocks=point.teacher_blocks,
        seconds=time.perf_counter() - start,
        certificate=path,
        **bounds_of(proof, reason),
    )


@explained
def of_sizes(
    sizes: Iterable[Size],
    restarts: int = 500,
    seed: int = 0,
    *,
    out: str | PathLike[str] | None = None,
    progress: StudyProgress | bool | None = None,
    executor: Executor | None = None,
    mixed: bool = False,
) -> Atlas:
    """Descend from random points, and prove each class of ends.

    The runs are those of `ss18.table`, of which `out` may be a directory.  Runs from whose end the
    risk falls on a straight line to an exhibited global minimum are one class; others that ended
    below the value 1e-3 are not listed, nor are unfinished ones.

    **Arguments:** as of `ss18.table`.

    **Returns:** an `Atlas`: for each size its classes, lowest value first.

    **Raises:** as `ss18.table`.

    ```python
    >>> import jax
    >>> jax.config.update("jax_enable_x64", True)
    >>> [row.kind for row in of_sizes([(2, 2)], restarts=20)]
    ['global']

    ```
    """
    pairs = checked(sizes, restarts, seed)
    for k, n in pairs:
        require_memory(8.0 * (n * k) ** 2, f"the Hessian at an end of {k}:{n}", "give fewer")
    if executor is not None:
        checked_executor(executor)
    with (
        store(out, pairs[0], seed, mixed=mixed) as place,
        reporting_parts(progress, pairs, restarts) as report,
    ):
        rows = []
        for size in pairs:
            runs = run_chunks(
                search(size, seed),
                int(restarts),
                place,
                progress=partial(report, size, "descending"),
                executor=executor,
            )
            rows += _classes(size, runs, place, report)
    return Atlas(tuple(rows))


def _classes(
    size: Size, runs: Runs, place: Store | None, report: StudyProgress
) -> Iterator[AtlasRow]:
    """Prove the classes of one size."""
    report(size, "comparing", 0, 1)
    found = [f for f in families(risk(size), runs) if not _unfinished(f)]
    for number, family in enumerate(found):
        report(size, "proving", number, len(found))
        start = time.perf_counter()
        point = _representative(size, family)
        proof = prove_critical_point(_orthonormal(size[0]), point)
        blocks, teachers = isotropy(_orthonormal(size[0]), point).sizes
        if isinstance(proof, SymmetricCertificate):
            blocks, teachers = proof.blocks, proof.teacher_blocks
        one = _EndClass(*size, number, family.count, blocks, teachers)
        folder = f"certificates/atlas-{tag(size)}"
        yield _row(one, proof, place, f"{folder}/class{number:03d}.json", start)


def _unfinished(family: Family) -> bool:
    """Whether its runs ended below the threshold without a line to a global minimum."""
    return family.kind == "undecided" and not np.isfinite(family.min_eigenvalue)


def _representative(size: Size, family: Family) -> np.ndarray:
    """Return the point to prove.

    Of a class of global runs it is the minimizer that the risk falls to, for at their threshold
    they have not arrived.
    """
    point = np.asarray(family.representative)
    if family.kind != "global":
        return point
    near = nearest_minimizer(risk(size), jnp.asarray(point))
    return point if near is None else np.asarray(near.point)


def _orthonormal(k: int) -> Any:
    """Return the arrays of the risk of k orthonormal teachers of weight 1, which proofs read."""
    return SimpleNamespace(
        teacher=np.eye(k), teacher_weights=np.ones(k), student_weights=None, activation="relu"
    )
