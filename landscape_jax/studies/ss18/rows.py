"""One row of the table, and the whole table, beside the published one."""

from dataclasses import asdict, dataclass
from typing import Any

from landscape_jax.studies.ss18.published import PUBLISHED, Published
from landscape_jax.summary import Tabulated
from landscape_jax.sweeps.proven import Outcome, Proven
from landscape_jax.theory.overspecification.intervals import clopper_pearson

# Below this probability two shares disagree: one in a thousand over all 26 sizes.
DISAGREEMENT = 1e-3 / 26


@dataclass(frozen=True)
class Row:
    """How the restarts of one (k, n) ended.

    `above` counts the runs that ended at or above the value threshold.  With n ≥ k these are the
    spurious ones of the paper's tables: `spurious` = `proven` + `unproven`, proven where a verified
    certificate proves the family a spurious minimum, and `unproven` = `minima` + `saddles` +
    `undecided`.  With n < k no point may be below the threshold, so nothing is called spurious:
    `above` = `minima` + `saddles` + `undecided`.  Means are over the runs above; they are `None`
    where there are none.
    """

    k: int
    n: int
    restarts: int
    ends: tuple[Proven, ...]
    seconds: float

    @property
    def above(self) -> int:
        """The number of runs that ended at or above the value threshold."""
        return sum(family.count for family in self.ends)

    @property
    def minima(self) -> int:
        """The number of those whose family is proven to be a minimum, no lower point being known.

        With n < k: whether or not a lower point is known.
        """
        return self._of("minimum") + (self._of("spurious") if self.n < self.k else 0)

    @property
    def saddles(self) -> int:
        """The number of those at whose end a direction of descent is proven."""
        return self._of("saddle")

    @property
    def undecided(self) -> int:
        """The number of those about which nothing is proven."""
        return self._of("undecided")

    @property
    def spurious(self) -> int | None:
        """With n ≥ k, `above`."""
        return self.above if self.n >= self.k else None

    @property
    def proven(self) -> int | None:
        """With n ≥ k, the number of runs whose family is proven to be a spurious minimum."""
        return self._of("spurious") if self.n >= self.k else None

    @property
    def unproven(self) -> int | None:
        """With n ≥ k, the number of the other spurious runs."""
        return self.above - self._of("spurious") if self.n >= self.k else None

    def _of(self, outcome: Outcome) -> int:
        return sum(family.count for family in self.ends if family.outcome == outcome)

    @property
    def percent_above(self) -> float:
        """The share of all runs that ended at or above the threshold, in percent."""
        return 100 * self.above / self.restarts

    @property
    def percent_spurious(self) -> float | None:
        """With n ≥ k, `percent_above`."""
        return self.percent_above if self.n >= self.k else None

    @property
    def mean_min_eigenvalue(self) -> float | None:
        """The mean smallest eigenvalue of the Hessian, over the runs above."""
        return _mean([(family.min_eigenvalue, family.count) for family in self.ends])

    @property
    def mean_objective(self) -> float | None:
        """The mean value, over the runs above."""
        return _mean([(family.value, family.count) for family in self.ends])

    @property
    def families(self) -> int:
        """The number of distinct points, modulo symmetry, among the ends above."""
        return len(self.ends)

    @property
    def percent_interval(self) -> tuple[float, float]:
        """The 95 % interval of the share, in percent (Clopper–Pearson)."""
        share = clopper_pearson(self.above, self.restarts)
        return 100 * float(share.low), 100 * float(share.high)

    @property
    def published(self) -> Published | None:
        """The published row."""
        return PUBLISHED.get((self.k, self.n))

    @property
    def p_value(self) -> float | None:
        """The probability of shares as different as ours and the published one (Fisher's test)."""
        return None if self.published is None else self.published.p_value(self.above, self.restarts)

    @property
    def agrees(self) -> bool | None:
        """Whether our share and the published one are consistent: p ≥ 0.001/26."""
        return None if self.p_value is None else self.p_value >= DISAGREEMENT

    def summary(self) -> dict[str, Any]:
        """Return the row's numbers by name."""
        names = (
            "k n restarts spurious proven unproven percent_spurious mean_min_eigenvalue "
            "mean_objective families seconds above minima saddles undecided"
        )
        return {name: getattr(self, name) for name in names.split()}

    def details(self) -> dict[str, Any]:
        """Return the details behind the row's numbers, and the published ones."""
        return {
            "k": self.k,
            "n": self.n,
            "percent_interval": list(self.percent_interval),
            "published": None if self.published is None else asdict(self.published),
            "p_value": self.p_value,
            "agrees": self.agrees,
            "families": [asdict(each) | {"proven": each.proven} for each in self.ends],
        }


@dataclass(frozen=True, repr=False)
class Table(Tabulated):
    """Rows of the table, in the order asked for, and the seed of their runs."""

    SHOWN = (
        "k", "n", "restarts", "spurious", "proven", "percent_spurious", "mean_min_eigenvalue",
        "mean_objective", "families",
    )  # fmt: skip

    rows: tuple[Row, ...]
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return the table as JSON values: `rows`, and their `details`."""
        return {
            "rows": [row.summary() for row in self.rows],
            "details": [row.details() for row in self.rows],
            "seed": self.seed,
        }


def _mean(weighted: list[tuple[float | None, int]]) -> float | None:
    """Compute the weighted mean of the numbers other than `None`; `None` if there are none."""
    known = [(value, count) for value, count in weighted if value is not None]
    total = sum(count for _, count in known)
    return sum(value * count for value, count in known) / total if total else None
