"""The share of global runs, the families, and the time of descent, for k teachers and n ≥ k."""

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from os import PathLike
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from landscape_jax.arrays import count
from landscape_jax.critical.families import Families, families
from landscape_jax.files import StorageError
from landscape_jax.machine import require_memory
from landscape_jax.mistakes import explained
from landscape_jax.objectives.joint import JointRisk
from landscape_jax.objectives.population import PopulationRisk
from landscape_jax.progress import StudyProgress, reporting_parts
from landscape_jax.search.restarts import restart
from landscape_jax.search.runs import Runs
from landscape_jax.studies.ss18.protocol import (
    GRADIENT_TOLERANCE,
    STEP,
    Size,
    checked,
    tag,
    without_lanes,
)
from landscape_jax.studies.width.students import (
    LEVELS,
    Precision,
    Students,
    Trained,
    checked_scales,
)
from landscape_jax.studies.width.survival import Survival, survival
from landscape_jax.studies.width.width_rows import WidthRow, WidthTable
from landscape_jax.sweeps.chunks import run_chunks
from landscape_jax.sweeps.executors import checked_executor, worker_count
from landscape_jax.sweeps.kept_rows import ahead, read_row, write_row
from landscape_jax.sweeps.proven import Proven, prove_families
from landscape_jax.sweeps.store import Store, open_store

# Runs below the threshold, from whose end no straight line falls to a minimizer, descend on to
# this value, in units: of 500 runs of (15, 17) 88 did so, and then a line fell from each.
_FURTHER = 1e-10
_FURTHER_STEPS = 1_000_000
# The number of sizes searched at a time.
_AT_A_TIME = 2
_QUANTILES = (0.5, 0.99)
EXTRA = (0, 1, 2, 3)
TEACHERS = (6, 8, 10)

# A size, and the scale of its initialization.
Cell = tuple[Size, float]


@explained
def table(
    teachers: Iterable[SupportsIndex] = TEACHERS,
    extra: Iterable[SupportsIndex] = EXTRA,
    restarts: int = 1000,
    seed: int = 0,
    *,
    activation: str = "relu",
    trained: Trained = "first",
    scales: Sequence[float] = (1.0,),
    precision: Precision = "float64",
    out: str | PathLike[str] | None = None,
    progress: StudyProgress | bool | None = None,
    executor: Executor | None = None,
    mixed: bool = False,
) -> WidthTable:
    """Measure what additional neurons buy: shares, families and times, for n = k + extra.

    n students learn k orthonormal teachers of weight 1 from `restarts` random initial points.
    Counted are the runs that are shown to lead to a point of value 0: for n > k these points are
    not isolated.  The distinct ends of the others are proven as in `ss18.table`.

    **Arguments:**

    - `teachers`: numbers k ≥ 1.
    - `extra`: numbers of additional neurons n − k ≥ 0.
    - `restarts`: of each size; `seed`: of all.  With relu, first layer and scale 1 the runs are
      those of `ss18.table`.
    - `activation`: of students and teachers, by name; relu runs stop at the value 1e-3 (SS18).
      For tanh and others without a closed form each step takes a quadrature.
    - `trained`: "first", the weights w, the second layer being 1; "both", for relu.
    - `scales`: w ~ N(0, scale² I/k), and a ~ N(0, scale²/n) where it is trained.
    - `precision`: "float32" to descend in float32 and finish in float64 on the CPU, for devices
      without float64.
    - `out`, `executor`, `mixed`: as of `ss18.table`.
    - `progress`: `True` for a bar with the time left, in terminals and notebooks; or a function,
      called with (k, n), the current stage, and how much of it is done, of how much, of all scales
      together.

    **Returns:** a `WidthTable`: a row for each k, then each extra, then each scale.

    **Raises:** as `ss18.table`.

    Source: SS18, section 3, table 2; Safran, Yehudai and Shamir 2021.

    ```python
    >>> import jax
    >>> from landscape_jax.studies import width
    >>> jax.config.update("jax_enable_x64", True)
    >>> row = width.table([2], extra=[1], restarts=20).rows[0]
    >>> row.global_runs, row.interval[0] > 0.8
    (20, True)

    ```
    """
    ks = [count("teachers", k) for k in teachers]
    hs = [count("extra", h, 0) for h in extra]
    students = [Students(activation, trained, s, precision) for s in checked_scales(scales)]
    return of_sizes(
        [(k, k + h) for k in ks for h in hs],
        restarts,
        seed,
        students=students,
        out=out,
        progress=progress,
        executor=executor,
        mixed=mixed,
    )


def of_sizes(
    sizes: Iterable[Size],
    restarts: int = 1000,
    seed: int = 0,
    *,
    students: Sequence[Students] = (Students(),),
    out: str | PathLike[str] | None = None,
    progress: StudyProgress | bool | None = None,
    executor: Executor | None = None,
    mixed: bool = False,
) -> WidthTable:
    """Measure any pairs (k, n), with students that differ in scale alone; see `table`."""
    pairs = checked(sizes, restarts, seed)
    for k, n in pairs:
        require_memory(8.0 * (n * k) ** 2, f"the Hessian at an end of {k}:{n}", "give fewer")
    if executor is not None:
        checked_executor(executor)
    with (
        _store(out, pairs[0], students[0], seed, mixed) as place,
        reporting_parts(progress, pairs, restarts * len(students)) as report,
    ):
        study = _WidthStudy(int(restarts), int(seed), place, report, executor)
        rows = tuple(study.rows([(size, each) for size in pairs for each in students]))
    return WidthTable(rows, int(seed), jax.devices()[0].device_kind)


def _store(
    out: str | PathLike[str] | None, size: Size, students: Students, seed: int, mixed: bool
) -> AbstractContextManager[Store] | nullcontext[None]:
    """Open the directory of a study: of all sizes and scales of one kind of students."""
    if out is None:
        return nullcontext()
    settings = {
        "activation": students.activation,
        "trained": students.trained,
        "precision": students.precision,
        "seed": seed,
        "step": STEP,
        "gradient_tolerance": GRADIENT_TOLERANCE,
        "below_value": students.threshold,
        "levels": list(LEVELS),
    }
    made_by = without_lanes(students.search(size, seed))
    return open_store(out, what="width", settings=settings, made_by=made_by, mixed=mixed)


@dataclass
class _Tally:
    """The runs below the threshold, counted chunk by chunk so that none is held."""

    objective: PopulationRisk | JointRisk
    global_runs: int = 0
    below: int = 0
    steps: list[Float[np.ndarray, "runs levels_and_end"]] = field(default_factory=list)

    def __call__(self, part: Runs) -> Bool[np.ndarray, " runs"]:
        """Count the runs below the threshold, and select the others."""
        stopped = part.is_below_value
        if stopped.any():
            runs = part[stopped]
            shown = self._shown(runs)
            self.add(runs, shown)
            self.below += int((~shown).sum())
        return ~stopped

    def add(self, runs: Runs, shown: Bool[np.ndarray, " runs"]) -> None:
        """Count runs that are shown to be global, with their steps to the levels and to the end."""
        self.global_runs += int(shown.sum())
        steps = np.column_stack([np.asarray(runs.steps_to), np.asarray(runs.descent_steps)])
        self.steps.append(steps[shown])

    def _shown(self, runs: Runs) -> Bool[np.ndarray, " runs"]:
        """Find the runs from whose end the risk falls to 0, if need be after further descent."""
        shown = _falls(self.objective, runs)
        if not shown.all():
            first = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), runs.params)
            unit = float(self.objective.known(first).units.value)
            more = restart(
                self.objective,
                runs.params,
                np.flatnonzero(~shown),
                room=len(runs),
                below_value=_FURTHER * unit,
                max_steps=_FURTHER_STEPS,
                finish=False,
            ).map(np.asarray)
            shown[~shown] = _falls(self.objective, more)
        return shown

    def quantiles(self) -> list[tuple[float, float] | None]:
        """Return median and 99 % quantile of the steps to each level, and to the end."""
        table = np.concatenate(self.steps) if self.steps else np.empty((0, len(LEVELS) + 1))
        columns = [column[np.isfinite(column)] for column in table.T]
        pairs = [np.quantile(c, _QUANTILES).tolist() if len(c) else None for c in columns]
        return [None if pair is None else (pair[0], pair[1]) for pair in pairs]


def _falls(objective: PopulationRisk | JointRisk, runs: Runs) -> Bool[np.ndarray, " runs"]:
    """Check for each run whether its family is global."""
    shown = np.zeros(len(runs), bool)
    for family in families(objective, runs):
        if family.kind == "global":
            shown[family.members] = True
    return shown


@dataclass(frozen=True)
class _WidthStudy:
    """The settings that all rows of a study share."""

    restarts: int
    seed: int
    store: Store | None
    progress: StudyProgress
    executor: Executor | None

    def rows(self, cells: list[tuple[Size, Students]]) -> Iterator[WidthRow]:
        """Compute the rows of some sizes and students; finished rows are read."""
        at_a_time = _AT_A_TIME if self.executor is None else 1 + worker_count(self.executor)
        done = dict.fromkeys((size for size, _ in cells), 0)
        work = partial(self._search, done)
        for cell, found in zip(cells, ahead(work, cells, at_a_time), strict=True):
            yield found if isinstance(found, WidthRow) else self._row(*cell, *found)

    def _search(
        self, done: dict[Size, int], cell: tuple[Size, Students]
    ) -> WidthRow | tuple[Runs, _Tally, float]:
        size, students = cell
        start = time.perf_counter()
        row = self._finished(size, students)
        ended: dict[int, int] = {}

        def report(now: int, of: int) -> None:
            done[size] += now - ended.get(0, 0)
            ended[0] = now
            self.progress(size, "descending", done[size], of)

        if row is not None:
            report(self.restarts, self.restarts)
            return row
        tally = _Tally(students.objective(size[0]))
        runs = run_chunks(
            students.search(size, self.seed),
            self.restarts,
            self.store,
            only=tally,
            progress=report,
            executor=self.executor,
        )
        return runs, tally, time.perf_counter() - start

    def _row(
        self, size: Size, students: Students, runs: Runs, tally: _Tally, search_seconds: float
    ) -> WidthRow:
        """Compute one row from its runs, which took so many seconds."""
        start = time.perf_counter()
        objective = students.objective(size[0])
        self.progress(size, "comparing", 0, 1)
        found = families(objective, runs) if len(runs) else Families([], runs)
        for family in found:
            if family.kind == "global":
                tally.add(runs[family.members], np.full(family.count, True))
        rest = [family for family in found if family.kind != "global"]
        ends = tuple(self._prove(size, students, Families(rest, found.unconverged)))
        fates = tuple(self._survival(size, students, rest))
        *steps_to, steps = tally.quantiles()
        row = WidthRow(
            *size,
            restarts=self.restarts,
            students=students,
            global_runs=tally.global_runs,
            below=tally.below,
            ends=ends,
            steps=steps,
            steps_to=tuple(steps_to),
            search_seconds=search_seconds,
            seconds=search_seconds + time.perf_counter() - start,
            survival=fates,
        )
        if self.store is not None:
            write_row(self.store, self._name(size, students), asdict(row), row.ends)
        return row

    def _prove(self, size: Size, students: Students, found: Families) -> Iterator[Proven]:
        """Prove the families that are not global."""
        folder = f"certificates/{_tag(size, students)}"
        proofs = prove_families(students.objective(size[0]), found, self.store, folder=folder)
        for i, proof in enumerate(proofs):
            self.progress(size, "proving", i, len(found))
            yield proof

    def _survival(self, size: Size, students: Students, found: list[Any]) -> Iterator[Survival]:
        """Add a neuron to each spurious minimum of as many students as teachers."""
        risk = students.objective(size[0])
        if not isinstance(risk, PopulationRisk) or students.activation != "relu":
            return
        if size[0] != size[1]:
            return
        for i, family in enumerate(f for f in found if f.kind == "spurious"):
            self.progress(size, "adding a neuron", i, len(found))
            yield survival(
                risk,
                family.representative,
                restart_index=int(family.restart_index[0]),
                below_value=students.threshold,
            )

    def _name(self, size: Size, students: Students) -> str:
        return f"rows/{_tag(size, students)}-{self.restarts}.json"

    def _finished(self, size: Size, students: Students) -> WidthRow | None:
        """Read the finished row of one size; `None` if there is none that holds."""

        def build(known: dict[str, Any], ends: tuple[Proven, ...]) -> WidthRow:
            fates = tuple(map(Survival.of_json, known.pop("survival")))
            pairs = [known.pop("steps"), *known.pop("steps_to")]
            steps, *steps_to = (None if pair is None else (pair[0], pair[1]) for pair in pairs)
            given = Students(**known.pop("students"))
            row = WidthRow(
                **known, students=given, ends=ends, steps=steps, steps_to=tuple(steps_to),
                survival=fates,
            )  # fmt: skip
            if (row.k, row.n, row.restarts, given) != (*size, self.restarts, students):
                raise StorageError(f"{self._name(size, students)} holds another row")
            return row

        if self.store is None:
            return None
        return read_row(self.store, self._name(size, students), build)


def _tag(size: Size, students: Students) -> str:
    return f"scale{students.scale:g}-{tag(size)}"
