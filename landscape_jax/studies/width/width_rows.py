"""One row of the study of width, and all of them."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from landscape_jax.studies.ss18.published import PUBLISHED, Published
from landscape_jax.studies.width.students import LEVELS, Students
from landscape_jax.studies.width.survival import Survival
from landscape_jax.summary import Tabulated
from landscape_jax.sweeps.proven import Proven
from landscape_jax.theory.overspecification.intervals import clopper_pearson

_CONFIDENCE = 0.99


@dataclass(frozen=True)
class WidthRow:
    """How the restarts of n students under k teachers ended.

    - `global_runs`: runs shown to lead to a point of value 0, which is exhibited: they converged at
      one, or the risk falls from their end to one on a straight line, if need be after further
      descent.
    - `below`: other runs that were stopped below the value threshold.
    - `ends`: the families of the other runs, each with what is proven; then one entry for each
      status of runs that came to no end.
    - `steps`: (median, 99 % quantile) of the descent steps of the global runs to their end: to the
      threshold where there is one.  `steps_to`: likewise to each of `LEVELS`.
    - `seconds`: of all, `search_seconds` of them for the descents.
    - `survival`: with n = k, what becomes of each spurious minimum when a neuron is added.
    """

    k: int
    n: int
    restarts: int
    students: Students
    global_runs: int
    below: int
    ends: tuple[Proven, ...]
    steps: tuple[float, float] | None
    steps_to: tuple[tuple[float, float] | None, ...]
    search_seconds: float
    seconds: float
    survival: tuple[Survival, ...] = ()

    @property
    def share_global(self) -> float:
        """The share of the runs that are global."""
        return self.global_runs / self.restarts

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of that share (Clopper–Pearson)."""
        share = clopper_pearson(self.global_runs, self.restarts)
        return float(share.low), float(share.high)

    @property
    def found(self) -> tuple[Proven, ...]:
        """The families of `ends`."""
        return tuple(end for end in self.ends if end.value is not None)

    @property
    def spurious(self) -> int:
        """The number of runs that converged at or above the threshold, but are not global.

        Where there is no threshold: of those whose family is "spurious".
        """
        has_threshold = self.students.threshold is not None
        return sum(end.count for end in self.found if has_threshold or end.kind == "spurious")

    @property
    def undecided(self) -> int:
        """The number of other runs that converged, or were stopped below the threshold."""
        return self.below + sum(end.count for end in self.found) - self.spurious

    @property
    def unfinished(self) -> int:
        """The number of runs that neither converged nor fell below the threshold."""
        return sum(end.count for end in self.ends if end.value is None)

    @property
    def proven(self) -> int:
        """The number of runs whose family is proven to be a spurious minimum."""
        return sum(end.count for end in self.ends if end.proven)

    @property
    def families(self) -> int:
        """The number of distinct ends modulo symmetry, the global ones counted as one."""
        return len(self.found) + (self.global_runs > 0)

    @property
    def restarts_needed(self) -> int | None:
        """The restarts among which one is global with 99 % confidence, at the observed share."""
        return _needed(self.share_global)

    @property
    def restarts_needed_at_most(self) -> int | None:
        """The same at the lower end of the share's 95 % interval."""
        return _needed(self.interval[0])

    @property
    def seconds_to_global(self) -> float | None:
        """The mean search time for one global run, in seconds on the clock."""
        return self.search_seconds / self.global_runs if self.global_runs else None

    @property
    def published(self) -> Published | None:
        """The row of SS18's tables, if this is its protocol."""
        return PUBLISHED.get((self.k, self.n)) if self.students == Students() else None

    @property
    def p_value(self) -> float | None:
        """The probability of shares of spurious runs as different as ours and the published one."""
        if self.published is None:
            return None
        return self.published.p_value(self.spurious + self.unfinished, self.restarts)

    def summary(self) -> dict[str, Any]:
        """Return the row's numbers by name."""
        low, high = self.interval
        median, late = (None, None) if self.steps is None else self.steps
        return {
            "k": self.k,
            "n": self.n,
            "scale": self.students.scale,
            "restarts": self.restarts,
            "global": self.global_runs,
            "share_global": self.share_global,
            "interval": [low, high],
            "spurious": self.spurious,
            "proven": self.proven,
            "undecided": self.undecided,
            "unfinished": self.unfinished,
            "families": self.families,
            "steps_median": median,
            "steps_99": late,
            "restarts_needed": self.restarts_needed,
            "seconds_to_global": self.seconds_to_global,
            "seconds": self.seconds,
        }

    def details(self) -> dict[str, Any]:
        """Return the details behind the row's numbers."""
        return {
            "k": self.k,
            "n": self.n,
            "scale": self.students.scale,
            "steps_to": {
                f"{level:g}": pair for level, pair in zip(LEVELS, self.steps_to, strict=True)
            },
            "restarts_needed_at_most": self.restarts_needed_at_most,
            "search_seconds": self.search_seconds,
            "published": None if self.published is None else asdict(self.published),
            "p_value": self.p_value,
            "families": [asdict(end) | {"proven": end.proven} for end in self.ends],
            "survival": [asdict(fate) for fate in self.survival],
        }


@dataclass(frozen=True, repr=False)
class WidthTable(Tabulated):
    """The rows of a study, the seed of their runs, and the kind of device that they ran on."""

    SHOWN = (
        "k", "n", "restarts", "share_global", "interval", "spurious", "proven", "families",
        "steps_median",
    )  # fmt: skip

    rows: tuple[WidthRow, ...]
    seed: int
    device: str

    def to_json(self) -> dict[str, Any]:
        """Return the table as JSON values: `rows`, and their `details`."""
        students = self.rows[0].students
        return {
            "device": self.device,
            "activation": students.activation,
            "trained": students.trained,
            "precision": students.precision,
            "seed": self.seed,
            "rows": [row.summary() for row in self.rows],
            "details": [row.details() for row in self.rows],
        }


def _needed(share: float) -> int | None:
    """Return the number of independent runs of which one is global with probability 0.99.

    For a share p it is ⌈log 0.01 / log(1 − p)⌉; `None` for a share of 0.

    ```python
    >>> _needed(0.5), _needed(1.0), _needed(0.0)
    (7, 1, None)

    ```
    """
    if share == 0:
        return None
    return 1 if share == 1 else math.ceil(math.log(1 - _CONFIDENCE) / math.log1p(-share))
